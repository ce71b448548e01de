"""`clearline export`: what it writes is read back as it was, whatever stands in it, and holds no secret."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from shared.tests.cli.fake_gateway import Clearline, FakeGateway, verification

from clearline.cli.answers import Connection
from clearline.cli.declared.tree import parse
from clearline.cli.exporting.variables import LONGEST, variables
from clearline.cli.exporting.yaml_text import fields

BEAT = {"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2}
STORED = {"stored": True, "changed_at": "2026-11-01T00:00:00Z"}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
NASTY = [
    "no",
    "1e3",
    "0o7",
    "12:30:00",
    "~",
    "a: b",
    "# x",
    'it\'s "so"',
    "${env:HOME}",
    "$${x",
    "\u2028\x85",
    "😀",
    "a\\b",
]


def add(gateway: FakeGateway, name: str, environment: str, **more: object) -> None:
    gateway.add(name, environment, **({"beat": BEAT, "credentials": {}} | more))


def fill(gateway: FakeGateway) -> None:
    live = {"lifecycle": "active", "live_revision": 1}
    password = {"password": STORED}
    config = {"host": "db.example.com", "port": 5433, "database": "no", "user": "1e3", "tables": ["a.b", "${env:X}"]}
    add(gateway, "warehouse", "production", owner="data-team", config=config, credentials=password, **live)
    add(gateway, "warehouse", "staging", config=config, credentials=password, beat=BEAT | {"timeout_seconds": 7})
    add(
        gateway,
        'it\'s: a # "name"',
        "development",
        kind="tcp",
        config={"host": "db.example.com", "port": 1},
        beat=BEAT | {"interval_seconds": 5, "timeout_seconds": 5},
    )
    add(
        gateway,
        "web",
        "development",
        kind="http",
        config={"url": "https://x.example.com/?q=$y", "auth": "bearer"},
        credentials={"token": STORED},
        lifecycle="active",
        live_revision=1,
        revision=2,
    )
    add(gateway, "old", "staging", lifecycle="retired")


def test_what_is_exported_is_applied_as_unchanged(clearline: Clearline, gateway: FakeGateway, tmp_path: Path) -> None:
    fill(gateway)
    for form, name in (("table", "e.yaml"), ("json", "e.json")):
        result = clearline("export", "-o", form)
        assert result.code == 0, result.err
        (tmp_path / name).write_text(result.out, encoding="utf-8")
        secrets = dict.fromkeys(re.findall(r"\$\{env:([A-Z0-9_]+)\}", result.out), "some-secret")
        for options in (("--dry-run",), ()):
            again = clearline("apply", "-f", name, "-o", "json", *options, env=secrets)
            assert again.code == 0, again.err
            assert [(one["name"], one["actions"], one["changed"]) for one in again.json if one["actions"]] == []
            assert len(again.json) == 4
    assert {request.method for request in gateway.requests} == {"GET"}


def test_the_order_is_stable_and_what_must_be_supplied_is_said(clearline: Clearline, gateway: FakeGateway) -> None:
    fill(gateway)
    text = clearline("export").out
    labels = re.findall(r"- name: (.*)\n    environment: (.*)\n", text)
    assert [environment for _, environment in labels] == ["development", "development", "staging", "production"]
    assert "#   PRODUCTION_WAREHOUSE_PASSWORD  (production/warehouse)" in text
    assert "#   WEB_TOKEN  (development/web)" in text
    assert "old" not in text
    assert "${env:STAGING_WAREHOUSE_PASSWORD}" in text
    gateway.connections = dict(reversed(gateway.connections.items()))
    assert clearline("export").out == text


def test_a_staged_revision_is_exported_without_active(clearline: Clearline, gateway: FakeGateway) -> None:
    fill(gateway)
    text = clearline("export", "development/web").out
    assert "Revision 2 stands here, 1 is live." in text
    assert "\n    active:" not in text
    assert "active: true" in clearline("export", "--environment", "production").out


def test_names_and_environment_choose(clearline: Clearline, gateway: FakeGateway) -> None:
    fill(gateway)
    one = clearline("export", "production/warehouse", "-o", "json").json["connections"]
    assert [(item["name"], item["credentials"]) for item in one] == [
        ("warehouse", {"password": "${env:WAREHOUSE_PASSWORD}"})
    ]
    assert len(clearline("export", "--environment", "development", "-o", "json").json["connections"]) == 2
    empty = clearline("export", "--environment", "nowhere")
    assert (empty.code, "No connection fits." in empty.err) == (0, True)


def test_what_is_retired_is_not_exported(clearline: Clearline, gateway: FakeGateway) -> None:
    gone = gateway.add(lifecycle="retired")
    result = clearline("export", gone["id"])
    assert (result.code, result.out) == (2, "")
    assert "is retired" in result.err


def test_defaults_are_left_out(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add(
        config={"host": "db", "port": 5432, "database": "d", "user": "u", "tls": "prefer"},
        beat=BEAT,
        verification=verification("verified"),
    )
    [item] = clearline("export", "-o", "json").json["connections"]
    assert item["config"] == {"host": "db", "database": "d", "user": "u"}
    assert "beat" not in item


SAFE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,10}", fullmatch=True),
        st.one_of(
            SAFE,
            st.sampled_from([*NASTY, PEM, PEM.strip()]),
            st.integers(-(10**15), 10**15),
            st.booleans(),
            st.none(),
            st.lists(SAFE, max_size=3),
        ),
        min_size=1,
    ),
    st.booleans(),
)
def test_every_value_is_read_back_as_it_was(values: dict[str, object], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    text = "\n".join(fields(values, 0, ascii_only=ascii_only)) + "\n"
    assert parse(text.encode()).documents[0].plain() == values
    assert yaml.safe_load(text) == values, "readers of YAML 1.1 see the same"
    assert text.isascii() or not ascii_only


def test_certificates_are_blocks() -> None:
    assert "\n".join(fields({"ca_certificate": PEM}, 2, ascii_only=True)).startswith(
        "  ca_certificate: |\n    -----BEGIN"
    )


def connection(name: str, environment: str, *secrets: str) -> Connection:
    return Connection(
        id=f"{environment}/{name}", name=name, environment=environment, kind="http", lifecycle="inactive", revision=1,
        credentials={name: {"stored": True} for name in secrets},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("connections", "names"),
    [
        ([("a", "staging", "password")], ["A_PASSWORD"]),
        ([("my-api", "staging", "api_key")], ["MY_API_API_KEY"]),
        (
            [("a", "staging", "password"), ("a", "production", "password")],
            ["STAGING_A_PASSWORD", "PRODUCTION_A_PASSWORD"],
        ),
    ],
)
def test_variables_are_called_by_connection_and_field(
    connections: list[tuple[str, str, str]], names: list[str]
) -> None:
    assert list(variables(connection(*one) for one in connections).values()) == names


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=100), st.sampled_from(["staging", "production"])),
        unique=True,
        max_size=8,
    )
)
def test_no_two_secrets_share_a_variable_and_every_shell_takes_it(labels: list[tuple[str, str]]) -> None:
    names = variables(connection(*label, "password", "client_secret") for label in labels)
    assert len(set(names.values())) == len(names) == 2 * len(labels)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and len(name) <= LONGEST + 30 for name in names.values())


def test_a_terminal_without_unicode_gets_escapes(
    clearline: Clearline, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(gateway, "caf\u00e9", "staging", kind="tcp", config={"host": "a", "port": 1})
    monkeypatch.setattr("shared.tests.cli.fake_gateway.Stream.encoding", "ascii", raising=False)
    text = clearline("export").out
    assert text.isascii()
    assert parse(text.encode()).documents[0].plain()["connections"][0]["name"] == "caf\u00e9"
    assert json.loads(clearline("export", "-o", "json").out)["connections"][0]["name"] == "caf\u00e9"
