"""How the handling of a record may end. Matched in one place of the chassis; nothing else decides about offsets."""

from dataclasses import dataclass
from enum import StrEnum


class Ill(StrEnum):
    """What a retry waits for."""

    WORLD = "world"
    """A dependency is away: pause, try again without end, alarm; nothing is dead-lettered."""
    RECORD = "record"
    """This record alone fails: at most five tries in thirty seconds, then a dead letter."""


class DeadReason(StrEnum):
    """Why a record went to the dead letters; a bounded label of `clearline_dead_letters_total`."""

    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    WRONG_SCHEMA = "wrong_schema"
    UNKNOWN_TYPE = "unknown_type"
    TOMBSTONE = "tombstone"
    NO_KEY = "no_key"
    OVERSIZE = "oversize"
    HANDLER_FAILED = "handler_failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there, or was there already."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `ill` says whether the world or this record is the cause."""

    reason: str
    ill: Ill = Ill.RECORD


@dataclass(frozen=True, slots=True)
class Dead:
    """Never. `detail` is for operators and carries no secret."""

    reason: DeadReason
    detail: str


Outcome = Done | Retry | Dead
