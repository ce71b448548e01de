"""Which Clearline to talk to: CLEARLINE_URL and CLEARLINE_TOKEN, else the `.clearline/env` that `make up` wrote."""

import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clearline.cli.ends import WrongUseError

URL = "CLEARLINE_URL"
TOKEN = "CLEARLINE_TOKEN"  # noqa: S105 - the name of the variable
FILE = Path(".clearline") / "env"
MAX_FILE_BYTES = 64 * 1024
_NOT_IN_TOKENS = frozenset(chr(code) for code in range(33)) | {"\x7f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One Clearline and the right to talk to it."""

    url: str
    token: str | None = field(repr=False)
    origin: str
    """Where the two were found, for people."""
    warnings: tuple[str, ...] = ()
    from_file: bool = False
    """The address comes from the file that `make up` wrote."""
    token_file: Path | None = None
    """Where the token comes from; None: the variable."""


@dataclass(frozen=True, slots=True)
class _EnvFile:
    path: Path
    values: Mapping[str, str] = field(repr=False)
    foreign: bool
    """It belongs to somebody else, who therefore says where tokens are sent."""
    warnings: tuple[str, ...]


def find_target(environ: Mapping[str, str], folder: Path, uid: int) -> Target:
    """The target by the environment, which wins, and by the nearest `.clearline/env` from `folder` upwards."""
    if environ.get(TOKEN) == "":  # a script whose secret is missing must not act as the admin of the file
        raise WrongUseError(f"{TOKEN} is set but empty.", f"Give it a token, or remove it: unset {TOKEN}.")
    url, token = environ.get(URL) or None, environ.get(TOKEN)
    if url and token:
        return Target(url=_checked_url(url), token=_checked_token(token), origin="the environment")
    found = _nearest(folder, uid)
    if found is None:
        return _from_environment_alone(url, token)
    return _joined(url, token, found)


def settings_beside(folder: Path, uid: int) -> Mapping[str, str]:
    """What the nearest `.clearline/env` assigns; nothing where it belongs to somebody else, who is not believed."""
    found = _nearest(folder, uid)
    return {} if found is None or found.foreign else found.values


def _from_environment_alone(url: str | None, token: str | None) -> Target:
    if url is None:
        raise WrongUseError(
            f"No Clearline to talk to: {URL} is not set and there is no {FILE} here or in a folder above.",
            "Run the command in (or below) the folder where `make up` ran.",
            f"Or set {URL} and {TOKEN}.",
        )
    return Target(url=_checked_url(url), token=token and _checked_token(token), origin="the environment")


def _joined(url: str | None, token: str | None, found: _EnvFile) -> Target:
    file_url, file_token = found.values.get(URL), found.values.get(TOKEN)
    if url is not None:  # its token belongs to its own address and is sent nowhere else
        same = file_url is not None and _checked_url(url) == _checked_url(file_url)
        kept = file_token if same else None
        origin = f"the environment and {found.path}" if kept else "the environment"
        return Target(
            url=_checked_url(url),
            token=kept and _checked_token(kept),
            token_file=found.path if kept else None,
            origin=origin,
            warnings=found.warnings if same else (),
        )
    if file_url is None:
        raise WrongUseError(
            f"{found.path} names no {URL}.", "Run `make up` again: it writes the file.", f"Or set {URL}."
        )
    if token is not None and found.foreign:
        raise WrongUseError(
            f"{found.path} belongs to another user, so your {TOKEN} is not sent to the address it names.",
            f"Set {URL} beside {TOKEN}.",
        )
    chosen = token or file_token
    return Target(
        url=_checked_url(file_url),
        token=chosen and _checked_token(chosen),
        token_file=None if token else found.path,
        origin=f"the environment and {found.path}" if token else str(found.path),
        warnings=found.warnings,
        from_file=True,
    )


def _nearest(folder: Path, uid: int) -> _EnvFile | None:
    for place in (folder, *folder.parents):
        path = place / FILE
        try:
            about = path.stat()
            if stat.S_ISREG(about.st_mode):
                text = path.read_bytes()[:MAX_FILE_BYTES].decode("utf-8", errors="replace")
                foreign = about.st_uid != uid
                return _EnvFile(path, parse(text, path), foreign, tuple(_complaints(path, foreign, about.st_mode)))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise WrongUseError(
                f"{path} may not be read by you.", f"Set {URL} and {TOKEN}, or ask its owner."
            ) from error
    return None


def _complaints(path: Path, foreign: bool, mode: int) -> list[str]:  # noqa: FBT001 - private, one caller
    complaints = []
    if foreign:
        complaints.append(f"{path} belongs to another user: do not rely on the address and token it names.")
    if mode & 0o077:
        complaints.append(f"{path} may be read by other users; mend it with: chmod 600 {shlex.quote(str(path))}")
    return complaints


def parse(text: str, path: Path) -> dict[str, str]:
    """The assignments of a file in shell syntax: `KEY=value`, quotes, comments, an optional `export`. Runs nothing."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            raise _unreadable(path, number) from None
        if words[:1] == ["export"]:
            words = words[1:]
        for word in words:
            key, equals, value = word.partition("=")
            if not equals or not key.isidentifier():
                raise _unreadable(path, number)
            values[key] = value
    return values


def _unreadable(path: Path, number: int) -> WrongUseError:
    return WrongUseError(
        f"Line {number} of {path} is no KEY=value in shell syntax.", "Mend the line, or run `make up` again."
    )


def _checked_url(url: str) -> str:
    parts = urlsplit(url.strip().rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUseError(f"{URL} must be an address like http://127.0.0.1:8080.")
    if "@" in parts.netloc:
        raise WrongUseError(f"{URL} must not contain a user or password.", f"Put the token into {TOKEN}.")
    if parts.query or parts.fragment:
        raise WrongUseError(f"{URL} must not contain a query or fragment.")
    return parts.geturl().removesuffix("/api/v1")


def _checked_token(token: str) -> str:
    if not token.isascii() or _NOT_IN_TOKENS & set(token):
        raise WrongUseError(f"{TOKEN} contains characters that no token has (a space or line break, perhaps).")
    return token
