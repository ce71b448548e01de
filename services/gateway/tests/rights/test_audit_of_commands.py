"""Every command leaves exactly one entry of the audit, in its own transaction: who, what, before and after."""

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from services.gateway.tests.api_stand import ApiStand

import gateway.commands

pytestmark = pytest.mark.integration

SECRET = "hunter2-hunter2"
HTTP = {"url": "https://api.example.com", "auth": "bearer"}
TCP = {"host": "db.example.com", "port": 1}
Act = Callable[[ApiStand, httpx2.AsyncClient], Awaitable[str]]
"""Prepares and does a command as its last request; returns the id of what it was done to."""


async def _made(client: httpx2.AsyncClient, name: str = "a", **changes: Any) -> dict[str, Any]:
    draft = {"name": name, "environment": "development", "kind": "tcp", "config": TCP, **changes}
    answer = await client.post("/connections", json=draft)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _active(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    made = await _made(client)
    await stand.end_verification(made["verification"]["id"])
    assert (await client.post(f"/connections/{made['id']}/activate")).status_code == 200
    return str(made["id"])


async def _create(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    return str((await _made(client, kind="http", config=HTTP, credentials={"token": SECRET}))["id"])


async def _edit(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    made = await _made(client, kind="http", config=HTTP, credentials={"token": SECRET})
    edit = {"owner": "team", "credentials": {"token": SECRET + "-new"}}
    await client.put(f"/connections/{made['id']}", json=edit, headers={"if-match": "*"})
    return str(made["id"])


async def _deactivate(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    connection_id = await _active(stand, client)
    await client.post(f"/connections/{connection_id}/deactivate")
    return connection_id


async def _discard(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    connection_id = await _active(stand, client)
    edit = {"config": {**TCP, "port": 2}}
    await client.put(f"/connections/{connection_id}", json=edit, headers={"if-match": "*"})
    await client.delete(f"/connections/{connection_id}/staged")
    return connection_id


async def _retire(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    made = await _made(client)
    await client.delete(f"/connections/{made['id']}", headers={"if-match": "*"})
    return str(made["id"])


async def _erase(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    connection_id = await _retire(stand, client)
    await client.post(f"/connections/{connection_id}:erase")
    return connection_id


async def _verify(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    made = await _made(client)
    await stand.end_verification(made["verification"]["id"])
    await client.post(f"/connections/{made['id']}/verify")
    return str(made["id"])


async def _cancel_verification(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    made = await _made(client)
    await client.delete(f"/connections/{made['id']}/verifications/{made['verification']['id']}")
    return str(made["id"])


async def _test(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    draft = {"environment": "development", "kind": "http", "config": HTTP, "credentials": {"token": SECRET}}
    return str((await client.post("/connections:test", json=draft)).json()["test_id"])


async def _cancel_test(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    test_id = await _test(stand, client)
    await client.delete(f"/connection-tests/{test_id}")
    return test_id


async def _token(_stand: ApiStand, client: httpx2.AsyncClient) -> str:
    return str((await client.post("/tokens", json={"name": "ci", "role": "viewer"})).json()["id"])


async def _revoke(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    token_id = await _token(stand, client)
    await client.delete(f"/tokens/{token_id}")
    return token_id


async def _rotate(stand: ApiStand, client: httpx2.AsyncClient) -> str:
    await _made(client, kind="http", config=HTTP, credentials={"token": SECRET})
    await stand.owner.execute("update connection_credentials set key_id = '0123456789abcdef'")
    await client.post("/keys:rotate")
    return str(await stand.owner.fetchval("select id from key_rotations"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the entry says. `before` and `after` are the fields that it names."""

    act: Act
    action: str
    object_type: str = "connection"
    before: set[str] | None = None
    after: set[str] | None = None


WHOLE = {"name", "owner", "beat", "lifecycle", "revision", "live_revision", "config", "credentials"}
COMMANDS: dict[str, Told] = {
    "CreateConnection": Told(act=_create, action="connection.created", after=WHOLE),
    "EditConnection": Told(
        act=_edit,
        action="connection.edited",
        before={"owner", "revision", "credentials"},
        after={"owner", "revision", "credentials"},
    ),
    "ActivateConnection": Told(
        act=_active,
        action="connection.activated",
        before={"lifecycle", "live_revision"},
        after={"lifecycle", "live_revision"},
    ),
    "DeactivateConnection": Told(
        act=_deactivate,
        action="connection.deactivated",
        before={"lifecycle", "live_revision"},
        after={"lifecycle", "live_revision"},
    ),
    "DiscardStaged": Told(
        act=_discard, action="connection.discarded", before={"revision", "config"}, after={"revision", "config"}
    ),
    "RetireConnection": Told(act=_retire, action="connection.retired", before={"lifecycle"}, after={"lifecycle"}),
    "EraseConnection": Told(act=_erase, action="connection.erased"),
    "RequestVerification": Told(
        act=_verify, action="connection.verification_requested", after={"revision", "verification_id"}
    ),
    "CancelVerification": Told(
        act=_cancel_verification, action="connection.verification_cancelled", after={"revision", "verification_id"}
    ),
    "StartTest": Told(
        act=_test, action="connection.tested", object_type="test", after={"test_id", "kind", "destination"}
    ),
    "CancelTest": Told(act=_cancel_test, action="connection.test_cancelled", object_type="test"),
    "CreateToken": Told(
        act=_token, action="token.created", object_type="token", after={"name", "role", "environments", "expires_at"}
    ),
    "RevokeToken": Told(act=_revoke, action="token.revoked", object_type="token", before={"name", "role"}),
    "RotateKeys": Told(
        act=_rotate,
        action="keys.rotation_requested",
        object_type="key_rotation",
        before={"envelopes"},
        after={"key_id"},
    ),
}
"""Command → what it leaves in the audit. A new command has to be entered here."""


@pytest.fixture
async def stand(rights_stand: ApiStand) -> AsyncIterator[ApiStand]:
    await rights_stand.owner.execute(
        "set session_replication_role = replica; delete from audit; delete from service_connection_profiles; "
        "delete from connection_credentials; delete from key_rotations; set session_replication_role = origin"
    )
    yield rights_stand
    for client in rights_stand.clients:
        await client.aclose()
    rights_stand.clients.clear()


def commands() -> set[str]:
    """Every class of `gateway.commands` that runs in a transaction."""
    found = set()
    for module in pkgutil.iter_modules(gateway.commands.__path__, "gateway.commands."):
        for name, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            run = getattr(each, "run", None)
            public = not name.startswith("_") and each.__module__ == module.name
            if (
                public
                and run
                and list(inspect.signature(run).parameters) == ["self", "work"]
                and not _is_protocol(each)
            ):
                found.add(name)
    return found


def _is_protocol(each: type) -> bool:
    return getattr(each, "_is_protocol", False)


def test_every_command_is_in_the_table() -> None:
    assert commands() == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_leaves_one_entry(stand: ApiStand, command: str) -> None:
    expected = COMMANDS[command]
    client = await stand.client_of("admin")
    who = (await client.get("/session")).json()
    client.headers["x-correlation-id"] = f"audited-{command}"
    object_id = await expected.act(stand, client)
    page = await client.get("/audit", params={"correlation_id": f"audited-{command}", "action": expected.action})
    (entry,) = page.json()["items"]
    assert (entry["object_type"], entry["object_id"]) == (expected.object_type, object_id)
    assert (entry["token_id"], entry["principal"]) == (who["id"], f"{who['name']}#{who['id'][:8]}")
    assert (entry["before"] and set(entry["before"])) == expected.before
    assert (entry["after"] and set(entry["after"])) == expected.after
    assert entry["parts"] == sorted((expected.before or set()) | (expected.after or set()))
    everything = (await client.get("/audit")).text + str(await stand.owner.fetch("select a::text from audit a"))
    assert SECRET not in everything
    if command == "EditConnection":
        assert entry["after"]["credentials"] == {"token": "changed"}


async def test_a_command_that_is_refused_leaves_none(stand: ApiStand) -> None:
    client = await stand.client_of("admin")
    made = await _made(client)
    before = await stand.owner.fetchval("select count(*) from audit")
    assert (await client.post(f"/connections/{made['id']}/activate")).status_code == 409
    assert (await client.put(f"/connections/{made['id']}", json={"owner": "x"}, headers={"if-match": '"9"'})).is_error
    assert await stand.owner.fetchval("select count(*) from audit") == before


async def test_the_audit_is_filtered_by_connection_actor_and_time(stand: ApiStand) -> None:
    one, other = await stand.client_of("admin"), await stand.client_of("operator")
    first, second = await _made(one, "one"), await _made(other, "two")
    who = (await other.get("/session")).json()
    for query in (
        {"connection_id": second["id"]},
        {"actor": who["id"]},
        {"actor": f"{who['name']}#{who['id'][:8]}"},
        {"since": second["created_at"]},
        {"object_id": second["id"], "action": "connection.created"},
    ):
        found = (await one.get("/audit", params=query)).json()["items"]
        assert [each["object_id"] for each in found] == [second["id"]], query
    past = (await one.get("/audit", params={"until": second["created_at"]})).json()["items"]
    assert [each["object_id"] for each in past] == [first["id"]]
    assert (await one.get("/audit", params={"actor": "somebody"})).json()["items"] == []


async def test_viewers_read_which_parts_changed_and_operators_what_they_were(stand: ApiStand) -> None:
    operator, viewer = await stand.client_of("operator"), await stand.client_of("viewer")
    url = f"/connections/{await _edit(stand, operator)}/history"
    whole, parts = (await operator.get(url)).json()["items"][0], (await viewer.get(url)).json()["items"][0]
    assert (whole["before"]["owner"], whole["after"]["owner"]) == (None, "team")
    assert not {"before", "after"} & set(parts)
    assert parts["parts"] == ["credentials", "owner", "revision"]
    assert {name: whole[name] for name in parts} == parts


async def test_a_cursor_of_another_token_leads_into_nothing_foreign(stand: ApiStand) -> None:
    everywhere, production = await stand.client_of("admin"), await stand.client_of("admin", ("production",))
    for number in range(6):
        await _made(everywhere, f"c{number}", environment="production" if number % 2 else "development")
    for path in ("/connections", "/audit", "/tokens"):
        page = (await everywhere.get(path, params={"limit": 2})).json()
        follow = await production.get(path, params={"cursor": page["next_cursor"], "limit": 200})
        assert follow.status_code == 200, path
        seen = {str(each.get("environment") or each.get("environments")) for each in follow.json()["items"]}
        assert seen <= {"production", "['production']"}, (path, seen)
