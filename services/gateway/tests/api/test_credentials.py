"""Credentials: sealed on the way in, never read back, kept where they were meant for, and dropped when done."""

import json
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import Envelope

pytestmark = pytest.mark.integration

SECRET = "s3cr3t-canary-9Xq"
CONFIG = {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"}
DESTINATION_FIELDS = ({"host": "evil.example.com"}, {"port": 5433}, {"tls": "disable"})


def postgres_draft(**changes: Any) -> dict[str, Any]:
    return {
        "name": "warehouse",
        "environment": "development",
        "kind": "postgres",
        "config": CONFIG,
        "credentials": {"password": SECRET},
        **changes,
    }


async def sealed(stand: ApiStand, connection_id: str) -> list[tuple[int, str]]:
    rows = await stand.owner.fetch(
        "select revision, sealed from connection_credentials where connection_id = $1::text::uuid order by revision",
        connection_id,
    )
    return [(row["revision"], row["sealed"]) for row in rows]


async def test_a_secret_is_sealed_for_its_place_and_shown_to_nobody(stand: ApiStand) -> None:
    client = await stand.client_of("admin")
    created = await client.post("/connections", json=postgres_draft())
    assert created.status_code == 201, created.text
    body = created.json()
    assert body["credentials"]["password"]["stored"] is True
    assert set(body["credentials"]["password"]) == {"stored", "changed_at"}

    events = await stand.events(body["id"])
    envelope = Envelope(**events[1][1]["envelopes"]["password"])
    (*_, creation) = (await client.get(f"/connections/{body['id']}/history")).json()["items"]
    assert creation["after"]["credentials"] == {"password": "stored"}, "nothing was there to change"
    place: dict[str, str] = {"subject": body["id"], "kind": "postgres", "field": "password"}
    destination = await stand.owner.fetchval("select destination from connection_revisions")
    assert stand.opener.open(envelope, destination=destination, **place) == SECRET
    with pytest.raises(ClearlineError):
        stand.opener.open(envelope, destination="postgres://evil.example.com:5432", **place)

    answers = [await client.get(f"/connections/{body['id']}{part}") for part in ("", "/history", "/verifications")]
    answers += [await client.get("/audit"), created]
    told = "".join(answer.text for answer in answers) + json.dumps([event[1] for event in events])
    assert SECRET not in told
    assert envelope.sealed not in "".join(answer.text for answer in answers)
    dump = await stand.owner.fetch("select a::text from audit a union all select o::text from outbox o")
    assert SECRET not in str(dump)


async def test_a_secret_repeated_in_the_config_is_refused_and_kept_nowhere(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    repeating = {**CONFIG, "database": SECRET}
    created = await client.post("/connections", json=postgres_draft(config=repeating))
    body = (await client.post("/connections", json=postgres_draft())).json()
    edit = {"config": {**CONFIG, "database": "another9word"}, "credentials": {"password": "another9word"}}
    edited = await client.put(f"/connections/{body['id']}", json=edit, headers={"if-match": "*"})
    for answer in (created, edited):
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "/config/database"
        assert answer.json()["errors"][0]["code"] == "SECRET_IN_PUBLIC_FIELD"
        assert SECRET not in answer.text
    assert await stand.owner.fetchval("select count(*) from connection_revisions") == 1
    assert SECRET not in str(await stand.owner.fetch("select a::text from audit a"))


async def test_a_credential_left_out_or_sent_as_read_stays(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=postgres_draft())).json()
    url = f"/connections/{body['id']}"
    before = (await sealed(stand, body["id"]))[0][1]
    for credentials in ({}, {"password": body["credentials"]["password"]}, {"password": {"stored": True}}):
        config = {**CONFIG, "database": f"w{len(str(credentials))}"}
        edited = await client.put(url, json={"config": config, "credentials": credentials}, headers={"if-match": "*"})
        assert edited.status_code == 200, edited.text
        assert edited.json()["credentials"] == body["credentials"]
        assert await sealed(stand, body["id"]) == [(edited.json()["revision"], before)], "older revisions keep none"


async def test_a_string_replaces_and_is_a_change_of_its_own(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=postgres_draft())).json()
    url = f"/connections/{body['id']}"
    edited = await client.put(url, json={"credentials": {"password": SECRET}}, headers={"if-match": "*"})
    assert edited.json()["revision"] == 2
    (change, *_) = (await client.get(f"{url}/history")).json()["items"]
    assert change["after"]["credentials"] == {"password": "changed"}
    assert edited.json()["verification"]["why"] == "edited"


async def test_null_removes_and_a_needed_one_cannot_go(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    draft = {
        "name": "api",
        "environment": "development",
        "kind": "http",
        "config": {"url": "https://api.example.com/health", "auth": "bearer"},
        "credentials": {"token": SECRET},
    }
    created = await client.post("/connections", json=draft)
    assert created.status_code == 201, created.text
    url = f"/connections/{created.json()['id']}"
    needed = await client.put(url, json={"credentials": {"token": None}}, headers={"if-match": "*"})
    assert needed.status_code == 422
    assert needed.json()["errors"][0]["pointer"] == "/credentials/token"
    gone = await client.put(
        url,
        json={"config": {"url": "https://api.example.com/health", "auth": "none"}, "credentials": {"token": None}},
        headers={"if-match": "*"},
    )
    assert gone.status_code == 200, gone.text
    assert gone.json()["credentials"] == {}
    assert await sealed(stand, created.json()["id"]) == []


@pytest.mark.parametrize("moved", DESTINATION_FIELDS)
async def test_a_stored_secret_never_follows_to_another_destination(stand: ApiStand, moved: dict[str, Any]) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=postgres_draft())).json()
    url = f"/connections/{body['id']}"
    for credentials in ({}, {"password": {"stored": True}}):
        edit = {"config": {**CONFIG, **moved}, "credentials": credentials}
        refused = await client.put(url, json=edit, headers={"if-match": "*"})
        assert (refused.status_code, refused.json()["code"]) == (422, "CREDENTIALS_REQUIRED"), refused.text
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/credentials/password"]
    brought = await client.put(
        url, json={"config": {**CONFIG, **moved}, "credentials": {"password": SECRET}}, headers={"if-match": "*"}
    )
    assert brought.status_code == 200, brought.text


async def test_a_token_stays_with_its_origin_and_goes_to_no_other(stand: ApiStand) -> None:
    """Whose server it is, scheme, host and port decide; which page is asked, and how, is whoever edits to say."""
    client = await stand.client_of("operator")
    first = {"url": "https://api.example.com/health", "auth": "bearer"}
    draft = {"name": "api", "environment": "development", "kind": "http", "config": first}
    body = (await client.post("/connections", json={**draft, "credentials": {"token": SECRET}})).json()
    url = f"/connections/{body['id']}"
    elsewhere = (
        *("http://api.example.com/health", "https://api.example.com:8443/health", "https://api2.example.com/health"),
        *("https://api.example.com.evil.example/health", "https://evil.example/api.example.com/health"),
    )
    for moved in elsewhere:
        config = {**first, "url": moved}
        edited = await client.put(url, json={"config": config}, headers={"if-match": "*"})
        tried = await client.post("/connections:test", json={"id": body["id"], "config": config})
        for refused in (edited, tried):
            assert (refused.status_code, refused.json()["code"]) == (422, "CREDENTIALS_REQUIRED"), moved
    for here in ({"url": "HTTPS://API.example.com:443/v2/health?deep=1"}, {"method": "POST"}):
        kept = await client.put(url, json={"config": {**first, **here}}, headers={"if-match": "*"})
        assert (kept.status_code, kept.json()["credentials"]["token"]["stored"]) == (200, True), kept.text


@pytest.mark.parametrize("value", [7, True, ["x"], {"stored": False}, {"stored": True, "x": 1}, "", "a\nb"])
async def test_a_credential_of_a_wrong_form_is_refused_unseen(stand: ApiStand, value: Any) -> None:
    client = await stand.client_of("operator")
    refused = await client.post("/connections", json=postgres_draft(credentials={"password": value}))
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"].startswith("/credentials/password")


async def test_stored_where_nothing_is_stored_wants_it_anew(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    refused = await client.post("/connections", json=postgres_draft(credentials={"password": {"stored": True}}))
    assert (refused.status_code, refused.json()["code"]) == (422, "CREDENTIALS_REQUIRED")
    unknown = await client.post("/connections", json=postgres_draft(credentials={"pin": SECRET, "password": SECRET}))
    assert unknown.json()["errors"][0]["code"] == "FIELD_UNKNOWN"
    assert SECRET not in unknown.text


async def test_credentials_are_kept_for_newest_live_and_last_live_only(stand: ApiStand) -> None:
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=postgres_draft())).json()
    url = f"/connections/{body['id']}"
    await stand.end_verification(body["verification"]["id"])
    assert (await client.post(f"{url}/activate")).status_code == 200
    shown = body
    for number in (2, 3):
        edit = {"config": {**CONFIG, "database": f"w{number}"}}
        shown = (await client.put(url, json=edit, headers={"if-match": "*"})).json()
    assert [revision for revision, _ in await sealed(stand, body["id"])] == [1, 3]
    await stand.end_verification(shown["verification"]["id"])
    await client.post(f"{url}/activate")
    assert [revision for revision, _ in await sealed(stand, body["id"])] == [1, 3], "the last live one may come back"
    await client.put(url, json={"credentials": {"password": "other"}}, headers={"if-match": "*"})
    assert [revision for revision, _ in await sealed(stand, body["id"])] == [1, 3, 4]
    assert (await client.delete(url, headers={"if-match": "*"})).status_code == 202
    assert await sealed(stand, body["id"]) == []
