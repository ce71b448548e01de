"""A gateway's HTTP side on a real database, without Kafka: what tests of the API talk to."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import msgspec
from services.gateway.tests.migrated import MigratedDatabase

from clearline.chassis.clock import SystemClock
from clearline.chassis.health import Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.ops import OpsApp
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Opener, Sealer, generate_key_pair
from gateway.api.app import Surroundings, build
from gateway.api.body_guard import BodyLimits
from gateway.commands.desk import Desk
from gateway.commands.work import Tools
from gateway.queries.ends_watch import EndsWatch
from gateway.read_model.pools import open_pool
from gateway.security.limits import Allowances
from gateway.security.tokens import new_token

ROOMY = Allowances(commands=1_000_000, tests=1_000_000, failed_sign_ins=1_000_000)
ALL = ("development", "staging", "production")


@dataclass
class ApiStand:
    """`client` is an admin's; `client_of` makes others."""

    app: Any
    owner: asyncpg.Connection
    opener: Opener
    outbox: dict[str, int] = field(default_factory=lambda: {"pending": 0})
    clients: list[httpx2.AsyncClient] = field(default_factory=list)

    async def client_of(self, role: str, environments: tuple[str, ...] = ALL, **token: Any) -> httpx2.AsyncClient:
        text, digest = new_token()
        await self.owner.execute(
            "insert into tokens (id, name, hash, role, environments, created_at, created_by, expires_at, revoked_at) "
            "values ($1, $2, $3, $4, $5, $6, 'test', $7, $8)",
            *(uuid4(), f"{role}-token", digest, role, list(environments), datetime.now(UTC)),
            *(token.get("expires_at"), token.get("revoked_at")),
        )
        return self.client_with({"authorization": f"Bearer {text}"})

    async def start_over(self) -> None:
        self.outbox["pending"] = 0
        for client in self.clients:
            await client.aclose()
        self.clients.clear()

    def client_with(self, headers: dict[str, str]) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://gateway/api/v1",
            headers=headers,
        )
        self.clients.append(client)
        return client

    async def events(self, connection_id: str) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
        """(type, body, headers) of a connection's events, in the order of the outbox."""
        rows = await self.owner.fetch("select headers, value from outbox where key = $1 order by id", connection_id)
        told = []
        for row in rows:
            headers = dict(row["headers"])
            name = headers["ce_type"].removeprefix("clearline.connection.").removesuffix(".v1")
            told.append((name, msgspec.json.decode(row["value"]), headers))
        return told

    async def end_verification(
        self, verification_id: str, outcome: str = "verified", *, valid: str = "1 day", code: str = "AUTH_REJECTED"
    ) -> None:
        """What the projector does when the verifier has answered."""
        failure = None if outcome == "verified" else FAILURE | {"code": code}
        await self.owner.execute(
            "update verifications set outcome = $2, completed_at = clock_timestamp(), failure = $3, "
            "expires_at = case when $2 = 'verified' then clock_timestamp() + $4::text::interval end where id = $1",
            *(UUID(verification_id), outcome, failure, valid),
        )
        if failure is not None:
            await self.owner.execute(
                "insert into verification_operator_details select id, environment, 'refused by 10.0.0.1' "
                "from verifications where id = $1",
                UUID(verification_id),
            )

    async def end_test(self, test_id: str, outcome: str = "verified") -> None:
        """The same for a test of unsaved values."""
        failure = None if outcome == "verified" else FAILURE
        await self.owner.execute(
            "update connection_tests set outcome = $2, completed_at = clock_timestamp(), failure = $3 where id = $1",
            *(UUID(test_id), outcome, failure),
        )


FAILURE = {
    "code": "AUTH_REJECTED",
    "step": "authenticate",
    "field": "/credentials/password",
    "message": "The password was not accepted.",
    "remediation": ["Enter it again."],
    "retry_class": "config",
    "retryable": False,
    "fault_owner": "ours",
    "docs_url": "/docs/errors#AUTH_REJECTED",
}


@asynccontextmanager
async def open_stand(
    database: MigratedDatabase,
    owner: asyncpg.Connection,
    *,
    allowances: Allowances = ROOMY,
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[ApiStand]:
    private, public = generate_key_pair()
    pool = await open_pool(database.login("clearline_api"), name="test", max_size=8)
    relay_pool = await open_pool(database.login("clearline_relay"), name="test-ends", max_size=1)
    ends = EndsWatch(relay_pool, SystemClock())
    watching = asyncio.create_task(ends.run())
    pending = {"pending": 0}
    tools = Tools(
        sealer=Sealer(public),
        policy=OutboundPolicy.parse(()),
        new_id=uuid4,
        outbox_pending=lambda: pending["pending"],
        outbox_limit=100,
    )
    app = build(
        Surroundings(
            desk=Desk(pool, tools),
            new_id=uuid4,
            installation="test",
            operations=OpsApp(Metrics(), Health()),
            ends=ends,
            limits=BodyLimits(seconds=0.5),
            allowances=allowances,
            monotonic=monotonic,
        )
    )
    stand = ApiStand(app, owner, Opener([private]), pending)
    try:
        yield stand
    finally:
        await stand.start_over()
        watching.cancel()
        await relay_pool.close()
        await pool.close()
