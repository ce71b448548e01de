"""Who may do and see what: tokens, roles, environments, and the operator's half of a failure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

pytestmark = pytest.mark.integration

READS = ("", "/history", "/verifications")
COMMANDS = (("PUT", ""), ("DELETE", ""), ("POST", "/verify"), ("POST", "/activate"), ("POST", "/deactivate"))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic dTpw",
        "Bearer clt_" + "a" * 43,
        "Bearer clt_" + "a" * 42,
        "Bearer clt_' or true --" + "a" * 26,
        "Bearer clt_" + "ä" * 43,
        "bearer clt_" + "A" * 43 + ", Bearer x",
        "clt_" + "a" * 43,
    ],
)
async def test_what_is_no_token_opens_nothing(stand: ApiStand, header: str | None) -> None:
    client = stand.client_with({})
    headers = [] if header is None else [(b"authorization", header.encode())]
    answer = await client.get("/session", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_of_two_tokens_in_one_request_neither_is_taken(stand: ApiStand) -> None:
    good = await stand.client_of("viewer")
    twice = [(b"authorization", good.headers["authorization"].encode())] * 2
    answer = await stand.client_with({}).get("/session", headers=twice)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED")


async def test_expired_and_revoked_tokens_say_so(stand: ApiStand) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = await stand.client_of("admin", expires_at=past)
    revoked = await stand.client_of("admin", revoked_at=past)
    assert (await expired.get("/session")).json()["code"] == "TOKEN_EXPIRED"
    assert (await revoked.get("/session")).json()["code"] == "TOKEN_REVOKED"


async def test_roles_end_where_they_end(stand: ApiStand, tcp_draft: Any) -> None:
    operator = await stand.client_of("operator")
    viewer = await stand.client_of("viewer")
    url = f"/connections/{(await operator.post('/connections', json=tcp_draft())).json()['id']}"
    for part in READS:
        assert (await viewer.get(url + part)).status_code == 200
    for path in ("/connections", "/connection-kinds", "/connection-kinds/tcp", "/error-catalogue", "/version"):
        assert (await viewer.get(path)).status_code == 200, path
    for method, part in (*COMMANDS, ("DELETE", "/staged")):
        refused = await viewer.request(method, url + part, json={}, headers={"if-match": "*"})
        assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED"), part
    assert (await viewer.post("/connections", json=tcp_draft(name="b"))).status_code == 403
    assert (await viewer.get("/audit")).status_code == 403
    assert (await operator.get("/audit")).status_code == 200
    for client in (viewer, operator):
        assert (await client.get("/tokens")).status_code == 403
        assert (await client.post("/tokens", json={"name": "x", "role": "viewer"})).status_code == 403
    assert "operator_summary" not in (await viewer.get("/error-catalogue")).json()["items"][0]
    assert "operator_summary" in (await operator.get("/error-catalogue")).json()["items"][0]


async def test_a_foreign_environment_does_not_exist(stand: ApiStand, tcp_draft: Any) -> None:
    production = await stand.client_of("operator", ("production",))
    development = await stand.client_of("operator", ("development", "staging"))
    body = (await production.post("/connections", json=tcp_draft(environment="production"))).json()
    url = f"/connections/{body['id']}"
    assert (await development.get("/connections")).json()["items"] == []
    assert (await development.get("/audit")).json()["items"] == []
    for part in READS:
        assert (await development.get(url + part)).json()["code"] == "CONNECTION_NOT_FOUND"
    verification = f"{url}/verifications/{body['verification']['id']}"
    assert (await development.get(verification)).status_code == 404
    assert (await production.get(verification)).status_code == 200
    for method, part in (*COMMANDS, ("DELETE", "/staged")):
        refused = await development.request(method, url + part, json={}, headers={"if-match": "*"})
        assert refused.json()["code"] == "CONNECTION_NOT_FOUND", part
    refused = await development.post("/connections", json=tcp_draft(environment="production", name="b"))
    assert (refused.status_code, refused.json()["code"]) == (403, "NOT_ALLOWED")


async def test_a_verification_is_found_under_its_own_connection_only(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    one = (await client.post("/connections", json=tcp_draft())).json()
    two = (await client.post("/connections", json=tcp_draft(name="b"))).json()
    crossed = await client.get(f"/connections/{two['id']}/verifications/{one['verification']['id']}")
    assert (crossed.status_code, crossed.json()["code"]) == (404, "VERIFICATION_NOT_FOUND")


async def test_operator_detail_is_for_operators(stand: ApiStand, tcp_draft: Any) -> None:
    operator, viewer = await stand.client_of("operator"), await stand.client_of("viewer")
    body = (await operator.post("/connections", json=tcp_draft())).json()
    await stand.end_verification(body["verification"]["id"], "failed")
    places = (
        f"/connections/{body['id']}",
        "/connections",
        f"/connections/{body['id']}/verifications",
        f"/connections/{body['id']}/verifications/{body['verification']['id']}",
    )
    for path in places:
        seen, hidden = await operator.get(path), await viewer.get(path)
        assert "refused by 10.0.0.1" in seen.text, path
        assert "AUTH_REJECTED" in hidden.text, path
        assert "operator_detail" not in hidden.text, path
        assert "10.0.0.1" not in hidden.text, path


async def test_a_token_is_told_once_and_ends_when_revoked(stand: ApiStand) -> None:
    admin = await stand.client_of("admin")
    made = await admin.post("/tokens", json={"name": "ci", "role": "viewer", "environments": ["staging"]})
    assert made.status_code == 201, made.text
    text = made.json()["token"]
    assert made.json()["environments"] == ["staging"]
    holder = stand.client_with({"authorization": f"Bearer {text}"})
    session = (await holder.get("/session")).json()
    assert (session["name"], session["role"], session["environments"]) == ("ci", "viewer", ["staging"])
    listed = await admin.get("/tokens")
    assert text not in listed.text
    assert (await admin.get(f"/tokens/{made.json()['id']}")).json()["last_used_at"] is not None
    assert text.encode() not in str(await stand.owner.fetch("select t::text from tokens t")).encode()
    gone = await admin.delete(f"/tokens/{made.json()['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await holder.get("/session")).json()["code"] == "TOKEN_REVOKED"
    assert (await admin.delete(f"/tokens/{made.json()['id']}")).status_code == 204
    actions = [each["action"] for each in (await admin.get("/audit")).json()["items"]]
    assert actions == ["token.revoked", "token.created"]


async def test_the_audit_of_a_foreign_token_is_as_hidden_as_the_token(stand: ApiStand) -> None:
    everywhere, development = await stand.client_of("admin"), await stand.client_of("admin", ("development",))
    for environment in ("staging", "development"):
        body = {"name": f"ci-{environment}", "role": "viewer", "environments": [environment]}
        assert (await everywhere.post("/tokens", json=body)).status_code == 201
    for client, names in ((everywhere, {"ci-staging", "ci-development"}), (development, {"ci-development"})):
        seen = (await client.get("/audit")).json()["items"]
        assert {each["after"]["name"] for each in seen} == names


async def test_nobody_hands_out_more_than_they_have(stand: ApiStand) -> None:
    admin = await stand.client_of("admin", ("development",))
    wide = await admin.post("/tokens", json={"name": "x", "role": "viewer", "environments": ["production"]})
    assert (wide.status_code, wide.json()["code"]) == (403, "NOT_ALLOWED")
    own = await admin.post("/tokens", json={"name": "x", "role": "admin"})
    assert own.json()["environments"] == ["development"]
    everything = await stand.client_of("admin")
    other = (await everything.post("/tokens", json={"name": "y", "role": "viewer"})).json()["id"]
    assert (await admin.get(f"/tokens/{other}")).status_code == 404
    assert (await admin.delete(f"/tokens/{other}")).json()["code"] == "TOKEN_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x", "role": "root"}, "/role"),
        ({"name": "x", "role": "viewer", "environments": []}, "/environments"),
        ({"name": "x", "role": "viewer", "environments": ["moon"]}, "/environments/0"),
        ({"name": "x", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "role": "viewer", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "role": "viewer", "expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"name": "x", "role": "viewer", "expires_at": 4102444800}, "/expires_at"),
        ({"name": "x\u0007", "role": "viewer"}, "/name"),
        ({"name": "x"}, "/role"),
        ({"name": "x", "role": "viewer", "hash": "00"}, "/hash"),
    ],
)
async def test_a_bad_token_request_is_told(stand: ApiStand, body: dict[str, Any], pointer: str) -> None:
    admin = await stand.client_of("admin")
    answer = await admin.post("/tokens", json=body)
    assert answer.status_code == 422, answer.text
    assert pointer in [each["pointer"] for each in answer.json()["errors"]], answer.text
