"""Sealing keys are rotated twice under traffic on real processes: no edit is lost, and no old key is needed then."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.faults.installation import Installation, installed
from tests.faults.keyed_traffic import Traffic, secret_keeper
from tests.faults.truth import records, unsettled
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

from clearline.contracts.topics import CONNECTIONS, DEAD_LETTERS
from clearline.probes.sealing import generate_key_pair, key_id, public_of

CONNECTIONS_MADE = 20
pytestmark = pytest.mark.timeout(300)


async def restarted(installation: Installation, name: str, **settings: str) -> None:
    """In its own way, as an operator restarts it, with other settings."""
    process = installation.processes[name]
    await process.stop()
    process.environment = {**process.environment, **settings}
    await process.start()


async def rotated(traffic: Traffic, public: str) -> dict[str, Any]:
    """`clearline keys rotate --wait`, again while something was sealed by the old key meanwhile."""
    seen: dict[str, Any] = {}

    async def finished() -> bool:
        _, told = await traffic.ask("get", "/keys")
        seen.update(told)
        return bool(told["rotation"] and told["rotation"]["status"] == "finished")

    while True:
        status, told = await traffic.ask("post", "/keys:rotate", {"key_id": key_id(public)})
        assert status == 202, told
        await until(finished, within=60, every=0.2)
        assert seen["rotation"]["failed"] == 0, seen
        if seen["envelopes_left"] == 0:
            return seen


async def switched(installation: Installation, old_private: str) -> str:
    """The runbook's first steps: the verifiers get the new key beside the old one, then the gateway seals for it."""
    private, public = generate_key_pair()
    await restarted(installation, "verifier", CLEARLINE_SEALING_PRIVATE_KEYS=f"{private},{old_private}")
    await restarted(installation, "gateway", CLEARLINE_SEALING_PUBLIC_KEY=public)
    return private


async def test_keys_are_rotated_under_traffic(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with secret_keeper() as (port, shown), installed(tmp_path, own_kafka, own_postgres) as installation:
        gateway = installation.processes["gateway"]
        gateway.environment = {**gateway.environment, "CLEARLINE_CLOCK_INTERVAL": "200ms"}
        first = installation.processes["verifier"].environment["CLEARLINE_SEALING_PRIVATE_KEYS"]
        async with Traffic(installation, port, seed=1).open() as traffic:
            await traffic.create(CONNECTIONS_MADE)
            running = asyncio.create_task(traffic.run())
            second = await switched(installation, first)
            await rotated(traffic, public_of(second))
            third = await switched(installation, second)
            last = await rotated(traffic, public_of(third))
            traffic.stopping = True
            await running

            async def settled() -> bool:
                return await unsettled(own_postgres.dsn) == 0

            await until(settled, within=60, every=0.2)
            assert [each["key_id"] for each in last["items"] if each["envelopes"]] == [key_id(public_of(third))]
            await restarted(installation, "verifier", CLEARLINE_SEALING_PRIVATE_KEYS=third)
            found = {each: await traffic.verified_with(each, shown) for each in traffic.secrets}
        assert found == traffic.secrets
        assert traffic.edits > CONNECTIONS_MADE
        await agrees(own_postgres, own_kafka, traffic, key_id(public_of(third)))


async def agrees(postgres: PostgresServer, kafka: KafkaServer, traffic: Traffic, key: str) -> None:
    """Rows and topic say the same: every newest state is under the last key, and every edit is in the audit."""
    owner = await asyncpg.connect(postgres.dsn)
    try:
        keys = [row[0] for row in await owner.fetch("select distinct key_id from connection_credentials")]
        rows = await owner.fetch("select id::text, sequence from service_connection_profiles")
        assert await owner.fetchval("select count(*) from audit where action = 'connection.edited'") >= traffic.edits
        assert await owner.fetchval("select count(*) from audit where action = 'connection.resealed'") > 0
    finally:
        await owner.close()
    assert keys == [key]
    newest: dict[str, tuple[int, set[str]]] = {}
    for name, value, headers in await records(kafka.bootstrap, CONNECTIONS):
        envelopes = json.loads(value)["newest"]["envelopes"].values()
        newest[name] = (int(headers["ce_sequence"]), {each["key_id"] for each in envelopes})
    assert newest == {name: (sequence, {key}) for name, sequence in rows}
    assert await records(kafka.bootstrap, DEAD_LETTERS) == []
