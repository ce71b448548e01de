"""Takes an item's tree apart: its fields, their types, and what references in public fields stand for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from clearline.cli.declared.places import Fault, Place
from clearline.cli.declared.references import References, UnavailableError, has_reference, is_reference_alone, unescaped
from clearline.cli.declared.tree import Node, scalar
from clearline.cli.plain_text import plain
from clearline.cli.typed_fields import branches
from clearline.contracts.connection import ENVIRONMENTS

FIELDS = (
    "name",
    "environment",
    "kind",
    "owner",
    "config",
    "credentials",
    "credentials_after",
    "beat",
    "active",
)
_WORDS = {str: "a text", dict: "an object", bool: "true or false", int: "a whole number"}


def nearest(name: str, known: Collection[str]) -> str:
    """What an unknown field may have been meant to be, as a sentence."""
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Fields here: {', '.join(known) or 'none'}."


@dataclass(slots=True)
class Shape:
    """One item while it is read; faults are gathered, so that all are told at once."""

    node: Node
    file: str
    references: References
    faults: list[Fault] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """The item's name as far as it has one."""
        parts = (self._inner(name) for name in ("environment", "name"))
        return plain("/".join(part for part in parts if isinstance(part, str)), 200)

    def complain(self, pointer: str, code: str, detail: str) -> None:
        """Remember what is wrong at a field."""
        place = Place(self.file, self.node.at(pointer))
        self.faults.append(Fault(place=place, code=code, detail=detail, subject=self.subject, pointer=pointer))

    def refuse_unknown(self, pointer: str, known: Collection[str], nodes: Mapping[str, Node]) -> None:
        """Complain of each field that is not known, with the nearest that is."""
        for name in nodes:
            if name not in known:
                at = f"{pointer}/{plain(name, 64).replace('~', '~0').replace('/', '~1')}"
                line = nodes[name].line
                told = f"There is no such field. {nearest(name, known)}"
                fault = Fault(
                    place=Place(self.file, line), code="FIELD_UNKNOWN", detail=told, subject=self.subject, pointer=at
                )
                self.faults.append(fault)

    def text(self, name: str, *, needed: bool) -> str | None:
        """A field that is a text."""
        value = self._inner(name)
        if value is None:
            if needed:
                self.complain(f"/{name}", "FIELD_REQUIRED", f"Is missing. Every connection has a field {name}.")
            return None
        text: str | None = self._of_type(value, str, f"/{name}")
        return text

    def environment(self) -> Any:
        """One of the three."""
        value = self.text("environment", needed=True)
        if value is not None and value not in ENVIRONMENTS:
            self.complain("/environment", "ENVIRONMENT_UNKNOWN", f"Must be one of {', '.join(ENVIRONMENTS)}.")
            return None
        return value

    def fields(self, name: str) -> dict[str, Node]:
        """A field that is an object; empty where it is left out."""
        value = self._inner(name)
        return {} if value is None else self._of_type(value, dict, f"/{name}") or {}

    def name(self) -> str | None:
        """Which connection it is must not depend on who applies the file, so no part of a name comes from elsewhere."""
        text = self.text("name", needed=True)
        if text is None or not has_reference(text):
            return text and unescaped(text)
        self.complain("/name", "FIELD_FORMAT", "References are replaced in config and credentials alone.")
        return text

    def flag(self, name: str) -> bool | None:
        """A field that is true, false or left out."""
        value = self._inner(name)
        return None if value is None else self._of_type(value, bool, f"/{name}")

    def moment(self, name: str, now: datetime) -> datetime | None:
        """A past moment with its time zone."""
        text = self.text(name, needed=False)
        if text is None:
            return None
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            when = None
        if when is None or when.tzinfo is None:
            self.complain(f"/{name}", "FIELD_FORMAT", "Must be a time with its offset, such as 2027-01-31T12:00:00Z.")
        elif when > now:
            self.complain(
                f"/{name}", "FIELD_RANGE", "Lies in the future: every apply until then would send them again."
            )
        else:
            return when
        return None

    def numbers(self, name: str, known: Collection[str]) -> dict[str, int]:
        """A field that is an object of whole numbers; null is as good as left out."""
        nodes = self.fields(name)
        self.refuse_unknown(f"/{name}", known, nodes)
        given = {field: node.value for field, node in nodes.items() if field in known and node.value is not None}
        typed = {field: self._of_type(value, int, f"/{name}/{field}") for field, value in given.items()}
        return {field: value for field, value in typed.items() if value is not None}

    def config(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The config with its references replaced; one that stands alone may give a number, if the form wants one."""
        properties = schema.get("properties", {})
        return {
            name: self._expanded(
                node, f"/config/{name}", typed=_wants_other_than_text(properties.get(name, {}), schema)
            )
            for name, node in self.fields("config").items()
        }

    def complain_of_unread_secrets(self) -> None:
        """Complain of each credential whose reference leads nowhere; no value is kept."""
        credentials = self._inner("credentials")
        for name, node in credentials.items() if isinstance(credentials, dict) else ():
            if isinstance(node.value, str):
                self._expanded(node, f"/credentials/{name}")

    def _expanded(self, node: Node, pointer: str, *, typed: bool = False) -> Any:
        match node.value:
            case dict() as fields:
                return {name: self._expanded(inner, f"{pointer}/{name}") for name, inner in fields.items()}
            case list() as items:
                return [self._expanded(inner, f"{pointer}/{index}") for index, inner in enumerate(items)]
            case str() as text:
                try:
                    value = self.references.expanded(text)
                except UnavailableError as error:
                    self.complain(pointer, "REFERENCE_UNAVAILABLE", str(error))
                    return text
                return scalar(value) if typed and is_reference_alone(text) else value
            case value:
                return value

    def _inner(self, name: str) -> Any:
        node = self.node.value.get(name)
        return None if node is None else node.value

    def _of_type(self, value: Any, wanted: type, pointer: str) -> Any:
        if type(value) is wanted:
            return value
        self.complain(pointer, "FIELD_TYPE", f"Must be {_WORDS[wanted]}.")
        return None


def _wants_other_than_text(field: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    kinds: Iterator[Any] = (branch.get("type", "string") for branch in branches(field, schema))
    return bool(field) and "string" not in kinds
