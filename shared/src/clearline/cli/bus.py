"""The way to Kafka of the few commands that need it: CLEARLINE_KAFKA_…, else the `.clearline/env` of `make up`."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from clearline.cli.ends import CommandError, NoAnswerError, WrongUseError
from clearline.cli.surroundings import Surroundings
from clearline.cli.target import settings_beside

if TYPE_CHECKING:
    from clearline.chassis.settings import KafkaSettings

T = TypeVar("T")
PREFIX = "CLEARLINE_KAFKA_"


def kafka_settings(surroundings: Surroundings) -> "KafkaSettings":
    """How to reach Kafka. The environment wins as a whole: half of one and half of the other would be neither."""
    try:
        import aiokafka  # noqa: F401, PLC0415 - only to know that it is there

        from clearline.chassis.settings import KafkaSettings, WrongSettings, read  # noqa: PLC0415 - not for --help
    except ImportError as error:
        raise CommandError(
            "This command reads Kafka itself, and here only the command line is installed.",
            "Install it with: pip install 'clearline[cli,chassis]'",
        ) from error
    given = {name: value for name, value in surroundings.environ.items() if name.startswith(PREFIX)}
    if not given:
        given = {
            k: v for k, v in settings_beside(surroundings.folder, surroundings.uid).items() if k.startswith(PREFIX)
        }
    try:
        return read(KafkaSettings, given)
    except WrongSettings as wrong:
        raise WrongUseError(
            "It is not known how to reach Kafka.", *(f"{each.variable}: {each.what}." for each in wrong.problems)
        ) from None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; what Kafka does not answer is told as Clearline's not being there."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - not for --help

    from clearline.chassis.scan import TopicMissing  # noqa: PLC0415 - as above

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it is told below, once
    try:
        return asyncio.run(work)
    except TopicMissing as missing:
        raise NoAnswerError(str(missing), "Create Clearline's topics with: python -m gateway topics") from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise NoAnswerError(
            f"Kafka does not answer ({type(error).__name__}).",
            "See whether it runs (on a laptop: make status), and whether CLEARLINE_KAFKA_BOOTSTRAP_SERVERS is right.",
        ) from None
