"""Where secrets come from: a prompt, standard input, the environment or a file; never an argument."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearline.cli.bounded_file import read_at_most
from clearline.cli.ends import WrongUseError
from clearline.cli.plain_text import plain
from clearline.cli.surroundings import Surroundings
from clearline.cli.typed_fields import secret_as_argument

MAX_SECRET_BYTES = 16 * 1024
"""A private key with its chain fits; a file given by mistake does not."""
_REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")


def secrets_given(options: Sequence[str], surroundings: Surroundings) -> dict[str, str]:
    """Field → secret for every `--secret FIELD[=SOURCE]`."""
    secrets: dict[str, str] = {}
    from_stdin = [one for one in options if one.endswith("=-")]
    if len(from_stdin) > 1:
        raise WrongUseError("Only one secret can come from standard input.", "Use ${file:PATH} for the others.")
    for option in options:
        name, equals, source = option.partition("=")
        if name in secrets:
            raise WrongUseError(f"--secret {name} is given twice.")
        secrets[name] = _from(name, source, surroundings) if equals else asked(name, surroundings)
    return secrets


def secrets_of_document(credentials: Mapping[str, Any], surroundings: Surroundings) -> dict[str, str]:
    """Field → secret for the `credentials` of a file, which holds references and no secret."""
    secrets: dict[str, str] = {}
    for name, source in credentials.items():
        if not isinstance(source, str) or not _REFERENCE.fullmatch(source):
            raise WrongUseError(
                f"The file holds the secret {name} itself. It was not used.",
                f"Write a reference: {name}: ${{env:VARIABLE}} or ${{file:PATH}}",
                f"Or leave it out and be asked: --secret {name}",
            )
        secrets[name] = _referenced(name, source, surroundings)
    return secrets


def asked(name: str, surroundings: Surroundings) -> str:
    """The secret from the person at the terminal, without echo."""
    if not surroundings.interactive:
        raise WrongUseError(
            f"The secret {name} is needed and nobody can be asked: this is no terminal.",
            f"From standard input: --secret {name}=-",
            f"From the environment or a file: --secret '{name}=${{env:VARIABLE}}' or --secret '{name}=${{file:PATH}}'",
        )
    return _checked(name, surroundings.ask_secret(f"{plain(name)}: "))


def _from(name: str, source: str, surroundings: Surroundings) -> str:
    if source == "-":
        if surroundings.stdin.isatty():
            return asked(name, surroundings)
        return _checked(name, surroundings.stdin.read(MAX_SECRET_BYTES + 2))
    if _REFERENCE.fullmatch(source):
        return _referenced(name, source, surroundings)
    raise secret_as_argument(name)


def _referenced(name: str, reference: str, surroundings: Surroundings) -> str:
    match = _REFERENCE.fullmatch(reference)
    assert match is not None
    scheme, place = match.groups()
    if scheme == "env":
        value = surroundings.environ.get(place)
        if value is None:
            raise WrongUseError(f"The secret {name} is to come from the variable {place}, which is not set.")
        return _checked(name, value)
    return _checked(name, _file(name, place, surroundings.folder))


def _file(name: str, place: str, folder: Path) -> str:
    try:
        return read_at_most(folder / Path(place).expanduser(), MAX_SECRET_BYTES + 1).decode("utf-8")
    except UnicodeDecodeError:
        raise WrongUseError(f"The secret {name} in {plain(place)} is not UTF-8 text.") from None
    except (OSError, ValueError, RuntimeError) as error:
        told = error.strerror if isinstance(error, OSError) else "no such name is possible"
        raise WrongUseError(f"The secret {name} cannot be read from {plain(place)}: {told}.") from None


def _checked(name: str, text: str) -> str:
    """Without the line end that files and pipes put behind it."""
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise WrongUseError(f"The secret {name} is empty.")
    if len(secret.encode("utf-8", errors="replace")) > MAX_SECRET_BYTES:
        raise WrongUseError(f"The secret {name} is longer than {MAX_SECRET_BYTES} bytes.")
    return secret
