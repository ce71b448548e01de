"""Which secrets stay, which come new, and what counts as a change."""

from datetime import UTC, datetime
from typing import Any

import pytest
from services.gateway.tests.commands.test_lifecycle_decisions import active, profile

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import BeatPolicy
from clearline.probes.forms import parse_config
from clearline.probes.registry import KINDS
from gateway.commands.contents import CredentialPlan, Settings, decide_edit, plan_credentials
from gateway.commands.profile import Contents, Sealed

KIND = KINDS["postgres"]
CONFIG = parse_config(KIND, {"host": "db.example.com", "port": 5432, "database": "w", "user": "u"})
STORED = {"password": Sealed(key_id="k", sealed="s", changed_at=datetime(2026, 1, 1, tzinfo=UTC))}
SETTINGS = Settings(name="warehouse", owner=None, beat=BeatPolicy())


def plan(given: dict[str, Any], *, moved: bool = False) -> CredentialPlan:
    return plan_credentials(KIND, CONFIG, given, STORED, moved=moved)


@pytest.mark.parametrize(
    "given", [{}, {"password": {"stored": True}}, {"password": {"stored": True, "changed_at": "x"}}]
)
def test_left_out_or_as_read_stays(given: dict[str, Any]) -> None:
    assert plan(given) == CredentialPlan(kept=frozenset({"password"}))


def test_a_string_replaces() -> None:
    assert plan({"password": "new"}) == CredentialPlan(fresh={"password": "new"})
    assert plan({"password": "new"}, moved=True) == CredentialPlan(fresh={"password": "new"})


@pytest.mark.parametrize("given", [{}, {"password": {"stored": True}}])
def test_a_new_destination_wants_it_anew(given: dict[str, Any]) -> None:
    with pytest.raises(ClearlineError) as error:
        plan(given, moved=True)
    assert error.value.code == "CREDENTIALS_REQUIRED"
    assert error.value.pointer == "/credentials/password"


def test_a_plan_never_shows_its_secrets() -> None:
    assert "new" not in repr(plan({"password": "new"}))


def test_an_edit_that_changes_nothing_is_none() -> None:
    before = Contents(config={"a": 1}, destination="d", credentials=STORED)
    keep = CredentialPlan(kept=frozenset({"password"}))
    assert decide_edit(profile(), before, SETTINGS, {"a": 1}, keep, next_revision=2) is None


@pytest.mark.parametrize(
    ("config", "credentials"),
    [
        ({"a": 2}, CredentialPlan(kept=frozenset({"password"}))),
        ({"a": 1}, CredentialPlan()),
        ({"a": 1}, CredentialPlan(fresh={"password": "same or not, nobody can tell"})),
    ],
)
def test_config_or_credentials_make_a_revision_beside_the_live_one(
    config: dict[str, Any], credentials: CredentialPlan
) -> None:
    before = Contents(config={"a": 1}, destination="d", credentials=STORED)
    edit = decide_edit(active(1, sequence=2), before, SETTINGS, config, credentials, next_revision=5)
    assert edit is not None
    assert edit.revised
    assert (edit.profile.revision, edit.profile.live_revision, edit.profile.sequence) == (5, 1, 3)


def test_settings_make_none() -> None:
    before = Contents(config={"a": 1}, destination="d", credentials={})
    renamed = Settings(name="depot", owner="web", beat=BeatPolicy(interval_seconds=60))
    edit = decide_edit(profile(), before, renamed, {"a": 1}, CredentialPlan(), next_revision=2)
    assert edit is not None
    assert not edit.revised
    assert (edit.profile.name, edit.profile.owner, edit.profile.revision) == ("depot", "web", 1)
