"""Finds what a killed supervisor left running: by pid and birth time, else by the exact command of this checkout."""

import psutil
from deploy.local.processes import Service
from deploy.local.state import Identity, State


def find(services: tuple[Service, ...], left_state: State | None) -> dict[str, Identity]:
    """Services of this stack that run, by name. What a dead supervisor wrote counts only if pid and birth time fit."""
    told = left_state.processes if left_state else {}
    found = {
        service.name: identity
        for service in services
        if service.name in told and (identity := told[service.name].identity) and identity.process()
    }
    return _by_command([service for service in services if service.name not in found]) | found


def _by_command(services: list[Service]) -> dict[str, Identity]:
    """One that was started in the instant before its supervisor died is in no file."""
    wanted = {_own_command(service): service.name for service in services}
    found: dict[str, Identity] = {}
    for process in psutil.process_iter(["cmdline", "status"]) if wanted else ():
        name = wanted.get(tuple(process.info["cmdline"] or ()))
        if name and process.info["status"] != psutil.STATUS_ZOMBIE and (identity := _identity(process.pid)):
            found.setdefault(name, identity)  # the oldest: process_iter goes by pid, workers of it come later
    return found


def _own_command(service: Service) -> tuple[str, ...]:
    return service.command[len(service.launcher) :]


def _identity(pid: int) -> Identity | None:
    try:
        return Identity.of(pid)
    except psutil.Error:
        return None
