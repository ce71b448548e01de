"""Where the local stack keeps everything: all of it below `.clearline/` of one checkout."""

from dataclasses import dataclass
from pathlib import Path

from deploy.local.unprivileged import repository


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of one stack."""

    root: Path

    @classmethod
    def of_this_checkout(cls) -> "Places":
        return cls(repository())

    @property
    def folder(self) -> Path:
        return self.root / ".clearline"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def env_file(self) -> Path:
        return self.folder / "env"

    @property
    def python(self) -> Path:
        return self.root / ".venv" / "bin" / "python"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def wanted_file(self) -> Path:
        """Present while the stack should run; holds the port base."""
        return self.run / "wanted"

    @property
    def base_file(self) -> Path:
        """The port base of the last start."""
        return self.run / "port-base"

    @property
    def lock_file(self) -> Path:
        return self.run / "supervisor.lock"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make what is missing. What other users have no business in is this user's alone; PostgreSQL minds its own."""
        for folder in (self.data, self.cache):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.keys, self.run, self.logs, self.data / "kafka", self.folder / "evidence"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # older stacks made some of them for everybody
