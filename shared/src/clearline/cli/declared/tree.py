"""YAML (and so JSON) as plain values with the line of each. Nothing in a file can run, multiply or hide.

Plain values are read as YAML 1.2 reads them, as editors do: `no` is a text, `0777` a number, a date a text. Tags are
refused; anchors work, and what they repeat counts anew towards the bounds; a key stands once.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MAX_BYTES = 1024 * 1024
MAX_NODES = 50_000
"""Values in one file with everything that aliases repeat; a thousand connections have about twenty thousand."""
MAX_DEPTH = 20

Value = Any
"""None, bool, int, float, str, list[Node] or dict[str, Node]."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_OTHER_BASE = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,30}|[0-9]{1,30}(?:\.[0-9]{0,30})?)(?:[eE][-+]?[0-9]{1,3})?")
_WORDS: Mapping[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NEITHER = "This is neither YAML nor JSON. Look for a ${…} without quotes, a tab, a quote or bracket that stays open."
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


class UnreadableError(Exception):
    """The text is no YAML that we take."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.line = line
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line where it is said: for a field, the line of its name."""

    value: Value
    line: int
    size: int = 1
    """Values in it, itself included."""

    def plain(self) -> Any:
        """Without lines."""
        match self.value:
            case dict() as fields:
                return {name: inner.plain() for name, inner in fields.items()}
            case list() as items:
                return [inner.plain() for inner in items]
            case scalar:
                return scalar

    def at(self, pointer: str) -> int:
        """The line of what a JSON pointer names, or of the nearest thing around it."""
        node = self
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            match node.value:
                case dict() as fields if name in fields:
                    node = fields[name]
                case list() as items if name.isdecimal() and int(name) < len(items):
                    node = items[int(name)]
                case _:
                    break
        return node.line


@dataclass(slots=True)
class Parsed:
    """The documents of one file, and what is wrong although they can be read."""

    documents: list[Node] = field(default_factory=list)
    faults: list[tuple[int, str]] = field(default_factory=list)
    """Line and sentence."""


def parse(content: bytes) -> Parsed:
    """Every document of a file. Raises `UnreadableError` where nothing beyond the fault can be understood."""
    import yaml  # noqa: PLC0415 - commands that read no file do without

    if len(content) > MAX_BYTES:
        raise UnreadableError(1, f"The file is larger than {MAX_BYTES} bytes.")
    builder = _Builder(Parsed())
    try:
        text = content.decode("utf-8-sig")
        events = yaml.parse(_json_pairs(text), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        builder.read(iter(events))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        line = min(line, content.rstrip().count(b"\n") + 1)  # the end of the file is told as the line behind it
        raise UnreadableError(line, _NEITHER) from None  # its own text may hold a value
    except (yaml.YAMLError, ValueError):
        raise UnreadableError(1, "This is neither YAML nor JSON, or not in UTF-8.") from None
    return builder.parsed


def scalar(text: str) -> Value:
    """What an unquoted text means by YAML's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _json_pairs(text: str) -> str:
    """JSON may write one character as two escapes, which YAML has no word for."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    return _PAIR.sub(lambda two: two[1] + bytes.fromhex(two[2] + two[3]).decode("utf-16-be"), text)


@dataclass(slots=True)
class _Builder:
    parsed: Parsed
    anchors: dict[str, Node] = field(default_factory=dict)
    nodes: int = 0

    def read(self, events: "Iterator[yaml.Event]") -> None:
        import yaml  # noqa: PLC0415

        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.anchors = {}
                self.parsed.documents.append(self._node(next(events), events, 0))

    def _node(self, event: Any, events: "Iterator[yaml.Event]", depth: int) -> Node:
        import yaml  # noqa: PLC0415

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event.anchor, line)
        self._count(1, line)
        if depth > MAX_DEPTH:
            raise UnreadableError(line, f"This nests deeper than {MAX_DEPTH} levels.")
        if event.tag is not None and event.tag != "!":
            self.parsed.faults.append((line, "Tags (such as !!python/object) are not taken; write the plain value."))
        match event:
            case yaml.MappingStartEvent():
                fields = self._fields(events, depth)
                node = Node(fields, line, 1 + sum(inner.size for inner in fields.values()))
            case yaml.SequenceStartEvent():
                items = self._items(events, depth)
                node = Node(items, line, 1 + sum(inner.size for inner in items))
            case _:
                node = Node(scalar(event.value) if event.implicit[0] else event.value, line)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def _items(self, events: "Iterator[yaml.Event]", depth: int) -> list[Node]:
        import yaml  # noqa: PLC0415

        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return items

    def _fields(self, events: "Iterator[yaml.Event]", depth: int) -> dict[str, Node]:
        import yaml  # noqa: PLC0415

        fields: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None:
                self.parsed.faults.append((key.line, "A field's name must be a plain text."))
            elif name == "<<":
                self.parsed.faults.append((key.line, "`<<` is not taken: alias a whole value, or write the fields."))
            elif name in fields:
                told = f"The field {name[:64]} stands twice; first on line {fields[name].line}."
                self.parsed.faults.append((key.line, told))
            else:
                fields[name] = Node(value.value, key.line, value.size)
        return fields

    def _repeated(self, anchor: str | None, line: int) -> Node:
        node = self.anchors.get(anchor or "")
        if node is None:
            raise UnreadableError(line, "This alias has no anchor before it.")
        self._count(node.size, line)
        return Node(node.value, line, node.size)

    def _count(self, more: int, line: int) -> None:
        self.nodes += more
        if self.nodes > MAX_NODES:
            raise UnreadableError(line, f"The file holds more than {MAX_NODES} values, those of aliases included.")
