"""`make doctor`: what the local stack needs, what is missing, how to mend it. Works before anything is installed."""

import ctypes.util
import importlib.util
import os
import shutil
import socket
import struct
import sys
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, it finds deploy.local

OLD = tuple(sys.version_info) < (3, 11)
DISK_NEEDED = 2_000_000_000  # bytes: 230 MB of downloads and installed files, a Kafka and a Postgres that grow
MEMORY_NEEDED = 1_000_000_000  # bytes: Kafka 150 to 250 MB, Postgres 50 MB, four Python processes 60 to 90 MB each
SKEW_ALLOWED = 1.0  # seconds
NTP_PORT = 123
NTP_EPOCH = 2_208_988_800  # seconds from 1900, where NTP counts from, to 1970


class Verdict(Enum):
    """What a check found."""

    FINE = "ok"
    WARNING = "warn"
    MISSING = "MISSING"
    UNKNOWN = "?"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    what: str
    mend: str = ""


def python_version() -> Finding:
    what = f"Python {sys.version.split()[0]} ({sys.executable})"
    if OLD:
        return Finding(Verdict.MISSING, what, "install Python 3.11 or newer and name it: make PYTHON=python3.12 …")
    return Finding(Verdict.FINE, what)


def venv_module() -> Finding:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if not missing:
        return Finding(Verdict.FINE, "Python's modules venv and ensurepip")
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    return Finding(Verdict.MISSING, f"Python's module {missing[0]}", f"on Debian and Ubuntu: apt install {package}")


def environment() -> Finding:
    from deploy.local import bootstrap  # noqa: PLC0415 - it ends the program on an old Python

    if bootstrap.read_stamp() == bootstrap.stamp():
        return Finding(Verdict.FINE, "virtual environment .venv is current")
    return Finding(
        Verdict.WARNING, "virtual environment .venv is not current", "`make up` builds it; or `make setup` alone"
    )


def disk() -> Finding:
    free = shutil.disk_usage(ROOT).free
    what = f"{free / 1e9:.1f} GB free on the disk of {ROOT}"
    if free >= DISK_NEEDED:
        return Finding(Verdict.FINE, what)
    return Finding(Verdict.MISSING, what, f"{DISK_NEEDED / 1e9:.0f} GB are needed: free some, or move the checkout")


def memory() -> Finding:
    available = _available_memory()
    if available is None:
        return Finding(Verdict.UNKNOWN, "memory: this system does not say how much is free")
    what = f"{available / 1e9:.1f} GB of memory available"
    if available >= MEMORY_NEEDED:
        return Finding(Verdict.FINE, what)
    return Finding(Verdict.WARNING, what, "about 1 GB is used: close something, or expect it to be slow")


def _available_memory() -> "int | None":
    """Linux tells what is available, others only what there is."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def folder() -> Finding:
    if not os.access(ROOT, os.W_OK):
        return Finding(Verdict.MISSING, f"{ROOT} may not be written", "make a checkout of your own")
    return Finding(Verdict.FINE, f"{ROOT} may be written")


def unprivileged_postgres() -> Finding:
    from deploy.local import unprivileged  # noqa: PLC0415 - found only after the path is set

    before = unprivileged.launcher()
    how = {"namespace": "in a user namespace", "nobody": "as the user nobody (no user namespaces here)"}
    said = f"PostgreSQL runs {how[before[-1]] if before else 'as you'}"
    if not unprivileged.can_use(ROOT / ".clearline", before):
        return Finding(
            Verdict.MISSING, f"{said} and cannot enter {ROOT}", unprivileged.CLOSED_FOLDER.format(folder=ROOT)
        )
    if not before and not unprivileged.has_name(os.geteuid()):
        mend = "run as a user with a name: PostgreSQL refuses others, and user namespaces are refused here"
        return Finding(Verdict.MISSING, f"your user id {os.geteuid()} has no name", mend)
    return Finding(Verdict.FINE, said)


def free_ports() -> Finding:
    places = ROOT / ".clearline" / "run"
    chosen, kept = os.environ.get("CLEARLINE_PORT_BASE"), places / "port-base"
    base = chosen or (_text(kept) or "8080").strip()
    if not base.isdecimal():
        said = f"CLEARLINE_PORT_BASE={base}" if chosen else f"{kept} holds {base[:20]!r}"
        mend = "give it a number from 1024 to 65522" if chosen else "remove that file; `make up` writes it anew"
        return Finding(Verdict.MISSING, said, mend)
    if (places / "wanted").exists():
        return Finding(Verdict.FINE, f"ports from {base}: the stack is meant to run (`make status`)")
    from deploy.local import port_search  # noqa: PLC0415 - found only after the path is set

    offsets = (0, 1, 2, 10, 11, 12)
    taken = [port for port in (int(base) + offset for offset in offsets) if port_search.is_taken(port)]
    lent = port_search.lent()
    other = f"make up CLEARLINE_PORT_BASE={port_search.free_base(int(base), lent)}"
    if taken:
        said = f"taken: port {', '.join(map(str, taken))}"
        return Finding(Verdict.MISSING, said, f"stop what listens there, or: {other}")
    if port_search.may_be_lent(int(base), lent):
        said = f"ports from {base} may be lent to any outgoing connection (this system lends {lent[0]} to {lent[-1]})"
        return Finding(Verdict.WARNING, said, f"a start may then find one taken: {other}")
    return Finding(Verdict.FINE, f"ports from {base} are free")


def clock() -> Finding:
    """Against a public time server; a network that does not let us ask is no fault."""
    skew = _skew(os.environ.get("CLEARLINE_TIME_SERVER", "pool.ntp.org"))
    if skew is None:
        return Finding(Verdict.UNKNOWN, "clock: no time server answered (CLEARLINE_TIME_SERVER names another)")
    what = f"clock differs by {skew:+.2f} s from the time server's"
    if abs(skew) <= SKEW_ALLOWED:
        return Finding(Verdict.FINE, what)
    return Finding(Verdict.WARNING, what, "let the system set its clock: timedatectl set-ntp true")


def _skew(server: str) -> "float | None":
    """Seconds that our clock is ahead, by one SNTP question (RFC 4330)."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            asked = time.time()
            client.sendto(b"\x23" + 47 * b"\0", (server, NTP_PORT))
            answer = client.recv(48)
            received = time.time()
    except OSError:
        return None
    seconds, fraction = struct.unpack("!II", answer[40:48])
    return (asked + received) / 2 - (float(seconds) - NTP_EPOCH + float(fraction) / 2**32)


def libc() -> Finding:
    """The Java runtime and some wheels exist for glibc and macOS."""
    if sys.platform == "darwin" or (sys.platform == "linux" and "musl" not in (ctypes.util.find_library("c") or "")):
        return Finding(Verdict.FINE, f"a system with ready-made binaries ({sys.platform})")
    return Finding(
        Verdict.MISSING, f"{sys.platform}: no ready-made Java or PostgreSQL", "use Linux with glibc, or macOS"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


CHECKS = (
    python_version, venv_module, libc, folder, disk, memory, unprivileged_postgres, environment, free_ports, clock,
)  # fmt: skip


def main() -> int:
    """1 if anything is missing."""
    found = [python_version()] if sys.version_info < (3, 11) else [check() for check in CHECKS]
    for finding in found:
        print(f"  {finding.verdict.value:<8} {finding.what}")
        if finding.mend:
            print(f"           → {finding.mend}")
    return 1 if any(finding.verdict is Verdict.MISSING for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
