"""Whose illness an exception shows, held against the real exception types of the drivers."""

import asyncpg
import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from clearline.chassis.clock import SystemClock
from clearline.chassis.delivery import BusUnavailable, RecordRefused
from clearline.chassis.outcome import Dead, Ill, Retry
from clearline.chassis.retry import _GIVEN_BY_NAME, _WORLD_BY_NAME, RECORD, RECORD_TRIES, WORLD, classify, is_given
from clearline.chassis.tries import Tries

WORLD_ERRORS = [
    ConnectionResetError(),
    TimeoutError(),
    OSError(28, "No space left on device"),
    BusUnavailable("away"),
    KafkaConnectionError(),
    KafkaTimeoutError(),
    asyncpg.ConnectionDoesNotExistError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.SerializationError(),
    asyncpg.ReadOnlySQLTransactionError(),
    asyncpg.DiskFullError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CrashShutdownError(),
    asyncpg.QueryCanceledError(),
    asyncpg.InvalidPasswordError(),
    asyncpg.IdleInTransactionSessionTimeoutError(),
    asyncpg.LockNotAvailableError(),
    asyncpg.UndefinedTableError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.InterfaceError("pool is closed"),
    asyncpg.InternalClientError("got result for unknown protocol state"),
    ExceptionGroup("two", [ValueError(), ConnectionResetError()]),
]
RECORD_ERRORS = [
    ValueError(),
    KeyError("x"),
    RecordRefused("too large"),
    msgspec.ValidationError("no"),
    UnicodeDecodeError("utf-8", b"", 0, 1, "no"),
    asyncpg.UniqueViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.ForeignKeyViolationError(),
    asyncpg.NotNullViolationError(),
    asyncpg.StringDataRightTruncationError(),
    asyncpg.CharacterNotInRepertoireError(),
    asyncpg.DataError("invalid input for query argument $1"),
    ExceptionGroup("one", [ValueError()]),
]


@pytest.mark.parametrize("error", WORLD_ERRORS, ids=lambda error: type(error).__name__)
def test_the_world_is_ill(error: Exception) -> None:
    assert classify(error).ill is Ill.WORLD


@pytest.mark.parametrize("error", RECORD_ERRORS, ids=lambda error: type(error).__name__)
def test_this_record_is_ill(error: Exception) -> None:
    assert classify(error).ill is Ill.RECORD


GIVEN = {
    "ValidationError", "UnicodeDecodeError", "CheckViolationError", "NotNullViolationError",
    "StringDataRightTruncationError", "CharacterNotInRepertoireError", "DataError",
}  # fmt: skip


@pytest.mark.parametrize("error", [*WORLD_ERRORS, *RECORD_ERRORS], ids=lambda error: type(error).__name__)
def test_one_try_is_enough_where_nothing_but_the_contents_is_refused(error: Exception) -> None:
    """A row that is missing may come, one that is in the way may go, and what we do not know may pass."""
    assert is_given(error) is (type(error).__name__ in GIVEN)


def test_every_name_in_the_table_exists() -> None:
    for name in _WORLD_BY_NAME | _GIVEN_BY_NAME:
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(__import__(module, fromlist=[kind]), kind), type), name


def test_no_reason_quotes_data() -> None:
    assert "hunter2" not in classify(asyncpg.UniqueViolationError("Key (password)=(hunter2) exists")).reason


def test_waits_grow_to_their_limit_and_jitter_only_shortens_them() -> None:
    longest = [WORLD.wait(attempt, lambda: 1.0) for attempt in range(1, 100)]
    assert longest == sorted(longest)
    assert longest[-1] == WORLD.most
    assert WORLD.most <= 2, "recovery from an outage of any length begins within two seconds"
    assert WORLD.wait(50, lambda: 0.0) == WORLD.most / 2
    assert sum(RECORD.wait(attempt, lambda: 1.0) for attempt in range(1, RECORD_TRIES)) <= 30


class _Moved(SystemClock):
    """Stands where the test has put it."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_a_record_gets_five_tries_and_an_outage_costs_none_of_them() -> None:
    clock = _Moved()
    tries = Tries(clock)
    for _ in range(100):
        clock.seconds += 1  # in all, longer than the thirty seconds that a record has
        assert isinstance(tries.failed(Retry("away", Ill.WORLD)), float)
    steps = [tries.failed(Retry("ill")) for _ in range(5)]
    assert all(isinstance(step, float) for step in steps[:4])
    assert isinstance(steps[4], Dead)
