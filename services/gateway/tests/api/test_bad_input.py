"""Bad input gets a problem with code, pointer and remedy; nothing is written, nothing of it is said back."""

import json
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration

CANARY = "s3cr3t-canary-9Xq"
MEBIBYTE = 1024 * 1024

BAD_DRAFTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown kind": ({"kind": "teapot"}, "/kind", "KIND_UNKNOWN"),
    "unknown field": ({"colour": CANARY}, "/colour", "FIELD_UNKNOWN"),
    "unknown environment": ({"environment": "moon"}, "/environment", "ENVIRONMENT_UNKNOWN"),
    "unknown config field": ({"config": {"host": "a.example", "port": 1, "x": CANARY}}, "/config/x", "FIELD_UNKNOWN"),
    "name of a wrong type": ({"name": 7}, "/name", "FIELD_TYPE"),
    "empty name": ({"name": " "}, "/name", "FIELD_REQUIRED"),
    "name too long": ({"name": "a" * 101}, "/name", "FIELD_TOO_LONG"),
    "control characters": ({"name": "ware\u0000house"}, "/name", "CONTROL_CHARACTERS"),
    "direction marks": ({"name": "ware\u202ehouse"}, "/name", "CONTROL_CHARACTERS"),
    "line break in the owner": ({"owner": "a\nb"}, "/owner", "FIELD_FORMAT"),
    "port 0": ({"config": {"host": "a.example", "port": 0}}, "/config/port", "PORT_OUT_OF_RANGE"),
    "port 70000": ({"config": {"host": "a.example", "port": 70000}}, "/config/port", "PORT_OUT_OF_RANGE"),
    "port as text": ({"config": {"host": "a.example", "port": "80"}}, "/config/port", "FIELD_TYPE"),
    "port true": ({"config": {"host": "a.example", "port": True}}, "/config/port", "FIELD_TYPE"),
    "port missing": ({"config": {"host": "a.example"}}, "/config/port", "FIELD_REQUIRED"),
    "secret in a public field": (
        {"config": {"host": "a.example", "port": 1, "password": CANARY}},
        "/config/password",
        "SECRET_IN_PUBLIC_FIELD",
    ),
    "credentials in a url": (
        {"kind": "http", "config": {"url": f"https://u:{CANARY}@a.example/"}},
        "/config/url",
        "URL_WITH_CREDENTIALS",
    ),
    "a credential of no use": ({"credentials": {"password": CANARY}}, "/credentials/password", "FIELD_UNKNOWN"),
    "interval too short": ({"beat": {"interval_seconds": 4}}, "/beat/interval_seconds", "FIELD_RANGE"),
    "timeout above the interval": (
        {"beat": {"interval_seconds": 5, "timeout_seconds": 6}},
        "/beat/timeout_seconds",
        "FIELD_RANGE",
    ),
    "threshold 0": ({"beat": {"failure_threshold": 0}}, "/beat/failure_threshold", "FIELD_RANGE"),
    "config no object": ({"config": [CANARY]}, "/config", "FIELD_TYPE"),
    "null name": ({"name": None}, "/name", "FIELD_TYPE"),
}
FORBIDDEN_HOSTS = (
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "LOCALHOST.",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.9.9",
    "169.254.169.254",
    "0xa9fea9fe",
    "::1",
    "::ffff:127.0.0.1",
    "fd00:ec2::254",
    "fe80::1",
    "0.0.0.0",  # noqa: S104 - it is refused here
    "100.100.100.200",
    "64:ff9b::a9fe:a9fe",
)


@pytest.mark.parametrize("case", BAD_DRAFTS)
async def test_a_bad_field_is_named(stand: ApiStand, tcp_draft: Any, case: str) -> None:
    changes, pointer, code = BAD_DRAFTS[case]
    client = await stand.client_of("operator")
    answer = await client.post("/connections", json=tcp_draft(**changes))
    assert answer.status_code == 422, answer.text
    assert (pointer, code) in [(each["pointer"], each["code"]) for each in answer.json()["errors"]], answer.text
    check_problem(answer)
    await nothing_was_written(stand)


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
async def test_a_forbidden_address_is_refused_in_every_spelling(stand: ApiStand, tcp_draft: Any, host: str) -> None:
    client = await stand.client_of("operator")
    answer = await client.post("/connections", json=tcp_draft(config={"host": host, "port": 80}))
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/config/host"
    assert error["code"] in {"ADDRESS_FORBIDDEN", "FIELD_FORMAT"}
    check_problem(answer)


async def test_a_name_is_taken_once_per_environment(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    assert (await client.post("/connections", json=tcp_draft(name="Bärg"))).status_code == 201
    taken = await client.post("/connections", json=tcp_draft(name="Ba\u0308rg"))
    assert (taken.status_code, taken.json()["code"]) == (409, "CONNECTION_NAME_TAKEN")
    assert taken.json()["errors"][0]["pointer"] == "/name"
    assert (await client.post("/connections", json=tcp_draft(name="Bärg", environment="staging"))).status_code == 201
    free = (await client.post("/connections", json=tcp_draft(name="free"))).json()
    edited = await client.put(f"/connections/{free['id']}", json={"name": "Bärg"}, headers={"if-match": "*"})
    assert edited.json()["code"] == "CONNECTION_NAME_TAKEN"


BAD_BODIES: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "not json": (b"{", {}, 400, "MALFORMED_JSON"),
    "not utf-8": (b'{"name": "\xff"}', {}, 400, "MALFORMED_JSON"),
    "utf-16": ('{"name": "a"}'.encode("utf-16"), {}, 400, "MALFORMED_JSON"),
    "doubled name": (b'{"name": "a", "name": "b"}', {}, 400, "MALFORMED_JSON"),
    "nan": (b'{"beat": {"interval_seconds": NaN}}', {}, 400, "MALFORMED_JSON"),
    "infinite": (b'{"beat": {"interval_seconds": 1e999}}', {}, 400, "MALFORMED_JSON"),
    "half a character": (b'{"name": "\\ud800"}', {}, 400, "MALFORMED_JSON"),
    "deep": (b"[" * 60_000, {}, 400, "MALFORMED_JSON"),
    "deep and closed": (b"[" * 30_000 + b"]" * 30_000, {}, 400, "MALFORMED_JSON"),
    "a number of 50,000 digits": (b'{"revision": ' + b"9" * 50_000 + b"}", {}, 400, "MALFORMED_JSON"),
    "empty": (b"", {}, 422, "VALIDATION_FAILED"),
    "a list": (b"[]", {}, 422, "VALIDATION_FAILED"),
    "null": (b"null", {}, 422, "VALIDATION_FAILED"),
    "xml": (b"<a/>", {"content-type": "application/xml"}, 415, "MEDIA_TYPE_UNSUPPORTED"),
    "a form": (b"a=b", {"content-type": "application/x-www-form-urlencoded"}, 415, "MEDIA_TYPE_UNSUPPORTED"),
    "latin-1": (b"{}", {"content-type": "application/json; charset=latin-1"}, 415, "MEDIA_TYPE_UNSUPPORTED"),
    "compressed": (b"\x1f\x8b", {"content-encoding": "gzip"}, 415, "MEDIA_TYPE_UNSUPPORTED"),
    "a name of 1 MiB": (b'{"name": "' + b"a" * MEBIBYTE + b'"}', {}, 413, "BODY_TOO_LARGE"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_bad_body_is_told(stand: ApiStand, case: str) -> None:
    content, headers, status, code = BAD_BODIES[case]
    client = await stand.client_of("operator")
    answer = await client.post("/connections", content=content, headers={"content-type": "application/json", **headers})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    check_problem(answer)


async def test_a_body_without_a_length_is_cut_at_the_limit(stand: ApiStand) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 8192

    client = await stand.client_of("operator")
    answer = await client.post("/connections", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"limit": "0"}, 422, "VALIDATION_FAILED"),
        ({"limit": "201"}, 422, "VALIDATION_FAILED"),
        ({"limit": "many"}, 422, "VALIDATION_FAILED"),
        ({"enviroment": "production"}, 422, "VALIDATION_FAILED"),
        ({"environment": "moon"}, 422, "VALIDATION_FAILED"),
        ({"name": "a\u0000"}, 422, "VALIDATION_FAILED"),
        ({"cursor": "!!"}, 400, "CURSOR_INVALID"),
        ({"cursor": "AAAAAAAA"}, 400, "CURSOR_INVALID"),
        ({"cursor": "ä"}, 400, "CURSOR_INVALID"),
    ],
)
async def test_a_bad_query_is_told(stand: ApiStand, query: dict[str, str], status: int, code: str) -> None:
    client = await stand.client_of("viewer")
    answer = await client.get("/connections", params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    check_problem(answer)


async def test_a_cursor_of_other_filters_is_refused(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    for number in range(3):
        await client.post("/connections", json=tcp_draft(name=f"c{number}"))
    first = (await client.get("/connections", params={"limit": 2})).json()
    assert [each["name"] for each in first["items"]] == ["c2", "c1"]
    cursor = first["next_cursor"]
    second = (await client.get("/connections", params={"limit": 2, "cursor": cursor})).json()
    assert [each["name"] for each in second["items"]] == ["c0"]
    assert second["next_cursor"] is None
    other = await client.get("/connections", params={"cursor": cursor, "kind": "tcp"})
    assert other.json()["code"] == "CURSOR_INVALID"
    elsewhere = await client.get(f"/connections/{first['items'][0]['id']}/history", params={"cursor": cursor})
    assert elsewhere.json()["code"] == "CURSOR_INVALID"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "ROUTE_NOT_FOUND"),
        ("GET", "/connections/", 404, "ROUTE_NOT_FOUND"),
        ("PATCH", "/connections", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/connections/not-an-id", 404, "CONNECTION_NOT_FOUND"),
        ("GET", "/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11", 404, "CONNECTION_NOT_FOUND"),
        ("GET", "/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11/history", 404, "CONNECTION_NOT_FOUND"),
        ("GET", "/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11/verifications", 404, "CONNECTION_NOT_FOUND"),
        ("POST", "/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11/verify", 404, "CONNECTION_NOT_FOUND"),
        ("POST", "/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11/activate", 404, "CONNECTION_NOT_FOUND"),
        ("DELETE", "/tokens/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11", 404, "TOKEN_NOT_FOUND"),
        ("GET", "/connection-kinds/teapot", 404, "KIND_UNKNOWN"),
    ],
)
async def test_what_is_not_there_is_a_problem(stand: ApiStand, method: str, path: str, status: int, code: str) -> None:
    client = await stand.client_of("admin")
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    check_problem(answer)
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_an_edit_says_which_version_it_is_for(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    for method, body in (("PUT", {"name": "b"}), ("DELETE", None)):
        none = await client.request(method, url, json=body)
        assert (none.status_code, none.json()["code"]) == (428, "IF_MATCH_REQUIRED")
        for stale in ('"9"', 'W/"1"', "1", '"1', ""):
            answer = await client.request(method, url, json=body, headers={"if-match": stale})
            assert (answer.status_code, answer.json()["code"]) == (412, "CONNECTION_CHANGED"), stale
    several = await client.put(url, json={"name": "b"}, headers={"if-match": '"7", "1"'})
    assert several.status_code == 200
    activated = await client.post(f"{url}/activate", headers={"if-match": '"1"'})
    assert activated.status_code == 412, "a precondition is honoured wherever it is sent"


@pytest.mark.parametrize(
    ("lines", "status"),
    [(('"7"', '"1"'), 200), (('"1"', '"7"'), 200), (('"7"', '"8"'), 412), (("*", '"7"'), 412), (('"7"', "*"), 412)],
)
async def test_if_match_in_two_lines_is_one_list(
    stand: ApiStand, tcp_draft: Any, lines: tuple[str, str], status: int
) -> None:
    """Of two lines neither is passed over; `*` means whatever there is only where it stands by itself."""
    client = await stand.client_of("operator")
    url = f"/connections/{(await client.post('/connections', json=tcp_draft())).json()['id']}"
    headers = [(b"if-match", line.encode()) for line in lines]
    assert (await client.post(f"{url}/deactivate", headers=headers)).status_code == status
    assert (await client.put(url, json={"name": "b"}, headers=headers)).status_code == status


@pytest.mark.parametrize("given", ["short", "spaces in it", "a" * 65, "ümlaut-8", ""])
async def test_an_ill_formed_correlation_id_is_replaced(stand: ApiStand, given: str) -> None:
    client = await stand.client_of("viewer")
    answer = await client.get("/session", headers=[(b"x-correlation-id", given.encode())])
    assert len(answer.headers["x-correlation-id"]) == 32


async def nothing_was_written(stand: ApiStand) -> None:
    tables = ("service_connection_profiles", "connection_revisions", "verifications", "outbox", "changes", "audit")
    for table in tables:
        assert await stand.owner.fetchval(f"select count(*) from {table}") == 0, table  # noqa: S608 - our own names


def check_problem(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == answer.status_code
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    assert body["type"] == f"/docs/errors#{body['code']}"
    assert body["user_message"]
    assert body["remediation"]
    assert set(body) == {
        *("type", "title", "status", "detail", "instance", "code", "correlation_id", "trace_id"),
        *("user_message", "retryable", "retry_after_seconds", "remediation", "errors", "metadata"),
    }
    told = json.dumps(body)
    assert CANARY not in told
    assert "Traceback" not in told
    assert "asyncpg" not in told
