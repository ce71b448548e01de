"""Decisions about a connection's life, without any I/O."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearline.catalogue import ClearlineError
from clearline.contracts.connection import BeatPolicy
from gateway.commands.lifecycle import (
    activate,
    check_version,
    deactivate,
    discard_staged,
    retire,
    revision_to_activate,
    revision_to_verify,
)
from gateway.commands.profile import Profile, Proof

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
PROOF = Proof(verification_id=UUID(int=7), outcome="verified", expires_at=LATER)


def profile(**changes: Any) -> Profile:
    inactive = Profile(
        id=UUID(int=1),
        name="warehouse",
        environment="production",
        owner=None,
        kind="tcp",
        beat=BeatPolicy(),
        lifecycle="inactive",
        revision=1,
        sequence=1,
    )
    return replace(inactive, **changes)


def active(live: int = 1, **changes: Any) -> Profile:
    return profile(lifecycle="active", live_revision=live, live_verification_id=UUID(int=6), **changes)


def code_of(error: pytest.ExceptionInfo[ClearlineError]) -> str:
    return error.value.code


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (None, "no verification of revision 1 has ended yet"),
        (replace(PROOF, outcome="failed", expires_at=None), "ended as failed"),
        (replace(PROOF, outcome="cancelled", expires_at=None), "ended as cancelled"),
        (replace(PROOF, expires_at=NOW), f"the proof of revision 1 expired on {NOW:%Y-%m-%d %H:%M:%SZ}"),
        (replace(PROOF, expires_at=NOW - timedelta(days=1)), "the proof of revision 1 expired on"),
    ],
)
def test_nothing_but_an_unexpired_success_activates_and_each_refusal_says_why(proof: Proof | None, told: str) -> None:
    with pytest.raises(ClearlineError) as error:
        activate(profile(), 1, proof, NOW)
    assert code_of(error) == "CONNECTION_NOT_VERIFIED"
    assert told in error.value.translation().user_message


def test_activation_goes_live_and_remembers_what_it_replaced() -> None:
    after = activate(active(1, revision=2, sequence=4), 2, PROOF, NOW)
    assert (after.lifecycle, after.live_revision, after.last_live_revision) == ("active", 2, 1)
    assert after.live_verification_id == PROOF.verification_id
    assert after.sequence == 5
    assert after.kept_revisions == {1, 2}


def test_the_last_live_revision_may_be_named_and_no_other() -> None:
    out = profile(revision=3, last_live_revision=1)
    assert revision_to_activate(out, None) == 3
    assert revision_to_activate(out, 1) == 1
    with pytest.raises(ClearlineError) as error:
        revision_to_activate(out, 2)
    assert code_of(error) == "REVISION_NOT_FOUND"
    assert activate(out, 1, PROOF, NOW).last_live_revision is None


def test_activating_what_is_live_changes_nothing() -> None:
    assert revision_to_activate(active(1), None) is None
    assert revision_to_activate(active(1, revision=2), 1) is None


def test_deactivation_keeps_the_way_back() -> None:
    out = deactivate(active(2, revision=3))
    assert out is not None
    assert (out.lifecycle, out.live_revision, out.live_verification_id) == ("inactive", None, None)
    assert out.last_live_revision == 2
    assert deactivate(out) is None


def test_discarding_goes_back_to_what_is_live() -> None:
    after = discard_staged(active(1, revision=3, sequence=9))
    assert (after.revision, after.staged_revision, after.sequence) == (1, None, 10)
    for nothing_staged in (profile(), active(1)):
        with pytest.raises(ClearlineError) as error:
            discard_staged(nothing_staged)
        assert code_of(error) == "NOTHING_STAGED"
    again = discard_staged(active(1, revision=3, last_live_revision=3))
    assert again.kept_revisions == {1}, "what was discarded cannot come back"


def test_a_retired_connection_takes_no_command() -> None:
    gone = retire(active(1, last_live_revision=1))
    assert gone.lifecycle == "retired"
    assert gone.kept_revisions == frozenset()
    for command in (retire, deactivate, discard_staged):
        with pytest.raises(ClearlineError) as error:
            command(gone)
        assert code_of(error) == "CONNECTION_RETIRED"
    for asked in (revision_to_activate, revision_to_verify):
        with pytest.raises(ClearlineError):
            asked(gone, None)


def test_a_stale_version_is_refused() -> None:
    check_version(profile(sequence=3), None)
    check_version(profile(sequence=3), frozenset({"2", "3"}))
    for stale in (frozenset({"2"}), frozenset({"03"}), frozenset[str]()):
        with pytest.raises(ClearlineError) as error:
            check_version(profile(sequence=3), stale)
        assert code_of(error) == "CONNECTION_CHANGED"


@given(st.lists(st.sampled_from(["edit", "activate", "back", "deactivate", "discard", "retire"]), max_size=30))
def test_whatever_happens_the_state_makes_sense(steps: list[str]) -> None:
    """An active connection has a live revision, every kept revision exists, and each change moves the version."""
    state, highest = profile(), 1
    for step in steps:
        before = state
        try:
            match step:
                case "edit" if state.lifecycle != "retired":
                    highest += 1
                    state = replace(state, revision=highest, sequence=state.sequence + 1)
                case "activate":
                    number = revision_to_activate(state, None)
                    state = state if number is None else activate(state, number, PROOF, NOW)
                case "back":
                    number = revision_to_activate(state, state.last_live_revision)
                    state = state if number is None else activate(state, number, PROOF, NOW)
                case "deactivate":
                    state = deactivate(state) or state
                case "discard":
                    state = discard_staged(state)
                case "retire":
                    state = retire(state)
        except ClearlineError:
            assert state is before
        assert (state.lifecycle == "active") == (state.live_revision is not None)
        assert (state.live_revision is None) == (state.live_verification_id is None)
        assert all(1 <= number <= highest for number in state.kept_revisions)
        assert len(state.kept_revisions) <= 3
        assert state.sequence == before.sequence + (state != before)
