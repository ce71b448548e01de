"""People who edit and verify while keys are rotated, and a service that knows which secret it was shown last."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.faults.installation import Installation
from tests.harness.waiting import until

from clearline.testing.hostile_servers import Listening, http_answer, serving

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_PAUSE = 0.05


@asynccontextmanager
async def secret_keeper() -> AsyncIterator[tuple[int, dict[str, list[str]]]]:
    """An HTTP service; its port, and the secrets that it was shown on each path, in order."""
    shown: dict[str, list[str]] = defaultdict(list)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Listening) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        secret = next((line.split()[-1] for line in head.splitlines() if line.lower().startswith("authorization")), "")
        shown[head.split()[1]].append(secret)
        writer.write(http_answer())
        await writer.drain()
        writer.close()

    async with serving(answer) as server:
        yield server.port, shown


@dataclass
class Traffic:
    """Connections with a secret each, edited and verified until told to stop; `secrets` is what was acknowledged."""

    installation: Installation
    port: int
    seed: int
    secrets: dict[str, str] = field(default_factory=dict)
    edits: int = 0
    verifications: int = 0
    stopping: bool = False
    _session: aiohttp.ClientSession = field(init=False)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Traffic"]:
        headers = {"authorization": f"Bearer {self.installation.token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as self._session:
            yield self

    async def create(self, count: int) -> None:
        for number in range(count):
            config = {"url": f"http://127.0.0.1:{self.port}/{number}", "auth": "bearer"}
            secret = f"secret-{number}-first"
            body = {"name": f"c-{number}", "environment": "development", "kind": "http", "config": config,
                    "credentials": {"token": secret}}  # fmt: skip
            _, told = await self.ask("post", "/connections", body)
            self.secrets[told["id"]] = secret

    async def run(self) -> None:
        """Two who change secrets, each of connections of its own; one who changes owners of any; one who verifies."""
        ids = sorted(self.secrets)
        await asyncio.gather(
            self._change_secrets(ids[::2], 0), self._change_secrets(ids[1::2], 1), self._change_owners(ids),
            self._verify(ids),
        )  # fmt: skip

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Status and body; asked again while nobody answers or it is refused for a while."""
        while True:
            try:
                url = self.installation.url + path
                async with self._session.request(method, url, json=body, headers=headers) as answer:
                    if answer.status < 500:
                        return answer.status, await answer.json()
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_PAUSE)

    async def verified_with(self, connection_id: str, shown: dict[str, list[str]]) -> str:
        """Verify, and return the secret that the service was shown; an error if it did not verify."""
        _, asked = await self.ask("post", f"/connections/{connection_id}/verify")
        path = f"/connections/{connection_id}/verifications/{asked['verification_id']}"
        seen: dict[str, Any] = {}

        async def ended() -> bool:
            _, found = await self.ask("get", path)
            seen.update(found)
            return bool(found["status"] != "pending")

        await until(ended, within=60, every=0.1)
        assert seen["status"] == "verified", seen["failure"]
        _, connection = await self.ask("get", f"/connections/{connection_id}")
        return shown["/" + connection["config"]["url"].rpartition("/")[2]][-1]

    async def _change_secrets(self, mine: list[str], number: int) -> None:
        chance, count = random.Random(self.seed * 10 + number), 0  # noqa: S311 - repeatable, not secret
        while not self.stopping:
            count += 1
            chosen, secret = chance.choice(mine), f"secret-{number}-{count}"
            await self._edit(chosen, {"credentials": {"token": secret}})
            self.secrets[chosen] = secret

    async def _change_owners(self, ids: list[str]) -> None:
        chance, count = random.Random(self.seed), 0  # noqa: S311 - repeatable, not secret
        while not self.stopping:
            count += 1
            await self._edit(chance.choice(ids), {"owner": f"team-{count}"})

    async def _edit(self, connection_id: str, body: object) -> None:
        """Whatever version there is: a rotation or another person may have changed it a moment ago."""
        status, told = await self.ask("put", f"/connections/{connection_id}", body, **{"if-match": "*"})
        assert status == 200, told
        self.edits += 1

    async def _verify(self, ids: list[str]) -> None:
        chance = random.Random(self.seed + 1)  # noqa: S311 - repeatable, not secret
        while not self.stopping:
            await self.ask("post", f"/connections/{chance.choice(ids)}/verify")
            self.verifications += 1
