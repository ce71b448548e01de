"""Idempotency keys: done once, answered alike, and never under another body, another token or for ever."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration

KEY = {"idempotency-key": "2f8f8a6e-1b1e-4d0e-9a2b-1c7d6e5f4a3b"}


async def test_a_repeated_create_makes_one_connection_and_one_answer(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    first = await client.post("/connections", json=tcp_draft(), headers=KEY)
    again = await client.post("/connections", json=tcp_draft(), headers=KEY)
    assert (first.status_code, first.text) == (again.status_code, again.text) == (201, first.text)
    assert (first.headers["etag"], first.headers["location"]) == (again.headers["etag"], again.headers["location"])
    assert await stand.owner.fetchval("select count(*) from service_connection_profiles") == 1
    assert await stand.owner.fetchval("select count(*) from audit") == 1
    assert await stand.owner.fetchval("select count(*) from outbox") == 2


async def test_of_twenty_at_once_one_is_done_and_all_get_its_answer(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")

    async def send() -> tuple[str, set[str]]:
        met: set[str] = set()
        for _ in range(200):
            answer = await client.post("/connections", json=tcp_draft(), headers=KEY)
            if answer.status_code == 201:
                return answer.text, met
            if answer.status_code == 409:
                assert answer.headers["retry-after"] == "1"
            met.add(answer.json()["code"])  # at work, or the pool of eight is busy
            await asyncio.sleep(0.05)
        raise AssertionError(met)

    answers = await asyncio.gather(*(send() for _ in range(20)))
    assert len({text for text, _ in answers}) == 1
    assert set().union(*(met for _, met in answers)) <= {"IDEMPOTENCY_KEY_IN_USE", "STORE_UNAVAILABLE"}
    assert await stand.owner.fetchval("select count(*) from service_connection_profiles") == 1
    assert await stand.owner.fetchval("select count(*) from audit") == 1


async def test_one_that_is_still_running_is_not_waited_for(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    token = (await client.get("/session")).json()["id"]
    async with stand.owner.transaction():
        held = "select pg_advisory_xact_lock(hashtextextended('idempotency ' || $1::text || ' ' || $2::text, 0))"
        await stand.owner.execute(held, token, KEY["idempotency-key"])
        refused = await client.post("/connections", json=tcp_draft(), headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (409, "IDEMPOTENCY_KEY_IN_USE")
    assert (refused.headers["retry-after"], refused.json()["retryable"]) == ("1", True)
    assert (await client.post("/connections", json=tcp_draft(), headers=KEY)).status_code == 201


async def test_another_request_under_the_key_is_refused(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    made = (await client.post("/connections", json=tcp_draft(), headers=KEY)).json()
    others = (("/connections", tcp_draft(name="b")), (f"/connections/{made['id']}/verify", None))
    for path, body in others:
        refused = await client.post(path, json=body, headers=KEY)
        assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED"), path
    assert await stand.owner.fetchval("select count(*) from service_connection_profiles") == 1


async def test_under_another_version_it_is_another_request(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    made = await client.post("/connections", json=tcp_draft())
    await stand.end_verification(made.json()["verification"]["id"])
    url, first = f"/connections/{made.json()['id']}/activate", {"if-match": made.headers["etag"]}
    active = await client.post(url, headers={**KEY, **first})
    assert (active.status_code, active.json()["lifecycle"]) == (200, "active")
    for others in ({"if-match": active.headers["etag"]}, {"if-match": "*"}, {}):
        refused = await client.post(url, headers={**KEY, **others})
        assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED"), others
    told = {"prefer": "wait=1", "x-correlation-id": "another-correlation"}
    again = await client.post(url, headers={**KEY, **first, **told})
    assert (again.status_code, again.text) == (200, active.text), "how it is answered is not what is asked"


async def test_a_key_belongs_to_its_token(stand: ApiStand, tcp_draft: Any) -> None:
    one, other = await stand.client_of("operator"), await stand.client_of("operator", ("production",))
    made = await one.post("/connections", json=tcp_draft(), headers=KEY)
    own = await other.post("/connections", json=tcp_draft(environment="production"), headers=KEY)
    assert (made.status_code, own.status_code) == (201, 201)
    assert made.json()["id"] != own.json()["id"]


async def test_what_was_refused_may_be_tried_again_under_its_key(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    activate = f"/connections/{body['id']}/activate"
    refused = await client.post(activate, headers=KEY)
    assert refused.json()["code"] == "CONNECTION_NOT_VERIFIED"
    await stand.end_verification(body["verification"]["id"])
    active = await client.post(activate, headers=KEY)
    assert (active.status_code, active.json()["lifecycle"]) == (200, "active")
    await client.post(f"/connections/{body['id']}/deactivate")
    again = await client.post(activate, headers=KEY)
    assert again.text == active.text, "the answer of then, and nothing is activated"
    assert (await client.get(f"/connections/{body['id']}")).json()["lifecycle"] == "inactive"


async def test_a_verification_is_asked_for_once(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    await stand.end_verification(body["verification"]["id"])
    first = await client.post(f"/connections/{body['id']}/verify", headers=KEY)
    await stand.end_verification(first.json()["verification_id"])
    again = await client.post(f"/connections/{body['id']}/verify", headers=KEY)
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert await stand.owner.fetchval("select count(*) from verifications") == 2


async def test_a_tokens_text_is_neither_kept_nor_told_twice(stand: ApiStand) -> None:
    client = await stand.client_of("admin")
    made = await client.post("/tokens", json={"name": "ci", "role": "viewer"}, headers=KEY)
    again = await client.post("/tokens", json={"name": "ci", "role": "viewer"}, headers=KEY)
    assert (again.status_code, again.json()["code"]) == (409, "TOKEN_SHOWN_ONCE")
    assert made.json()["token"] not in again.text
    assert await stand.owner.fetchval("select count(*) from tokens where name = 'ci'") == 1
    kept = str(await stand.owner.fetch("select t::text from idempotency_keys t"))
    assert made.json()["token"] not in kept
    assert "null" in kept or "," in kept


async def test_no_secret_of_a_body_is_kept(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    config = {"url": "https://api.example.com", "auth": "bearer"}
    draft = {"name": "a", "environment": "development", "kind": "http", "config": config}
    made = await client.post("/connections", json={**draft, "credentials": {"token": "hunter2-hunter2"}}, headers=KEY)
    assert made.status_code == 201, made.text
    assert "hunter2" not in str(await stand.owner.fetch("select t::text from idempotency_keys t"))


async def test_after_a_day_the_key_is_free(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    await client.post("/connections", json=tcp_draft(), headers=KEY)
    await stand.owner.execute("update idempotency_keys set created_at = created_at - interval '24 hours'")
    other = await client.post("/connections", json=tcp_draft(name="b"), headers=KEY)
    assert other.status_code == 201
    assert (await client.post("/connections", json=tcp_draft(name="b"), headers=KEY)).text == other.text


async def test_a_command_that_fails_leaves_no_key(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    stand.outbox["pending"] = 100
    assert (await client.post("/connections", json=tcp_draft(), headers=KEY)).status_code == 503
    stand.outbox["pending"] = 0
    assert await stand.owner.fetchval("select count(*) from idempotency_keys") == 0
    assert (await client.post("/connections", json=tcp_draft(), headers=KEY)).status_code == 201


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a\tb", b"\xff", "ü".encode()])
async def test_what_is_no_key_is_told(stand: ApiStand, tcp_draft: Any, key: bytes) -> None:
    client = await stand.client_of("operator")
    refused = await client.post("/connections", json=tcp_draft(), headers=[(b"idempotency-key", key)])
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/header/idempotency-key"]


async def test_two_keys_are_none_and_reading_needs_none(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    doubled = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]
    assert (await client.post("/connections", json=tcp_draft(), headers=doubled)).status_code == 422
    statuses = Counter([(await client.get("/connections", headers=KEY)).status_code for _ in range(3)])
    assert statuses == {200: 3}


async def test_of_an_erased_connection_no_answer_is_kept(stand: ApiStand, tcp_draft: Any) -> None:
    admin = await stand.client_of("admin")
    made = (await admin.post("/connections", json=tcp_draft(), headers=KEY)).json()
    kept = (await admin.post("/connections", json=tcp_draft(name="b"), headers={"idempotency-key": "b"})).json()
    url = f"/connections/{made['id']}"
    await admin.delete(url, headers={"if-match": "*"})
    assert (await admin.post(f"{url}:erase")).status_code == 200
    rows = await stand.owner.fetch("select result ->> 'id' as id from idempotency_keys")
    assert [row["id"] for row in rows] == [kept["id"]]
