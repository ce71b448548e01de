"""The life of one process under the supervisor: wait, start, watch, start again, give up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import assert_never

from deploy.local import child as children
from deploy.local import logs
from deploy.local.child import Adopted, Child
from deploy.local.endings import ending
from deploy.local.places import Places
from deploy.local.processes import Process, Service, Step
from deploy.local.readiness import Answer, ask
from deploy.local.state import Condition, Identity, Told

FIRST_DELAY, LONGEST_DELAY = 0.2, 30.0
EXITS_BEFORE_FAILED = 4
EXITS_WHILE_PORT_TAKEN = 7  # 13 s: a port that was lent to an outgoing connection is given back
LINES_OF_AN_ENDING = 30
TRIES_OF_A_STEP = 2
STEADY_AFTER = 10.0  # seconds of readiness after which the next exit counts as the first again
ASK_STARTING, ASK_LATE, ASK_READY = 0.1, 1.0, 5.0  # seconds between questions
LATE_AFTER = 100  # questions
_HAS_BEEN_READY = frozenset({Condition.READY, Condition.UNREADY, Condition.HALTED, Condition.SILENT})


@dataclass(slots=True)
class Supervised:
    """One process of the record, its child and what is told about it."""

    process: Process
    places: Places
    tell: Callable[[], None]
    told: Told = field(default_factory=Told)
    child: Child | None = None
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)
    retry: asyncio.Event = field(default_factory=asyncio.Event)
    _ready_since: float | None = None
    _log_from: int = 0
    _port_was_taken: bool = False

    def adopt(self, identity: Identity) -> None:
        """Take over what runs already; `live` will watch it instead of starting another."""
        self.child = Adopted(identity)
        self.told.identity = identity

    async def live(self, before: list["Supervised"]) -> None:
        """Until cancelled. A cancelled life leaves its child running: `end` stops it."""
        for each in before if self.child is None else ():  # what was taken over runs: it is watched at once
            await each.was_ready.wait()
        match self.process:
            case Step():
                await self._until_done()
            case Service():
                await self._for_ever(self.process)
            case _:
                assert_never(self.process)

    async def end(self) -> None:
        """Stop the child in its own way."""
        if self.child is not None and isinstance(self.process, Service):
            self._become(Condition.STOPPING)
            by_itself = await children.stop(self.child, self.process.stop_signal, self.process.stop_seconds)
            self.told.last_error = "" if by_itself else f"did not stop in {self.process.stop_seconds:.0f} s: killed"
        elif self.child is not None:
            children.kill(self.child.identity)
        self.child = None
        self.told.identity = None
        self._become(Condition.STOPPED)

    async def _for_ever(self, service: Service) -> None:
        delay, exits = FIRST_DELAY, 0
        while True:
            child = await self._start()
            steady = await self._watch(service, child) if child else False
            exits = 0 if self.was_ready.is_set() else exits + 1
            delay = FIRST_DELAY if steady else delay
            if exits >= (EXITS_WHILE_PORT_TAKEN if self._port_was_taken else EXITS_BEFORE_FAILED):
                await self._give_up()
                delay, exits = FIRST_DELAY, 0
                continue
            self.told.restarts += 1
            self._become(Condition.RESTARTING)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _until_done(self) -> None:
        tries = 0
        while True:
            child, tries = await self._start(), tries + 1
            if child and await self._succeeds(child):
                return
            if tries >= TRIES_OF_A_STEP:
                await self._give_up()
                tries = 0
            else:
                await asyncio.sleep(FIRST_DELAY)

    async def _succeeds(self, child: Child) -> bool:
        code = await child.exited()
        self._lost(code)
        if code != 0:
            return False
        self.told.last_error = ""
        self.was_ready.set()
        self._become(Condition.DONE)
        return True

    async def _start(self) -> Child | None:
        """The running child; None if its program cannot be started at all."""
        self._log_from = logs.size(self.places.log(self.process.name))
        try:
            self.child = self.child or await children.start(self.process, self.places)
        except OSError as error:
            self.told.last_error = str(error)
            return None
        self.told.identity = self.child.identity
        self._become(Condition.STARTING)
        return self.child

    async def _watch(self, service: Service, child: Child) -> bool:
        """Until the child exits; true if it had been ready for a while."""
        asking = asyncio.create_task(self._ask(service))
        try:
            code = await child.exited()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        since, self._ready_since = self._ready_since, None
        self._lost(code)
        return since is not None and asyncio.get_running_loop().time() - since > STEADY_AFTER

    async def _ask(self, service: Service) -> None:
        """Keep the condition true to what the process answers."""
        for asked in count():
            answer = await ask(service.ready)
            if answer.ready:
                self._note_readiness(service)
            else:
                self._note_refusal(answer)
            waiting = ASK_STARTING if asked < LATE_AFTER else ASK_LATE
            await asyncio.sleep(ASK_READY if self.told.condition == Condition.READY else waiting)

    def _note_refusal(self, answer: Answer) -> None:
        """One that starts may take its time; one that has halted does not get ready by waiting."""
        if answer.halted:
            now = Condition.HALTED
        elif self.told.condition in _HAS_BEEN_READY:
            now = Condition.UNREADY if answer.why_not else Condition.SILENT
        else:
            now = self.told.condition
        if (now, answer.why_not) != (self.told.condition, self.told.says):
            self._become(now, answer.why_not)

    def _note_readiness(self, service: Service) -> None:
        if self.told.condition == Condition.READY or self.child is None:
            return
        if not children.listens(self.child.identity, service.ports):
            self.told.last_error = f"another process answers on port {service.ports[0]}"
            return
        self._ready_since = self._ready_since or asyncio.get_running_loop().time()
        self.was_ready.set()
        self._become(Condition.READY)

    async def _give_up(self) -> None:
        """Wait for the next `make up`."""
        self.retry.clear()
        self.told.given_up += 1
        self._become(Condition.FAILED)
        await self.retry.wait()

    def _lost(self, code: int | None) -> None:
        self.child = None
        self.told.identity = None
        said = logs.tail(self.places.log(self.process.name), LINES_OF_AN_ENDING, since=self._log_from)
        why = ending(self.process, code, said)
        self.told.last_error, self._port_was_taken = why.text, why.port_was_taken

    def _become(self, condition: Condition, says: str = "") -> None:
        self.told.condition, self.told.says = condition, says
        self.tell()
