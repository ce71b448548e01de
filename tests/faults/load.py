"""Clients that create and edit connections, remember what they were told, and go on when nobody answers."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.faults.installation import Installation
from tests.faults.ledger import Ledger

CLIENTS = 8
CREATES = 0.2  # of all commands; the rest are edits of settings
_PAUSE = 0.1  # before the next try while nobody answers
_TIMEOUT = aiohttp.ClientTimeout(total=10)


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    """Something on loopback that lets itself be connected to; its port."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    async with server:
        yield server.sockets[0].getsockname()[1]


@dataclass
class Load:
    """Commands by `CLIENTS` clients until `total` are acknowledged, the same for one seed but for what faults do."""

    installation: Installation
    port: int
    total: int
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    versions: dict[str, int] = field(default_factory=dict)
    begun: int = 0
    done: int = 0
    """Acknowledged; of an edit that nobody answered it is not known, so it does not count."""
    asked: int = 0
    made: list[str] = field(default_factory=list)
    refused: int = 0
    """Edits of a version that another client had changed meanwhile."""

    async def run(self) -> None:
        headers = {"authorization": f"Bearer {self.installation.token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
            await asyncio.gather(*(self._client(session, number) for number in range(CLIENTS)))

    async def _client(self, session: aiohttp.ClientSession, number: int) -> None:
        chance = random.Random(self.seed * 1000 + number)  # noqa: S311 - repeatable, not secret
        while self.done < self.total:
            self.begun += 1
            owner = f"team-{number}-{self.begun}"
            if not self.made or chance.random() < CREATES:
                self.made.append(await self._create(session, f"c-{number}-{self.begun}", owner))
            else:
                await self._edit(session, chance.choice(self.made), owner)

    async def _create(self, session: aiohttp.ClientSession, name: str, owner: str) -> str:
        body = {"name": name, "environment": "development", "owner": owner, "kind": "tcp",
                "config": {"host": "127.0.0.1", "port": self.port}}  # fmt: skip
        answer, key = None, {"idempotency-key": name}
        while answer is None:  # under one key it may be sent until somebody answers, and is done once
            answer = await self._ask(session, "post", "/connections", body, key)
        status, told, version = answer
        assert status == 201, told
        self._acknowledged(told["id"], version, owner)
        return str(told["id"])

    async def _edit(self, session: aiohttp.ClientSession, key: str, owner: str) -> None:
        """Edit as of the version last seen; one that nobody answered may have happened, so look before going on."""
        expected = {"if-match": f'"{self.versions[key]}"'}
        answer = await self._ask(session, "put", f"/connections/{key}", {"owner": owner}, expected)
        if answer is not None and answer[0] == 200:
            self._acknowledged(key, answer[2], owner)
            return
        if answer is not None:
            assert answer[0] == 412, answer
            self.refused += 1
        await self._look(session, key)

    def _acknowledged(self, key: str, version: int, owner: str) -> None:
        self.ledger.acknowledge(key, version, owner)
        self.versions[key] = version
        self.done += 1

    async def _look(self, session: aiohttp.ClientSession, key: str) -> None:
        """Take the version as it is now."""
        found = None
        while found is None:
            found = await self._ask(session, "get", f"/connections/{key}")
        self.versions[key] = found[2]

    async def _ask(
        self, session: aiohttp.ClientSession, method: str, path: str, body: object = None, headers: Any = None
    ) -> tuple[int, Any, int] | None:
        """Status, body and version; None when it is not known what became of it, or it was refused for a while.

        The gateways take turns, so that one that is down is left at the next try.
        """
        self.asked += 1
        url = self.installation.urls[self.asked % len(self.installation.urls)]
        try:
            async with session.request(method, url + path, json=body, headers=headers) as answer:
                if answer.status == 503 or (answer.status == 409 and "idempotency-key" in (headers or {})):
                    await asyncio.sleep(_PAUSE)  # away, or the try before this one is still being done
                    return None
                return answer.status, await answer.json(), int(answer.headers.get("etag", '"0"').strip('"'))
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(_PAUSE)
            return None
