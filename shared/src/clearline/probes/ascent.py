"""One rung at a time: within its deadline, in the context of a probe that dials, cancelled from outside or not."""

import asyncio
from contextvars import Context, copy_context
from dataclasses import dataclass

from clearline.contracts.verification import StepName
from clearline.probes import faults, reach
from clearline.probes.dial import DIALLING, READ_BYTES, Dial
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Climb, Evidence, Kind, Skipped, StepFailed

GRACE_SECONDS = 1.0
"""How long a cancelled step, or what closes a connection, may take before it is left behind."""
CANCELLED = "VERIFICATION_CANCELLED"

Found = Evidence | Skipped | StepFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one climb may take."""

    step_seconds: float = 10.0
    connect_seconds: float = 5.0
    resolve_seconds: float = 5.0
    total_seconds: float = 60.0
    read_bytes: int = READ_BYTES
    """Per step."""

    def of(self, step: StepName | None) -> float:
        """Deadline of one step, in seconds."""
        match step:
            case "resolve":
                return self.resolve_seconds
            case "connect":
                return self.connect_seconds
            case _:
                return self.step_seconds


class Ascent:
    """What all rungs of one climb share: the policy, the deadline of the whole, and the wish to end it."""

    def __init__(
        self, kind: Kind, climb: Climb, *, policy: OutboundPolicy, limits: Limits, cancelled: asyncio.Event
    ) -> None:
        self._kind = kind
        self._climb = climb
        self._limits = limits
        self._cancelled = cancelled
        self._ends = climb.clock.monotonic() + limits.total_seconds
        self._dial = Dial(policy, limits.read_bytes, limits.resolve_seconds)
        self._context: Context = copy_context()
        self._context.run(DIALLING.set, self._dial)

    async def rung(self, name: StepName) -> Found:
        """Climb one rung; every way of failing comes back as a finding, only the task's own cancellation is raised."""
        if self._cancelled.is_set():
            return StepFailed(CANCELLED)
        left = max(self._ends - self._climb.clock.monotonic(), 0)
        seconds = min(self._limits.of(name), left)
        self._dial.begin_step()
        task = asyncio.get_running_loop().create_task(self._climbed(name, seconds), context=self._context)
        stop = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({task, stop}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if stop.done():
                return StepFailed(CANCELLED)
            if left < self._limits.of(name):
                return StepFailed("VERIFICATION_TIMEOUT", seconds=self._limits.total_seconds)
            return faults.timed_out(name, self._climb.endpoint, seconds)
        finally:
            stop.cancel()
            await _end(task)

    async def close(self) -> None:
        """Close what the rungs have left open; what does not close in time is left behind."""
        closing = asyncio.get_running_loop().create_task(self._close(), context=self._context)
        await asyncio.wait({closing}, timeout=GRACE_SECONDS)
        await _end(closing)

    async def _climbed(self, name: StepName, seconds: float) -> Found:
        found = await self._found(name, seconds)
        if self._dial.exhausted and not isinstance(found, StepFailed):  # a library took the cut for the answer's end
            return faults.too_large(self._climb.endpoint, self._dial)
        return found

    async def _found(self, name: StepName, seconds: float) -> Found:
        try:
            match name:
                case "resolve" | "connect" if (spared := self._kind.spared(self._climb.config, name)) is not None:
                    return spared
                case "resolve":
                    return await reach.resolve(self._climb)
                case "connect":
                    return await reach.connect(self._climb, seconds)
                case _:
                    return await self._kind.rungs[name](self._climb)
        except Exception as error:  # noqa: BLE001 - whatever a client library raises is a finding
            told = self._kind.explain(error, self._climb, name)
            return faults.explain(told or error, self._climb, name, self._dial)

    async def _close(self) -> None:
        await self._climb.closing.aclose()


async def _end(task: asyncio.Task[Found] | asyncio.Task[None]) -> None:
    """Cancel what still runs; a library that swallows the cancellation is left behind, not waited for."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
    task.add_done_callback(_look_at)


def _look_at(task: asyncio.Task[Found] | asyncio.Task[None]) -> None:
    """Nobody reads the end of a task left behind; asking for it keeps asyncio from logging what it holds."""
    if not task.cancelled():
        task.exception()
