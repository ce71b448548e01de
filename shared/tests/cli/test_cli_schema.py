"""The published JSON Schema takes what the reader takes, for every kind, and refuses what it refuses."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway
from shared.tests.probes.kind_samples import SAMPLES

from clearline.cli.declared.schema import connections_schema
from clearline.cli.declared.tree import parse
from clearline.probes.registry import KINDS

ROOT = Path(__file__).parents[3]
TCP: dict[str, Any] = {"name": "a", "environment": "staging", "kind": "tcp", "config": {"host": "h", "port": 1}}
POSTGRES: dict[str, Any] = TCP | {"kind": "postgres", "config": {"host": "h", "database": "d", "user": "u"}}


@pytest.fixture(scope="module")
def schema() -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft7Validator(connections_schema(KINDS))


def test_the_schema_is_one_and_is_what_the_command_prints(clearline: Clearline, gateway: FakeGateway) -> None:
    shown = clearline("schema")
    assert (shown.code, gateway.requests) == (0, [])
    assert jsonschema_rs.meta.is_valid(shown.json)
    assert shown.json == json.loads((ROOT / "docs/schemas/connections.schema.json").read_text())


@pytest.mark.parametrize(
    "document",
    [
        {"connections": [TCP, POSTGRES]},
        {"connections": [], "$schema": "connections.schema.json", "x-shared": {"any": "thing"}},
        TCP,
        TCP | {"owner": "data-team", "active": True, "beat": {"interval_seconds": 60}},
        TCP | {"config": {"host": "${env:HOST}", "port": "${env:PORT}"}},
        POSTGRES | {"credentials": {"password": "${env:W}"}, "credentials_after": "2026-11-22T12:00:00Z"},
        POSTGRES | {"credentials": {"password": None}},
        POSTGRES | {"credentials": {"password": "a$b$$c$${d}${env:W}\n$"}},
        POSTGRES | {"config": POSTGRES["config"] | {"tls": "${env:TLS}", "tables": ["a.b"]}},
    ],
)
def test_what_is_right_is_taken(schema: jsonschema_rs.Validator, document: Any) -> None:
    assert [error.message for error in schema.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document",
    [
        {"connections": [TCP], "conections": []},
        {"connections": {"a": TCP}},
        {"connections": ["a"]},
        {},
        TCP | {"environment": "prod"},
        TCP | {"kind": "tpc"},
        TCP | {"colour": "red"},
        TCP | {"config": {"host": "h"}},
        TCP | {"config": {"host": "h", "port": 99999}},
        TCP | {"config": {"host": "h", "port": "5432"}},
        TCP | {"config": {"host": "h", "port": 1, "prot": 2}},
        TCP | {"credentials": {"password": "x"}},
        {name: value for name, value in TCP.items() if name != "config"},
        POSTGRES | {"credentials": {"pasword": "x"}},
        POSTGRES | {"credentials": {"password": 5}},
        POSTGRES | {"credentials": {"password": "${evn:W}"}},
        POSTGRES | {"credentials": {"password": "${W}"}},
        POSTGRES | {"credentials": {"password": "${env:W"}},
        POSTGRES | {"config": POSTGRES["config"] | {"host": "${evn:HOST}"}},
        POSTGRES | {"config": POSTGRES["config"] | {"port": "${env:A}${PORT}"}},
        POSTGRES | {"config": POSTGRES["config"] | {"tls": "perhaps"}},
        TCP | {"active": "yes"},
        TCP | {"beat": {"interval_seconds": 1}},
        TCP | {"beat": {"interval": 60}},
        TCP | {"owner": "two words"},
    ],
)
def test_what_is_wrong_is_refused(schema: jsonschema_rs.Validator, document: Any) -> None:
    assert not schema.is_valid(document)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kinds_own_samples_are_taken(schema: jsonschema_rs.Validator, kind: str) -> None:
    for sample in SAMPLES[kind]:
        config, credentials = sample("db.example.com", 5432)
        document = TCP | {"kind": kind, "config": config, "credentials": credentials}
        assert [error.message for error in schema.iter_errors(document)] == []
        assert not schema.is_valid(document | {"config": config | {"no_such_field": 1}})


def test_the_guides_examples_are_taken(schema: jsonschema_rs.Validator) -> None:
    found = 0
    for guide in ("command-line.md", "config-as-code.md"):
        for block in (ROOT / "docs/guides" / guide).read_text().split("```yaml\n")[1:]:
            for document in parse(block.partition("```")[0].encode()).documents:
                found += 1
                assert [error.message for error in schema.iter_errors(document.plain())] == []
    assert found
