"""References in declared files: read when they are wanted, told when they lead nowhere, never shown."""

from pathlib import Path

import pytest
from shared.tests.cli.declared_text import faults, read
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

from clearline.cli.declared.reader import credentials_of, read_declared
from clearline.cli.surroundings import Surroundings


def test_references_in_config_are_replaced_and_may_give_a_number(around: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "host").write_text("db.example.com\n")
    text = "{name: a, environment: staging, kind: tcp, config: {host: '${file:host}', port: '${env:PORT}'}}"
    (tmp_path / "sub" / "one.yaml").write_text(text)
    [item] = read_declared(["sub/one.yaml"], around)
    assert item.config == {"host": "db.example.com", "port": 77}


def postgres(password: str) -> str:
    return (
        "connections:\n  - name: w\n    environment: staging\n    kind: postgres\n"
        f"    config: {{host: db, database: '${{env:WORD}}', user: u}}\n    credentials:\n      password: {password}\n"
    )


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ("'${env:WORD}'", "from-env"),
        ("'a-${env:WORD}-b'", "a-from-env-b"),
        ("hunter2", "hunter2"),
        ("'a$${env:WORD}'", "a${env:WORD}"),
    ],
)
def test_a_secret_is_read_when_it_is_wanted(around: Surroundings, written: str, secret: str) -> None:
    [item] = read(postgres(written), around)
    credentials, wrong = credentials_of(item)
    assert wrong == []
    assert credentials is not None
    assert credentials.given() == {"password": secret}
    assert secret not in repr(item) + repr(credentials)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("'${env:NOT_THERE}'", "The environment variable NOT_THERE is not set."),
        ("'${file:not/there}'", "The file not/there cannot be read: No such file or directory."),
        ("'${env:NOT THERE}'", "name of a variable"),
        ("'${NOT_THERE}'", "Only ${env:NAME} and ${file:PATH}"),
        ("'${env:'", "Only ${env:NAME} and ${file:PATH}"),
    ],
)
def test_a_missing_variable_or_file_is_told_with_item_field_and_name(
    around: Surroundings, written: str, told: str
) -> None:
    [item] = read(postgres(written), around)
    credentials, [fault] = credentials_of(item)
    assert credentials is None
    assert (fault.subject, fault.pointer, fault.place.line) == ("staging/w", "/credentials/password", 7)
    assert told in fault.detail


def test_the_guides_example_of_faults_is_what_the_commands_say(clearline: Clearline, tmp_path: Path) -> None:
    guide = Path("docs/guides/config-as-code.md").read_text()
    told = next(part for part in guide.split("```\n") if part.startswith("✕ "))
    (tmp_path / "connections.yaml").write_text(
        "connections:\n  - name: warehouse\n    environment: production\n    kind: postgres\n    config:\n"
        "      {host: db.example.com, prot: 5432, database: w, user: clearline}\n"
        "    credentials: {password: '${env:W}'}\n"
    )
    nowhere: dict[str, str | None] = {"CLEARLINE_URL": None, "CLEARLINE_TOKEN": None}
    for command in ("check", "apply", "test"):  # none of them needs a gateway to say so
        result = clearline(command, "-f", "connections.yaml", env=nowhere)
        assert (result.code, result.err) == (2, told), command
    dry = clearline("apply", "-f", "connections.yaml", "--dry-run", env=nowhere)
    assert "REFERENCE_UNAVAILABLE" not in dry.err, "a dry run needs no secret"


def test_an_unknown_field_is_told_beside_a_variable_that_is_missing_in_config(around: Surroundings) -> None:
    text = postgres("'${env:WORD}'").replace("host: db", "hots: 1, host: '${env:NOT_THERE}'")
    assert {(pointer, code) for _, pointer, code, _ in faults(text, around)} == {
        ("/config/hots", "FIELD_UNKNOWN"),
        ("/config/host", "REFERENCE_UNAVAILABLE"),
    }


def test_a_missing_variable_in_config_is_told_like_every_fault(around: Surroundings) -> None:
    text = postgres("'${env:WORD}'").replace("host: db", "host: '${env:NOT_THERE}'")
    [(line, pointer, code, told)] = faults(text, around)
    assert (line, pointer, code) == (5, "/config/host", "REFERENCE_UNAVAILABLE")
    assert "NOT_THERE" in told


def test_a_needed_credential_that_is_not_given_is_told(around: Surroundings) -> None:
    [item] = read(postgres("null"), around)
    _, [fault] = credentials_of(item)
    assert (fault.pointer, fault.code) == ("/credentials/password", "FIELD_REQUIRED")


def test_no_fault_repeats_a_value(around: Surroundings) -> None:
    text = "{name: a, environment: hunter2, kind: hunter2, owner: hunter 2, active: hunter2, beat: hunter2}"
    told = " ".join(fault[3] for fault in faults(text, around))
    assert "hunter" not in told


def test_which_connection_is_meant_does_not_depend_on_who_applies_the_file(
    around: Surroundings, clearline: Clearline, tmp_path: Path
) -> None:
    item = "{name: '%s', environment: staging, kind: tcp, config: {host: h, port: 1}}"
    (tmp_path / "c.yaml").write_text(item % "${env:WORD}")
    refused = clearline("apply", "-f", "c.yaml", "--dry-run")
    assert refused.code == 2
    assert "/name (FIELD_FORMAT) References are replaced in config and credentials alone." in refused.err
    (tmp_path / "c.yaml").write_text(item % "$${env:WORD}")
    assert [one.name for one in read_declared(["c.yaml"], around)] == ["${env:WORD}"]


def test_create_and_edit_save_no_reference_as_it_stands(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path
) -> None:
    """They would be accepted by the form where it wants a text."""
    gateway.add()
    item = "{name: warehouse, environment: development, kind: postgres, config: {host: '${env:DB_HOST}'}}"
    (tmp_path / "c.yaml").write_text(item)
    for command in (("create",), ("edit", "warehouse")):
        result = clearline("connections", *command, "-f", "c.yaml")
        assert result.code == 2
        assert "`clearline apply -f` replaces those of config too." in result.err
    assert [*gateway.sent("POST"), *gateway.sent("PUT")] == []
