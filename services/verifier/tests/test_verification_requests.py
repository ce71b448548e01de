import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import structlog
from prometheus_client import generate_latest

from clearline.chassis import correlation
from clearline.chassis.outcome import Dead, DeadReason, Done
from clearline.contracts.event import Event
from clearline.contracts.ids import event_id
from clearline.contracts.verification import FAILED, PROGRESSED, VERIFIED
from clearline.probes.sealing import generate_key_pair
from clearline.testing.hostile_servers import answering, http_answer, serving, silent

SECRET = "hunter2-s3cret"


def ends(events: list[Event]) -> list[Event]:
    return [event for event in events if event.type.name != PROGRESSED.name]


def end_code(events: list[Event]) -> str:
    [end] = ends(events)
    assert end.type.name == FAILED.name
    return str(end.data.failure.code)


async def test_a_request_is_answered_step_by_step_and_by_one_end(desk: Any, ask: Any) -> None:
    async with serving(silent) as server:
        request = desk.request("tcp", {"host": "127.0.0.1", "port": server.port})
        event = ask.event(request)
        assert await desk.verifier().climb_for_request(ask.record(event)) == Done()
    assert [one.type.name for one in desk.answered] == [PROGRESSED.name, PROGRESSED.name, VERIFIED.name]
    assert [one.data.number for one in desk.answered[:2]] == [0, 1]
    for one in desk.answered:
        assert (one.key, one.subject, one.correlation_id) == (event.key, event.subject, event.correlation_id)
        assert one.causation_id == str(event.id)
        assert one.traceparent == event.traceparent
        assert one.source == "/clearline/verifier"
        assert one.data.verification_id == request.verification_id
        assert one.data.connection_id == request.connection_id
        assert one.data.revision == 1
    end = desk.answered[-1]
    assert end.data.kind == "tcp"
    assert [step.status for step in end.data.steps] == ["passed", "passed"]
    assert tuple(one.data.step for one in desk.answered[:2]) == end.data.steps
    assert 'clearline_verifications_total{kind="tcp",reason="none",result="verified"} 1.0' in shown(desk)


def shown(desk: Any) -> str:
    return generate_latest(desk.registry).decode()


async def test_a_second_run_has_the_same_ids(desk: Any, ask: Any) -> None:
    request = desk.request("tcp", {"host": "127.0.0.1", "port": 1})
    for _ in range(2):
        await desk.verifier().climb_for_request(ask.record(ask.event(request)))
    first, second = desk.answered[: len(desk.answered) // 2], desk.answered[len(desk.answered) // 2 :]
    assert [one.id for one in first] == [one.id for one in second]
    assert len({one.id for one in first}) == len(first) == 3
    assert first[-1].id == event_id(request.verification_id, FAILED.name, 0)


async def test_a_sealed_credential_is_opened_presented_and_never_told(desk: Any, ask: Any) -> None:
    async with serving(answering(http_answer("200 OK", f"Server: {SECRET}"))) as server:
        config = {"url": f"http://127.0.0.1:{server.port}/", "auth": "bearer"}
        connection = uuid4()
        request = desk.request(
            "http", config, connection_id=connection, envelopes=desk.sealed("http", config, connection, token=SECRET)
        )
        await desk.verifier().climb_for_request(ask.record(ask.event(request)))
        assert f"Bearer {SECRET}".encode() in server.received
    assert ends(desk.answered)[0].type.name == VERIFIED.name
    assert SECRET.encode() not in msgspec.json.encode([one.data for one in desk.answered])


async def test_a_test_of_unsaved_values_may_use_both_its_own_and_stored_secrets(desk: Any, ask: Any) -> None:
    for subject in ("verification_id", "connection_id"):
        async with serving(answering(http_answer())) as server:
            config = {"url": f"http://127.0.0.1:{server.port}/", "auth": "bearer"}
            ids = {"verification_id": uuid4(), "connection_id": uuid4()}
            envelopes = desk.sealed("http", config, ids[subject], token=SECRET)
            request = desk.request("http", config, envelopes=envelopes, **ids)
            desk.answered.clear()
            await desk.verifier().climb_for_request(ask.record(ask.event(request)))
            assert ends(desk.answered)[0].type.name == VERIFIED.name


@pytest.mark.parametrize("moved", ["subject", "destination", "key", "kind"])
async def test_a_moved_envelope_is_refused_without_dialling(desk: Any, ask: Any, moved: str) -> None:
    async with serving(silent) as server:
        connection = uuid4()
        config = {"url": f"http://127.0.0.1:{server.port}/", "auth": "bearer"}
        sealed_for = config | ({"url": "http://127.0.0.1:1/"} if moved == "destination" else {})
        subject = uuid4() if moved == "subject" else connection
        other = type(desk)(*generate_key_pair())
        sealer = other if moved == "key" else desk
        envelopes = sealer.sealed("http", sealed_for, subject, token=SECRET)
        if moved == "kind":
            envelopes = {"token": msgspec.structs.replace(envelopes["token"], sealed=envelopes["token"].sealed[::-1])}
        request = desk.request("http", config, connection_id=connection, envelopes=envelopes)
        await desk.verifier().climb_for_request(ask.record(ask.event(request)))
        assert end_code(desk.answered) == "CREDENTIALS_UNREADABLE"
        assert desk.answered[-1].data.failure.field == "/credentials/token"
        assert server.connections == 0


async def test_an_overdue_request_is_answered_without_dialling(desk: Any, ask: Any) -> None:
    async with serving(silent) as server:
        late = datetime.now(UTC) - timedelta(seconds=1)
        request = desk.request("tcp", {"host": "127.0.0.1", "port": server.port}, deadline=late)
        await desk.verifier().climb_for_request(ask.record(ask.event(request)))
        assert server.connections == 0
    assert end_code(desk.answered) == "VERIFICATION_OVERDUE"
    assert desk.answered[-1].data.steps == ()


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("mainframe", {}, ("KIND_UNKNOWN", "/kind")),
        ("tcp", {"host": "h", "port": 70_000}, ("PORT_OUT_OF_RANGE", "/config/port")),
        ("tcp", {"host": "h"}, ("FIELD_REQUIRED", "/config/port")),
        ("http", {"url": "http://127.0.0.1:1/", "auth": "bearer"}, ("FIELD_REQUIRED", "/credentials/token")),
    ],
)
async def test_a_request_that_makes_no_sense_ends_with_a_failure(
    desk: Any, ask: Any, kind: str, config: Any, expected: tuple[str, str]
) -> None:
    assert await desk.verifier().climb_for_request(ask.record(ask.event(desk.request(kind, config)))) == Done()
    assert (end_code(desk.answered), desk.answered[-1].data.failure.field) == expected
    assert f'kind="{"other" if kind == "mainframe" else kind}"' in shown(desk)
    assert "mainframe" not in shown(desk)


async def test_a_cancel_ends_a_running_verification(desk: Any, ask: Any) -> None:
    async with serving(silent) as server:
        verifier = desk.verifier()
        request = desk.request("http", {"url": f"http://127.0.0.1:{server.port}/"})
        running = asyncio.ensure_future(verifier.climb_for_request(ask.record(ask.event(request))))
        async with asyncio.timeout(5):
            while not server.received:  # noqa: ASYNC110 - a server's own state, not an event
                await asyncio.sleep(0.01)
        assert verifier.end_cancelled_verification(ask.record(ask.cancel(request)))
        assert await asyncio.wait_for(running, 3) == Done()
    assert end_code(desk.answered) == "VERIFICATION_CANCELLED"
    assert desk.answered[-1].data.outcome == "cancelled"


async def test_a_cancel_that_overtook_its_request_still_holds(desk: Any, ask: Any) -> None:
    async with serving(silent) as server:
        verifier = desk.verifier()
        request = desk.request("tcp", {"host": "127.0.0.1", "port": server.port})
        assert verifier.end_cancelled_verification(ask.record(ask.cancel(request)))
        await verifier.climb_for_request(ask.record(ask.event(request)))
        assert server.connections == 0
    assert desk.answered[-1].data.outcome == "cancelled"


async def test_only_cancels_are_control_records(desk: Any, ask: Any) -> None:
    verifier = desk.verifier()
    assert not verifier.end_cancelled_verification(ask.record(ask.event(desk.request("tcp", {}))))
    assert not verifier.end_cancelled_verification(ask.record(None))
    assert await verifier.climb_for_request(ask.record(None)) == Done()


async def test_a_request_taken_away_is_not_answered_any_more(desk: Any, ask: Any) -> None:
    async with serving(silent) as server:
        request = desk.request("http", {"url": f"http://127.0.0.1:{server.port}/"})
        running = asyncio.ensure_future(desk.verifier().climb_for_request(ask.record(ask.event(request))))
        async with asyncio.timeout(5):
            while not server.received:  # noqa: ASYNC110 - a server's own state, not an event
                await asyncio.sleep(0.01)
        told = len(desk.answered)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert len(desk.answered) == told
    assert not ends(desk.answered)


async def test_an_answer_that_cannot_be_published_fails_the_handler(desk: Any, ask: Any) -> None:
    async def away(_: Event) -> None:
        raise ConnectionError("Kafka is away")

    with pytest.raises(ConnectionError, match="Kafka"):
        await desk.verifier(publish=away).climb_for_request(
            ask.record(ask.event(desk.request("tcp", {"host": "127.0.0.1", "port": 1})))
        )


async def test_a_request_that_goes_to_the_dead_letters_ends_with_a_failure_first(desk: Any, ask: Any) -> None:
    event = ask.event(desk.request("tcp", {}))
    dead = Dead(DeadReason.HANDLER_FAILED, f"ValueError: {SECRET[::-1]}")
    await desk.verifier().fail_dead_request(ask.record(event), dead)
    assert end_code(desk.answered) == "VERIFIER_FAILED"
    assert desk.answered[-1].data.failure.fault_owner == "ours"
    assert SECRET[::-1] not in str(desk.answered[-1].data), "a library's words"
    await desk.verifier().fail_dead_request(ask.record(ask.cancel(event.data)), dead)
    assert len(desk.answered) == 1


async def test_an_end_is_one_log_line_without_secrets(desk: Any, ask: Any) -> None:
    request = desk.request("tcp", {"host": "127.0.0.1", "port": 1})
    lines: list[tuple[str | None, Any]] = []

    def look(_logger: object, _method: str, line: Any) -> str:
        lines.append((correlation.current(), line))
        raise structlog.DropEvent

    structlog.configure(processors=[look])
    try:
        await desk.verifier().fail_dead_request(ask.record(ask.event(request)), Dead(DeadReason.HANDLER_FAILED, SECRET))
    finally:
        structlog.reset_defaults()
    [(found, line)] = lines
    assert found == "correlation-1"
    assert line == {
        "event": "verification ended",
        "verification_id": str(request.verification_id),
        "kind": "tcp",
        "result": "failed",
        "code": "VERIFIER_FAILED",
        "ms": 0,
    }
