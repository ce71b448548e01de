"""What batch and watermark consumption have in common: how they are run, stopped and looked at."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from clearline.chassis.health import CheckResult


class Phase(StrEnum):
    """Where a consumer is in its life."""

    STARTING = "starting"
    """Kafka has not answered yet, or no partition is assigned."""
    RESTORING = "restoring"
    """Partitions are assigned; their positions are being read."""
    RUNNING = "running"
    WAITING = "waiting"
    """A dependency is ill; the same work is tried again until it is not."""
    STOPPED = "stopped"
    HALTED = "halted"
    """Too many records went to the dead letters: only a person starts it again."""


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """A look at a consumer, taken at once and without asking anyone."""

    phase: Phase
    partitions: int
    in_flight: int
    poll_age: float
    """Seconds since the last poll returned."""
    commit_age: float | None
    """Seconds since the last commit that Kafka accepted; None before the first."""
    lag_seconds: float
    """Age of the oldest unprocessed record; 0 when caught up."""
    detail: str
    healthy: bool

    def check(self) -> CheckResult:
        """The same as a readiness check."""
        return CheckResult(self.healthy, f"{self.phase.value}: {self.detail}")


class Consumer(Protocol):
    """One subscription and its handler."""

    async def run(self) -> None:
        """Consume until `stop`; waits for Kafka instead of dying. Raises only for a defect of ours."""
        ...

    async def stop(self, deadline: float) -> None:
        """Take nothing new, finish or hand back what runs within `deadline` seconds, leave the group."""
        ...

    def status(self) -> ConsumerStatus:
        """How it is doing."""
        ...
