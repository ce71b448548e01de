"""`read_declared`: from the files of `-f` to checked connections, or every fault of all of them at once.

Offline: it asks no gateway and dials nobody. The rules are those of the forms (`clearline.probes`), so what passes
here is refused by a gateway of the same version only for what it alone knows: names taken, addresses not allowed.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from clearline.catalogue import ClearlineError
from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.item import declared_item
from clearline.cli.declared.places import Fault, FaultsError, Place
from clearline.cli.declared.references import References
from clearline.cli.declared.shape import Shape, nearest
from clearline.cli.declared.sources import Source, sources
from clearline.cli.declared.tree import Node, UnreadableError, parse
from clearline.cli.ends import WrongUseError
from clearline.cli.plain_text import plain
from clearline.cli.surroundings import Surroundings
from clearline.probes.forms import parse_credentials
from clearline.probes.naming import canonical_name
from clearline.probes.probe import Credentials

MAX_ITEMS = 5_000
_BESIDE = ("connections", "$schema")
"""What may stand at the top of a file, beside `x-…`, where anchors may be kept."""


def read_declared(
    given: Sequence[str], surroundings: Surroundings, *, secrets_needed: bool = True
) -> tuple[Declared, ...]:
    """Every connection in the order of the files. Raises `FaultsError` with all that is wrong, `WrongUseError` before.

    References in `config` are replaced. Secrets are read by `Declared.secrets` and `credentials_of`; but where
    something is wrong anyway and they are needed, those that lead nowhere are told beside it.
    """
    reading = _Reading(surroundings)
    for source in sources(given, surroundings):
        reading.read(source)
    reading.refuse_twins()
    if reading.faults:
        reading.complain_of_unread_secrets(needed=secrets_needed)
        raise FaultsError(sorted(reading.faults, key=lambda fault: reading.order(fault.place)))
    if not reading.found:
        raise WrongUseError(
            "There is no connection in what was given.", "A file begins with `connections:` and a list."
        )
    return tuple(reading.found)


def chosen(items: Sequence[Declared], names: Collection[str]) -> tuple[Declared, ...]:
    """Those that `--only` names, as `environment/name` or by the bare name; all where it names none."""
    known = {name for item in items for name in (item.label, item.name)}
    for name in names:
        if canonical_name(name) not in known:
            labels = ", ".join(item.label for item in items[:20])
            raise WrongUseError(f"The files hold no connection {name}.", f"They hold: {labels}")
    wanted = {canonical_name(name) for name in names}
    return tuple(item for item in items if not wanted or wanted & {item.label, item.name})


def credentials_of(item: Declared) -> tuple[Credentials | None, list[Fault]]:
    """The credentials that its config needs, read and checked; None with every reason why not."""
    raw, faults = item.secrets(frozenset(item.credentials))
    if faults:
        return None, faults
    try:
        return parse_credentials(item.kind, raw, config=item.form), []
    except ClearlineError as error:
        return None, [item.fault(one.pointer, one.code, one.detail) for one in error.errors]


@dataclass(slots=True)
class _Reading:
    surroundings: Surroundings
    found: list[Declared] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    places: list[tuple[str, Place]] = field(default_factory=list)
    """`environment/name` and place of every item, sound or not."""
    files: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    def read(self, source: Source) -> None:
        self.files.append(source.name)
        try:
            parsed = parse(source.content)
        except UnreadableError as error:
            self.complain(source, error.line, "FILE_UNREADABLE", error.detail)
            return
        for line, detail in parsed.faults:
            self.complain(source, line, "FILE_UNREADABLE", detail)
        for document in parsed.documents:
            for node in self._items(document, source):
                self._item(node, source)

    def complain(self, source: Source, line: int, code: str, detail: str) -> None:
        self.faults.append(Fault(place=Place(source.name, line), code=code, detail=detail))

    def complain_of_unread_secrets(self, *, needed: bool) -> None:
        for shape in self.shapes if needed else ():
            told = len(shape.faults)
            shape.complain_of_unread_secrets()
            self.faults += shape.faults[told:]

    def order(self, place: Place) -> tuple[int, int]:
        return self.files.index(place.file), place.line

    def refuse_twins(self) -> None:
        first: dict[str, Place] = {}
        for label, place in self.places:
            if (earlier := first.setdefault(label, place)) is not place:
                told = f"The same connection stands at {earlier} already; a name is unique in its environment."
                fault = Fault(place=place, code="NAME_REPEATED", detail=told, subject=label, pointer="/name")
                self.faults.append(fault)

    def _items(self, document: Node, source: Source) -> Iterator[Node]:
        """The connections of one document: its list, or itself. `x-…` beside the list is for anchors."""
        match document.value:
            case None:
                return
            case {"connections": Node(list() as items)}:
                for name, node in document.value.items():
                    if name not in _BESIDE and not name.startswith("x-"):
                        told = f"{plain(name, 64)} does not belong beside connections. {nearest(name, _BESIDE)}"
                        self.complain(source, node.line, "FIELD_UNKNOWN", told)
                yield from items
            case {"connections": Node(None)}:
                return
            case {"connections": node}:
                self.complain(source, node.line, "FIELD_TYPE", "`connections` must be a list.")
            case dict() as fields if near := get_close_matches("connections", [*fields], n=1, cutoff=0.8):
                told = f"A file begins with `connections:`. Did you mean connections, not {plain(near[0], 64)}?"
                self.complain(source, document.line, "FIELD_UNKNOWN", told)
            case dict():
                yield document
            case _:
                told = "This is no connection. A file begins with `connections:` and a list of them."
                self.complain(source, document.line, "FIELD_TYPE", told)

    def _item(self, node: Node, source: Source) -> None:
        if not isinstance(node.value, dict):
            self.complain(source, node.line, "FIELD_TYPE", "A connection is an object with name, environment and kind.")
            return
        if len(self.places) >= MAX_ITEMS:
            raise WrongUseError(f"There are more than {MAX_ITEMS} connections.", "Give fewer files at a time.")
        shape = Shape(node, source.name, References(self.surroundings.environ, source.folder))
        self.shapes.append(shape)
        item = declared_item(shape, self.surroundings.now())
        self.faults += shape.faults
        if item is not None:
            self.found.append(item)
        if "/" in shape.subject:
            label = item.label if item is not None else canonical_name(shape.subject)
            self.places.append((label, Place(source.name, node.line)))
