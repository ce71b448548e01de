"""What facts about verifications change, decided without a database: the first end counts, and what follows is late.

A fact is known by its verification and the number of its step, as its event's id is made from these. So the row says by
itself what it has heard, and a repeat changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from clearline.contracts.event import Event, EventType
from clearline.contracts.verification import Failure, Step, VerificationFailed, VerificationProgressed, Verified
from gateway.projections.unfit import Unfit

Steps = dict[int, Step]
"""By number: one that was lost leaves a gap until the end tells all."""


@dataclass(frozen=True, slots=True)
class Found:
    """A verification's row before the batch."""

    outcome: str = "pending"
    code: str | None = None
    """Of a failure."""
    told: frozenset[int] = frozenset()
    """The numbers of the steps that it holds."""


@dataclass(frozen=True, slots=True)
class End:
    """How a verification ended, with all its steps."""

    outcome: str
    failure: Failure | None
    steps: Steps
    told_at: datetime

    @property
    def code(self) -> str | None:
        return None if self.failure is None else self.failure.code


@dataclass(slots=True)
class Effects:
    """What the batch writes."""

    steps: dict[UUID, Steps] = field(default_factory=dict)
    """New ones of what goes on."""
    ends: dict[UUID, End] = field(default_factory=dict)
    news: dict[UUID, EventType] = field(default_factory=dict)
    """Of each verification the last: a batch is seen at once, and a page that hears of an end asks for all."""
    unknown: list[Event] = field(default_factory=list)
    repeats: int = 0
    late: int = 0


def fold(found: Mapping[UUID, Found], events: Iterable[Event]) -> Effects:
    """Go through the facts in their order. An end tells all steps anew, so it stands even where progress is missing.

    Raises `Unfit`.
    """
    effects = Effects()
    for event in events:
        try:
            _look(effects, found, event)
        except Exception as error:
            raise Unfit(event) from error
    return effects


def _look(effects: Effects, found: Mapping[UUID, Found], event: Event) -> None:
    verification_id: UUID = event.data.verification_id
    row = found.get(verification_id)
    if row is None:
        effects.unknown.append(event)
    elif _take(effects, verification_id, row, event):
        effects.news[verification_id] = event.type


def _take(effects: Effects, verification_id: UUID, row: Found, event: Event) -> bool:
    """Whether it changes anything."""
    match event.data:
        case VerificationProgressed(number=number, step=step):
            return _go_on(effects, verification_id, row, number, step)
        case Verified(steps=steps):
            return _end(effects, verification_id, row, End("verified", None, dict(enumerate(steps)), event.time))
        case VerificationFailed(steps=steps, outcome=outcome, failure=failure):
            return _end(effects, verification_id, row, End(outcome, failure, dict(enumerate(steps)), event.time))
        case other:
            raise TypeError(f"{type(other).__name__} is no fact about a verification")


def _go_on(effects: Effects, verification_id: UUID, row: Found, number: int, step: Step) -> bool:
    end = effects.ends.get(verification_id)
    heard = effects.steps.get(verification_id, {}) if end is None else end.steps
    if number in heard or (end is None and number in row.told):
        effects.repeats += 1
    elif end is not None or row.outcome != "pending":
        effects.late += 1
    else:
        effects.steps.setdefault(verification_id, {})[number] = step
        return True
    return False


def _end(effects: Effects, verification_id: UUID, row: Found, end: End) -> bool:
    first: End | Found = effects.ends.get(verification_id, row)
    if first.outcome == "pending":
        effects.steps.pop(verification_id, None)
        effects.ends[verification_id] = end
        return True
    if (first.outcome, first.code) == (end.outcome, end.code):
        effects.repeats += 1
    else:
        effects.late += 1
    return False
