"""`${env:NAME}` and `${file:PATH}` in a text, alone or among other characters; `$${` stands for `${` itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clearline.cli.bounded_file import read_at_most

MAX_BYTES = 64 * 1024
"""A chain of certificates with its key fits; a file given by mistake does not."""
_PART = re.compile(r"\$\$\{|\$\{(?:(env|file):([^{}\n]+)\}|[^{}\n]{0,64}\}?)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class UnavailableError(Exception):
    """A reference leads nowhere. The message names the variable or file, never a value."""


@dataclass(frozen=True, slots=True)
class References:
    """What the texts of one file may refer to."""

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    """Relative paths begin here, see `folder_of`."""

    def expanded(self, text: str) -> str:
        """The text with every reference replaced. Raises `UnavailableError`."""
        return _PART.sub(self._value, text)

    def _value(self, part: re.Match[str]) -> str:
        if part[0] == "$${":
            return "${"
        match part[1]:
            case "env":
                return self._variable(part[2])
            case "file":
                return self._file(part[2])
            case _:
                raise UnavailableError("Only ${env:NAME} and ${file:PATH} are understood; $${ stands for ${ itself.")

    def _variable(self, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            raise UnavailableError("After ${env: belongs the name of a variable: letters, digits and underscores.")
        value = self.environ.get(name)
        if value is None:
            raise UnavailableError(f"The environment variable {name} is not set.")
        if not value:
            raise UnavailableError(f"The environment variable {name} is empty.")
        return _without_line_end(value)

    def _file(self, name: str) -> str:
        try:
            content = read_at_most(self.folder / Path(name).expanduser(), MAX_BYTES)
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise UnavailableError(f"The file {name} is not UTF-8 text.") from None
        except (OSError, ValueError, RuntimeError) as error:
            told = error.strerror if isinstance(error, OSError) else "no such name is possible"
            raise UnavailableError(f"The file {name} cannot be read: {told}.") from None
        if len(content) > MAX_BYTES:
            raise UnavailableError(f"The file {name} is larger than {MAX_BYTES} bytes.")
        if not text.strip():
            raise UnavailableError(f"The file {name} is empty.")
        return _without_line_end(text)


def _without_line_end(text: str) -> str:
    """Editors and `echo` put one behind everything."""
    return text.removesuffix("\n").removesuffix("\r")


def folder_of(file: Path, current: Path) -> Path:
    """Where relative paths of a file begin: where it lies, not where the command runs. A pipe lies nowhere."""
    return current if file.exists() and not file.is_file() else file.parent


def rooted(text: str, folder: Path) -> str:
    """A reference alone, its relative path made one that holds everywhere."""
    found = _PART.fullmatch(text)
    relative = found is not None and found[1] == "file" and not found[2].startswith("~")
    return f"${{file:{folder / found[2]}}}" if found is not None and relative else text


def has_reference(text: str) -> bool:
    """Whether something of the text comes from elsewhere."""
    return any(part[1] is not None for part in _PART.finditer(text))


def is_reference_alone(text: str) -> bool:
    """Whether the text is one reference and nothing else, so that it may stand for a number too."""
    found = _PART.fullmatch(text)
    return found is not None and found[1] is not None


def unescaped(text: str) -> str:
    """A text without references as it is meant."""
    return text.replace("$${", "${")


def literal(text: str) -> str:
    """The text written so that it is read as itself."""
    return text.replace("${", "$${")
