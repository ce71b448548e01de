"""Makes and keeps the local stack's secrets: each in a file of its own that only this user may read."""

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.local import postgres
from deploy.local.places import Places

LOGINS = ("clearline_api", "clearline_projector", "clearline_relay", "clearline_reader")


def write_secret(path: Path, text: str) -> None:
    """Replace the file at once, readable by nobody else at any moment."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)


def ensure_dsns(places: Places, cluster: postgres.Cluster) -> dict[str, str]:
    """The DSN of the owner and of every login, by name. Passwords are made once; the port may change."""
    dsns = {name: _dsn(places, cluster, name) for name in (postgres.OWNER, *LOGINS)}
    for name, dsn in dsns.items():
        write_secret(places.keys / f"{name}.dsn", dsn)
    return dsns


def password_of(dsn: str) -> str:
    return unquote(urlsplit(dsn).password or "")


def missing_keys(places: Places) -> list[Path]:
    """What nothing can replace once there are data: the owner's password and the pair that seals credentials."""
    owner = places.keys / f"{postgres.OWNER}.dsn"
    pair = [places.keys / name for name in ("sealing", "sealing.pub")]
    return [each for each in (owner, *pair) if not each.exists() or not each.read_text().strip()]


def _dsn(places: Places, cluster: postgres.Cluster, login: str) -> str:
    path = places.keys / f"{login}.dsn"
    password = password_of(path.read_text()) if path.exists() else secrets.token_urlsafe(24)
    return cluster.dsn(password, user=login)


def ensure_sealing_keys(places: Places) -> None:
    """The pair by which the gateway seals and only the verifier opens. Losing it loses every stored credential."""
    private, public = places.keys / "sealing", places.keys / "sealing.pub"
    if private.exists() and public.exists():
        return
    from clearline.probes.sealing import generate_key_pair  # noqa: PLC0415 - needed once in a stack's life

    private_text, public_text = generate_key_pair()
    write_secret(public, public_text)
    write_secret(private, private_text)  # last: both are there or the pair is made anew


def ensure_installation_key(places: Places) -> None:
    """What the gateway tells repeated requests apart under. A new one costs a day's memory of them, no more."""
    path = places.keys / "installation"
    if not path.exists() or not path.read_text().strip():
        write_secret(path, secrets.token_urlsafe(32))


def add_sealing_key(places: Places) -> tuple[str, str]:
    """Put a new private key before those that open what is stored; returns its id and its public half."""
    from clearline.probes.sealing import generate_key_pair, key_id  # noqa: PLC0415 - as above

    path = places.keys / "sealing"
    private, public = generate_key_pair()
    write_secret(path, "".join(f"{each}\n" for each in (private, *path.read_text().split())))
    return key_id(public), public


def set_public_key(places: Places, public: str) -> None:
    """What the gateway seals for from its next start on."""
    write_secret(places.keys / "sealing.pub", public)


def read_env(path: Path) -> dict[str, str]:
    """The variables of `.clearline/env`. What cannot be read is not there: `make up` writes it anew."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    words = (_words(line) for line in lines)
    return dict(each[0].split("=", 1) for each in words if len(each) == 1 and "=" in each[0])


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quotation without its end
        return []


def update_env(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables in `.clearline/env` (shell syntax, 0600), keeping the others."""
    found = read_env(path)
    merged = found | dict(values)
    if merged == found:
        return
    write_secret(path, "".join(f"{name}={shlex.quote(value)}\n" for name, value in merged.items()))
