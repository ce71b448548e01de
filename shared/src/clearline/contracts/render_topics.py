"""The page of topics and event types, for people."""

from collections.abc import Iterator, Sequence

from clearline.contracts.event import EventType
from clearline.contracts.render_asyncapi import Examples
from clearline.contracts.render_schemas import ATTRIBUTES
from clearline.contracts.topics import DAY_MS, KIB, Topic
from clearline.generated import NOTICE

EXAMPLES = "../../shared/src/clearline/contracts/examples"


def topic_page(command: str, topics: Sequence[Topic], examples: Examples) -> str:
    """docs/events/README.md: the topic table, the attributes, and each type with its schema and examples."""
    return "\n".join(_lines(command, topics, examples)) + "\n"


def _lines(command: str, topics: Sequence[Topic], examples: Examples) -> Iterator[str]:
    yield "# Events\n"
    yield f"<!-- {NOTICE.format(command=command)} -->\n"
    yield "What the services say to each other: CloudEvents 1.0 in Kafka's binary mode (a header `ce_<attribute>`"
    yield "for each attribute, the body as JSON). The same for machines: [asyncapi.yaml](asyncapi.yaml).\n"
    yield "Within a version of a type only optional fields are added. What a consumer does not know it ignores.\n"
    yield "## Topics\n"
    yield "| topic | what it carries | key | partitions | kept | largest | written by | read by | types |"
    yield "|---|---|---|---|---|---|---|---|---|"
    yield from (_row(topic) for topic in topics)
    yield "\n## Attributes\n"
    yield "| attribute | always | meaning |\n|---|---|---|"
    yield from (f"| `{name}` | {'yes' if always else 'no'} | {meaning} |" for name, always, meaning in ATTRIBUTES)
    yield "\n## Types"
    for event_type in {event_type.name: event_type for topic in topics for event_type in topic.types}.values():
        yield from _section(event_type, sorted(examples.get(event_type.slug, {})))


def _row(topic: Topic) -> str:
    types = "<br>".join(f"[{_short(event_type)}](#{_anchor(event_type)})" for event_type in topic.types)
    cells = [
        f"`{topic.name}`",
        topic.purpose,
        topic.key,
        str(topic.partitions),
        kept(topic),
        f"{topic.max_bytes // KIB} KiB",
        ", ".join(topic.producers),
        ", ".join(topic.consumers) or "people, through the command line",
        types or "any",
    ]
    return f"| {' | '.join(cells)} |"


def kept(topic: Topic) -> str:
    """How long records stay, in words."""
    if topic.compacted:
        return "the newest of each key (compacted)"
    if topic.retention_ms is None:
        return "as the broker says"
    days, rest = divmod(topic.retention_ms, DAY_MS)
    return f"{topic.retention_ms} ms" if rest else f"{days} d"


def _short(event_type: EventType) -> str:
    return event_type.name.removeprefix("clearline.")


def _anchor(event_type: EventType) -> str:
    return _short(event_type).replace(".", "").lower()


def _section(event_type: EventType, examples: Sequence[str]) -> Iterator[str]:
    yield f"\n### {_short(event_type)}\n"
    yield f"{event_type.meaning} Wire type `{event_type.name}`."
    links = [f"[{name}]({EXAMPLES}/{event_type.slug}/{name}.json)" for name in examples]
    yield f"[Schema](schemas/{event_type.slug}.json) · examples: {', '.join(links) or 'none'}"
