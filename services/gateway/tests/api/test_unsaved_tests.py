"""Tests of values that nobody has saved: what the verifier is asked, who may see them, whose secrets they use."""

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest
from services.gateway.tests.api_stand import ApiStand

from clearline.contracts.connection import Envelope
from clearline.probes.forms import parse_config
from clearline.probes.registry import kind_named
from gateway.commands.start_test import MOST_PENDING

pytestmark = pytest.mark.integration
SECRET = "correct horse battery"
CONFIG = {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"}
DRAFT = {"environment": "development", "kind": "postgres", "config": CONFIG, "credentials": {"password": SECRET}}


async def saved(client: Any, **changes: Any) -> dict[str, Any]:
    made = await client.post("/connections", json={"name": "warehouse", **DRAFT, **changes})
    assert made.status_code == 201, made.text
    body: dict[str, Any] = made.json()
    return body


async def request_of(stand: ApiStand, test_id: str) -> dict[str, Any]:
    ((name, body, headers),) = await stand.events(test_id)
    assert (name, headers["ce_subject"], headers["ce_partitionkey"]) == ("verification_requested", test_id, test_id)
    return body


async def test_a_test_is_asked_for_and_leaves_no_connection(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    answer = await client.post("/connections:test", json={**DRAFT, "name": "not yet", "owner": "data-team"})
    assert answer.status_code == 202, answer.text
    test_id = answer.json()["test_id"]
    assert answer.headers["location"] == f"/api/v1/connection-tests/{test_id}"
    shown = (await client.get(f"/connection-tests/{test_id}")).json()
    assert (shown["id"], shown["status"], shown["why"], shown["steps"]) == (test_id, "pending", "unsaved", [])
    assert (shown["connection_id"], shown["revision"], shown["expires_at"]) == (None, None, None)
    asked = await request_of(stand, test_id)
    assert (asked["verification_id"], asked["connection_id"], asked["revision"]) == (test_id, None, None)
    assert (asked["why"], asked["config"]["host"]) == ("unsaved", "db.example.com")
    assert (await client.get("/connections")).json()["items"] == []
    for table in ("service_connection_profiles", "connection_revisions", "connection_credentials", "verifications"):
        assert not await stand.owner.fetchval(f"select count(*) from {table}"), table  # noqa: S608 - our own names
    for kept in ("connection_tests", "audit"):
        [row] = await stand.owner.fetch(f"select to_jsonb(t) as row from {kept} t")  # noqa: S608 - our own names
        assert not {SECRET, "config", "envelopes"} & set(str(row["row"]).split("'")), kept


async def test_a_new_secret_is_sealed_for_its_test_alone(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    test_id = (await client.post("/connections:test", json=DRAFT)).json()["test_id"]
    asked = await request_of(stand, test_id)
    assert opened(stand, asked, subject=test_id) == SECRET


async def test_stored_secrets_stay_sealed_for_their_connection(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = await saved(client)
    for given in ({}, {"password": body["credentials"]["password"]}):
        draft = {"id": body["id"], "config": {**CONFIG, "database": "other"}, "credentials": given}
        answer = await client.post("/connections:test", json=draft)
        assert answer.status_code == 202, answer.text
        asked = await request_of(stand, answer.json()["test_id"])
        assert (asked["connection_id"], asked["config"]["database"]) == (body["id"], "other")
        assert opened(stand, asked, subject=body["id"]) == SECRET
    assert (await client.get(f"/connections/{body['id']}")).json()["revision"] == 1, "a test is no edit"


async def test_what_is_left_out_of_a_test_by_id_stays(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = await saved(client)
    answer = await client.post("/connections:test", json={"id": body["id"], "credentials": {"password": "another one"}})
    asked = await request_of(stand, answer.json()["test_id"])
    assert asked["config"] == body["config"]
    assert opened(stand, asked, subject=answer.json()["test_id"]) == "another one"


async def test_null_takes_a_stored_secret_out_of_the_test(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    config = {"url": "https://api.example.com/", "auth": "bearer"}
    body = await saved(client, kind="http", config=config, credentials={"token": SECRET})
    unauthenticated = {"id": body["id"], "config": {**config, "auth": "none"}, "credentials": {"token": None}}
    answer = await client.post("/connections:test", json=unauthenticated)
    assert answer.status_code == 202, answer.text
    assert "envelopes" not in await request_of(stand, answer.json()["test_id"])


async def test_a_stored_secret_goes_to_no_other_destination(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = await saved(client)
    draft = {"id": body["id"], "config": {**CONFIG, "host": "elsewhere.example.com"}}
    for credentials in ({}, {"password": {"stored": True}}):
        refused = await client.post("/connections:test", json={**draft, "credentials": credentials})
        assert (refused.status_code, refused.json()["code"]) == (422, "CREDENTIALS_REQUIRED")
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/credentials/password"]
    again = await client.post("/connections:test", json={**draft, "credentials": {"password": SECRET}})
    assert again.status_code == 202


async def test_only_who_may_edit_a_connection_may_use_its_secrets(stand: ApiStand) -> None:
    owner = await stand.client_of("operator", ("production",))
    body = await saved(owner, environment="production")
    draft = {"id": body["id"]}
    viewer = await stand.client_of("viewer", ("production",))
    assert (await viewer.post("/connections:test", json=draft)).json()["code"] == "NOT_ALLOWED"
    for role in ("operator", "admin"):
        elsewhere = await stand.client_of(role, ("development", "staging"))
        refused = await elsewhere.post("/connections:test", json=draft)
        assert (refused.status_code, refused.json()["code"]) == (404, "CONNECTION_NOT_FOUND")
        refused = await elsewhere.post("/connections:test", json={**DRAFT, "environment": "production"})
        assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")
    assert await stand.owner.fetchval("select count(*) from connection_tests") == 0
    renamed = await owner.post("/connections:test", json={**draft, "kind": "tcp", "environment": "development"})
    assert [each["pointer"] for each in renamed.json()["errors"]] == ["/kind", "/environment"]
    await owner.delete(f"/connections/{body['id']}", headers={"if-match": "*"})
    assert (await owner.post("/connections:test", json=draft)).json()["code"] == "CONNECTION_RETIRED"


async def test_a_test_is_seen_and_cancelled_by_its_starter_and_by_admins_only(stand: ApiStand) -> None:
    starter = await stand.client_of("operator")
    test_id = (await starter.post("/connections:test", json=DRAFT)).json()["test_id"]
    url = f"/connection-tests/{test_id}"
    another = await stand.client_of("operator")
    foreign = await stand.client_of("admin", ("production",))
    for client in (another, foreign):
        for method in ("GET", "DELETE"):
            refused = await client.request(method, url)
            assert (refused.status_code, refused.json()["code"]) == (404, "TEST_NOT_FOUND")
    assert (await (await stand.client_of("viewer")).get(url)).status_code == 403
    admin = await stand.client_of("admin")
    assert (await admin.get(url)).status_code == 200
    assert (await admin.delete(url)).status_code == 202
    assert (await starter.get(url)).json()["cancelled_by"].startswith("admin-token")


async def test_a_cancel_is_told_once_and_what_has_ended_stays(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    test_id = (await client.post("/connections:test", json=DRAFT)).json()["test_id"]
    for _ in range(3):
        assert (await client.delete(f"/connection-tests/{test_id}")).status_code == 202
    names = [name for name, *_ in await stand.events(test_id)]
    assert names == ["verification_requested", "verification_cancel_requested"]
    await stand.end_test(test_id)
    ended = await client.delete(f"/connection-tests/{test_id}")
    assert (ended.status_code, ended.json()["status"]) == (202, "verified")


async def test_an_hour_is_over_for_everyone_before_the_clock_comes(stand: ApiStand) -> None:
    client = await stand.client_of("admin")
    test_id = (await client.post("/connections:test", json=DRAFT)).json()["test_id"]
    await stand.owner.execute("update connection_tests set requested_at = requested_at - interval '1 hour'")
    for method in ("GET", "DELETE"):
        assert (await client.request(method, f"/connection-tests/{test_id}")).json()["code"] == "TEST_NOT_FOUND"


PAUSE_ALLOWED = 10.0
"""Seconds between the refusal and the look at the store, on a busy machine."""


async def test_nobody_occupies_the_verifier_with_tests(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    ids = [(await client.post("/connections:test", json=DRAFT)).json()["test_id"] for _ in range(MOST_PENDING)]
    refused = await client.post("/connections:test", json=DRAFT)
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_TESTS")
    first_ends = await stand.owner.fetchval(
        "select extract(epoch from min(deadline) - clock_timestamp())::float8 from connection_tests"
    )
    assert 0 <= int(refused.headers["retry-after"]) - first_ends < PAUSE_ALLOWED, "then a place is free, and not later"
    assert (await (await stand.client_of("operator")).post("/connections:test", json=DRAFT)).status_code == 202
    await stand.end_test(ids[0])
    assert (await client.post("/connections:test", json=DRAFT)).status_code == 202


async def test_of_many_tests_at_the_same_moment_only_so_many_start(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    answers = await asyncio.gather(*(client.post("/connections:test", json=DRAFT) for _ in range(MOST_PENDING + 6)))
    assert Counter(answer.status_code for answer in answers) == {202: MOST_PENDING, 429: 6}


async def test_a_draft_says_what_it_lacks(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    refused = await client.post("/connections:test", json={})
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/environment", "/kind", "/config"]
    for draft in ({"id": "x"}, {"id": 5}, {**DRAFT, "nonsense": 1}, {**DRAFT, "config": {**CONFIG, "port": 0}}):
        refused = await client.post("/connections:test", json=draft)
        assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_FAILED"), draft
    assert (await client.get("/connection-tests/x")).status_code == 404
    repeated = {**DRAFT, "config": {**CONFIG, "database": SECRET}}
    assert SECRET not in (await client.post("/connections:test", json=repeated)).text


async def test_who_waits_gets_the_end(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    waited = await client.post("/connections:test", json=DRAFT, headers={"prefer": "wait=1"})
    assert (waited.status_code, waited.headers["preference-applied"]) == (202, "wait=1")
    assert "test" not in waited.json()


async def test_a_test_sent_twice_under_one_key_is_one_test(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    answers = [
        await client.post("/connections:test", json=DRAFT, headers={"idempotency-key": "the-same"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["test_id"] for answer in answers}) == 1
    assert await stand.owner.fetchval("select count(*) from outbox") == 1


def opened(stand: ApiStand, asked: dict[str, Any], *, subject: str) -> str:
    kind = kind_named(asked["kind"])
    envelope = msgspec.convert(asked["envelopes"]["password"], Envelope)
    destination = kind.destination(parse_config(kind, asked["config"]))
    return stand.opener.open(envelope, subject=subject, kind=kind.name, field="password", destination=destination)
