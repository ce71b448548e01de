"""Brings secrets in by every door: every field of every kind, kept, tried, refused, and where none belongs."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import httpx2
from shared.tests.probes.kind_samples import OURS, SAMPLES, SECRET
from tests.e2e.secret_search import Place
from tests.harness.waiting import until

from clearline.testing.hostile_servers import Listening, http_answer, serving

HARD = "\"'\\&+/=%<ü>"
"""Characters that every escaping changes."""
AT_ONCE = 8
CREATED, ACCEPTED, TOO_MANY = 201, 202, 429
Body = dict[str, Any]


def key_lines(pem: str) -> str:
    """The middle of a private key: what of it cannot stand anywhere by chance."""
    lines = pem.strip().splitlines()
    return lines[len(lines) // 2]


@dataclass
class Marks:
    """What all secrets of one run have in common, so that one search finds any of them."""

    hard: str = field(default_factory=lambda: f"{uuid4().hex}{HARD}{uuid4().hex}")
    soft: str = field(default_factory=lambda: uuid4().hex + uuid4().hex)
    """For what has to be letters and digits."""
    key: str = field(default_factory=lambda: key_lines(OURS.key))

    def each(self) -> tuple[str, ...]:
        return (self.hard, self.soft, self.key)


@dataclass(frozen=True)
class Draft:
    """A connection to be, and how its secrets are made anew."""

    body: Body
    sample: dict[str, str]
    mark: str


@dataclass
class Doors:
    """Talks to one gateway; `planted` counts the secrets that were sent, `answers` keeps what was answered."""

    client: httpx2.AsyncClient
    port: int
    marks: Marks = field(default_factory=Marks)
    planted: int = 0
    answers: list[Place] = field(default_factory=list)
    statuses: dict[str, set[int]] = field(default_factory=dict)
    tests: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def fresh(self, mark: str) -> str:
        """A secret that nobody else has."""
        self.planted += 1
        return f"s{next(self._numbers):05}-{mark}"

    def drafts(self, mark: str) -> list[Draft]:
        """One for each way in which each kind takes secrets, each with secrets of its own."""
        found = []
        for kind, samples in SAMPLES.items():
            for config, sample in (each("127.0.0.1", self.port) for each in samples):
                name = f"s-{next(self._numbers)}-{uuid4().hex[:6]}"
                body: Body = {"name": name, "environment": "development"}
                body |= {"kind": kind, "config": config, "credentials": self._filled(sample, mark)}
                found += [Draft(body, sample, mark)] if sample else []
        return found

    async def use_once(self) -> None:
        """Every draft by every door."""
        for mark in (self.marks.hard, self.marks.soft):
            await self._all(self.drafts(mark), self._keep_and_edit)
            await self._all(self.drafts(mark), self._try)
            await self._all(self.drafts(mark), self._misplace)

    async def send(self, door: str, method: str, path: str, **request: Any) -> httpx2.Response:
        answer = await self.client.request(method, path, **request)
        self.statuses.setdefault(door, set()).add(answer.status_code)
        told = answer.content + str(answer.headers.multi_items()).encode()
        self.answers.append(Place("answer", f"{door} {answer.status_code}", told))
        return answer

    async def settled(self) -> None:
        """Every verification and test has ended: whatever it would say is said."""

        async def ended() -> bool:
            pending = await self.client.get("/connections", params={"verification": "pending", "limit": 1})
            tests = [await self.client.get(path) for path in self.tests[-20:]]
            return not pending.json()["items"] and all(each.json()["status"] != "pending" for each in tests)

        await until(ended, within=120, every=0.5)

    async def look_at_everything(self) -> None:
        """What people read afterwards."""
        for path in self.made:
            for below in ("", "/history", "/verifications"):
                await self.send("read", "GET", path + below)
        for path in self.tests:
            await self.send("read a test", "GET", path)

    async def _all(self, drafts: list[Draft], act: Callable[[Draft], Any]) -> None:
        for start in range(0, len(drafts), AT_ONCE):
            await asyncio.gather(*(act(draft) for draft in drafts[start : start + AT_ONCE]))

    async def _keep_and_edit(self, draft: Draft) -> None:
        """Kept secrets are used at once, at a service that repeats them; then they are replaced."""
        answer = await self.send("create", "POST", "/connections", json=draft.body)
        if answer.status_code != CREATED:  # a kind that takes no such characters
            return
        path = answer.headers["location"].removeprefix("/api/v1")
        self.made.append(path)
        credentials = self._filled(draft.sample, draft.mark)
        await self.send("edit", "PUT", path, json={"credentials": credentials}, headers={"if-match": "*"})

    async def _try(self, draft: Draft) -> None:
        """A person may have some tests under way at a time: the next one waits until there is room."""

        async def taken() -> bool:
            answer = await self.send("test", "POST", "/connections:test", json=draft.body)
            if answer.status_code == ACCEPTED:
                self.tests.append(answer.headers["location"].removeprefix("/api/v1"))
            return answer.status_code != TOO_MANY

        await until(taken, within=60, every=0.5)

    async def _misplace(self, draft: Draft) -> None:
        """Where no secret belongs, and in bodies that are none."""
        mark, good = draft.mark, draft.body
        wrong: list[Body] = [
            good | {"config": good["config"] | {"passphrase": self.fresh(mark)}},
            good | {"credentials": good["credentials"] | {self.fresh(mark): "x"}},
            good | {"credentials": self.fresh(mark)},
            good | {"credentials": [self.fresh(mark)]},
            good | {"kind": self.fresh(mark)},
            good | {"environment": self.fresh(mark)},
            good | {self.fresh(mark): True, "config": self.fresh(mark)},
        ]
        for body in wrong:
            await self.send("misplaced", "POST", "/connections", json=body)
        raw = json.dumps(good | {"credentials": {"password": self.fresh(mark)}}, ensure_ascii=False).encode()
        for broken in (raw[:-2], raw + b"}", raw.replace(b'"kind"', b"'kind'"), raw.replace(b": ", b":: ", 1)):
            await self.send("malformed", "POST", "/connections", content=broken,
                            headers={"content-type": "application/json"})  # fmt: skip
        soft = self.marks.soft
        await self.send("query", "GET", "/connections", params={"name": self.fresh(mark), self.fresh(soft): "x"})
        headers = {"x-correlation-id": self.fresh(mark).encode().hex(), "idempotency-key": self.fresh(soft) * 9}
        await self.send("headers", "POST", "/connections", json={}, headers=headers)

    def _filled(self, sample: dict[str, str], mark: str) -> dict[str, str]:
        """The sample's credentials with a secret of its own in each; a private key stays the sample's."""
        return {name: self._own(name, text, mark) for name, text in sample.items()}

    def _own(self, name: str, text: str, mark: str) -> str:
        if SECRET in text:
            return text.replace(SECRET, self.fresh(mark))
        assert name == "client_key", f"{name}: a sample's credential holds SECRET, so that it can be looked for"
        self.planted += 1
        return text


@asynccontextmanager
async def repeating() -> AsyncIterator[Listening]:
    """A service that says back whatever it is told, in its headers and its body."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Listening) -> None:
        heard = await asyncio.wait_for(reader.read(65536), 5)
        state.received += heard
        header = re.sub(rb"[\r\n\0]+", b" ", heard).decode("latin-1")
        writer.write(http_answer("401 No", f"Server: {header[:2000]}", body=heard))
        await writer.drain()
        writer.close()

    async with serving(repeat) as server:
        yield server
