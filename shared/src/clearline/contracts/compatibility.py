"""Whether a changed event type still speaks with what is already deployed or already lies on a topic. Pure.

Old consumers read new events during every rolling upgrade, and new consumers read old events for as long as a topic
keeps them: so within a version a change must hold in both directions, which leaves optional fields to be added.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"title", "description", "default", "$defs", "examples"})
_WALKED = frozenset({"type", "enum", "properties", "required", "items", "additionalProperties"})


@dataclass(frozen=True, slots=True)
class Break:
    """One change that somebody cannot live with, and who that is."""

    type_name: str
    field: str
    """Path from the body, for example `steps[].status`."""
    change: str
    consumers: tuple[str, ...]

    def __str__(self) -> str:
        readers = ", ".join(self.consumers) or "no service, but records on the topic"
        return f"{self.type_name}: {self.field} {self.change}; this breaks {readers}"


def breaking_changes(released: Schema, current: Schema | None) -> list[Break]:
    """What `current` breaks of the released schema document of a type; None where the type is gone."""
    name = str(released["title"])
    consumers = set(_consumers(released)) | (set(_consumers(current)) if current else set())
    if current is None:
        changes: list[tuple[str, str]] = [("the type", "was removed")]
    else:
        changes = list(_Walk(released, current).compare(released, current, ""))
    return [Break(name, field or "the body", change, tuple(sorted(consumers))) for field, change in changes]


def _consumers(document: Schema) -> Iterator[str]:
    for topic in document.get("x-topics", {}).values():
        yield from topic["consumers"]


class _Walk:
    """One walk down two documents at once; a pair of definitions that was compared is not compared again."""

    def __init__(self, old_document: Schema, new_document: Schema) -> None:
        self._old_defs: Schema = old_document.get("$defs", {})
        self._new_defs: Schema = new_document.get("$defs", {})
        self._seen: set[tuple[str, str, str]] = set()

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        pair = (str(old.get("$ref")), str(new.get("$ref")), path if "$ref" not in old or "$ref" not in new else "")
        if pair in self._seen and "$ref" in old and "$ref" in new:
            return
        self._seen.add(pair)
        before, after = _alternatives(old, self._old_defs), _alternatives(new, self._new_defs)
        for kind in before.keys() - after.keys():
            yield path, f"may no longer be {kind}"
        for kind in after.keys() - before.keys():
            yield path, f"may now be {kind}, which old consumers refuse"
        for kind in sorted(before.keys() & after.keys()):
            yield from self._same_kind(before[kind], after[kind], path)

    def _same_kind(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        yield from _values(old, new, path)
        yield from _constraints(old, new, path)
        yield from self._fields(old, new, path)
        for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(old.get(keyword), Mapping) and isinstance(new.get(keyword), Mapping):
                yield from self.compare(old[keyword], new[keyword], path + mark)
            elif old.get(keyword) != new.get(keyword):
                yield path + mark, "changed what it may hold"

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in before.keys() - after.keys():
            yield _join(path, name), "was removed or renamed"
        for name in sorted(needed_after - needed_before):
            yield _join(path, name), "became required, which events already sent do not hold"
        for name in sorted((needed_before - needed_after) & after.keys()):
            yield _join(path, name), "became optional, which old consumers refuse to miss"
        for name in before.keys() & after.keys():
            yield from _default(before[name], after[name], _join(path, name), name in needed_before)
            yield from self.compare(before[name], after[name], _join(path, name))


def _alternatives(schema: Schema, definitions: Schema) -> dict[str, Schema]:
    """Kind of value → the schema for it; references are followed."""
    found: dict[str, Schema] = {}
    for option in schema.get("anyOf", [schema]):
        resolved = _resolve(option, definitions)
        if "anyOf" in resolved:
            found |= _alternatives(resolved, definitions)
        else:
            found[_kind(resolved)] = resolved
    return found


def _resolve(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return "one of a closed set"
    return str(schema.get("type", "anything"))


def _values(old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
    before, after = set(old.get("enum", ())), set(new.get("enum", ()))
    for value in sorted(before - after, key=str):
        yield path, f"lost the value {value!r}, which events already sent hold"
    for value in sorted(after - before, key=str):
        yield path, f"got the value {value!r}, which old consumers refuse"


def _constraints(old: Schema, new: Schema, path: str) -> Iterator[tuple[str, str]]:
    for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS - _WALKED):
        if keyword.startswith(("x-", "$")):
            continue
        if old.get(keyword) != new.get(keyword):
            yield path, f"changed its {keyword} from {old.get(keyword)!r} to {new.get(keyword)!r}"


def _default(old: Schema, new: Schema, path: str, required: bool) -> Iterator[tuple[str, str]]:  # noqa: FBT001 - private, read where it is called
    if not required and old.get("default") != new.get("default"):
        before, after = old.get("default"), new.get("default")
        yield path, f"changed its default from {before!r} to {after!r}, which is never sent and so read as two things"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
