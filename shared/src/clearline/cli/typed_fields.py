"""`--set field=value`, typed by the kind's JSON Schema. Whether the value makes sense is the gateway's decision."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from clearline.cli.ends import WrongUseError

Schema = Mapping[str, Any]


def typed_fields(given: Sequence[str], schema: Schema, secret_fields: frozenset[str]) -> dict[str, Any]:
    """Field → value for every `field=value`. No message repeats a value: it may be a secret in the wrong place."""
    properties: Schema = schema.get("properties", {})
    values: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise WrongUseError("--set wants FIELD=VALUE, for example --set port=5432.")
        if name in secret_fields and name not in properties:
            raise secret_as_argument(name)
        if name not in properties:
            raise _unknown(name, properties)
        if name in values:
            raise WrongUseError(f"--set {name} is given twice.")
        values[name] = _typed(name, text, properties[name], schema)
    return values


def check_names(names: Sequence[str], schema: Schema) -> None:
    """Every name must be a field of the form."""
    properties: Schema = schema.get("properties", {})
    for name in names:
        if name not in properties:
            raise _unknown(name, properties)


def secret_as_argument(name: str) -> WrongUseError:
    """Why a secret is not taken from an argument, and where it is taken from."""
    return WrongUseError(
        f"The secret {name} was given as an argument, where other users of this machine and your shell's history "
        "can read it. It was not used.",
        f"To be asked for it: --secret {name}",
        f"From standard input: --secret {name}=-",
        f"From the environment or a file: --secret '{name}=${{env:VARIABLE}}' or --secret '{name}=${{file:PATH}}'",
        "Replace the secret itself if others may have seen it.",
    )


def _unknown(name: str, properties: Schema) -> WrongUseError:
    near = get_close_matches(name, properties, n=1)
    steps = [f"Fields of this kind: {', '.join(properties) or 'none'}"]
    if near:
        steps.insert(0, f"Did you mean {near[0]}?")
    return WrongUseError(f"There is no field {name}.", *steps)


def _typed(name: str, text: str, field: Schema, root: Schema) -> Any:
    alternatives = list(branches(field, root))
    allowed = [value for branch in alternatives for value in _allowed(branch)]
    for value in allowed:
        if _as_typed(value) == text:
            return value
    if allowed and all(_allowed(branch) for branch in alternatives):
        raise WrongUseError(f"The field {name} wants one of {', '.join(map(_as_typed, allowed))}.")
    alternatives = [branch for branch in alternatives if not _allowed(branch)]
    types = {branch.get("type"): branch for branch in alternatives}
    for kind in ("null", "boolean", "integer", "number", "array", "object"):
        if kind in types:
            try:
                return _list(text, types[kind], root) if kind == "array" else _READERS[kind](text)
            except ValueError:
                continue
    if "string" in types or not any(types):
        return text
    wanted = " or ".join(_WORDS[kind] for kind in _WORDS if kind in types)
    raise WrongUseError(f"The field {name} wants {wanted}.")


def branches(field: Schema, root: Schema) -> Iterator[Schema]:
    """The alternatives of a field: references followed, unions opened, `type` lists spread."""
    if "$ref" in field:
        yield from branches(_resolved(str(field["$ref"]), root), root)
        return
    for word in ("anyOf", "oneOf"):
        if word in field:
            for inner in field[word]:
                yield from branches(inner, root)
            return
    kinds = field.get("type")
    if isinstance(kinds, list):
        yield from ({**field, "type": kind} for kind in kinds)
    else:
        yield field


def _resolved(reference: str, root: Schema) -> Schema:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _allowed(branch: Schema) -> list[Any]:
    return [branch["const"]] if "const" in branch else list(branch.get("enum", []))


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _exactly(kind: type, text: str) -> Any:
    value = json.loads(text)
    if type(value) is not kind:
        raise ValueError
    return value


def _list(text: str, field: Schema, root: Schema) -> Any:
    """JSON, or values between commas."""
    if text.startswith("["):
        return _exactly(list, text)
    if all(_allowed(item) or item.get("type") == "string" for item in branches(field.get("items", {}), root)):
        return [part.strip() for part in text.split(",") if part.strip()]
    return _exactly(list, f"[{text}]")


_READERS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: _exactly(type(None), text),
    "boolean": lambda text: _exactly(bool, text.lower()),
    "integer": lambda text: _exactly(int, text),
    "number": lambda text: float(_exactly(int, text)) if text.lstrip("-").isdigit() else _exactly(float, text),
    "object": lambda text: _exactly(dict, text),
}
_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list such as 200,204",
    "object": 'an object such as {"Accept": "text/plain"}',
    "null": "null",
}
