from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from clearline.probes.ladder import Limits
from clearline.testing.hostile_servers import (
    announcing_postgres,
    answering,
    closing,
    dripping,
    flooding,
    half_handshake,
    http_answer,
    resetting,
    serving,
    silent,
)

Form = tuple[dict[str, Any], dict[str, str]]
WRONG = "wr0ng-p4ssword"
FUNCTIONS = """
    create function sales.total(integer) returns integer language sql return $1;
    create function sales.wipe() returns integer language sql return 1;
    revoke execute on function sales.wipe() from public;
"""


def form(dsn: str, **changed: Any) -> Form:
    parts = urlsplit(dsn)
    config = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "user": parts.username}
    return config | changed, {"password": unquote(parts.password or "")}


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


def statuses(verdict: Any) -> list[str]:
    return [step.status for step in verdict.steps]


@pytest.fixture
async def reader(database: Any) -> AsyncIterator[Form]:
    """A database with a table, and a user who may read it and nothing else."""
    connection = await asyncpg.connect(database.dsn)
    name = f"reader_{database.name}"
    await connection.execute(f"""
        create role {name} login password 'r3ader' connection limit 5;
        revoke connect on database {database.name} from public;
        grant connect on database {database.name} to {name};
        create schema sales; create table sales.orders(); create table sales.refunds(); create schema hr;
        create table hr.people();
        grant usage on schema sales to {name}; grant select on sales.orders to {name};
        create sequence sales.numbers; grant usage on sequence sales.numbers to {name};
        create sequence sales.secret_numbers;
    """)
    await connection.execute(FUNCTIONS)
    yield form(database.dsn, user=name)[0], {"password": "r3ader"}
    await connection.execute(f"drop owned by {name}; drop role {name}")
    await connection.close()


async def test_a_real_database_is_verified_step_by_step(database: Any, climbing: Any) -> None:
    verdict = await climbing("postgres", *form(database.dsn))
    assert verdict.status == "verified", verdict.failure
    assert statuses(verdict) == ["passed", "passed", "skipped", "passed", "passed", "passed"]
    assert verdict.steps[3].evidence["server_version"]
    assert verdict.steps[4].evidence == {"checked": 1, "granted": [f"CONNECT on {database.name}"], "missing": []}


async def test_a_rejected_password_is_told_at_its_field_and_nowhere_in_words(database: Any, climbing: Any) -> None:
    verdict = await climbing("postgres", form(database.dsn)[0], {"password": WRONG})
    assert found(verdict) == ("AUTH_REJECTED", "authenticate", "/credentials/password")
    assert statuses(verdict) == ["passed", "passed", "skipped", "failed", "skipped", "skipped"]
    assert (verdict.failure.retry_class, verdict.failure.retryable) == ("config", False)
    assert WRONG not in str(verdict)


async def test_a_missing_database_is_about_authorize(database: Any, climbing: Any) -> None:
    verdict = await climbing("postgres", *form(database.dsn, database="no_such_database"))
    assert found(verdict) == ("DATABASE_MISSING", "authorize", "/config/database")
    assert statuses(verdict) == ["passed", "passed", "skipped", "passed", "failed", "skipped"]


async def test_each_permission_is_asked_on_its_own(reader: Form, climbing: Any) -> None:
    config, credentials = reader
    enough = {"schemas": ["sales"], "tables": ["sales.orders"], "sequences": ["sales.numbers"]}
    verdict = await climbing("postgres", config | enough | {"functions": ["sales.total(integer)"]}, credentials)
    assert verdict.status == "verified", verdict.failure
    assert verdict.steps[4].evidence["granted"][1:] == [
        "USAGE on sales", "SELECT on sales.orders", "USAGE on sales.numbers", "EXECUTE on sales.total(integer)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "field", "permission"),
    [
        ({"database_privileges": ["connect", "create"]}, "database_privileges", "CREATE on test_"),
        ({"schemas": ["sales", "hr"]}, "schemas/1", "USAGE on hr"),
        ({"schemas": ["sales"], "schema_privileges": ["usage", "create"]}, "schemas/0", "CREATE on sales"),
        ({"schemas": ["nowhere"]}, "schemas/0", "USAGE on nowhere"),
        ({"tables": ["sales.orders", "sales.refunds"]}, "tables/1", "SELECT on sales.refunds"),
        ({"tables": ["sales.orders"], "privileges": ["select", "insert"]}, "tables/0", "INSERT on sales.orders"),
        ({"tables": ["sales.nothing"]}, "tables/0", "SELECT on sales.nothing"),
        ({"tables": ["'; drop table sales.orders; --"]}, "tables/0", "SELECT on"),
        ({"sequences": ["sales.secret_numbers"]}, "sequences/0", "USAGE on sales.secret_numbers"),
        ({"sequences": ["sales.orders"]}, "sequences/0", "USAGE on sales.orders"),
        ({"functions": ["sales.wipe()"]}, "functions/0", "EXECUTE on sales.wipe()"),
        ({"functions": ["sales.total"]}, "functions/0", "EXECUTE on sales.total"),
    ],
)
async def test_a_permission_that_is_missing_is_named_with_its_field(
    reader: Form, climbing: Any, asked: dict[str, Any], field: str, permission: str
) -> None:
    config, credentials = reader
    verdict = await climbing("postgres", config | asked, credentials)
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", f"/config/{field}")
    assert permission in verdict.failure.message + verdict.failure.operator_detail
    assert len(verdict.steps[4].evidence["missing"]) == 1


async def test_all_that_is_missing_is_listed(reader: Form, climbing: Any) -> None:
    config, credentials = reader
    asked = {"schemas": ["hr", "sales"], "tables": ["sales.orders", "bad name(", "sales.refunds"]}
    verdict = await climbing("postgres", config | asked, credentials)
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/schemas/0")
    evidence = verdict.steps[4].evidence
    assert evidence["missing"] == ["USAGE on hr", "SELECT on bad name(", "SELECT on sales.refunds"]
    assert evidence["granted"][1:] == ["USAGE on sales", "SELECT on sales.orders"]
    assert (evidence["checked"], len(evidence["granted"])) == (6, 3)
    assert "SELECT on sales.refunds" in verdict.failure.operator_detail


async def test_a_table_in_a_schema_that_is_closed_is_a_missing_permission(reader: Form, climbing: Any) -> None:
    config, credentials = reader
    verdict = await climbing("postgres", config | {"tables": ["hr.people"]}, credentials)
    assert found(verdict)[:2] == ("PERMISSION_MISSING", "authorize")


async def test_a_database_that_may_not_be_entered_is_a_missing_permission(
    reader: Form, database: Any, climbing: Any
) -> None:
    config, credentials = reader
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"revoke connect on database {database.name} from {config['user']}")
    await connection.close()
    verdict = await climbing("postgres", config, credentials)
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/user")
    assert f"CONNECT on {database.name}" in verdict.failure.message


async def test_a_server_without_room_is_not_the_forms_fault(reader: Form, database: Any, climbing: Any) -> None:
    config, credentials = reader
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"alter role {config['user']} connection limit 0")
    await connection.close()
    verdict = await climbing("postgres", config, credentials)
    assert found(verdict)[0] == "SERVER_UNAVAILABLE"
    assert verdict.failure.retryable


async def test_encryption_that_is_asked_for_and_not_offered_is_told(database: Any, climbing: Any) -> None:
    for mode in ("require", "verify-full"):
        verdict = await climbing("postgres", *form(database.dsn, tls=mode))
        assert found(verdict) == ("TLS_NOT_SPOKEN", "tls", "/config/tls")


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (answering(http_answer("400 Bad Request")), {"TLS_TIMEOUT"}),
        (silent, {"TLS_TIMEOUT"}),
        (closing, {"SERVER_CLOSED", "CONNECTION_RESET"}),
        (resetting, {"CONNECTION_RESET"}),
        (flooding, {"PROTOCOL_MISMATCH"}),
        (dripping, {"PROTOCOL_MISMATCH"}),
        (half_handshake, {"PROTOCOL_MISMATCH"}),
        (announcing_postgres, {"RESPONSE_TOO_LARGE"}),
    ],
)
async def test_what_is_no_postgres_is_told(climbing: Any, behaviour: Any, code: set[str]) -> None:
    async with serving(behaviour) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u"}
        verdict = await climbing("postgres", config, {"password": WRONG}, limits=Limits(step_seconds=1))
        assert found(verdict)[0] in code, verdict.failure
        assert server.sent < 32 * 1024 * 1024
        assert WRONG.encode() not in server.received
    assert WRONG not in str(verdict)


async def test_a_silent_login_ends_at_the_deadline(climbing: Any) -> None:
    async with serving(silent) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "d", "user": "u", "tls": "disable"}
        verdict = await climbing("postgres", config, {"password": WRONG}, limits=Limits(step_seconds=0.3))
    assert found(verdict)[:2] == ("RESPONSE_TIMEOUT", "authenticate")
