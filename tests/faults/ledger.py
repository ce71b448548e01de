"""What was acknowledged to a client, what there is in the end, and every way in which the two may disagree."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Key = str
Fault = str

CREATED = 1
"""The sequence of a connection that was just created; each change of it adds one."""


@dataclass(slots=True)
class Ledger:
    """Commands by what the client was told. An edit that was never answered may or may not have happened."""

    acknowledged: dict[Key, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    """Connection → sequence → the owner that this very change set."""

    @property
    def commands(self) -> int:
        return sum(len(changes) for changes in self.acknowledged.values())

    def acknowledge(self, key: Key, sequence: int, owner: str) -> None:
        """The client was told that its change is number `sequence`. Two clients told the same is a fault in itself."""
        if sequence in self.acknowledged[key]:
            raise AssertionError(f"two commands were told that they are change {sequence} of {key}")
        self.acknowledged[key][sequence] = owner


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification's row, and what was written beside it."""

    connection: Key
    outcome: str
    steps: int
    ends_told: int
    """Notices of its end: one, whatever was repeated."""
    steps_told: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What lies in Postgres and Kafka once everything has come to rest."""

    rows: Mapping[Key, tuple[int, str]]
    """Connection → sequence and owner."""
    audited: Mapping[Key, int]
    """Connection → entries about it."""
    verifications: Sequence[Verification]
    on_bus: Mapping[Key, Sequence[tuple[int, str]]]
    """Connection → sequence and owner of each record, in the order of its partition."""
    waiting: int
    """Events still in the outbox."""
    dead: int
    """Dead letters."""


def faults(ledger: Ledger, truth: Truth) -> Iterator[Fault]:
    """Everything lost, doubled or out of order; nothing if all is well."""
    yield from _lost(ledger, truth)
    yield from _doubled(ledger, truth)
    yield from _out_of_order(truth)
    yield from _unfinished(truth)
    if truth.waiting:
        yield f"{truth.waiting} events never left the outbox"
    if truth.dead:
        yield f"{truth.dead} records went to the dead letters"


def _lost(ledger: Ledger, truth: Truth) -> Iterator[Fault]:
    for key, changes in ledger.acknowledged.items():
        sequence, _ = truth.rows.get(key, (0, ""))
        published = dict(truth.on_bus.get(key, ()))
        for number, owner in changes.items():
            if number > sequence:
                yield f"lost: change {number} of {key} is not in the database"
            if published.get(number) != owner:
                yield f"lost: change {number} of {key} reached the bus as {published.get(number)!r}, not {owner!r}"


def _doubled(ledger: Ledger, truth: Truth) -> Iterator[Fault]:
    for key, (sequence, _) in truth.rows.items():
        if truth.audited.get(key, 0) != sequence:
            yield f"doubled or half done: {key} has {sequence} changes and {truth.audited.get(key, 0)} audit entries"
    surplus = len(truth.rows) - len(ledger.acknowledged)
    if surplus > 0:
        yield f"doubled: {surplus} connections more than were asked for"
    for key, count in Counter(each.connection for each in truth.verifications).items():
        if count != 1:
            yield f"doubled: {key} has {count} verifications"
    for each in truth.verifications:
        if each.ends_told != 1 or each.steps_told > each.steps:
            told = f"{each.ends_told} ends and {each.steps_told} of {each.steps} steps"
            yield f"doubled: of {each.connection} there are notices of {told}"


def _out_of_order(truth: Truth) -> Iterator[Fault]:
    for key, records in truth.on_bus.items():
        sequences = [sequence for sequence, _ in records]
        first_seen = list(dict.fromkeys(sequences))
        if first_seen != list(range(CREATED, len(first_seen) + 1)):
            yield f"out of order: {key} was published as {first_seen}"
        if sequences and sequences[-1] != max(sequences):
            yield f"out of order: the last record of {key} is change {sequences[-1]} of {max(sequences)}"


def _unfinished(truth: Truth) -> Iterator[Fault]:
    verified = {each.connection for each in truth.verifications if each.outcome == "verified"}
    for key, (sequence, owner) in truth.rows.items():
        if key not in verified:
            yield f"unfinished: {key} was never verified"
        records = truth.on_bus.get(key)
        if not records or records[-1] != (sequence, owner):
            yield f"unfinished: the bus does not end with the state of {key}"
