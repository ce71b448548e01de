"""Settings as small frozen classes read from the environment, each value also from a file; a wrong one names itself.

`load(KafkaSettings)` is called in `__main__` only. Building a class by hand reads nothing from outside.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

WRONG_USE = 2
"""Exit status of a start that settings prevent."""


class Settings(BaseModel):
    """Base of every settings class. The variable of a field is `prefix` + its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)
    prefix: ClassVar[str] = "CLEARLINE_"


@dataclass(frozen=True, slots=True)
class Variable:
    """Names a field's variable outright: `Annotated[str, Variable("DIAGNOSTICS_BUCKET")]`."""

    name: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that keeps a process from starting."""

    variable: str
    what: str
    meaning: str
    example: str


class WrongSettings(Exception):  # noqa: N818 - exceptions are nouns here (layout-and-style)
    """One or more settings are missing or wrong; `str()` is the message for a person."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(_told(problem) for problem in problems))


_S = TypeVar("_S", bound=Settings)


def load(settings_class: type[_S], environ: Mapping[str, str] | None = None) -> _S:
    """The settings of this process, or one message for a person and exit 2."""
    try:
        return read(settings_class, os.environ if environ is None else environ)
    except WrongSettings as wrong:
        sys.stderr.write(f"Cannot start: the settings are not right.\n\n{wrong}\n")
        raise SystemExit(WRONG_USE) from None


def read(settings_class: type[_S], environ: Mapping[str, str]) -> _S:
    """`settings_class` filled from `environ`. Raises `WrongSettings` that tells every problem at once."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in settings_class.model_fields:
        try:
            if (text := _text(variable_of(settings_class, name), environ)) is not None:
                values[name] = text
        except (OSError, ValueError) as error:
            problems.append(_problem(settings_class, name, str(error)))
    if problems:
        raise WrongSettings(tuple(problems))
    try:
        return settings_class.model_validate(values)
    except ValidationError as error:
        raise WrongSettings(_problems(settings_class, error)) from None


def variable_of(settings_class: type[Settings], name: str) -> str:
    """Environment variable of one field."""
    for mark in settings_class.model_fields[name].metadata:
        if isinstance(mark, Variable):
            return mark.name
    return f"{settings_class.prefix}{name.upper()}"


def example_of(field: FieldInfo) -> str:
    """The example a field was declared with, as it would be written in the environment."""
    return str(field.examples[0]) if field.examples else ""


def _text(variable: str, environ: Mapping[str, str]) -> str | None:
    """An empty variable counts as unset: compose and Helm write `NAME=` for what is left out."""
    direct, path = environ.get(variable) or None, environ.get(f"{variable}_FILE") or None
    if direct is not None and path is not None:
        raise ValueError(f"is set twice, by itself and by {variable}_FILE: keep one of them")
    if path is None:
        return direct
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OSError(f"cannot be read from the file that {variable}_FILE names, {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot be read from the file that {variable}_FILE names, {path}: not UTF-8") from None


def _problems(settings_class: type[Settings], error: ValidationError) -> tuple[Problem, ...]:
    return tuple(
        _problem(settings_class, str(detail["loc"][0]) if detail["loc"] else "", _said(detail["type"], detail["msg"]))
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _said(kind: str, message: str) -> str:
    return "is not set" if kind == "missing" else message.removeprefix("Value error, ")


def _problem(settings_class: type[Settings], name: str, what: str) -> Problem:
    if name not in settings_class.model_fields:
        return Problem(settings_class.__name__, what, "", "")
    field, variable = settings_class.model_fields[name], variable_of(settings_class, name)
    return Problem(variable, what, field.description or "", f"{variable}={example_of(field)}")


def _told(problem: Problem) -> str:
    lines = [f"  {problem.variable}: {problem.what}."]
    lines += [f"      {problem.meaning}"] if problem.meaning else []
    lines += [f"      For example: {problem.example}"] if problem.example else []
    return "\n".join(lines)


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
    return value


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if (found := _DURATION.fullmatch(value.strip())) is None:
        raise ValueError("is not a length of time: write a number and ms, s, m, h or d")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""`a, b,c` → `("a", "b", "c")`."""

Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""`24h`, `90s`, `500ms`, `7d`."""
