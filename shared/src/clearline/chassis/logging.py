"""JSON log lines with correlation id, service and installation; secrets never, and no flood while Kafka is away."""

import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor

from clearline.chassis import correlation, tracing
from clearline.chassis.settings import ProcessSettings

HIDDEN = "**********"
QUIET_SECONDS = 30.0
"""While a broker is away aiokafka says forty times a second so, in five ways; each once in this time is enough.

A collector that is away is told of at every export."""
MAX_TEXT = 8_000
"""A log line is for reading: longer texts are cut."""

_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|authorization|credential|api_?key|private_?key|cookie|dsn", re.IGNORECASE
)
_SECRET_IN_TEXT = (
    (re.compile(r"(\w+://[^\s/:@]*:)[^\s@]*@"), rf"\1{HIDDEN}@"),  # scheme://user:password@host
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(r"""(?i)\b(password|passwd|secret|token|api_?key)(["']?\s*[=:]\s*["']?)[^\s"',;&}]+"""),
        rf"\1\2{HIDDEN}",
    ),
)


def configure(service: str, settings: ProcessSettings, stream: TextIO | None = None) -> None:
    """Send structlog and stdlib logging to `stream` (stdout) as JSON lines. Called once, in `__main__`."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _identity(service, settings.installation),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _json],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    for client in ("aiokafka", "opentelemetry"):
        handler.addFilter(RepeatFilter(client, QUIET_SECONDS, time.monotonic))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in ("aiokafka", "asyncio", "uvicorn.access"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide_secrets(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide what is named like a secret, and what looks like one inside a text. The last guard, not the only one."""
    return {name: HIDDEN if _SECRET_NAME.search(name) and value else _hidden(value) for name, value in event.items()}


def _hidden(value: Any) -> Any:
    match value:
        case str():
            for pattern, replacement in _SECRET_IN_TEXT:
                value = pattern.sub(replacement, value)
            return value[:MAX_TEXT]
        case SecretStr():
            return HIDDEN
        case dict():
            return {
                name: HIDDEN if _SECRET_NAME.search(str(name)) and inner else _hidden(inner)
                for name, inner in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_hidden(inner) for inner in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _hidden(str(value))


def _identity(service: str, installation: str) -> Processor:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"], event["installation"] = service, installation
        if (current := correlation.current()) is not None:
            event.setdefault("correlation_id", current)
        if (traceparent := tracing.current()) is not None:
            event["trace_id"], event["span_id"] = traceparent[3:35], traceparent[36:52]
        return event

    return add


def _json(_logger: Any, _method: str, event: EventDict) -> str:
    try:
        line = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        return line.translate(_LINE_ENDS)
    except (orjson.JSONEncodeError, RecursionError):  # a lone surrogate, a huge number: still a line, and still ASCII
        return json.dumps({str(name): str(value) for name, value in event.items()})


_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x7f\x85\u2028\u2029"}
"""What JSON leaves as it is and some reader takes for the end of a line."""


class RepeatFilter(logging.Filter):
    """Lets a message of the named loggers through once per period, whatever its arguments, and counts the others."""

    def __init__(self, logger: str, period: float, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._logger = logger
        self._period = period
        self._monotonic = monotonic
        self._said: dict[str, tuple[float, int]] = {}
        """By template: when it was let through, and how many were kept back since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(self._logger) or not isinstance(record.msg, str):
            return True
        now, template = self._monotonic(), record.msg
        last, kept_back = self._said.get(template, (-math.inf, 0))
        if now - last < self._period:
            self._said[template] = (last, kept_back + 1)
            return False
        self._said[template] = (now, 0)
        if kept_back:
            record.msg = f"{template} ({kept_back} more like it)"
        return True
