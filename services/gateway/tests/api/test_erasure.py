"""Erasing: only what is retired, only by admins, and nothing of what it held is left in any table."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration
MARK = "erase-me"


async def retired(stand: ApiStand, client: Any, draft: dict[str, Any]) -> str:
    body = (await client.post("/connections", json=draft, headers={"idempotency-key": "once"})).json()
    url = f"/connections/{body['id']}"
    await stand.owner.execute(
        "update verifications set steps = $2 where id = $1",
        *(body["verification"]["id"], {"0": {"evidence": {"host": f"{MARK}.example.com"}}}),
    )
    await stand.end_verification(body["verification"]["id"], "failed")
    edit = {"config": {"host": f"{MARK}.example.org", "port": 1}, "owner": MARK}
    await client.put(url, json=edit, headers={"if-match": "*"})
    await client.post("/connections:test", json={"id": body["id"]})
    await client.delete(url, headers={"if-match": "*"})
    await stand.owner.execute(
        "with rotation as (insert into key_rotations values ($1, 'k', 'c', now(), 'admin', now()) returning id) "
        "insert into reseals select $2::uuid, 'development', $1, id, 'failed', now(), now(), $3 from rotation",
        *(uuid4(), body["id"], {"operator_detail": MARK}),
    )
    await stand.owner.execute("update outbox set parked_at = now(), parked_why = 'refused'")
    return str(body["id"])


def marked(texts: dict[str, str]) -> set[str]:
    """The tables that say it; bytes are told in hex."""
    return {name for name, text in texts.items() if MARK in text or MARK.encode().hex() in text}


async def texts(owner: asyncpg.Connection) -> dict[str, str]:
    tables = await owner.fetch(
        "select relname::text as name from pg_class c join pg_namespace n on n.oid = relnamespace "
        "where nspname = 'public' and relkind in ('r', 'p')"
    )
    return {
        table["name"]: str(await owner.fetchval(f"select jsonb_agg(to_jsonb(t)) from {table['name']} t"))  # noqa: S608
        for table in tables
    }


async def test_nothing_of_what_it_held_is_left(stand: ApiStand, tcp_draft: Any) -> None:
    admin = await stand.client_of("admin")
    draft = tcp_draft(name=MARK, config={"host": f"{MARK}.example.com", "port": 1})
    other = (await admin.post("/connections", json=tcp_draft(name="another"))).json()
    connection_id = await retired(stand, admin, draft)
    before = await texts(stand.owner)
    held = {"audit", "idempotency_keys", "connection_revisions", "service_connection_profiles", "verifications"}
    held |= {"outbox", "reseals"}
    assert held <= marked(before)
    answer = await admin.post(f"/connections/{connection_id}:erase")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["lifecycle"], shown["config"], shown["owner"], shown["verification"]) == ("retired", {}, None, None)
    after = await texts(stand.owner)
    assert not marked(after)
    actions = [row["action"] for row in await stand.owner.fetch("select action from audit order by id")]
    assert actions[-1] == "connection.erased", "and the audit still says what was done"
    assert "connection.retired" in actions
    assert (await admin.get(f"/connections/{other['id']}")).json()["config"] == other["config"]
    assert await stand.owner.fetchval("select after is not null from audit where object_id = $1", other["id"])


async def test_its_tombstone_goes_out_at_once_and_once(stand: ApiStand, tcp_draft: Any) -> None:
    admin = await stand.client_of("admin")
    connection_id = await retired(stand, admin, tcp_draft())
    for _ in range(2):
        assert (await admin.post(f"/connections/{connection_id}:erase")).status_code == 200
    rows = await stand.owner.fetch("select value from outbox where key = $1 order by id", connection_id)
    assert [row["value"] for row in rows] == [None], "and nothing parked holds it back"


async def test_what_is_not_retired_is_not_erased(stand: ApiStand, tcp_draft: Any) -> None:
    admin = await stand.client_of("admin")
    body = (await admin.post("/connections", json=tcp_draft())).json()
    refused = await admin.post(f"/connections/{body['id']}:erase")
    assert (refused.status_code, refused.json()["code"]) == (409, "CONNECTION_NOT_RETIRED")
    assert any("Retire" in step for step in refused.json()["remediation"])
    assert (await admin.get(f"/connections/{body['id']}")).json()["config"] == body["config"]


async def test_only_admins_of_its_environment_erase(stand: ApiStand, tcp_draft: Any) -> None:
    connection_id = await retired(stand, await stand.client_of("admin"), tcp_draft())
    url = f"/connections/{connection_id}:erase"
    assert (await (await stand.client_of("operator")).post(url)).status_code == 403
    assert (await (await stand.client_of("admin", ("production",))).post(url)).status_code == 404
    assert await stand.owner.fetchval("select config <> '{}' from connection_revisions limit 1")


async def test_history_gives_way_to_erasure_alone(stand: ApiStand, tcp_draft: Any) -> None:
    admin = await stand.client_of("admin")
    body = (await admin.post("/connections", json=tcp_draft())).json()
    await stand.end_verification(body["verification"]["id"])
    for statement in ("update audit set before = null", "delete from verifications"):
        async with stand.owner.transaction():
            await stand.owner.execute("set local clearline.erasing = ''")
            with pytest.raises(asyncpg.RestrictViolationError):
                async with stand.owner.transaction():
                    await stand.owner.execute(statement)
    for role in ("clearline_projector", "clearline_relay", "clearline_operator"):
        async with stand.owner.transaction():
            await stand.owner.execute(f"set local role {role}")
            await stand.owner.execute("select set_config('clearline.erasing', $1, true)", body["id"])
            assert await stand.owner.fetchval("select erasing()") is None, "nobody erases by saying so"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with stand.owner.transaction():
                    await stand.owner.execute("select erase_connection($1)", body["id"])
