"""Climbs the ladder of declared connections in this process: no gateway, no Kafka, nothing is kept."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import msgspec

from clearline.catalogue import load
from clearline.chassis.clock import SystemClock
from clearline.cli.declared.declaration import Declared
from clearline.cli.declared.places import FaultsError
from clearline.cli.declared.reader import credentials_of
from clearline.cli.ends import ExitCode, WrongUseError
from clearline.contracts.verification import Step
from clearline.probes.dial import run
from clearline.probes.ladder import Limits, Verdict, climb
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.probe import Credentials

ALLOW = "CLEARLINE_OUTBOUND_ALLOW"
OWN_NETWORKS = (
    *("127.0.0.0/8", "::1/128"),
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
)
"""Dialled unless somebody says otherwise: who runs `check` reaches them from this machine anyway. Where clouds hand out
credentials (169.254.169.254 and its like) is dialled only when that very address is allowed."""


class StoppedError(KeyboardInterrupt):
    """The person pressed Ctrl-C. What had not ended is `cancelled`."""

    def __init__(self, checked: Sequence["Checked"]) -> None:
        self.checked = checked


@dataclass(frozen=True, slots=True)
class Checked:
    """One connection and what its ladder came to."""

    item: Declared
    verdict: Verdict

    @property
    def duration_ms(self) -> float:
        """Of all steps together."""
        return sum(step.duration_ms for step in self.verdict.steps)

    def as_json(self) -> dict[str, Any]:
        """In the words of the API's verification object."""
        return {
            "name": self.item.name,
            "environment": self.item.environment,
            "kind": self.item.kind.name,
            "status": self.verdict.status,
            "steps": msgspec.to_builtins(self.verdict.steps),
            "failure": msgspec.to_builtins(self.verdict.failure),
            "duration_ms": round(self.duration_ms, 3),
        }


def policy_of(allow: Sequence[str], environ: Mapping[str, str]) -> OutboundPolicy:
    """May be dialled beside the public internet: `--allow`, else what the installation names, else own networks."""
    named = [part.strip() for part in environ[ALLOW].split(",") if part.strip()] if ALLOW in environ else OWN_NETWORKS
    try:
        return OutboundPolicy.parse(allow or named)
    except ValueError as error:
        raise WrongUseError(f"{error}", f"Networks are written as 10.20.0.0/16 (--allow, or {ALLOW}).") from None


def limits_of(seconds: float) -> Limits:
    """A climb that takes at most so long."""
    usual = Limits()
    return Limits(
        step_seconds=min(usual.step_seconds, seconds),
        connect_seconds=min(usual.connect_seconds, seconds),
        resolve_seconds=min(usual.resolve_seconds, seconds),
        total_seconds=seconds,
    )


def check_all(items: Sequence[Declared], policy: OutboundPolicy, limits: Limits, parallel: int) -> list[Checked]:
    """Every item's verdict, in their order, at most `parallel` at a time. Raises `FaultsError` before it dials.

    Ctrl-C raises `StoppedError`, which holds what had ended by then.
    """
    read = [credentials_of(item) for item in items]
    faults = [fault for _, found in read for fault in found]
    if faults:
        raise FaultsError(faults)
    for library in {library for item in items for library in item.kind.libraries}:
        import_module(library)  # half a second for some, which no step's duration should hold
    ready = [(item, credentials) for item, (credentials, _) in zip(items, read, strict=True) if credentials is not None]
    checked, stopped = run(_climb_all(ready, policy, limits, asyncio.Semaphore(parallel)))
    if stopped:
        raise StoppedError(checked)
    return checked


def exit_code(checked: Sequence[Checked]) -> ExitCode:
    """0 all verified, 1 one failed, 2 one ended without a verdict."""
    ends = {one.verdict.status for one in checked}
    if "failed" in ends:
        return ExitCode.FAILED
    return ExitCode.FINE if ends == {"verified"} else ExitCode.INCONCLUSIVE


async def _climb_all(
    ready: Sequence[tuple[Declared, Credentials]], policy: OutboundPolicy, limits: Limits, turns: asyncio.Semaphore
) -> tuple[list[Checked], bool]:
    """What all came to, and whether somebody stopped it before."""
    catalogue, clock = load(), SystemClock()

    async def one(item: Declared, credentials: Credentials) -> Checked:
        async with turns:
            verdict = await climb(
                item.kind,
                item.form,
                credentials,
                policy=policy,
                clock=clock,
                on_step=_untold,
                limits=limits,
                catalogue=catalogue,
            )
        return Checked(item, verdict)

    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item, credentials)) for item, credentials in ready]
    except asyncio.CancelledError:  # Ctrl-C: the group has ended its tasks
        return [_ended(task, item) for task, (item, _) in zip(tasks, ready, strict=True)], True
    return [task.result() for task in tasks], False


def _ended(task: "asyncio.Task[Checked]", item: Declared) -> Checked:
    return Checked(item, Verdict(status="cancelled", steps=())) if task.cancelled() else task.result()


async def _untold(_number: int, _step: Step) -> None:
    """Steps are shown when all is over: with many at a time nobody could read them."""
