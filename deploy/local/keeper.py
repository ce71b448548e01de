"""The loop that starts the supervisor again when it was killed: a shell, because it must cost nothing and do little."""

import os
import subprocess

import psutil
from deploy.local.places import Places

# Ends when the supervisor ends in order (0). It waits a second, or a supervisor that cannot start would burn a core.
_LOOP = 'until "$@"; do sleep 1; done'


def _title(places: Places) -> str:
    return f"clearline-keeper {places.root}"


def find(places: Places) -> psutil.Process | None:
    """The keeper of this checkout."""
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[3:4] == [_title(places)]:
            return process
    return None


def ensure(places: Places) -> None:
    """Start the loop unless it runs. Its supervisor waits while another holds the lock."""
    if find(places) is not None:
        return
    with places.log("supervisor").open("ab") as log:
        subprocess.Popen(  # noqa: S603 - our own shell loop
            ["/bin/sh", "-c", _LOOP, _title(places), str(places.python), "-m", "deploy.local", "supervise"],
            cwd=places.root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """The user's settings reach the processes through here; what belongs to make and to Python options does not."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
