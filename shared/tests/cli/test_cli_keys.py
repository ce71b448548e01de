"""`clearline keys`: made for the owner alone, looked at, rotated to the end, taken away when nothing names them."""

import stat
from pathlib import Path
from typing import Any

import httpx2
import pytest
from shared.tests.cli.fake_gateway import Clearline, FakeGateway

from clearline.probes.sealing import Opener, key_id, public_of

NEW, OLD = "1111111111111111", "2222222222222222"


def key(identifier: str, **more: Any) -> dict[str, Any]:
    plain = {"key_id": identifier, "current": False, "envelopes": 0, "connections": 0, "oldest_at": None}
    return {**plain, "unreadable": 0, "last_named_at": None, "removable": False, "removable_at": None, **more}


def rotation(status: str, **more: Any) -> dict[str, Any]:
    counts = {"pending": 0, "resealed": 0, "failed": 0, "failures": []}
    return {"id": "r1", "key_id": NEW, "status": status, **counts, **more}


def answering(gateway: FakeGateway, *bodies: dict[str, Any]) -> None:
    """What `/keys` says, look after look; the last one stays."""
    waiting = list(bodies)

    def told(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=waiting.pop(0) if len(waiting) > 1 else waiting[0])

    gateway.answers["GET", "/api/v1/keys"] = told
    gateway.answers["POST", "/api/v1/keys:rotate"] = told


def keys(left: int, rotating: dict[str, Any] | None, **old: Any) -> dict[str, Any]:
    items = [key(OLD, envelopes=left, **old), key(NEW, current=True, envelopes=7)]
    return {"current_key_id": NEW, "items": items, "envelopes_left": left, "rotation": rotating}


def test_a_new_key_stands_first_before_the_old_ones_for_its_owner_alone(clearline: Clearline, tmp_path: Path) -> None:
    made = [clearline("keys", "new", "--private", "sealing").json for _ in range(2)]
    path = tmp_path / "sealing"
    first, second = path.read_text().split()
    assert [made[1], made[0]] == [
        {"key_id": key_id(public_of(each)), "public_key": public_of(each)} for each in (first, second)
    ]
    assert Opener([first, second]).current_key_id == made[1]["key_id"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["sealing"]


def test_a_file_that_holds_no_keys_is_left_alone_and_not_repeated(clearline: Clearline, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a-secret-note")
    result = clearline("keys", "new", "--private", "notes")
    assert result.code == 2
    assert "a-secret-note" not in result.out + result.err
    assert (tmp_path / "notes").read_text() == "a-secret-note"


def test_status_says_which_private_half_may_go(clearline: Clearline, gateway: FakeGateway) -> None:
    answering(gateway, keys(0, rotation("finished", resealed=7), removable=True))
    result = clearline("keys", "status")
    assert result.code == 0
    assert "may go" in result.out
    assert "Every stored credential is sealed for the current key." in result.out


def test_a_rotation_is_followed_to_its_end(clearline: Clearline, gateway: FakeGateway) -> None:
    answering(gateway, keys(7, None), keys(7, rotation("running")), keys(3, rotation("running")),
              keys(0, rotation("finished", resealed=7)))  # fmt: skip
    result = clearline("keys", "rotate", "--wait")
    assert (result.code, gateway.sent("POST")) == (0, [{"key_id": NEW}])
    assert "7 connections done" in result.out


@pytest.mark.parametrize(("status", "code"), [("finished", 1), ("running", 2)])
def test_what_could_not_be_done_is_named(clearline: Clearline, gateway: FakeGateway, status: str, code: int) -> None:
    failure = {"environment": "staging", "name": "api", "field": "token", "code": "CREDENTIALS_UNREADABLE",
               "operator_detail": "no such key here"}  # fmt: skip
    answering(gateway, keys(1, rotation(status, failed=1, failures=[failure])))
    result = clearline("keys", "rotate", "--wait", "--timeout", "5")
    assert result.code == code
    assert "staging/api token: CREDENTIALS_UNREADABLE" in result.out


def test_a_key_is_taken_away_only_when_nothing_names_it(
    clearline: Clearline, gateway: FakeGateway, tmp_path: Path
) -> None:
    old = clearline("keys", "new", "--private", "sealing").json["key_id"]
    new = clearline("keys", "new", "--private", "sealing").json["key_id"]
    body = keys(0, None)
    for needed in ({"envelopes": 3}, {"removable_at": "2026-11-23T12:00:00Z"}, {}):
        answering(gateway, body | {"items": [key(old, **needed)]})
        assert clearline("keys", "remove", old, "--private", "sealing").code == 2
    answering(gateway, body | {"items": [key(old, removable=True)]})
    assert clearline("keys", "remove", new, "--private", "sealing").code == 2, "the one that verifiers seal for"
    assert len((tmp_path / "sealing").read_text().split()) == 2
    assert clearline("keys", "remove", old, "--private", "sealing").code == 0
    [left] = (tmp_path / "sealing").read_text().split()
    assert key_id(public_of(left)) == new
