"""Reads what somebody filled into a kind's form. A fault names its field and code; no rejected value is repeated."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError, create_model
from pydantic_core import ErrorDetails

from clearline.catalogue import ClearlineError, FieldError
from clearline.probes.fields import has_control_characters, has_surrogates
from clearline.probes.outbound import OutboundPolicy, check_literal
from clearline.probes.probe import Credentials, Form, Kind

F = TypeVar("F", bound=Form)
MAX_ERRORS = 20
MAX_DEPTH = 8
"""No form nests deeper; it also bounds the search for secrets."""

_SECRET_NAME = re.compile(
    r"passw|passphrase|pwd|secret|token|(?:api|private|access)[_-]?key|credential|authorization", re.IGNORECASE
)
_USERINFO = re.compile(r"://[^/?#\s]*@")
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bBearer\s{1,8}\S{8}|\bBasic\s{1,8}[A-Za-z0-9+/]{8}"
    r"|\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{8,512}\.eyJ[\w-]{8}"
    r"|[?&;][\w.-]{0,32}(?:passw|pwd|secret|token|(?:api|access)[_-]?key|signature)[\w.-]{0,32}="
    r"|\b(?:password|passwd|pwd|secret)\s{0,8}=\s{0,8}\S",
    re.IGNORECASE,
)

MAX_SEARCHED = 32_768
"""Characters searched for secrets: no field may be longer. The repetitions above are bounded for the same reason."""

_MEANINGS: Mapping[str, tuple[str, str]] = {
    "missing": ("FIELD_REQUIRED", "Is missing; fill it in."),
    "extra_forbidden": ("FIELD_UNKNOWN", "There is no such field here. Fields of this form: {fields}."),
    "string_too_long": ("FIELD_TOO_LONG", "Is too long; at most {max_length} characters."),
    "too_long": ("FIELD_TOO_LONG", "Holds too many; at most {max_length}."),
    "too_short": ("FIELD_REQUIRED", "Holds too few; at least {min_length}."),
    "literal_error": ("FIELD_FORMAT", "Must be one of {expected}."),
    "greater_than_equal": ("FIELD_RANGE", "Is too small; the smallest is {ge}."),
    "less_than_equal": ("FIELD_RANGE", "Is too large; the largest is {le}."),
    "string_pattern_mismatch": ("FIELD_FORMAT", "Is not written as this field expects it."),
    "json_invalid": ("FIELD_FORMAT", "Is not plain JSON."),
    "int_type": ("FIELD_TYPE", "Must be a whole number."),
    "int_from_float": ("FIELD_TYPE", "Must be a whole number."),
    "string_type": ("FIELD_TYPE", "Must be a text."),
    "bool_type": ("FIELD_TYPE", "Must be true or false."),
    "tuple_type": ("FIELD_TYPE", "Must be a list."),
    "model_type": ("FIELD_TYPE", "Must be an object."),
}
"""Pydantic's findings in our words: its own texts may hold the input."""


def parse_config(kind: Kind, raw: object) -> Form:
    """The kind's config, or `VALIDATION_FAILED` with pointers below `/config`."""
    secrets = {error.pointer: error for error in _secrets_in(raw, "/config", 0)}
    return _parse(kind.config, raw, "/config", secrets)


def parse_credentials(
    kind: Kind, raw: object, *, config: Form | None = None, stored: Collection[str] = ()
) -> Credentials:
    """The kind's credentials, or `VALIDATION_FAILED` with pointers below `/credentials`.

    With `config`, those that it needs and that are neither given nor `stored` are missing, and those that it cannot
    use, or that do not belong to it, are refused.
    """
    parsed = _parse(_without_stored(kind.credentials, raw, stored), raw, "/credentials", {})
    if config is None:
        return parsed
    given = parsed.given().keys()
    missing = kind.required_credentials(config) - given - set(stored)
    useless = given - kind.allowed_credentials(config)
    errors = [FieldError(f"/credentials/{name}", "FIELD_REQUIRED", "Is needed with this config.") for name in missing]
    errors += [
        FieldError(f"/credentials/{name}", "FIELD_UNKNOWN", "This config makes no use of it.") for name in useless
    ]
    errors += kind.conflicts(config, parsed, None)
    _refuse(errors)
    return parsed


def _without_stored(model: type[Credentials], raw: object, stored: Collection[str]) -> type[Credentials]:
    """The form for an edit: what is stored and not sent again may be absent, even where the form requires it."""
    sent = raw if isinstance(raw, Mapping) else {}
    absent = [name for name in stored if name in model.model_fields and name not in sent]
    fields: dict[str, Any] = dict.fromkeys(absent, (SecretStr | None, None))
    return create_model(model.__name__, __base__=model, **fields) if fields else model


def check_addresses(kind: Kind, config: Form, policy: OutboundPolicy) -> None:
    """Refuse a host that is a forbidden address in any spelling. Names are judged when they are dialled."""
    detail = "Clearline may not dial this address; use a public one, or have its network allowed by an operator."
    _refuse(
        [
            FieldError(endpoint.host_field, "ADDRESS_FORBIDDEN", detail)
            for endpoint in (kind.endpoint(config), *kind.further(config))
            if check_literal(endpoint.host, policy) is not None
        ]
    )


def _refuse(errors: Collection[FieldError]) -> None:
    if errors:
        ordered = sorted(errors, key=lambda error: error.pointer)[:MAX_ERRORS]
        raise ClearlineError("VALIDATION_FAILED", pointer=ordered[0].pointer, errors=ordered)


def _parse(model: type[F], raw: object, at: str, found: Mapping[str, FieldError]) -> F:
    errors = dict(found)
    parsed: F | None = None
    try:
        parsed = model.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            told = _field_error(one, at, model)
            if not (errors and told.pointer == at):  # a finding below already says what is wrong
                errors.setdefault(told.pointer, told)
    except (TypeError, ValueError, RecursionError):
        errors.setdefault(at, FieldError(at, "FIELD_TYPE", "Must be an object of plain JSON values."))
    _refuse(list(errors.values()))
    assert parsed is not None
    return parsed


def _field_error(error: ErrorDetails, at: str, model: type[Form]) -> FieldError:
    *above, last = error["loc"] or ("",)
    unknown = error["type"] == "extra_forbidden"  # then the last part is a name that somebody typed: `(`, perhaps
    location = [part for part in (*above, last) if part != "" and not _is_branch(part)]
    location += [last] if unknown and _is_branch(last) else []
    pointer = at + "".join(f"/{_escaped(part)}" for part in location)
    code, detail = _meaning(error, model)
    if code == "FIELD_UNKNOWN" and at == "/config" and _SECRET_NAME.search(str(last)):
        code, detail = "SECRET_IN_PUBLIC_FIELD", "Config can be read by everyone; put secrets under credentials."
    return FieldError(pointer, code, detail)


def _is_branch(part: str | int) -> bool:
    """Pydantic names the branch of a union or the validator in the location; no form field looks like that."""
    return isinstance(part, str) and ("[" in part or "(" in part)


def _meaning(error: ErrorDetails, model: type[Form]) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind.isupper():  # one of our own validators: the type is the code
        return kind, str(context.get("detail", ""))
    code, sentence = _MEANINGS.get(kind, ("FIELD_TYPE", "Is of the wrong type."))
    return code, sentence.format(**context, fields=", ".join(model.model_fields) or "none")


def _escaped(part: str | int) -> str:
    """A reference token of a JSON pointer (RFC 6901); a key that somebody sent is cut and cleaned."""
    text = str(part)[:64].replace("~", "~0").replace("/", "~1")
    return "".join("?" if has_control_characters(character) else character for character in text)


def _secrets_in(value: Any, at: str, depth: int) -> Iterator[FieldError]:
    """Secrets in a form that everybody may read, by what they look like."""
    match value:
        case str() if has_surrogates(value):
            yield FieldError(at, "CONTROL_CHARACTERS", "Holds half of a Unicode pair, which no text can hold.")
        case str() if _USERINFO.search(value, 0, MAX_SEARCHED):
            yield FieldError(at, "URL_WITH_CREDENTIALS", "Holds a user or password; put them into their own fields.")
        case str() if _SECRET_VALUE.search(value, 0, MAX_SEARCHED):
            yield FieldError(at, "SECRET_IN_PUBLIC_FIELD", "Looks like a secret; put it under credentials.")
        case dict() if depth < MAX_DEPTH:
            for key, inner in value.items():
                yield from _secrets_in(inner, f"{at}/{_escaped(str(key))}", depth + 1)
        case list() | tuple() if depth < MAX_DEPTH:
            for index, inner in enumerate(value):
                yield from _secrets_in(inner, f"{at}/{index}", depth + 1)
        case _:
            return
