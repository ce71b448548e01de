"""R4: one record in a hundred is poison of eight kinds, at the real verifier and the real projector.

All of the good has its effect, all of the poison lies in the dead letters with origin and reason, and what only its
handler was at fault for is replayed once that is mended. `CLEARLINE_FAULTS_POISON`: how many good records.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from services.gateway.tests.facts import progressed, verified
from services.gateway.tests.migrated import add_connection, add_verification
from tests.faults.installation import Installation, installed
from tests.faults.load import listener
from tests.faults.poison import FAILING, KINDS, MALFORMED, REASONS, Writer, origin_of, writing
from tests.faults.summary import record
from tests.faults.truth import how_many, records
from tests.harness.kafka import KafkaServer
from tests.harness.postgres import PostgresServer
from tests.harness.waiting import until

from clearline.contracts.connection import Envelope
from clearline.contracts.event import Event, EventType
from clearline.contracts.reseal import RESEAL_REQUESTED, ResealRequested, StoredEnvelope
from clearline.contracts.topics import DEAD_LETTERS, VERIFICATION_REQUESTS, VERIFICATIONS
from clearline.contracts.verification import REQUESTED, VerificationRequested
from gateway.read_model.pools import speak_json

GOOD = int(os.environ.get("CLEARLINE_FAULTS_POISON", "800"))
ONE_IN = 100
PATIENCE = max(120, GOOD * 0.05)
STEPS = 6
REDELIVERED = 4 if GOOD < 10_000 else 16
"""Letters that may come twice: on a busy machine a member can lose its partitions, and what it held comes again."""
pytestmark = pytest.mark.timeout(max(300, GOOD * 0.2))
BREAK = """
create function refuse_poison() returns trigger language plpgsql as $$
begin
  raise exception 'a handler that cannot' using errcode = 'check_violation';
end $$;
create trigger poisoned before update on verifications for each row when (old.requested_by = 'poison')
  execute function refuse_poison();
"""


def request(test_id: UUID, port: int) -> Event:
    """A verification of unsaved values: the verifier needs nothing else."""
    now = datetime.now(UTC)
    config = {"host": "127.0.0.1", "port": port}
    body = VerificationRequested(
        verification_id=test_id, connection_id=None, revision=None, environment="development", kind="tcp",
        config=config, why="unsaved", requested_by="test", deadline=now + timedelta(hours=2),
    )  # fmt: skip
    return asked(test_id, REQUESTED, body, now)


def unanswerable() -> Event:
    """Its answer is larger than any topic takes: the verifier's handler fails at it, however often it tries."""
    envelope = Envelope(key_id="k", sealed="", changed_at=datetime(2026, 1, 1, tzinfo=UTC))
    each = StoredEnvelope(field="f", destination="", envelope=envelope)
    body = ResealRequested(
        reseal_id=uuid4(), connection_id=uuid4(), kind="tcp", key_id="k", envelopes=(each,) * 2000, requested_by="test"
    )
    return asked(body.connection_id, RESEAL_REQUESTED, body, datetime.now(UTC))


def asked(subject: UUID, event_type: EventType, body: object, now: datetime) -> Event:
    return Event(
        id=uuid4(), type=event_type, source="/clearline/gateway", subject=str(subject), time=now, key=str(subject),
        data=body, correlation_id="corr-poison-1",
    )  # fmt: skip


async def to_the_verifier(writer: Writer, tests: Sequence[UUID], port: int) -> None:
    """Requests with poison among them."""
    kinds = cycle(KINDS)
    for number, test_id in enumerate(tests):
        await writer.write(request(test_id, port), VERIFICATION_REQUESTS)
        if number % ONE_IN == ONE_IN // 2:
            kind = next(kinds)
            about = unanswerable() if kind == FAILING else request(uuid4(), port)
            await writer.write(about, VERIFICATION_REQUESTS, kind)


async def to_the_projector(writer: Writer, good: Sequence[UUID], poisoned: Sequence[UUID]) -> None:
    """Facts with poison among them; those of `poisoned` verifications are well-formed and their handler fails."""
    kinds, failing = cycle(KINDS), iter(poisoned)
    for number, verification_id in enumerate(good):
        for fact in [*(progressed(verification_id, step) for step in range(STEPS)), verified(verification_id)]:
            await writer.write(fact, VERIFICATIONS)
        if number % (ONE_IN // (STEPS + 1)) == 0:
            kind = next(kinds)
            about = verified(next(failing) if kind == FAILING else verification_id)
            await writer.write(about, VERIFICATIONS, kind)


async def test_the_good_is_handled_the_poison_kept_and_what_was_mended_replayed(
    tmp_path: Path, own_kafka: KafkaServer, own_postgres: PostgresServer
) -> None:
    async with (
        listener() as port,
        installed(tmp_path, own_kafka, own_postgres) as installation,
        writing(own_kafka.bootstrap) as writer,
    ):
        owner = await asyncpg.connect(own_postgres.dsn)
        await speak_json(owner)
        good = await pending(owner, GOOD // (STEPS + 1), "test")
        poisoned = await pending(owner, GOOD // ONE_IN // len(KINDS) + 1, "poison")
        await owner.execute(BREAK)
        requested = await unsaved_tests(owner, GOOD)
        await to_the_verifier(writer, requested, port)
        await to_the_projector(writer, good, poisoned)

        await until(
            lambda: all_ended(owner, good), within=PATIENCE, every=0.2, what="the good facts to have their effect"
        )
        await until(lambda: all_tested(owner), within=PATIENCE, every=0.2, what="the good requests to be answered")
        await until(lambda: all_buried(writer, own_kafka), within=60, every=0.5, what="all poison in dead letters")
        assert set(Counter(each.kind for each in writer.written.values())) == set(KINDS)
        await says_where_from_and_why(writer, own_kafka)
        assert await owner.fetchval("select count(*) from verifications, jsonb_object_keys(steps)") == STEPS * len(good)

        failed = [
            where for where, each in writer.written.items() if each.kind == FAILING and where[0] == VERIFICATIONS.name
        ]
        await owner.execute("drop trigger poisoned on verifications")
        verb = "was" if len(failed) == 1 else "were"
        assert await replayed(installation) == f"{len(failed)} of {len(failed)} {verb} sent again."
        await until(lambda: all_ended(owner, poisoned[: len(failed)]), within=30, every=0.2, what="the replayed effect")
        await owner.close()
    told = {
        "good records handled": writer.good,
        "records of poison": len(writer.written),
        "of these in dead letters, with origin and reason": len(writer.written),
        "letters of failing handlers replayed once mended": len(failed),
    }
    record("Poison of eight kinds, one record in a hundred", told)


async def pending(owner: asyncpg.Connection, count: int, by: str) -> list[UUID]:
    """Verifications that wait for their facts."""
    ids = [await add_verification(owner, await add_connection(owner)) for _ in range(count)]
    await owner.execute("update verifications set requested_by = $1 where id = any ($2::uuid[])", by, ids)
    return ids


async def all_ended(owner: asyncpg.Connection, ids: Sequence[UUID]) -> bool:
    waiting = "select exists (select from verifications where id = any ($1::uuid[]) and outcome <> 'verified')"
    return not await owner.fetchval(waiting, list(ids))


async def unsaved_tests(owner: asyncpg.Connection, count: int) -> list[UUID]:
    """Tests of unsaved values that wait for their verifier."""
    insert = (
        "insert into connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline) "
        "select gen_random_uuid(), 'development', 'tcp', 'corr-poison-1', now(), 'test', now() + interval '2 hours' "
        "from generate_series(1, $1) returning id"
    )
    return [row["id"] for row in await owner.fetch(insert, count)]


async def all_tested(owner: asyncpg.Connection) -> bool:
    return not await owner.fetchval("select exists (select from connection_tests where outcome <> 'verified')")


async def all_buried(writer: Writer, kafka: KafkaServer) -> bool:
    """Counted first, which is cheap; a letter that came twice must not stand for one that is still to come."""
    if await how_many(kafka.bootstrap, DEAD_LETTERS) < len(writer.written):
        return False
    letters = await records(kafka.bootstrap, DEAD_LETTERS)
    return len({origin_of(headers) for _, _, headers in letters}) >= len(writer.written)


async def says_where_from_and_why(writer: Writer, kafka: KafkaServer) -> None:
    """Each, with its bytes as they came; one that is too large to be kept whole says so."""
    letters = await records(kafka.bootstrap, DEAD_LETTERS)
    found = {origin_of(headers): (headers["clearline-reason"].decode(), value) for _, value, headers in letters}
    assert found.keys() == writer.written.keys()
    assert len(letters) - len(found) <= REDELIVERED
    for where, poison in writer.written.items():
        reason, value = found[where]
        expected = {REASONS[poison.kind]} | ({"refused"} if poison.kind == FAILING else set())
        assert reason in expected, (poison.kind, where)
        assert value == poison.value, (poison.kind, where)
    assert set(MALFORMED) < {each.kind for each in writer.written.values()}


async def replayed(installation: Installation) -> str:
    """`clearline dead-letters replay`, as an operator types it; its last line."""
    command = [
        str(Path(sys.executable).with_name("clearline")),
        "dead-letters",
        "replay",
        "--topic",
        VERIFICATIONS.name,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, "--reason", "handler_failed", "--yes",
        env={"PATH": os.environ["PATH"], "CLEARLINE_KAFKA_BOOTSTRAP_SERVERS": installation.bootstrap},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode().splitlines()[-1]
