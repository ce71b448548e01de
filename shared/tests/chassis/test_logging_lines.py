"""Log lines: JSON, one per event, with correlation id and identity, without secrets or forged lines."""

import io
import json
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from clearline.chassis import correlation
from clearline.chassis.logging import RepeatFilter, configure
from clearline.chassis.settings import ProcessSettings


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure("verifier", ProcessSettings(installation="test"), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_structlog_and_stdlib_give_the_same_kind_of_line(out: io.StringIO) -> None:
    with correlation.bound("c-1"):
        structlog.stdlib.get_logger("ours").info("done", seconds=1.5)
        logging.getLogger("theirs").warning("half %s", "done")
    first, second = lines(out)
    assert first["event"] == "done"
    assert first["seconds"] == 1.5
    assert second["event"] == "half done"
    for line in (first, second):
        assert (line["service"], line["installation"], line["correlation_id"]) == ("verifier", "test", "c-1")
        assert line["time"].endswith("Z")
    assert "correlation_id" not in _last(out, "later")


def _last(out: io.StringIO, event: str) -> dict[str, Any]:
    structlog.stdlib.get_logger("ours").info(event)
    return lines(out)[-1]


def test_secrets_do_not_get_out(out: io.StringIO) -> None:
    log = structlog.stdlib.get_logger("ours")
    log.info("named", password="hunter2", api_key="hunter2", nested={"token": "hunter2"}, dsn="x://hunter2")
    log.info("typed", value=SecretStr("hunter2"))
    log.info("in a text: postgresql://u:hunter2@h/d", other=["Authorization: Bearer hunter2hunter2"])
    log.info('{"password": "hunter2"} token=hunter2')
    logging.getLogger("theirs").error("password=%s", "hunter2")
    log.error("failed", exc_info=ValueError("secret: hunter2"))
    assert "hunter2" not in out.getvalue()
    assert len(lines(out)) == 6


def test_a_line_cannot_be_forged(out: io.StringIO) -> None:
    source = random.Random(7)  # noqa: S311 - a replayable test
    pieces = ['"}', "\n", '{"event": "forged"}', "\r\n", "\u2028", "\x00", "\x1b[31m", "'", "\ud800"]
    for _ in range(1_000):
        text = "".join(source.choices(pieces, k=6))
        structlog.stdlib.get_logger("ours").info("got", value=text)
        logging.getLogger("theirs").warning(text)
    assert len(out.getvalue().split("\n")) == 2_001
    assert all(line.get("event") != "forged" for line in lines(out))


def test_kafka_away_is_said_once_in_a_while() -> None:
    now = 0.0
    kept = RepeatFilter("aiokafka", 30.0, lambda: now)

    def said(text: str, *arguments: str, name: str = "aiokafka.consumer") -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 1, text, arguments, None)
        return record.getMessage() if kept.filter(record) else None

    assert said("Unable connect to node %s", "1") == "Unable connect to node 1"
    assert said("Unable connect to node %s", "2") is None
    assert said("Heartbeat failed") == "Heartbeat failed"
    assert said("ours", name="clearline") == said("ours", name="clearline") == "ours"
    now = 31.0
    assert said("Unable connect to node %s", "1") == "Unable connect to node 1 (1 more like it)"
