"""What nobody awaited: the Kafka client's own background failures become one quiet line, all others stay loud.

While a broker goes away aiokafka drops commit tasks unread and lets callbacks fail; it connects anew and the records
are sent again by us, so a traceback for each only hides the lines that matter.
"""

import asyncio
import logging
import traceback
from pathlib import Path
from typing import Any

import aiokafka
from aiokafka.errors import KafkaError

_AIOKAFKA = str(Path(aiokafka.__file__).parent)
_ASYNCIO = str(Path(asyncio.__file__).parent)
_LOG = logging.getLogger("aiokafka.background")  # below aiokafka's name, so that its repetitions are kept back too


def quiet_kafka_client(loop: asyncio.AbstractEventLoop) -> None:
    """Let `loop` say so once when aiokafka fails in work of its own. Whatever else fails is told as ever."""
    loop.set_exception_handler(_told)


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if isinstance(error, Exception) and _is_aiokafkas(error):
        _LOG.warning("the Kafka client failed in work of its own and goes on: %s", _named(error))
    else:
        loop.default_exception_handler(context)


def _is_aiokafkas(error: Exception) -> bool:
    """Whether the work began in aiokafka; a task of ours that fails inside aiokafka is our own fault."""
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    began = next((file for file in files if not file.startswith(_ASYNCIO)), None)
    if began is None:  # set on a future, raised nowhere
        return isinstance(error, KafkaError)
    return began.startswith(_AIOKAFKA)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
