"""What facts about verifications change, decided without a database: the first end counts, and what follows is late."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from clearline.contracts.event import Event
from clearline.contracts.verification import Failure, Step, VerificationFailed, VerificationProgressed, Verified
from gateway.read_model.changes import Change


@dataclass(frozen=True, slots=True)
class Found:
    """A verification's row before the batch."""

    connection_id: UUID
    environment: str
    pending: bool


@dataclass(frozen=True, slots=True)
class End:
    """How a verification ended."""

    outcome: str
    failure: Failure | None


@dataclass(slots=True)
class Effects:
    """What the batch writes."""

    steps: dict[UUID, dict[int, Step]] = field(default_factory=dict)
    ends: dict[UUID, End] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """One of each verification, its last: a batch is seen at once, and a page that hears of an end asks for all."""
    unknown: list[Event] = field(default_factory=list)
    late: int = 0


def fold(found: Mapping[UUID, Found], events: Iterable[Event]) -> Effects:
    """Go through the facts in their order. An end tells all steps anew, so it stands even where progress is missing."""
    effects, last = Effects(), dict[UUID, Event]()
    for event in events:
        verification_id: UUID = event.data.verification_id
        row = found.get(verification_id)
        if row is None:
            effects.unknown.append(event)
        elif not row.pending or verification_id in effects.ends:
            effects.late += 1
        else:
            _take(effects, verification_id, event)
            last[verification_id] = event
    for verification_id, event in last.items():
        row = found[verification_id]
        effects.changes.append(Change.of(event.type, row.connection_id, row.environment))
    return effects


def in_order(steps: Mapping[UUID, Mapping[int, Step]]) -> list[tuple[UUID, int, Step]]:
    """As rows are written, so that two writers meet them in one order."""
    return [(key, number, step) for key in sorted(steps) for number, step in sorted(steps[key].items())]


def _take(effects: Effects, verification_id: UUID, event: Event) -> None:
    match event.data:
        case VerificationProgressed(number=number, step=step):
            effects.steps.setdefault(verification_id, {})[number] = step
        case Verified(steps=steps):
            _end(effects, verification_id, End("verified", None), steps)
        case VerificationFailed(steps=steps, outcome=outcome, failure=failure):
            _end(effects, verification_id, End(outcome, failure), steps)
        case other:
            raise TypeError(f"{type(other).__name__} is no fact about a verification")


def _end(effects: Effects, verification_id: UUID, end: End, steps: tuple[Step, ...]) -> None:
    effects.steps[verification_id] = dict(enumerate(steps))
    effects.ends[verification_id] = end
