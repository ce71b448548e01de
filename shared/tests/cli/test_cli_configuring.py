"""`connections create` and `edit`: typed fields, files, ETags, and secrets that never come as arguments."""

import json
from pathlib import Path

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

CREATE = ("connections", "create", "--name", "w", "--environment", "development", "--kind", "postgres")


def test_fields_are_typed_by_the_kinds_form(clearline: Clearline, gateway: FakeGateway) -> None:
    fields = ("host=db.example.com", "port=5433", "read_only=true", "budget=1.5", "schemas=a, b", "expected=204")
    result = clearline(*CREATE, "--owner", "team", *(part for one in fields for part in ("--set", one)))
    assert result.code == 0
    assert gateway.sent("POST") == [
        {
            "name": "w",
            "environment": "development",
            "kind": "postgres",
            "owner": "team",
            "config": {
                "host": "db.example.com",
                "port": 5433,
                "read_only": True,
                "budget": 1.5,
                "schemas": ["a", "b"],
                "expected": 204,
            },
            "credentials": {},
        }
    ]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("port=abc", "The field port wants a whole number."),
        ("read_only=maybe", "wants true or false"),
        ("prot=1", "Did you mean port?"),
        ("port", "--set wants FIELD=VALUE"),
        ("tls=never", "wants one of disable, prefer, require"),
    ],
)
def test_a_wrong_field_is_told_before_anything_is_sent(
    clearline: Clearline, gateway: FakeGateway, field: str, told: str
) -> None:
    result = clearline(*CREATE, "--set", field)
    assert result.code == 2
    assert told in result.err
    assert not gateway.sent("POST")


@pytest.mark.parametrize("arguments", [("--set", "password=hunter2"), ("--secret", "password=hunter2")])
def test_a_secret_as_argument_is_refused_with_the_reason_and_not_repeated(
    clearline: Clearline, gateway: FakeGateway, arguments: tuple[str, ...]
) -> None:
    result = clearline(*CREATE, "--set", "host=db", *arguments)
    assert result.code == 2
    assert "argument" in result.err
    assert "hunter2" not in result.out + result.err
    assert not gateway.sent("POST")


def test_a_secret_left_behind_an_option_is_not_repeated(clearline: Clearline) -> None:
    result = clearline(*CREATE, "--secret", "password", "hunter2")
    assert result.code == 2
    assert "hunter2" not in result.out + result.err


def test_secrets_come_from_a_prompt_stdin_environment_or_file(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    ways = [
        clearline(*CREATE, "--secret", "password", tty=True, answers=("typed",)),
        clearline(*CREATE, "--secret", "password=-", stdin="piped\n"),
        clearline(*CREATE, "--secret", "password=${env:DB}", env={"DB": "from-env"}),
        clearline(*CREATE, "--secret", "password=${file:secret}"),
    ]
    assert [way.code for way in ways] == [0, 0, 0, 0]
    assert [body["credentials"]["password"] for body in gateway.sent("POST")] == [
        "typed",
        "piped",
        "from-env",
        "from-file",
    ]
    assert not any("typed" in way.out + way.err for way in ways)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("password", "nobody can be asked"),
        ("password=${env:NOT_THERE}", "NOT_THERE, which is not set"),
        ("password=${file:/not/there}", "No such file"),
        ("password=-", "is empty"),
        ("pasword", "Did you mean password?"),
    ],
)
def test_a_secret_that_cannot_be_had_is_told(clearline: Clearline, option: str, told: str) -> None:
    result = clearline(*CREATE, "--secret", option)
    assert result.code == 2
    assert told in result.err


def _missing_password(_request: httpx2.Request) -> httpx2.Response:
    body = {
        "status": 422,
        "code": "VALIDATION_FAILED",
        "user_message": "Something is missing.",
        "errors": [{"pointer": "/credentials/password", "code": "FIELD_REQUIRED", "detail": "Is needed."}],
    }
    return httpx2.Response(422, json=body)


def test_a_secret_that_the_gateway_misses_is_asked_for_on_a_terminal(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    def once(request: httpx2.Request) -> httpx2.Response:
        del gateway.answers["POST", "/api/v1/connections"]
        return _missing_password(request)

    gateway.answers["POST", "/api/v1/connections"] = once
    result = clearline(*CREATE, "--set", "host=db", tty=True, answers=("typed",))
    assert result.code == 0
    assert [body["credentials"] for body in gateway.sent("POST")] == [{}, {"password": "typed"}]


def test_without_a_terminal_the_missing_secret_is_named_with_a_way_to_give_it(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    gateway.answers["POST", "/api/v1/connections"] = _missing_password
    result = clearline(*CREATE, "--set", "host=db")
    assert result.code == 2
    assert "/credentials/password (FIELD_REQUIRED) Is needed." in result.err
    assert "--secret password=-" in result.err


def test_a_file_is_read_and_options_win_over_it(clearline: Clearline, gateway: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "connections:\n"
        "  - name: warehouse\n    environment: production\n    kind: postgres\n"
        "    config: {host: db, port: 1}\n    credentials: {password: '${env:DB}'}\n"
        "    beat: {interval_seconds: 60}\n    active: true\n"
    )
    result = clearline(
        *("connections", "create", "-f", "one.yaml", "--set", "port=2", "--environment", "staging"),
        env={"DB": "x"},
    )
    assert result.code == 0
    assert "does not activate" in result.err
    assert gateway.sent("POST") == [
        {
            "name": "warehouse",
            "environment": "staging",
            "owner": None,
            "kind": "postgres",
            "config": {"host": "db", "port": 2},
            "credentials": {"password": "x"},
            "beat": {"interval_seconds": 60},
        }
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{name: a, kind: postgres, credentials: {password: hunter2}}", "The file holds the secret password itself"),
        ("{name: a, kind: postgres, colour: red}", "colour"),
        ("{name: [", "line 1: This is neither YAML nor JSON"),
        ("connections: [{name: a}, {name: b}]", "holds 2 connections"),
        ("[]", "holds no connection"),
    ],
)
def test_a_wrong_file_is_told(clearline: Clearline, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "one.yaml").write_text(text)
    result = clearline("connections", "create", "--environment", "development", "-f", "one.yaml")
    assert result.code == 2
    assert told in result.err
    assert "hunter2" not in result.err


def test_create_with_wait_ends_as_its_verification_ends(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.script = [{"id": "v1", "status": "failed", "steps": [], "failure": {"code": "AUTH_REJECTED"}}]
    result = clearline(*CREATE, "--wait")
    assert result.code == 1
    assert "AUTH_REJECTED" in result.out
    assert "Reference: cli-0123456789abcdef" in result.out


def test_create_as_json_prints_the_connection(clearline: Clearline) -> None:
    result = clearline(*CREATE, "--wait", "-o", "json")
    assert (result.code, result.json["name"]) == (0, "w")


def test_an_edit_sends_what_was_read_changed_and_keeps_unnamed_secrets(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    one = gateway.add()
    result = clearline("connections", "edit", "warehouse", "--set", "port=6000", "--beat-interval", "5")
    assert result.code == 0
    assert gateway.sent("PUT") == [
        {
            "name": "warehouse",
            "environment": "development",
            "owner": None,
            "kind": "postgres",
            "config": {"host": "db", "port": 6000},
            "credentials": {},
            "beat": {"interval_seconds": 5, "degraded_after_ms": None},
        }
    ]
    assert [r.headers["if-match"] for r in gateway.requests if r.method == "PUT"] == ['"1"']
    assert one["revision"] == 2


def test_an_edit_removes_and_replaces_secrets_and_unsets_fields(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    clearline("connections", "edit", "warehouse", "--unset", "port", "--remove-secret", "password")
    clearline("connections", "edit", "warehouse", "--secret", "password=-", stdin="new")
    assert [(body["config"], body["credentials"]) for body in gateway.sent("PUT")] == [
        ({"host": "db"}, {"password": None}),
        ({"host": "db"}, {"password": "new"}),
    ]


def test_an_edit_of_what_somebody_else_changed_exits_1_and_says_that_nothing_was_saved(
    clearline: Clearline, gateway: FakeGateway
) -> None:
    one = gateway.add()
    gateway.answers["GET", f"/api/v1/connections/{one['id']}"] = lambda _request: httpx2.Response(
        200, json=one, headers={"etag": '"0"'}
    )
    result = clearline("connections", "edit", "warehouse", "--set", "port=1")
    assert result.code == 1
    assert "your edit was not saved" in result.err
    assert "CONNECTION_CHANGED" in result.err


def test_an_edit_needs_something_to_change(clearline: Clearline, gateway: FakeGateway) -> None:
    gateway.add()
    assert clearline("connections", "edit", "warehouse").code == 2


def test_a_file_about_another_connection_does_not_edit_this_one(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path
) -> None:
    gateway.add()
    (tmp_path / "one.json").write_text(json.dumps({"name": "other", "config": {"host": "x"}}))
    result = clearline("connections", "edit", "warehouse", "-f", "one.json")
    assert (result.code, gateway.sent("PUT")) == (2, [])
    assert "another connection" in result.err
