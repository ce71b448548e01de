"""`clearline apply`: what differs is done, what does not is left alone."""

from pathlib import Path

import pytest
from shared.tests.cli.declared_file import FILE, SECRET, Apply, told, wrote
from shared.tests.cli.fake_gateway import Clearline, FakeGateway


def test_what_is_missing_is_created_verified_and_activated(apply: Apply, gateway: FakeGateway) -> None:
    code, results = apply()
    assert (code, told(results)) == (0, [("warehouse", ["create", "activate"], "done"), ("queue", ["create"], "done")])
    warehouse, queue = sorted(gateway.connections.values(), key=lambda one: one["environment"])
    assert (warehouse["lifecycle"], warehouse["owner"], warehouse["beat"]["interval_seconds"]) == (
        "active",
        "data-team",
        60,
    )
    assert queue["lifecycle"] == "inactive"
    assert [one["field"] for one in results[0]["changed"]] == [
        "/config/host",
        "/config/database",
        "/config/user",
        "/credentials/password",
        "/owner",
        "/beat/interval_seconds",
    ]
    created = next(body for body in gateway.sent("POST") if body.get("name") == "warehouse")
    assert created["credentials"] == {"password": "hunter2-hunter2"}
    assert {"revision": 1} in gateway.sent("POST"), "what is activated is the revision that was verified"


def test_the_second_time_nothing_is_written(apply: Apply, gateway: FakeGateway) -> None:
    apply()
    before = len(wrote(gateway))
    code, results = apply()
    assert (code, told(results)) == (0, [("warehouse", [], "unchanged"), ("queue", [], "unchanged")])
    assert results[0]["unknown"] == ["/credentials/password"]
    assert len(wrote(gateway)) == before


def test_an_edit_says_each_field_before_and_after_and_is_made_of_what_the_file_says(
    apply: Apply, gateway: FakeGateway, file: Path
) -> None:
    apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("owner: data-team", "owner: platform"))
    code, results = apply()
    assert (code, told(results)[0]) == (0, ("warehouse", ["edit", "activate"], "done"))
    assert results[0]["changed"] == [
        {"field": "/config/database", "before": "w", "after": "lake"},
        {"field": "/credentials/password", "before": "stored", "after": "sent"},
        {"field": "/owner", "before": "data-team", "after": "platform"},
    ]
    [put] = gateway.sent("PUT")
    assert put["credentials"] == {"password": "hunter2-hunter2"}
    assert gateway.connections[results[0]["id"]]["live_revision"] == 2


def test_settings_alone_make_no_revision_and_need_no_activation(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("interval_seconds: 60", "interval_seconds: 90"))
    _, results = apply()
    assert told(results)[0] == ("warehouse", ["settings"], "done")
    assert gateway.connections[results[0]["id"]]["revision"] == 1
    assert (gateway.sent("PUT")[0]["credentials"], results[0]["unknown"]) == ({}, ["/credentials/password"])


def test_what_the_file_leaves_out_has_its_default(apply: Apply, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("    owner: data-team\n", "").replace("    beat: {interval_seconds: 60}\n", ""))
    _, results = apply()
    assert {(one["field"], one["after"]) for one in results[0]["changed"]} == {
        ("/owner", None),
        ("/beat/interval_seconds", 30),
    }


def test_a_changed_destination_brings_the_secret_anew(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    file.write_text(FILE.replace("db.example.com", "db2.example.com"))
    _, results = apply()
    assert {"field": "/credentials/password", "before": "stored", "after": "sent"} in results[0]["changed"]
    assert gateway.sent("PUT")[0]["credentials"] == {"password": "hunter2-hunter2"}


def test_a_rotation_is_said_by_the_option_or_once_by_the_file(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    apply()
    _, results = apply("--replace-credentials", "--only", "warehouse")
    assert told(results) == [("warehouse", ["edit", "activate"], "done")]
    file.write_text(FILE.replace("    active: true", "    active: true\n    credentials_after: 2026-11-22T11:59:59Z"))
    assert told(apply()[1])[0] == ("warehouse", [], "unchanged"), "it was stored after that moment"
    gateway.connections[results[0]["id"]]["credentials"]["password"]["changed_at"] = "2026-11-01T00:00:00Z"
    assert told(apply()[1])[0] == ("warehouse", ["edit", "activate"], "done")
    assert told(apply()[1])[0] == ("warehouse", [], "unchanged")


def test_null_removes_a_stored_credential(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    web = "{name: web, environment: staging, kind: http, config: {url: 'http://x.example.com/'}"
    file.write_text(web + ", credentials: {token: null}}")
    config = {"url": "http://x.example.com/"}
    gateway.add("web", "staging", kind="http", config=config, credentials={"token": {"stored": True}})
    _, results = apply()
    assert told(results) == [("web", ["edit"], "done")]
    assert gateway.sent("PUT")[0]["credentials"] == {"token": None}


@pytest.mark.parametrize(
    ("active", "live", "actions"),
    [("true", 1, []), ("false", 1, ["deactivate"]), ("false", None, []), (None, 1, [])],
)
def test_active_is_made_so_or_left_alone(
    apply: Apply, gateway: FakeGateway, active: str | None, live: int | None, actions: list[str], *, file: Path
) -> None:
    more = f", active: {active}" if active else ""
    file.write_text(f"{{name: q, environment: staging, kind: tcp, config: {{host: q, port: 1}}{more}}}")
    lifecycle = "active" if live else "inactive"
    beat = {"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2}
    gateway.add(
        *("q", "staging"), kind="tcp", config={"host": "q", "port": 1}, credentials={}, beat=beat,
        lifecycle=lifecycle, live_revision=live,
    )  # fmt: skip
    code, results = apply()
    assert (code, results[0]["actions"]) == (0, actions)


def test_a_revision_that_waits_beside_the_live_one_goes_live(apply: Apply, gateway: FakeGateway, file: Path) -> None:
    _, results = apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("    active: true\n", ""))
    assert told(apply()[1])[0] == ("warehouse", ["edit"], "done")
    file.write_text(FILE.replace("database: w", "database: lake"))
    assert told(apply()[1])[0] == ("warehouse", ["activate"], "done")
    assert gateway.connections[results[0]["id"]]["live_revision"] == 2


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(
    clearline: Clearline, gateway: FakeGateway, file: Path, apply: Apply
) -> None:
    apply()
    file.write_text(FILE.replace("database: w", "database: lake").replace("port: 5672", "port: 5673"))
    gateway.requests.clear()
    result = clearline("apply", "-f", file.name, "--dry-run", env=SECRET)
    assert (result.code, wrote(gateway)) == (0, [])
    assert "edit, activate production/warehouse (postgres, c.yaml:2)" in result.out
    assert '/config/database: "w" → "lake"' in result.out
    assert "/credentials/password: sent" in result.out
    assert "2 planned (dry run: nothing was changed)" in result.out


def test_a_newer_gateways_field_with_its_default_is_no_difference(
    apply: Apply, gateway: FakeGateway, file: Path
) -> None:
    """And an older one, whose stored config lacks a field that has a default here."""
    file.write_text("{name: w, environment: staging, kind: postgres, config: {host: db, database: d, user: u}}")
    gateway.add("w", "staging", config={"host": "db", "database": "d", "user": "u"})
    _, results = apply()
    assert results[0]["actions"] in ([], ["settings"])
    assert not [one for one in results[0]["changed"] if one["field"].startswith("/config")]
