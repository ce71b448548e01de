"""Settings as documentation: what `.env.example` and the environments' files are rendered from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from clearline.chassis.environment import Settings, example_of, variable_of

_UNITS = (("h", 3600), ("m", 60), ("s", 1), ("ms", 0.001))
"""Largest first; `Duration` reads them back."""


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One variable, as a person who sets it wants to read about it."""

    variable: str
    description: str
    example: str
    default: str | None
    """As it would be written in the environment; None where it must be set or is simply absent."""
    required: bool
    secret: bool
    """Also, and better, read from the file that `<variable>_FILE` names."""


def describe(settings_classes: Sequence[type[Settings]]) -> list[SettingDoc]:
    """Every variable of `settings_classes`, once each, in order of appearance."""
    docs: dict[str, SettingDoc] = {}
    for settings_class in settings_classes:
        for name, field in settings_class.model_fields.items():
            doc = _doc(variable_of(settings_class, name), field)
            docs.setdefault(doc.variable, doc)
    return list(docs.values())


def _doc(variable: str, field: FieldInfo) -> SettingDoc:
    secret = field.annotation is SecretStr or SecretStr in get_args(field.annotation)
    absent = field.is_required() or field.default is None or secret
    return SettingDoc(
        variable=variable,
        description=field.description or "",
        example=example_of(field),
        default=None if absent else _written(field.default),
        required=field.is_required(),
        secret=secret,
    )


def _written(default: object) -> str:
    if isinstance(default, timedelta):
        seconds = default.total_seconds()
        return next(f"{seconds / size:g}{unit}" for unit, size in _UNITS if seconds % size == 0)
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
