"""What facts about a verification change: decided without a database."""

from uuid import UUID, uuid4

import pytest
from services.gateway.tests.facts import FAILURE, failed, progressed, step, verified

from clearline.contracts.event import Event
from gateway.projections.verification_fold import Found, fold

ID, CONNECTION = uuid4(), uuid4()
PENDING = {ID: Found(CONNECTION, "development", pending=True)}


def test_the_end_tells_all_steps_anew() -> None:
    effects = fold(PENDING, [progressed(ID, 0), progressed(ID, 5), verified(ID, steps=2)])
    assert effects.steps == {ID: {0: step(0), 1: step(1)}}
    assert effects.ends[ID].outcome == "verified"


def test_the_first_end_counts_and_what_follows_is_late() -> None:
    effects = fold(PENDING, [failed(ID), verified(ID, steps=6), progressed(ID, 3)])
    assert effects.ends[ID].outcome == "failed"
    assert effects.ends[ID].failure == FAILURE
    assert effects.late == 2
    assert [change.type for change in effects.changes] == ["connection.verification_failed"]


def test_one_notice_of_each_verification_tells_the_last_of_it() -> None:
    other = uuid4()
    found = {**PENDING, other: Found(uuid4(), "staging", pending=True)}
    effects = fold(found, [progressed(ID, 0), progressed(other, 0), progressed(ID, 1), verified(ID)])
    assert [(change.type, change.environment) for change in effects.changes] == [
        ("connection.verified", "development"),
        ("connection.verification_progressed", "staging"),
    ]


def test_what_has_ended_before_changes_no_more() -> None:
    ended = {ID: Found(CONNECTION, "development", pending=False)}
    effects = fold(ended, [progressed(ID, 0), verified(ID, steps=1)])
    assert (effects.steps, effects.ends, effects.changes, effects.late) == ({}, {}, [], 2)


def test_a_fact_about_nothing_known_is_kept_apart() -> None:
    other: UUID = uuid4()
    events: list[Event] = [verified(other, steps=1), verified(ID, steps=1)]
    effects = fold(PENDING, events)
    assert effects.unknown == events[:1]
    assert list(effects.ends) == [ID]


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_cancelled_one_ends_as_cancelled(outcome: str) -> None:
    assert fold(PENDING, [failed(ID, outcome=outcome)]).ends[ID].outcome == outcome
