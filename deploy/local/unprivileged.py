"""Runs a command as somebody other than root, because PostgreSQL refuses root and users without a name.

In a user namespace with one id, nobody's id inside is root outside: `getuid()` says 65534, files stay root's.
Only the standard library: it is asked before the virtual environment exists.
"""

import ctypes
import os
import pwd
import subprocess
import sys
from pathlib import Path

NOBODY = 65534
CLONE_NEWUSER = 0x10000000
# -P: the modules beside this file must not stand in for the standard library's
_LAUNCHER = [sys.executable, "-P", str(Path(__file__).resolve())]


CLOSED_FOLDER = (
    "PostgreSQL does not run as root, and the user it runs as cannot enter {folder}.\n"
    "Run make as the user who owns the checkout, or move the checkout to a folder that others may enter "
    "(chmod o+x on each folder above it)."
)


class NamespaceRefusedError(OSError):
    """This machine does not allow user namespaces."""


def enter_namespace() -> None:
    """Become nobody inside a new user namespace; the caller must have one thread. Raises NamespaceRefusedError."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise NamespaceRefusedError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")
    except OSError as error:
        raise NamespaceRefusedError(error.errno, "writing the id maps") from error


def drop_to_nobody() -> None:
    """Become the real user nobody; what must be written then has to belong to it (see `give_to_nobody`)."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def namespaces_work() -> bool:
    """Whether a child of ours can enter a namespace (tried, not guessed)."""
    return _succeeds([*_LAUNCHER, "namespace", sys.executable, "-c", "pass"])


def launcher() -> list[str]:
    """What goes before PostgreSQL's commands for the user that this process runs as; nothing for most."""
    awkward = os.geteuid() == 0 or not has_name(os.geteuid())
    return prefix(os.geteuid(), named=has_name(os.geteuid()), namespaces=awkward and namespaces_work())


def prefix(uid: int, *, named: bool, namespaces: bool) -> list[str]:
    """Root is refused, and so is an id without a name (`docker run --user 1234`), for which a namespace alone helps."""
    if uid != 0 and (named or not namespaces):
        return []
    return [*_LAUNCHER, "namespace" if namespaces else "nobody"]


def has_name(uid: int) -> bool:
    """Whether the system knows a user of that id."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def repository() -> Path:
    return Path(__file__).resolve().parents[2]


def give_to_nobody(folder: Path) -> None:
    """Hand a whole tree to nobody, for machines that refuse namespaces."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def can_use(folder: Path, before: list[str]) -> bool:
    """Whether the command behind `before` may enter and read `folder` (or its nearest parent that exists)."""
    existing = next(path for path in [folder, *folder.parents] if path.exists())
    # not our own interpreter: it may lie where that user cannot go, which does not matter
    return _succeeds([*before, "/bin/sh", "-c", 'cd "$1" && ls >/dev/null', "sh", str(existing)])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0  # noqa: S603 - our own commands


def main(arguments: list[str]) -> None:
    """`namespace|nobody COMMAND…`: change, then become the command (same pid, so that signals reach it)."""
    way, *command = arguments
    if way == "namespace":
        enter_namespace()
    else:
        drop_to_nobody()
    os.chdir("/")
    os.execvp(command[0], command)  # noqa: S606 - the command is our caller's, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
