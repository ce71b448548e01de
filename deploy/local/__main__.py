"""`python -m deploy.local COMMAND`: what the Makefile's targets call."""

import os
import sys
from collections.abc import Callable

from deploy.local import down, restart, status, steps, up
from deploy.local.jars import JarMismatchError, UnknownPlatformError
from deploy.local.places import Places
from deploy.local.ports import PortError
from deploy.local.postgres import InitdbError
from deploy.local.prepare import PreparationError
from deploy.local.processes import last_stack, processes
from deploy.local.state import Identity
from deploy.local.supervisor import LockHeldError, supervise

_TOLD = (
    up.StartError, down.StopError, PortError, PreparationError, JarMismatchError, UnknownPlatformError, InitdbError,
    status.UnknownServiceError, steps.TokenError, LockHeldError, restart.RestartError,
)  # fmt: skip


def _say(text: str) -> None:
    print(text, flush=True)


def _commands(places: Places, arguments: list[str]) -> dict[str, Callable[[], object]]:
    return {
        "up": lambda: up.up(places, _say),
        "down": lambda: down.down(places, _say),
        "status": lambda: sys.exit(0 if status.status(places, _say) else 1),
        "logs": lambda: status.follow(places, arguments[0] if arguments else ""),
        "restart": lambda: restart.restart(places, arguments[0] if arguments else "", _say),
        "new-sealing-key": lambda: restart.new_sealing_key(places, _say),
        "reset": lambda: down.reset(places, _say, force="--force" in arguments),
        "supervise": lambda: supervise(places, lambda: processes(last_stack(places)), Identity.of(os.getpid())),
        "set-passwords": lambda: steps.set_passwords(places),
        "ensure-token": lambda: steps.ensure_token(places),
    }


def main() -> None:
    command, *arguments = sys.argv[1:] or ["help"]
    commands = _commands(Places.of_this_checkout(), arguments)
    if command not in commands:
        sys.exit(f"usage: python -m deploy.local {'|'.join(commands)}")
    try:
        commands[command]()
        sys.stdout.flush()
    except _TOLD as error:
        sys.exit(f"{command}: {error}")
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would flush into it again
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
