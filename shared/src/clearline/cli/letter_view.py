"""Dead letters as people see them: their place, reason and headers, and a body whose texts are left out.

What lies there could not be handled, so nobody knows what it holds: of its texts only those under names that our own
events use for ids, kinds and times are shown, and of foreign headers only their length.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clearline.cli.lines import Line
from clearline.cli.moments import moment, moment_of

if TYPE_CHECKING:
    from clearline.chassis.letters import DeadLetter, Replayed

HEADERS = ("ID", "FAILED", "TOPIC", "PLACE", "REASON", "TYPE", "KEY", "STATE")
SHOWN = frozenset(
    {
        "changed_at",
        "changed_by",
        "code",
        "completed_at",
        "connection_id",
        "deadline",
        "environment",
        "fault_owner",
        "health",
        "id",
        "kind",
        "lifecycle",
        "name",
        "number",
        "outcome",
        "reason",
        "requested_at",
        "requested_by",
        "retry_class",
        "revision",
        "status",
        "step",
        "test_id",
        "verification_id",
        "why",
    }
)
"""Names under which our events carry ids, closed words and times."""
CLOSED = frozenset({"credentials", "config", "envelopes", "evidence", "headers"})
"""Below these people choose the names, so no name says that its text is harmless."""
_WORD = re.compile(r"[\w.:@+/-]{1,64}")
SHOWN_HEADERS = ("ce_", "traceparent", "content-type")
MAX_DEPTH = 20


def row(letter: "DeadLetter", replayed: Mapping[str, "Replayed"]) -> tuple[str, ...]:
    """One line of the list."""
    return (
        letter.id or "none",
        moment(moment_of(letter.failed_at) or letter.written_at),
        letter.origin_topic,
        f"{letter.origin_partition}/{letter.origin_offset}",
        letter.reason,
        letter.header("ce_type").removeprefix("clearline."),
        key_of(letter),
        state_of(letter, replayed),
    )


def state_of(letter: "DeadLetter", replayed: Mapping[str, "Replayed"]) -> str:
    """Whether somebody has sent it again."""
    sent = replayed.get(letter.id)
    return "waiting" if sent is None else f"replayed {moment(sent.at)}"


def key_of(letter: "DeadLetter") -> str:
    """The key as text."""
    return "" if letter.key is None else letter.key.decode(errors="replace")


def as_json(letter: "DeadLetter", replayed: Mapping[str, "Replayed"]) -> dict[str, Any]:
    """One letter without its body."""
    sent = replayed.get(letter.id)
    return {
        "id": letter.id,
        "origin": {"topic": letter.origin_topic, "partition": letter.origin_partition, "offset": letter.origin_offset},
        "reason": letter.reason,
        "detail": letter.detail,
        "group": letter.group,
        "failed_at": letter.failed_at,
        "key": None if letter.key is None else key_of(letter),
        "size": letter.size,
        "truncated": letter.truncated,
        "headers": dict(shown_headers(letter)),
        "replay_of": letter.replay_of or None,
        "replayed": None if sent is None else {"at": sent.at, "by": sent.by},
    }


def lines(letter: "DeadLetter", replayed: Mapping[str, "Replayed"], body: Any) -> Iterator[Line]:
    """One letter in full."""
    sent = replayed.get(letter.id)
    yield Line(f"Dead letter {letter.id}")
    told = {
        "origin": f"{letter.origin_topic}, partition {letter.origin_partition}, offset {letter.origin_offset}",
        "reason": f"{letter.reason}: {letter.detail}",
        "given up by": f"{letter.group} at {moment(letter.failed_at)}",
        "key": key_of(letter) or "none",
        "state": f"replayed {moment(sent.at)} by {sent.by}" if sent else "waiting",
        "replay of": letter.replay_of,
        "size": f"{letter.size} bytes{', of which only the beginning was kept' if letter.truncated else ''}",
    }
    for name, value in told.items():
        if value:
            yield Line(f"{name + ':':<13}{value}", indent=2)
    yield Line("headers:", indent=2)
    for name, value in shown_headers(letter):
        yield Line(f"{name}: {value}", indent=4)
    yield Line("body, with its texts left out:", indent=2)
    for line in json.dumps(body, indent=2, ensure_ascii=False).splitlines():
        yield Line(line.strip(), indent=4 + len(line) - len(line.lstrip()))


def shown_headers(letter: "DeadLetter") -> Iterator[tuple[str, str]]:
    """The original headers; of those that are not ours only how long they are."""
    for name, value in letter.headers:
        ours = name.startswith(SHOWN_HEADERS)
        yield name, value.decode(errors="replace") if ours else f"({len(value)} bytes)"


def body_view(value: bytes | None) -> Any:
    """The structure of a body: names, numbers and closed words stay, other texts become their length."""
    if value is None:
        return "none: a tombstone"
    try:
        return _shape(json.loads(value), open_=False, depth=0)
    except (ValueError, RecursionError):
        return f"{len(value)} bytes that are not JSON"


def _shape(value: Any, *, open_: bool, depth: int, closed: bool = False) -> Any:
    if depth > MAX_DEPTH:
        return "…"
    match value:
        case dict():
            return {
                name: _shape(
                    inner, open_=name in SHOWN and not closed, depth=depth + 1, closed=closed or name in CLOSED
                )
                for name, inner in value.items()
            }
        case list():
            return [_shape(inner, open_=open_, depth=depth + 1, closed=closed) for inner in value]
        case str() if not (open_ and _WORD.fullmatch(value)):
            return f"({len(value)} characters)"
        case _:
            return value
