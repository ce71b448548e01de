"""The JSON Schema of connections in files, for editors and other tools; made from the kinds' own forms.

It says what a form's JSON Schema can say. `clearline check` and `apply` know more: what a host is, which credential a
config needs. Draft 7, which editors' YAML support knows best.
"""

from collections.abc import Mapping
from typing import Any

from clearline.contracts.connection import ENVIRONMENTS
from clearline.probes.beats import MAX_DEGRADED_MS, MAX_INTERVAL, MAX_THRESHOLD, MIN_INTERVAL, BeatDraft
from clearline.probes.naming import MAX_NAME
from clearline.probes.probe import Kind

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"
_ABOUT = frozenset({"title", "description", "default", "examples"})
"""What is said to people, not to validators."""
_WELL_FORMED = r"^(?:[^$]|\$\$\{|\$\{(?:env|file):[^{}\n]+\}|\$(?!\$?\{))*$"
"""A text whose every `${` is a reference, or escaped: what `references.py` can read."""
_REFERENCE: Schema = {
    "title": "Reference",
    "description": "${env:NAME} or ${file:PATH}, alone or within a text. Relative paths begin at this file's folder.",
    "type": "string",
    "pattern": r"\$\{(env|file):[^{}]+\}",
}


def connections_schema(kinds: Mapping[str, Kind]) -> Schema:
    """The schema of a whole file: a list under `connections`, or one connection."""
    definitions: Schema = {"reference": _REFERENCE, "connection": _connection(kinds), "beat": _beat()}
    for kind in kinds.values():
        definitions |= _forms(kind)
    return {
        "$schema": DRAFT,
        "title": "Clearline connections",
        "description": "What `clearline check -f` and `clearline apply -f` read.",
        "definitions": definitions,
        "type": "object",
        "if": {"required": ["connections"]},
        "then": {
            "properties": {
                "connections": {"type": ["array", "null"], "items": {"$ref": "#/definitions/connection"}},
                "$schema": {"type": "string"},
            },
            "patternProperties": {"^x-": {"description": "A place for anchors; ignored."}},
            "additionalProperties": False,
        },
        "else": {"$ref": "#/definitions/connection"},
    }


def _connection(kinds: Mapping[str, Kind]) -> Schema:
    return {
        "type": "object",
        "required": ["name", "environment", "kind"],
        "properties": {
            "name": {
                "description": "Unique in its environment. Another name is another connection.",
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_NAME,
            },
            "environment": {"description": "Never changes.", "enum": list(ENVIRONMENTS)},
            "kind": {
                "description": "Never changes. " + " ".join(f"{one.name}: {one.title}." for one in kinds.values()),
                "enum": list(kinds),
            },
            "owner": {
                "description": "One word: whom a page about this connection goes to. Left out: nobody.",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
            },
            "config": {"description": "The kind's public config; what is left out has its default.", "type": "object"},
            "credentials": {
                "description": "Field: ${env:NAME} or ${file:PATH}. null removes; what is not named stays as stored.",
                "type": ["object", "null"],
            },
            "credentials_after": {
                "description": "Send credentials again that were stored before this moment: a rotation, said once.",
                "type": ["string", "null"],
                "format": "date-time",
            },
            "beat": {"$ref": "#/definitions/beat"},
            "active": {
                "description": "true: goes live as soon as it is proven. false: taken out. Left out: stays as it is.",
                "type": ["boolean", "null"],
            },
        },
        "additionalProperties": False,
        "allOf": [_of_kind(kind) for kind in kinds.values()],
    }


def _of_kind(kind: Kind) -> Schema:
    needed = any(field.is_required() for field in kind.config.model_fields.values())
    then: Schema = {
        "properties": {
            "config": {"$ref": f"#/definitions/{kind.name}.config"},
            "credentials": {"$ref": f"#/definitions/{kind.name}.credentials"},
        }
    }
    return {
        "if": {"required": ["kind"], "properties": {"kind": {"const": kind.name}}},
        "then": {"required": ["config"], **then} if needed else then,
    }


def _forms(kind: Kind) -> Schema:
    template = f"#/definitions/{kind.name}.{{model}}"
    config = kind.config.model_json_schema(ref_template=template)
    inner = {f"{kind.name}.{name}": one for name, one in config.pop("$defs", {}).items()}
    config["title"] = f"{kind.title}: config"
    config["properties"] = {name: _or_reference(field) for name, field in config["properties"].items()}
    shown = kind.credentials.model_json_schema().get("properties", {})
    credentials = {
        "title": f"{kind.title}: credentials",
        "type": ["object", "null"],
        "properties": {name: _secret(field) for name, field in shown.items()},
        "additionalProperties": False,
    }
    return inner | {f"{kind.name}.config": config, f"{kind.name}.credentials": credentials}


def _or_reference(field: Schema) -> Schema:
    """A field that would not take just any text takes a reference too; a badly spelt one is taken nowhere."""
    if field.get("type") == "string" and not {"enum", "const", "pattern", "minLength"} & field.keys():
        return {**field, "pattern": _WELL_FORMED}
    about = {name: value for name, value in field.items() if name in _ABOUT}
    return {**about, "pattern": _WELL_FORMED, "anyOf": [*_branches(field), {"$ref": "#/definitions/reference"}]}


def _branches(field: Schema) -> list[Schema]:
    inner = {name: value for name, value in field.items() if name not in _ABOUT}
    return list(inner["anyOf"]) if inner.keys() == {"anyOf"} else [inner]


def _secret(field: Schema) -> Schema:
    return {
        "title": field.get("title", ""),
        "description": (field.get("description", "") + " Write ${env:NAME} or ${file:PATH}.").strip(),
        "type": ["string", "null"],
        "pattern": _WELL_FORMED,
    }


def _beat() -> Schema:
    bounds = {
        "interval_seconds": ("Time between beats.", MIN_INTERVAL, MAX_INTERVAL),
        "timeout_seconds": (
            "Longest time for a beat; by default 10, or the interval if that is less.",
            1,
            MAX_INTERVAL,
        ),
        "failure_threshold": ("Failed beats in a row that open an incident.", 1, MAX_THRESHOLD),
        "recovery_threshold": ("Good beats in a row that end it.", 1, MAX_THRESHOLD),
        "degraded_after_ms": ("A slower good beat counts as degraded.", 1, MAX_DEGRADED_MS),
    }
    usual = BeatDraft()
    return {
        "description": "How often the connection is asked whether it lives. Left out: every 30 seconds.",
        "type": ["object", "null"],
        "properties": {
            name: {
                "description": description,
                "type": ["integer", "null"],
                "minimum": low,
                "maximum": high,
                "default": getattr(usual, name),
            }
            for name, (description, low, high) in bounds.items()
        },
        "additionalProperties": False,
    }
