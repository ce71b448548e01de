"""Kind `supabase` on a stand-in that answers as gateway, PostgREST, Auth and Storage do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.harness.supabase_stand_in import Project, jwt, project

from clearline.catalogue import ClearlineError
from clearline.probes.forms import parse_config, parse_credentials
from clearline.probes.registry import KINDS
from clearline.probes.supabase_keys import has_expired, role_of

ANON, SERVICE = jwt("anon"), jwt("service_role")
BOTH = {"anon_key": ANON, "service_key": SERVICE}


def found(verdict: Any) -> tuple[str, str, str]:
    assert verdict.failure is not None, verdict
    return verdict.failure.code, verdict.failure.step, verdict.failure.field


@pytest.fixture
async def stand() -> AsyncIterator[Project]:
    async with project() as running:
        yield running


def form(stand: Project, **more: Any) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{stand.port}"} | more


async def test_every_service_is_asked_with_the_right_key(stand: Project, climbing: Any) -> None:
    config = form(
        stand,
        schemas=["public", "sales"],
        anon_tables=["articles"],
        service_tables=["invoices", "sales.orders"],
        storage_buckets=["avatars"],
    )
    verdict = await climbing("supabase", config, BOTH)
    assert verdict.status == "verified", verdict.failure
    assert [step.status for step in verdict.steps] == ["passed", "passed", "skipped", "passed", "passed", "passed"]
    assert verdict.steps[3].evidence == {"anon key": "accepted", "service key": "accepted"}
    assert verdict.steps[4].evidence["granted"] == [
        "schema public with the anon key",
        "schema public with the service key",
        "schema sales with the anon key",
        "schema sales with the service key",
        "SELECT on public.articles with the anon key",
        "SELECT on public.invoices with the service key",
        "SELECT on sales.orders with the service key",
        "listing buckets with the service key",
        "bucket avatars with the service key",
    ]
    assert verdict.steps[5].evidence["auth_version"] == "v2.180.0"
    assert ANON not in str(verdict)
    asked = {target.partition("?")[0]: headers["apikey"] for target, headers in stand.seen}
    assert (asked["/rest/v1/articles"], asked["/rest/v1/invoices"]) == (ANON, SERVICE)


async def test_the_weaker_key_alone_is_enough_where_the_config_says_so(stand: Project, climbing: Any) -> None:
    config = form(stand, keys="anon", anon_tables=["articles"])
    verdict = await climbing("supabase", config, {"anon_key": ANON})
    assert verdict.status == "verified", verdict.failure
    assert {headers["apikey"] for _, headers in stand.seen} == {ANON}


async def test_only_jwts_are_bearer_tokens(stand: Project, climbing: Any) -> None:
    stand.keys |= {"sb_publishable_abc": "anon", "sb_secret_abc": "service_role"}
    keys = {"anon_key": "sb_publishable_abc", "service_key": "sb_secret_abc"}
    assert (await climbing("supabase", form(stand), keys)).status == "verified"
    assert not any("authorization" in headers for _, headers in stand.seen)
    await climbing("supabase", form(stand), BOTH)
    assert stand.seen[-1][1]["authorization"] == f"Bearer {stand.seen[-1][1]['apikey']}"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schemas": ["nowhere"]}, "/config/schemas/0"),
        ({"schemas": ["public", "nowhere"]}, "/config/schemas/1"),
        ({"anon_tables": ["articles", "invoices"]}, "/config/anon_tables/1"),
        ({"anon_tables": ["nothing"]}, "/config/anon_tables/0"),
        ({"service_tables": ["sales.nothing"]}, "/config/service_tables/0"),
        ({"storage_buckets": ["avatars", "invoices"]}, "/config/storage_buckets/1"),
    ],
)
async def test_each_permission_is_asked_on_its_own(
    stand: Project, climbing: Any, changed: dict[str, Any], told: str
) -> None:
    verdict = await climbing("supabase", form(stand) | changed, BOTH)
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", told)


async def test_storage_that_lets_a_key_not_in_is_a_missing_permission(stand: Project, climbing: Any) -> None:
    stand.storage_roles.clear()
    verdict = await climbing("supabase", form(stand), BOTH)
    assert found(verdict) == ("PERMISSION_MISSING", "authorize", "/config/storage")
    assert (await climbing("supabase", form(stand, storage=False), BOTH)).status == "verified"


@pytest.mark.parametrize("lost", [ANON, SERVICE])
async def test_a_key_that_was_replaced_is_told_at_its_field(stand: Project, climbing: Any, lost: str) -> None:
    del stand.keys[lost]
    verdict = await climbing("supabase", form(stand), BOTH)
    field = "anon_key" if lost == ANON else "service_key"
    assert found(verdict) == ("AUTH_REJECTED", "authenticate", f"/credentials/{field}")


PAUSED = {"message": "Project is paused"}
EXPIRED = {"code": "PGRST303", "details": None, "hint": None, "message": "JWT expired"}
UNSIGNED = {"statusCode": "403", "code": "AccessDenied", "error": "Unauthorized", "message": "Invalid Compact JWS"}
QUOTA = {"message": "Service for this project is restricted due to the following violations: exceed_egress_quota."}
LOADING = {"code": "PGRST002", "message": "Could not query the database for the schema cache. Retrying."}
REST, STORAGE, AUTH = "/rest/", "/storage/", "/auth/"


@pytest.mark.parametrize(
    ("where", "reply", "told"),
    [
        (REST, (401, EXPIRED), ("AUTH_REJECTED", "authenticate", "/credentials/anon_key")),
        (STORAGE, (400, UNSIGNED), ("AUTH_REJECTED", "authorize", "/credentials/service_key")),
        (REST, (540, PAUSED), ("SERVICE_PAUSED", "authenticate", "/config/url")),
        (REST, (522, b"<html>522: Connection timed out"), ("SERVER_UNAVAILABLE", "authenticate", "/config/url")),
        (REST, (402, QUOTA), ("SERVER_UNAVAILABLE", "authenticate", "/config/url")),
        (REST, (503, LOADING), ("SERVER_UNAVAILABLE", "authenticate", "/config/url")),
        (STORAGE, (503, {"message": "name resolution failed"}), ("SERVER_UNAVAILABLE", "authorize", "/config/url")),
        (
            AUTH,
            (502, {"message": "An invalid response was received"}),
            ("SERVER_UNAVAILABLE", "exercise", "/config/url"),
        ),
        (
            REST,
            (429, {"message": "API rate limit exceeded"}),
            ("RATE_LIMITED_BY_REMOTE", "authenticate", "/config/url"),
        ),
        (REST, (404, b"<html>not here"), ("PROTOCOL_MISMATCH", "authenticate", "/config/url")),
        (STORAGE, (404, {"message": "no Route matched"}), ("PROTOCOL_MISMATCH", "authorize", "/config/url")),
        (AUTH, (200, {"name": "nginx"}), ("PROTOCOL_MISMATCH", "exercise", "/config/url")),
        (REST, (400, {"message": "what?"}), ("UNEXPECTED_STATUS", "authenticate", "/config/url")),
        (REST, (403, {"message": "blocked"}), ("PERMISSION_MISSING", "authorize", "/config/schemas/0")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_what_the_services_answer_has_one_meaning(
    stand: Project, climbing: Any, where: str, reply: tuple[int, Any], told: tuple[str, str, str]
) -> None:
    stand.instead[where] = reply
    assert found(await climbing("supabase", form(stand), BOTH)) == told


USER = jwt("authenticated")


@pytest.mark.parametrize(
    ("url", "keys", "faults"),
    [
        ("https://db.example.com", {"anon_key": SERVICE, "service_key": SERVICE}, {"anon_key": "KEY_SWAPPED"}),
        (
            "https://db.example.com",
            {"anon_key": "sb_secret_abc", "service_key": "sb_publishable_abc"},
            {"anon_key": "KEY_SWAPPED", "service_key": "KEY_SWAPPED"},
        ),
        ("https://db.example.com", {"anon_key": USER, "service_key": SERVICE}, {"anon_key": "KEY_SWAPPED"}),
        ("https://localproject.supabase.co", BOTH, {}),
        (
            "https://another.supabase.co",
            BOTH,
            {"anon_key": "KEY_OF_ANOTHER_PROJECT", "service_key": "KEY_OF_ANOTHER_PROJECT"},
        ),
        ("https://own.domain.example", BOTH, {}),
        ("https://own.domain.example", {"anon_key": "opaque", "service_key": "a.b.c"}, {}),
    ],
)
def test_a_key_in_the_wrong_place_is_refused_before_it_is_stored(
    url: str, keys: dict[str, str], faults: dict[str, str]
) -> None:
    kind = KINDS["supabase"]
    config = parse_config(kind, {"url": url})
    if not faults:
        assert parse_credentials(kind, keys, config=config).given() == keys
        return
    with pytest.raises(ClearlineError) as refused:
        parse_credentials(kind, keys, config=config)
    assert {one.pointer.rpartition("/")[2]: one.code for one in refused.value.errors} == faults
    assert not any(key in str(refused.value.errors) for key in keys.values())


async def test_an_expired_key_is_told_without_dialling(stand: Project, climbing: Any) -> None:
    keys = BOTH | {"service_key": jwt("service_role", exp=1_000_000_000)}
    verdict = await climbing("supabase", form(stand), keys)
    assert (verdict.failure.code, verdict.failure.field) == ("KEY_EXPIRED", "/credentials/service_key")
    assert (verdict.steps, stand.seen) == ((), [])


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"url": "https://x.supabase.co/rest/v1"}, "/config/url"),
        ({"url": "https://x.supabase.co/?apikey=1"}, "/config/url"),
        ({"url": "x.supabase.co"}, "/config/url"),
        ({"url": "https://x.supabase.co", "keys": "anon", "service_tables": ["t"]}, "/config/service_tables"),
        ({"url": "https://x.supabase.co", "storage": False, "storage_buckets": ["b"]}, "/config/storage_buckets"),
        ({"url": "https://x.supabase.co", "schemas": []}, "/config/schemas"),
    ],
)
def test_a_form_that_does_not_fit_together_is_refused(raw: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        parse_config(KINDS["supabase"], raw)
    assert refused.value.errors[0].pointer == pointer


@pytest.mark.parametrize("key", ["", "a.b", "a.b.c", "...", "a.eyJ.c", "é.é.é", "[" * 5000 + ".." + "x", "a.bnVsbA.c"])
def test_a_key_that_says_nothing_is_taken_as_it_is(key: str) -> None:
    assert role_of(key) is None
    assert not has_expired(key, datetime.now(UTC))
