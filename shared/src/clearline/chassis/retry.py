"""One table that says, by exception type, whether the world is ill or only this record; and how long to wait."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from clearline.chassis.outcome import Ill, Retry

_WORLD: tuple[type[BaseException], ...] = (OSError, TimeoutError)
_RECORD: tuple[type[BaseException], ...] = (msgspec.MsgspecError, UnicodeError)

_WORLD_BY_NAME = frozenset(
    {
        # asyncpg, by name: a service without Postgres need not have it installed.
        "asyncpg.exceptions.PostgresConnectionError",  # class 08, connection does not exist or failed
        "asyncpg.exceptions.InvalidAuthorizationSpecificationError",  # class 28: a rotated password
        "asyncpg.exceptions.TransactionRollbackError",  # class 40: deadlock, serialization failure
        "asyncpg.exceptions.InsufficientResourcesError",  # class 53: disk full, out of memory, too many connections
        "asyncpg.exceptions.OperatorInterventionError",  # class 57: shutdown, crash, cancelled query
        "asyncpg.exceptions.ReadOnlySQLTransactionError",  # 25006: a standby, or a primary told to refuse writes
        "asyncpg.exceptions.IdleInTransactionSessionTimeoutError",  # 25P03
        "asyncpg.exceptions.LockNotAvailableError",  # 55P03
        "asyncpg.exceptions.PostgresSystemError",  # class 58: I/O error
        "asyncpg.exceptions.InternalServerError",  # class XX: corruption; no record is to blame
        "asyncpg.exceptions.UndefinedTableError",  # 42P01: a schema that is not there yet; no record is to blame
        "asyncpg.exceptions.UndefinedColumnError",  # 42703
        "asyncpg.exceptions.UndefinedFunctionError",  # 42883
        "asyncpg.exceptions.InsufficientPrivilegeError",  # 42501: a grant that is missing
        "asyncpg.exceptions._base.InternalClientError",
        "asyncpg.exceptions._base.InterfaceError",  # a closed connection or pool
        "aiokafka.errors.KafkaError",
    }
)

_GIVEN_BY_NAME = frozenset(
    {
        "asyncpg.exceptions.DataError",  # class 22: no such text, number or date; the client's own refusal of one too
        "asyncpg.exceptions.NotNullViolationError",  # 23502
        "asyncpg.exceptions.CheckViolationError",  # 23514
    }
)
"""Not the rest of class 23: a row that is missing may come, one that is in the way may go."""


def is_given(error: BaseException) -> bool:
    """Whether the contents alone are refused: the same again ends the same, so one try is enough."""
    return isinstance(error, _RECORD) or not _GIVEN_BY_NAME.isdisjoint(_lineage(type(error)))


def classify(error: BaseException) -> Retry:
    """Whose illness `error` shows. What the table does not name is blamed on the record, which limits the tries."""
    return Retry(_named(error), Ill.WORLD if _is_world(error) else Ill.RECORD)


def _is_world(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_world(inner) for inner in error.exceptions)
    if isinstance(error, _RECORD):
        return False
    return isinstance(error, _WORLD) or not _WORLD_BY_NAME.isdisjoint(_lineage(type(error)))


def _lineage(kind: type[BaseException]) -> set[str]:
    return {f"{ancestor.__module__}.{ancestor.__qualname__}" for ancestor in kind.__mro__}


def _named(error: BaseException) -> str:
    """The type alone: the text of a driver's error may quote data."""
    return type(error).__name__


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double up to a limit, each shortened by up to half so that many waiters do not come back as one."""

    first: float = 0.2
    most: float = 30.0

    def wait(self, attempt: int, jitter: Callable[[], float]) -> float:
        """Seconds before try `attempt` + 1, the first try being 1; `jitter` gives a number in [0, 1)."""
        full = min(self.most, self.first * 2.0 ** min(attempt - 1, 30))
        return full * (0.5 + 0.5 * jitter())


WORLD = Backoff(first=0.2, most=2.0)
"""What is back is noticed within two seconds: recovery shall take at most a fifth longer than the backlog itself, and
that of a minute's freeze takes ten to thirty. One try in one to two seconds for each thing in hand is no load, and each
has a limit of its own."""
KAFKA = Backoff(first=0.2, most=2.0)
"""For getting connected at all: nothing works before that, so look often."""
RECORD = Backoff(first=0.5, most=12.0)
"""With five tries at most 0.5 + 1 + 2 + 4 = 7.5 s of waiting, inside the thirty that a record gets."""
RECORD_TRIES = 5
ALONE = Backoff(first=0.1, most=0.4)
ALONE_TRIES = 4
"""For a batch's guilty record that nobody named: 0.35 to 0.7 s of waiting, and its whole batch waits meanwhile. How
often it failed among others does not count: the search takes milliseconds, in which nothing can heal."""
RECORD_SECONDS = 30.0
