"""Quotas as callers meet them: 429 with what to wait, what is left, and nobody locked out by others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from services.gateway.tests.api_stand import ApiStand, open_stand
from services.gateway.tests.migrated import MigratedDatabase

from gateway.commands import desk
from gateway.security.authentication import authenticate
from gateway.security.limits import AT_ONCE, Allowances
from gateway.security.principal import Principal

pytestmark = pytest.mark.integration

WRONG = {"authorization": "Bearer clt_" + "a" * 43}


class Time:
    """Monotonic seconds by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def narrow(stand: ApiStand, api_database: MigratedDatabase, time: Time) -> AsyncIterator[ApiStand]:
    """A gateway with narrow limits, on the database that `stand` has emptied."""
    allowances = Allowances(commands=3, tests=2, failed_sign_ins=3)
    async with open_stand(api_database, stand.owner, allowances=allowances, monotonic=time) as opened:
        yield opened


def _refused(answer: httpx2.Response, seconds: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.headers["retry-after"], answer.json()["retry_after_seconds"]) == (str(seconds), seconds)
    assert answer.json()["retryable"] is True


async def test_commands_are_counted_per_token_and_reads_are_not(
    narrow: ApiStand, time: Time, tcp_draft: Callable[..., Any]
) -> None:
    one, other = await narrow.client_of("operator"), await narrow.client_of("operator")
    for left in (2, 1, 0):
        answer = await one.post("/connections", json=tcp_draft(name=f"c{left}"))
        assert answer.status_code == 201
        assert answer.headers["ratelimit-policy"] == '"commands";q=3;w=60'
        assert answer.headers["ratelimit"] == f'"commands";r={left};t={(3 - left) * 20}'
    refused = await one.post("/connections", json=tcp_draft(name="d"))
    _refused(refused, 20)
    assert refused.headers["ratelimit"] == '"commands";r=0;t=60'
    for _ in range(10):
        read = await one.get("/connections")
        assert read.status_code == 200
        assert "ratelimit" not in read.headers
    assert (await other.post("/connections", json=tcp_draft(name="d"))).status_code == 201
    time.now += 20
    assert (await one.post("/connections", json=tcp_draft(name="e"))).status_code == 201
    assert await narrow.owner.fetchval("select count(*) from service_connection_profiles") == 5


async def test_unsaved_tests_have_a_quota_of_their_own(narrow: ApiStand) -> None:
    client = await narrow.client_of("operator")
    draft = {"environment": "development", "kind": "tcp", "config": {"host": "db.example.com", "port": 1}}
    answers = [await client.post("/connections:test", json=draft) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[0].headers["ratelimit-policy"] == '"tests";q=2;w=60'
    assert (await client.post("/connections", json={})).status_code == 422, "commands are counted apart"


async def test_refused_commands_count_too(narrow: ApiStand) -> None:
    viewer = await narrow.client_of("viewer")
    assert [(await viewer.post("/connections", json={})).status_code for _ in range(4)] == [403, 403, 403, 429]


async def test_who_guesses_is_slowed_down_and_who_is_known_is_not(narrow: ApiStand, time: Time) -> None:
    known, unknown = await narrow.client_of("viewer"), await narrow.client_of("viewer")
    assert (await known.get("/session")).status_code == 200
    guesser = narrow.client_with(WRONG)
    assert [(await guesser.get("/session")).status_code for _ in range(4)] == [401, 401, 401, 429]
    _refused(await guesser.get("/session"), 20)
    assert (await known.get("/session")).status_code == 200, "it was good a short while ago"
    _refused(await unknown.get("/session"), 20)
    forwarded = narrow.client_with({**WRONG, "x-forwarded-for": "203.0.113.9"})
    _refused(await forwarded.get("/session"), 20)
    assert (await narrow.client_with({}).get("/session")).status_code == 401, "no token is no guess"
    time.now += 20
    assert (await unknown.get("/session")).status_code == 200


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that the database was asked about."""
    tokens = []

    async def noting(connection: Any, token: str) -> Principal:
        tokens.append(token)
        return await authenticate(connection, token)

    monkeypatch.setattr(desk, "authenticate", noting)
    return tokens


async def test_a_limited_guess_does_not_reach_the_database(narrow: ApiStand, asked: list[str]) -> None:
    guesser = narrow.client_with(WRONG)
    for _ in range(10):
        await guesser.get("/session")
    assert len(asked) == 3


async def test_guesses_sent_at_once_are_counted_all_the_same(narrow: ApiStand, asked: list[str]) -> None:
    guesser = narrow.client_with(WRONG)
    answers = await asyncio.gather(*(guesser.get("/session") for _ in range(40)))
    assert len(asked) < 3 + AT_ONCE
    assert Counter(each.status_code for each in answers) == {401: len(asked), 429: 40 - len(asked)}


async def test_a_burst_of_one_new_token_is_let_in(narrow: ApiStand) -> None:
    client = await narrow.client_of("viewer")
    answers = await asyncio.gather(*(client.get("/session") for _ in range(20)))
    assert {each.status_code for each in answers} == {200}


async def test_a_withdrawn_token_says_so_however_often(narrow: ApiStand) -> None:
    revoked = await narrow.client_of("viewer", revoked_at=datetime.now(UTC))
    codes = {(await revoked.get("/session")).json()["code"] for _ in range(6)}
    assert codes == {"TOKEN_REVOKED"}
