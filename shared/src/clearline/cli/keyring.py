"""The file of private sealing keys that verifiers read: one key a line, the current one first, for its owner alone."""

import os
from contextlib import suppress
from pathlib import Path

from clearline.cli.ends import WrongUseError

OWNER_ONLY = 0o600


def read_keys(path: Path) -> list[str]:
    """The private keys in their order; none if there is no file. Raises `WrongUseError` for what holds none."""
    from clearline.probes.sealing import Opener  # noqa: PLC0415 - cryptography costs 0.1 s, which `--help` need not pay

    try:
        texts = path.read_text().replace(",", " ").split()
        Opener(texts or [""])
    except FileNotFoundError:
        return []
    except (OSError, ValueError):  # its text may be part of a key: it is not said
        raise WrongUseError(
            f"{path} cannot be read as private sealing keys, one a line.",
            "Name the file that CLEARLINE_SEALING_PRIVATE_KEYS_FILE names, or one that does not exist yet.",
        ) from None
    return texts


def write_keys(path: Path, texts: list[str]) -> None:
    """Replace the file at once; at no moment may anybody else read it. Raises `WrongUseError`."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{text}\n" for text in texts))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise WrongUseError(f"{path} cannot be written: {error.strerror}.") from None


def add_new_key(path: Path) -> tuple[str, str]:
    """Put a new key before the others; returns its id and its public half."""
    from clearline.probes.sealing import generate_key_pair, key_id  # noqa: PLC0415 - as above

    others = read_keys(path)
    private, public = generate_key_pair()
    write_keys(path, [private, *others])
    return key_id(public), public


def remove_key(path: Path, identifier: str) -> int:
    """Take one key out; returns how many are left. Raises `WrongUseError` if it is not there, or is the first."""
    from clearline.probes.sealing import key_id, public_of  # noqa: PLC0415 - as above

    texts = read_keys(path)
    if not texts:
        raise WrongUseError(
            f"There is no file {path}.", "Name the file that CLEARLINE_SEALING_PRIVATE_KEYS_FILE names."
        )
    ids = [key_id(public_of(text)) for text in texts]
    if identifier not in ids:
        raise WrongUseError(f"{path} does not hold a key {identifier}.", f"It holds {', '.join(ids)}.")
    if identifier == ids[0]:
        raise WrongUseError(
            f"{identifier} is the first key in {path}: the one that verifiers seal for.",
            "Make a new one first: clearline keys new",
        )
    write_keys(path, [text for text, each in zip(texts, ids, strict=True) if each != identifier])
    return len(texts) - 1
