"""`gateway migrate` and `gateway token`, as whoever installs Clearline runs them."""

import json

import asyncpg
import pytest
from services.gateway.tests.migrated import MigratedDatabase
from services.gateway.tests.one_shot import gateway
from tests.harness.database import Database

from gateway.migrate import migrations
from gateway.security.tokens import hash_token
from gateway.token import parse


async def test_migrate_says_what_it_did_and_then_that_there_is_nothing_to_do(database: Database) -> None:
    code, output, _ = await gateway("migrate", dsn=database.dsn)
    assert code == 0
    assert output.splitlines() == [each.name for each in migrations()]
    code, output, _ = await gateway("migrate", dsn=database.dsn)
    assert (code, output) == (0, "The schema is current.\n")


async def test_an_edited_migration_is_one_sentence_and_not_a_stack_trace(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    await owner.execute("update schema_migrations set checksum = 'other' where version = 2")
    code, _, errors = await gateway("migrate", dsn=migrated.dsn)
    assert code == 1
    assert "0002_connections.sql was applied and has been changed since" in errors
    assert "Traceback" not in errors


async def test_a_token_is_printed_once_and_only_its_hash_is_kept(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    arguments = ("--name", "ci", "--role", "operator", "--environment", "staging", "--expires", "2099-01-01T00:00:00Z")
    code, output, _ = await gateway("token", *arguments, dsn=migrated.dsn)
    assert code == 0
    told = json.loads(output)
    assert set(told) == {"id", "token"}
    async with migrated.connect("clearline_api") as api:
        [row] = await api.fetch("select id::text, role, environments from authenticate($1)", hash_token(told["token"]))
    assert tuple(row) == (told["id"], "operator", ["staging"])
    everything = await owner.fetch("select t::text from tokens t union all select a::text from audit a")
    assert len(everything) == 2
    assert told["token"] not in str(everything)


async def test_a_token_may_replace_its_predecessors_and_nobody_elses(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    async def make(name: str, *more: str) -> str:
        code, output, errors = await gateway("token", "--name", name, "--role", "admin", *more, dsn=migrated.dsn)
        assert code == 0, errors
        return str(json.loads(output)["id"])

    first, other, foreign = await make("local-admin"), await make("other"), await make("local-admin")
    await owner.execute("update tokens set created_by = 'a person' where id = $1::uuid", foreign)
    second = await make("local-admin")
    third = await make("local-admin", "--replace")
    valid = await owner.fetch("select id::text from tokens where revoked_at is null")
    assert {row["id"] for row in valid} == {other, foreign, third}
    told = await owner.fetch("select object_id from audit where action = 'token.revoked'")
    assert {row["object_id"] for row in told} == {first, second}


async def test_without_its_setting_a_command_says_which_one() -> None:
    code, output, errors = await gateway("token", "--name", "ci", "--role", "admin")
    assert (code, output) == (2, "")
    assert "CLEARLINE_POSTGRES_MIGRATE_DSN" in errors


@pytest.mark.parametrize("arguments", [[], ["--name", "x"], ["--name", "x", "--role", "owner"],
                                       ["--name", "x", "--role", "admin", "--expires", "2099-01-01"]])  # fmt: skip
def test_a_wrong_wish_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(arguments)
    assert refused.value.code == 2
