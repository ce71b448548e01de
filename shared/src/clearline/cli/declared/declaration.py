"""One declared connection, checked by the forms' own rules; its secrets stay references until they are needed."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clearline.cli.declared.places import Fault, Place
from clearline.cli.declared.references import References, UnavailableError, has_reference
from clearline.cli.declared.tree import Node
from clearline.contracts.connection import BeatPolicy, Environment
from clearline.probes.probe import Form, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSource:
    """A credential as the file gives it. The text itself may be a secret, so nothing prints it."""

    text: str = field(repr=False)
    references: References = field(repr=False)

    @property
    def written_out(self) -> bool:
        """The secret itself stands in the file."""
        return not has_reference(self.text)

    def read(self) -> str:
        """The secret. Raises `UnavailableError`, which names the variable or file."""
        return self.references.expanded(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a file says that a connection shall be. What it leaves out has its default."""

    name: str
    environment: Environment
    kind: Kind = field(repr=False)
    owner: str | None
    config: Mapping[str, Any] = field(repr=False)
    """As written, references replaced: what is sent."""
    form: Form = field(repr=False)
    """The same as the kind's form reads it, defaults filled in."""
    credentials: Mapping[str, SecretSource | None]
    """None removes one that is stored; one that is not named stays."""
    credentials_after: datetime | None
    """Credentials that were stored before this moment are sent again."""
    beat: BeatPolicy
    active: bool | None
    """None: leave it as it is."""
    node: Node = field(repr=False)
    file: str

    @property
    def label(self) -> str:
        """The unique name by which people call it."""
        return f"{self.environment}/{self.name}"

    @property
    def argument(self) -> str:
        """The label as it is typed in a shell."""
        return shlex.quote(self.label)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.file, self.node.line)

    def fault(self, pointer: str, code: str, detail: str) -> Fault:
        """Something that is wrong with it, at the line of the field."""
        place = Place(self.file, self.node.at(pointer))
        return Fault(place=place, code=code, detail=detail, subject=self.label, pointer=pointer)

    def secrets(self, names: frozenset[str]) -> tuple[dict[str, str], list[Fault]]:
        """Those credentials in plain, and what keeps others from being read."""
        read: dict[str, str] = {}
        faults = []
        for name, source in self.credentials.items():
            if source is None or name not in names:
                continue
            try:
                read[name] = source.read()
            except UnavailableError as error:
                faults.append(self.fault(f"/credentials/{name}", "REFERENCE_UNAVAILABLE", str(error)))
        return read, faults
