"""That no verifier answers is told while people still wait, not only when the clock has ended their requests."""

from datetime import timedelta

import asyncpg
from prometheus_client import CollectorRegistry
from services.gateway.tests.migrated import MigratedDatabase, add_connection, add_test, add_verification

from clearline.chassis.clock import SystemClock
from gateway.metrics import GatewayMetrics
from gateway.read_model.pools import open_pool
from gateway.unanswered import UnansweredRequests

OLDEST = "clearline_verifications_oldest_pending_seconds"


async def test_what_waits_too_long_is_told_and_until_when(
    migrated: MigratedDatabase, owner: asyncpg.Connection
) -> None:
    registry = CollectorRegistry()
    pool = await open_pool(migrated.login("clearline_relay"), name="test-unanswered", max_size=1)
    try:
        unanswered = UnansweredRequests(pool, GatewayMetrics(registry), SystemClock())
        await unanswered.look()
        assert (unanswered.check().ok, registry.get_sample_value(OLDEST)) == (True, 0)

        await add_verification(owner, await add_connection(owner))
        await unanswered.look()
        assert (unanswered.check().ok, unanswered.check().detail) == (True, "1 pending")

        test_id = await add_test(owner)
        await owner.execute(
            "update connection_tests set requested_at = requested_at - $1::interval", timedelta(minutes=2)
        )
        await unanswered.look()
        assert not unanswered.check().ok
        assert unanswered.check().detail.startswith("2 pending, the oldest for 12")
        assert (registry.get_sample_value(OLDEST) or 0) >= 120

        await owner.execute("delete from connection_tests where id = $1", test_id)
        await unanswered.look()
        assert unanswered.check().ok
    finally:
        await pool.close()
