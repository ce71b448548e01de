"""`gateway parked`: a refused event is let go again or given up, one at a time, and the audit knows."""

import json
from uuid import UUID

import asyncpg
import pytest
from services.gateway.tests.bus import configured
from services.gateway.tests.migrated import MigratedDatabase, add_connection
from services.gateway.tests.one_shot import gateway

from clearline.contracts.topics import CONNECTIONS
from gateway import outbox
from gateway.parked import parse
from gateway.read_model import sql


async def parked(owner: asyncpg.Connection) -> tuple[UUID, int]:
    """A connection with three events of which the first one was refused; its number."""
    connection_id = await add_connection(owner)
    for sequence in (1, 2, 3):
        await outbox.append(owner, CONNECTIONS, configured(connection_id, sequence))
    event: int = await owner.fetchval("select min(id) from outbox")
    await owner.execute(sql("outbox_park"), [event], ["too large"])
    return connection_id, event


async def ready(owner: asyncpg.Connection) -> list[str]:
    """The sequences that the relay would take now."""
    rows = await owner.fetch(sql("outbox_next"), 10, [], [], [])
    return [dict(row["headers"])["ce_sequence"] for row in rows]


async def test_a_released_event_goes_again_before_its_successors(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    connection_id, event = await parked(owner)
    assert await ready(owner) == []
    code, output, _ = await gateway("parked", "list", dsn=migrated.dsn)
    shown = json.loads(output)
    assert (code, shown["id"], shown["key"], shown["waiting"]) == (0, event, str(connection_id), 2)
    assert shown["parked_why"] == "too large"
    code, _, _ = await gateway("parked", "release", str(event), dsn=migrated.dsn)
    assert code == 0
    assert await ready(owner) == ["1", "2", "3"]
    [row] = await owner.fetch("select principal, action, object_id, environment, correlation_id from audit")
    assert tuple(row) == ("installation", "event.released", str(event), "development", "corr-test-1")


async def test_a_discarded_event_is_gone_for_a_reason_and_its_successors_go(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    _, event = await parked(owner)
    code, _, _ = await gateway("parked", "discard", str(event), "--because", "ticket 12", dsn=migrated.dsn)
    assert code == 0
    assert await ready(owner) == ["2", "3"]
    [row] = await owner.fetch("select action, before, after from audit")
    assert (row["action"], row["after"]) == ("event.discarded", {"because": "ticket 12"})
    assert (row["before"]["topic"], row["before"]["why"]) == (CONNECTIONS.name, "too large")


async def test_what_is_not_parked_is_not_touched(migrated: MigratedDatabase, owner: asyncpg.Connection) -> None:
    _, event = await parked(owner)
    for act in (("release",), ("discard", "--because", "x")):
        code, output, errors = await gateway("parked", *act, str(event + 1), dsn=migrated.dsn)
        assert (code, output) == (1, "")
        assert f"no event {event + 1} is parked" in errors
        assert "Traceback" not in errors
    assert await owner.fetchval("select count(*) from outbox") == 3
    assert await owner.fetchval("select count(*) from audit") == 0


@pytest.mark.parametrize("arguments", [[], ["discard", "1"], ["release"], ["release", "all"]])
def test_giving_up_is_explicit(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(arguments)
    assert refused.value.code == 2
