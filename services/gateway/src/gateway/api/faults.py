"""Turns what pydantic found into field errors of the catalogue; its own texts may hold the input and are not used."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clearline.catalogue import ClearlineError, FieldError

MAX_FAULTS = 20
MAX_TOKEN = 64


def fault_of(details: Iterable[Mapping[str, Any]]) -> ClearlineError:
    """One error for all that is wrong with a request."""
    found = list(details)
    for detail in found:
        if detail["loc"][:1] == ("path",):
            return _no_such_thing(str(detail["loc"][-1]))
    fields = [_field_error(detail) for detail in found[:MAX_FAULTS]]
    return ClearlineError("VALIDATION_FAILED", pointer=fields[0].pointer, errors=fields)


def _no_such_thing(parameter: str) -> ClearlineError:
    match parameter:
        case "connection_id":
            return ClearlineError("CONNECTION_NOT_FOUND")
        case "verification_id":
            return ClearlineError("VERIFICATION_NOT_FOUND")
        case "token_id":
            return ClearlineError("TOKEN_NOT_FOUND")
        case "kind":
            return ClearlineError("KIND_UNKNOWN")
        case _:
            return ClearlineError("ROUTE_NOT_FOUND")


def _field_error(detail: Mapping[str, Any]) -> FieldError:
    pointer, context = pointer_of(detail["loc"]), detail.get("ctx", {})
    code = _code(detail["type"], pointer)
    match code:
        case "FIELD_REQUIRED" if not pointer:
            return FieldError(pointer, code, "The request needs a body: a JSON object.")
        case "FIELD_RANGE":
            return FieldError(pointer, code, _bound(context))
        case "FIELD_TOO_LONG":
            return FieldError.of(pointer, code, limit=context.get("max_length"))
        case "FIELD_FORMAT":
            expected = f"one of {context['expected']}" if "expected" in context else _FORMS.get(detail["type"], _FORM)
            return FieldError.of(pointer, code, expected=expected)
        case "FIELD_TYPE":
            return FieldError.of(pointer, code, expected=_expected(detail["type"]))
        case _:
            return FieldError.of(pointer, code)


_CODES = {
    "missing": "FIELD_REQUIRED",
    "extra_forbidden": "FIELD_UNKNOWN",
    "string_too_long": "FIELD_TOO_LONG",
    "too_long": "FIELD_TOO_LONG",
    "greater_than_equal": "FIELD_RANGE",
    "less_than_equal": "FIELD_RANGE",
    "literal_error": "FIELD_FORMAT",
    "string_pattern_mismatch": "FIELD_FORMAT",
    "too_short": "FIELD_FORMAT",
    "value_error": "FIELD_FORMAT",
    "moment": "FIELD_FORMAT",
}
"""Pydantic's type of finding → our code; everything else is a wrong type."""


def _code(kind: str, pointer: str) -> str:
    named = "environment" in pointer.split("/") or "/environments/" in pointer
    return "ENVIRONMENT_UNKNOWN" if kind == "literal_error" and named else _CODES.get(kind, "FIELD_TYPE")


def pointer_of(location: Sequence[str | int]) -> str:
    """A JSON pointer into the body; other parts of the request stand below their name, as in `/query/limit`."""
    place, *rest = location
    parts = rest if place == "body" else [place, *rest]
    return "".join(f"/{_token(part)}" for part in parts)


def _token(part: str | int) -> str:
    """A name that somebody sent is cut and cleaned before it is said back."""
    text = "".join(character if character.isprintable() else "?" for character in str(part)[:MAX_TOKEN])
    return text.replace("~", "~0").replace("/", "~1")


def _bound(context: Mapping[str, Any]) -> str:
    if "ge" in context:
        return f"This must be at least {context['ge']}."
    return f"This must be at most {context.get('le')}."


_TIME = "a time such as 2026-01-31T12:00:00Z"
_FORM = "as its documentation shows"
_FORMS = {"moment": _TIME, "too_short": "at least one"}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "datetime": _TIME,
    "timezone": _TIME,
}


def _expected(kind: str) -> str:
    """`int_parsing`, `int_type` … → words."""
    return _TYPES.get(kind.partition("_")[0], "an object")
