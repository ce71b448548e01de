"""Builds .venv from the lock files. Runs before it exists: the standard library only, and an old Python can read it."""

import hashlib
import importlib.util
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this is where an older one is told
    sys.exit(
        "Clearline needs Python 3.11 or newer; this is {}.{} ({}).\n"
        "Install a newer one and name it: make PYTHON=python3.12 …".format(*sys.version_info[:2], sys.executable)
    )

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, it finds deploy.local
VENV = ROOT / ".venv"
STAMP = VENV / "clearline-stamp.json"
CACHE = ROOT / ".clearline" / "cache"


class BootstrapError(Exception):
    """The virtual environment cannot be built; the message says what to do."""


def main() -> None:
    try:
        build_where_needed()
    except BootstrapError as error:
        sys.exit(f"Clearline cannot be set up: {error}")
    except KeyboardInterrupt:
        say("\nInterrupted. The next `make up` builds .venv to its end.")
        sys.exit(130)


def build_where_needed() -> None:
    """Do nothing when the stamp fits: same folder, interpreter and lock files."""
    wanted = stamp()
    if read_stamp() == wanted and python().exists():
        return
    check_modules()
    check_path(ROOT)
    check_folder()
    started = time.monotonic()
    make_venv(clear=not same_place(read_stamp(), wanted))
    install()
    STAMP.write_text(json.dumps(wanted))
    say(f"virtual environment ready in {time.monotonic() - started:.0f} s")


def stamp() -> dict[str, str]:
    """What the environment depends on. Its files hold paths: a moved checkout or another Python needs a new one."""
    digest = hashlib.sha256()
    for path in [ROOT / "requirements.lock", Path(__file__).with_name("bootstrap.lock"), *manifests()]:
        digest.update(path.read_bytes())
    return {
        "folder": str(ROOT),
        "interpreter": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),  # not the venv make runs in
        "version": sys.version,
        "locks": digest.hexdigest(),
    }


def manifests() -> "list[Path]":
    """The workspace's members, installed editable."""
    return [ROOT / "shared" / "pyproject.toml", *sorted(ROOT.glob("services/*/pyproject.toml"))]


def read_stamp() -> "dict[str, str] | None":
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def same_place(found: "dict[str, str] | None", wanted: "dict[str, str]") -> bool:
    """Whether the environment that is there may be brought up to date instead of being made anew."""
    return found is not None and all(found.get(key) == wanted[key] for key in ("folder", "interpreter", "version"))


def check_modules() -> None:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise BootstrapError(
            f"this Python ({sys.executable}) comes without {' and '.join(missing)}.\n"
            f"On Debian and Ubuntu: apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv. "
            "Or name another Python: make PYTHON=…"
        )


def check_path(folder: Path) -> None:
    """Java's class path and Kafka's list of folders are split at these signs, with no way to quote them."""
    if found := set(str(folder)) & set(",:;"):
        signs = " and ".join(sorted(found))
        raise BootstrapError(f"the path {folder} holds {signs}, at which lists of paths are split: move the checkout.")


def check_folder() -> None:
    """As root PostgreSQL runs as somebody else, who must be able to enter: said before any download."""
    from deploy.local import unprivileged  # noqa: PLC0415 - after the check of Python's version

    if not unprivileged.can_use(ROOT / ".clearline", unprivileged.launcher()):
        raise BootstrapError(unprivileged.CLOSED_FOLDER.format(folder=ROOT))


def make_venv(*, clear: bool) -> None:
    if not clear and python().exists():
        return
    say(f"virtual environment: .venv with Python {sys.version.split()[0]}")
    run(sys.executable, "-m", "venv", "--clear", str(VENV))


def install() -> None:
    """One hashed package by pip, the rest by uv. Members come last: hashes and -e in one command are refused."""
    lock = Path(__file__).with_name("bootstrap.lock")
    run(str(python()), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock))
    say("installing requirements.lock and the services")
    uv("--require-hashes", "-r", str(ROOT / "requirements.lock"))
    members = [word for path in manifests() for word in ("-e", str(path.parent))]
    uv("--no-build-isolation", *members)


def uv(*arguments: str) -> None:
    install_command = (str(VENV / "bin" / "uv"), "pip", "install", "--no-deps", "--python", str(python()))
    run(*install_command, *progress(), *arguments)


def progress() -> "list[str]":
    """Bars and names on a terminal; elsewhere our own line per stage, and errors."""
    return [] if sys.stderr.isatty() else ["--quiet"]


def run(*command: str) -> None:
    code = in_a_group_of_its_own(command)
    if code != 0:
        raise BootstrapError(
            f"`{' '.join(command[:6])} …` failed with exit code {code}; its reason is above. "
            "`make doctor` checks what is needed."
        )


def in_a_group_of_its_own(command: "tuple[str, ...]") -> int:
    """The exit code. Ctrl-C reaches us alone, who say it in a line; the command would show a traceback."""
    with subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True) as child:  # noqa: S603 - ours
        try:
            return child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise


def environment() -> "dict[str, str]":
    """What pip and uv get. uv does not read pip's configuration: pip's index and certificates are passed on."""
    confusing = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    surroundings = {name: value for name, value in os.environ.items() if name not in confusing}
    surroundings.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    surroundings.setdefault("PIP_CACHE_DIR", str(CACHE / "pip"))
    surroundings["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if "UV_DEFAULT_INDEX" not in surroundings and (index := pip_option("index-url")):
        surroundings["UV_DEFAULT_INDEX"] = index
    return surroundings | certificates()


def certificates() -> "dict[str, str]":
    """Which authorities uv and requests trust: as the environment or pip says, else what this system trusts.

    Both bring a list of their own, which does not know the authority of a company's proxy.
    """
    candidates = (
        *(os.environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")),
        pip_option("cert"),
        ssl.get_default_verify_paths().cafile,
    )
    bundle = next((each for each in candidates if each and Path(each).is_file()), None)
    return {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle} if bundle else {}


def pip_option(name: str) -> str:
    """What pip itself would use, from its environment or its files; empty where it uses its default."""
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    asked = [str(python() if python().is_file() else sys.executable), "-m", "pip", "config", "get", f"global.{name}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - our own interpreter


def python() -> Path:
    return VENV / "bin" / "python"


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
