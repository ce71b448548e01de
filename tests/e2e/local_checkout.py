"""A checkout of its own, as a newcomer has it: the tracked files, nothing installed, ports that nobody uses."""

import json
import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local import keys, port_search, state
from deploy.local.places import Places
from deploy.local.state import State
from tests.harness.places import ROOT


@dataclass(frozen=True, slots=True)
class Checkout:
    """One copy of the tree; `make` is how tests use it."""

    folder: Path
    base: int

    @property
    def places(self) -> Places:
        return Places(self.folder)

    def make(self, *words: str, seconds: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make WORDS`, as from a shell that has nothing of ours in it."""
        surroundings = {
            name: value for name, value in os.environ.items() if not name.startswith(("CLEARLINE_", "MAKE"))
        }
        return self._run(
            ["make", *words], surroundings | {"CLEARLINE_PORT_BASE": str(self.base)} | environment, seconds
        )

    def up(self, **environment: str) -> str:
        """`make up`, which must work; what it printed."""
        done = self.make("up", seconds=240, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def clearline(self, *words: str, stdin: str = "") -> Any:
        """The command line's JSON; its exit code is not looked at."""
        done = self.command(*words, stdin=stdin)
        return json.loads(done.stdout)

    def command(self, *words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        surroundings = {name: value for name, value in os.environ.items() if not name.startswith("CLEARLINE_")}
        surroundings |= environment
        words = (str(self.folder / ".venv/bin/clearline"), *words, "--output", "json")
        return self._run(list(words), surroundings, 60, stdin)

    def env(self) -> dict[str, str]:
        return keys.read_env(self.places.env_file)

    def state(self) -> State:
        found = state.of_a_living_supervisor(self.places.state_file)
        assert found is not None, "no supervisor runs"
        return found

    def pids(self) -> dict[str, int]:
        """Of what runs now, by name."""
        told = self.state().processes
        return {name: each.identity.pid for name, each in told.items() if each.identity is not None}

    def all_ready(self) -> bool:
        found = state.of_a_living_supervisor(self.places.state_file)
        return found is not None and all(each.condition in {"ready", "done"} for each in found.processes.values())

    def _run(
        self, command: list[str], environment: dict[str, str], seconds: float, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own Makefile and command line
            command,
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def copy_tree(folder: Path) -> Checkout:
    """What lies in this checkout and was not made there; downloads are shared with it, or each run would fetch them."""
    made_here = shutil.ignore_patterns(".git", ".venv", ".clearline", ".*_cache", "__pycache__", "node_modules")
    shutil.copytree(ROOT, folder, ignore=made_here, dirs_exist_ok=True, symlinks=True)
    (ROOT / ".clearline/cache").mkdir(parents=True, exist_ok=True)
    (folder / ".clearline").mkdir()
    (folder / ".clearline/cache").symlink_to(ROOT / ".clearline/cache")
    return Checkout(folder, free_base())


def free_base() -> int:
    """A base whose whole span is free."""
    # below the ports that systems give out by themselves; two runs at once must not choose alike
    bases = random.SystemRandom().sample(range(20_000, 32_000, 20), 50)
    return next(base for base in bases if not any(map(port_search.is_taken, range(base, base + port_search.SPAN))))
