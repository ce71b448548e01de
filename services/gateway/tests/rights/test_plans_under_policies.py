"""Policies cost a filter, not an index: under row-level security each list page is read by the index made for it."""
# ruff: noqa: S608 - every name in these statements is ours

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness import database as databases

from gateway.read_model import sql
from gateway.security.principal import Principal
from gateway.security.rights import assume

ROWS = 20_000
NOW = datetime.now(UTC)
PLACE = "(array['development', 'staging', 'production'])[1 + n % 3]"
THEN = "now() - n * interval '1 minute'"
FILL = (
    f"""insert into service_connection_profiles
          (id, name, environment, kind, beat, revision, sequence, created_at, created_by, updated_at, updated_by)
        select gen_random_uuid(), 'c' || n, {PLACE}, 'tcp', '{{}}', 1, 1, {THEN}, 't', now(), 't'
        from generate_series(1, $1::integer) n""",
    f"""insert into audit
          (at, principal, action, object_type, object_id, environment, correlation_id, token_id)
        select {THEN}, 'p' || n % 1000, 'a' || n % 1000, 'connection', 'o' || n % 1000, {PLACE},
               'c' || n, gen_random_uuid()
        from generate_series(1, $1::integer) n""",
)
NONE: tuple[None, ...] = (None,) * 8
QUESTIONS: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "first page of connections": (
        "connections_page",
        (None, None, None, None, None, None, None, 51),
        "profiles_by_creation",
    ),
    "later page of connections": (
        "connections_page",
        (None, None, None, None, None, NOW, uuid4(), 51),
        "profiles_by_creation",
    ),
    "connection by name": (
        "connections_page",
        ("production", None, None, None, "c2", None, None, 51),
        "one_name_per_environment",
    ),
    "newest audit": ("audit_page", (*NONE, None, 51), "audit_pkey"),
    "audit by correlation": ("audit_page", (*NONE[:3], "c5", *NONE[4:], None, 51), "audit_by_correlation"),
    "audit by principal": ("audit_page", ("p5", *NONE[1:], None, 51), "audit_by_principal"),
    "audit by action": ("audit_page", (None, "a5", *NONE[2:], None, 51), "audit_by_action"),
    "audit by token": ("audit_page", (*NONE[:6], uuid4(), None, None, 51), "audit_by_token"),
    "audit of a connection": ("audit_page", (*NONE[:7], "o5", None, 51), "audit_by_object"),
    "history": ("history_page", ("o5", None, 51), "audit_by_object"),
}


@pytest.fixture(scope="module")
async def busy(postgres: str, schema_template: str) -> AsyncIterator[MigratedDatabase]:
    made = await databases.create(postgres, template=schema_template)
    database = MigratedDatabase(made.name, made.dsn)
    async with database.connect() as owner:
        for statement in FILL:
            await owner.execute(statement, ROWS)
        await owner.execute("analyze service_connection_profiles, audit")
    yield database
    await databases.drop(postgres, made)


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_page_is_read_by_its_index(busy: MigratedDatabase, question: str) -> None:
    name, values, index = QUESTIONS[question]
    caller = Principal(id=uuid4(), name="t", role="operator", environments=("production",))
    async with busy.connect("clearline_api") as connection, connection.transaction():
        await assume(connection, caller)
        nodes = list(_nodes(await _plan(connection, sql(name), values)))
    assert not [node for node in nodes if node["Node Type"].endswith("Seq Scan")], nodes
    assert index in {node.get("Index Name") for node in nodes}, nodes


async def _plan(connection: asyncpg.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    found = await connection.fetchval(f"explain (format json)\n{statement}", *values)
    return msgspec.json.decode(found)[0]["Plan"] if isinstance(found, str) else found[0]["Plan"]


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)
