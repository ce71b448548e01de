"""Joins the group, however long Kafka is away, and says once that it waits."""

import random

import structlog
from aiokafka.errors import KafkaError

from clearline.chassis.clock import Clock
from clearline.chassis.group_member import GroupMember
from clearline.chassis.retry import KAFKA

LEAVE_SECONDS = 2.0

_LOG: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("clearline.chassis")


async def join(member: GroupMember, group: str, clock: Clock) -> None:
    """Return as a member."""
    attempt = 0
    while True:
        attempt += 1
        try:
            await member.join()
        except (KafkaError, OSError) as error:
            if attempt == 1:
                _LOG.warning("waiting for Kafka", group=group, reason=type(error).__name__)
            await member.leave(LEAVE_SECONDS)
            await clock.sleep(KAFKA.wait(attempt, random.random))
        else:
            if attempt > 1:
                _LOG.info("Kafka is there; going on", group=group)
            return
