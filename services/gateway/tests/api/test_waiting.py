"""`Prefer: wait`: many who wait leave room for everybody else, and each gets the end when it comes."""

import asyncio
import time
from collections import Counter
from functools import partial
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest
from fastapi import Response
from services.gateway.tests.api_stand import ApiStand
from tests.harness.waiting import until

from clearline.catalogue import ClearlineError
from clearline.chassis.clock import SystemClock
from gateway.api.prefer import Wish
from gateway.commands.desk import Desk
from gateway.queries.ends_watch import EndsWatch

pytestmark = pytest.mark.integration
WAITERS = 200
AT_ONCE = 5


async def test_two_hundred_waiters_keep_nobody_from_an_answer(
    stand: ApiStand, tcp_draft: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Counter[str]()
    ask = Desk.ask

    async def counted(self: Desk, caller: Any, question: Any) -> Any:
        asked[type(question).__name__] += 1
        return await ask(self, caller, question)

    async def performed(self: Desk, caller: Any, command: Any) -> Any:
        brought = await perform(self, caller, command)
        asked["perform"] += 1
        return brought

    perform = Desk.perform
    monkeypatch.setattr(Desk, "ask", counted)
    monkeypatch.setattr(Desk, "perform", performed)
    client = await stand.client_of("operator")
    body = (await client.post("/connections", json=tcp_draft())).json()
    url = f"/connections/{body['id']}"
    wish = {"prefer": "wait=30"}
    waiting: list[asyncio.Task[Any]] = []
    for number in range(AT_ONCE, WAITERS + 1, AT_ONCE):  # asking is a command that locks the connection
        waiting += [asyncio.create_task(client.post(f"{url}/verify", headers=wish)) for _ in range(AT_ONCE)]
        await until(partial(_reached, asked, number), within=20)
    begun, others = time.monotonic(), 0
    while time.monotonic() - begun < 2:
        answer = await client.get(url)
        assert answer.status_code == 200, answer.text
        others += 1
    assert others > 3
    assert not any(each.done() for each in waiting)
    assert asked["VerificationById"] == 0, "who waits asks nothing of the pool that others need"
    await stand.end_verification(body["verification"]["id"])
    answers = await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["verification"]["status"] for answer in answers} == {"verified"}


def _reached(asked: Counter[str], number: int) -> bool:
    return asked["perform"] == number


async def test_each_waiter_gets_its_own_end(stand: ApiStand, tcp_draft: Any) -> None:
    client = await stand.client_of("operator")
    draft = {name: value for name, value in tcp_draft().items() if name != "name"}
    first, second = [
        asyncio.create_task(client.post("/connections:test", json=draft, headers={"prefer": "wait=30"}))
        for _ in range(2)
    ]

    async def both_wait() -> bool:
        return bool(await stand.owner.fetchval("select count(*) = 2 from connection_tests"))

    await until(both_wait, within=10)
    ended = await stand.owner.fetchval("select id from connection_tests limit 1")
    await stand.end_test(str(ended), "failed")
    done, pending = await asyncio.wait({first, second}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert len(pending) == 1
    [told] = [task.result().json() for task in done]
    assert (told["test_id"], told["test"]["status"]) == (str(ended), "failed")
    assert told["test"]["failure"]["operator_detail"] is None
    left = await stand.owner.fetchval("select id from connection_tests where outcome = 'pending'")
    await stand.end_test(str(left))
    assert (await asyncio.wait_for(pending.pop(), 10)).json()["test"]["status"] == "verified"


async def test_what_was_taken_on_is_told_though_nobody_can_look_at_its_end(
    stand: ApiStand, tcp_draft: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ClearlineError("STORE_UNAVAILABLE", retry_after=5)

    operator, admin = await stand.client_of("operator"), await stand.client_of("admin")
    draft = {name: value for name, value in tcp_draft().items() if name != "name"}
    monkeypatch.setattr(Desk, "ask", away)
    answer = await operator.post("/connections:test", json=draft, headers={"prefer": "wait=1"})
    assert answer.status_code == 202, answer.text
    assert answer.json().keys() == {"test_id", "correlation_id"}
    made = await admin.post("/tokens", json={"name": "ci", "role": "viewer"})
    assert made.status_code == 201, "a token whose text nobody was told is of no use"
    assert made.json()["token"].startswith("clt_")
    assert made.json()["state"] == "valid"


async def test_of_a_gateway_that_stops_nobody_looks_and_nobody_waits() -> None:
    """A database that hangs must not keep the answer until the process is gone."""

    async def look() -> dict[str, Any]:
        raise AssertionError("it looked")

    ends = EndsWatch(cast("asyncpg.Pool", None), SystemClock())  # nobody runs it: nothing is asked
    wish = Wish(30, ends, asyncio.Semaphore(1))
    waiting = [asyncio.create_task(wish.end_of(uuid4(), look, Response())) for _ in range(3)]
    await asyncio.sleep(0)  # each has run to where it waits
    assert not any(each.done() for each in waiting)
    ends.let_go()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 5) == [None] * 3
    assert await asyncio.wait_for(wish.end_of(uuid4(), look, Response()), 5) is None, "who comes later waits no more"
