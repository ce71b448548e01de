"""What facts about a verification change: decided without a database."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from services.gateway.tests.facts import FAILURE, failed, progressed, step, verified

from clearline.contracts.event import Event
from gateway.projections.verification_fold import Effects, Found, fold

ID = uuid4()
PENDING = {ID: Found()}


def test_the_end_tells_all_steps_anew() -> None:
    effects = fold(PENDING, [progressed(ID, 0), progressed(ID, 5), verified(ID, steps=2)])
    assert effects.ends[ID].steps == {0: step(0), 1: step(1)}
    assert (effects.ends[ID].outcome, effects.steps) == ("verified", {})


def test_the_first_end_counts_and_what_follows_is_late() -> None:
    effects = fold(PENDING, [failed(ID), verified(ID, steps=6), progressed(ID, 3)])
    assert effects.ends[ID].outcome == "failed"
    assert effects.ends[ID].failure == FAILURE
    assert effects.late == 2
    assert [each.slug for each in effects.news.values()] == ["connection.verification_failed/v1"]


def test_the_last_of_each_verification_is_news() -> None:
    other = uuid4()
    found = {**PENDING, other: Found()}
    effects = fold(found, [progressed(ID, 0), progressed(other, 0), progressed(ID, 1), verified(ID)])
    assert {key: each.slug.partition("/")[0] for key, each in effects.news.items()} == {
        ID: "connection.verified",
        other: "connection.verification_progressed",
    }


def test_what_has_ended_before_changes_no_more() -> None:
    effects = fold({ID: Found("failed", "AUTH_REJECTED")}, [progressed(ID, 0), verified(ID, steps=1)])
    assert (effects.steps, effects.ends, effects.news, effects.late) == ({}, {}, {}, 2)


def test_what_a_row_has_heard_is_a_repeat_and_no_news() -> None:
    on_its_way, ended = Found(told=frozenset({0, 2})), Found("failed", FAILURE.code, frozenset({0}))
    assert fold({ID: on_its_way}, [progressed(ID, 2), progressed(ID, 0)]) == Effects(repeats=2)
    assert fold({ID: ended}, [progressed(ID, 0), failed(ID)]) == Effects(repeats=2)
    effects = fold({ID: on_its_way}, [progressed(ID, 1), progressed(ID, 1)])
    assert (effects.steps, effects.repeats) == ({ID: {1: step(1)}}, 1)


def test_a_fact_about_nothing_known_is_kept_apart() -> None:
    other: UUID = uuid4()
    events: list[Event] = [verified(other, steps=1), verified(ID, steps=1)]
    effects = fold(PENDING, events)
    assert effects.unknown == events[:1]
    assert list(effects.ends) == [ID]


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_cancelled_one_ends_as_cancelled(outcome: str) -> None:
    assert fold(PENDING, [failed(ID, outcome=outcome)]).ends[ID].outcome == outcome


def _run(seconds: float) -> list[Event]:
    """All that a run can say. A second one has the same ids, and other durations."""
    said = [progressed(ID, number) for number in range(6)]
    slower = [structs.replace(each.data.step, duration_ms=seconds) for each in said]
    told = [structs.replace(e, data=structs.replace(e.data, step=s)) for e, s in zip(said, slower, strict=True)]
    return [*told, verified(ID, steps=3), failed(ID), failed(ID, outcome="cancelled")]


FACTS = [*_run(1.0), *_run(2.0)]
BATCHES = st.lists(st.lists(st.sampled_from(FACTS), max_size=12), max_size=8)


@given(BATCHES)
def test_an_inbox_would_change_nothing(batches: Sequence[Sequence[Event]]) -> None:
    """Shuffled, repeated, run twice, cut into any batches: each writes what it would if every id came once."""
    row, row_behind_inbox, seen = Found(), Found(), set[UUID]()
    for batch in batches:
        fresh = []
        for event in batch:
            if event.id not in seen:
                fresh.append(event)
            seen.add(event.id)
        effects, once = fold({ID: row}, batch), fold({ID: row_behind_inbox}, fresh)
        assert (effects.steps, effects.ends, effects.news) == (once.steps, once.ends, once.news)
        assert effects.repeats + effects.late + len(fresh) >= len(batch)
        row, row_behind_inbox = _after(row, effects), _after(row_behind_inbox, once)
    assert row == row_behind_inbox


def _after(row: Found, effects: Effects) -> Found:
    """As the statements write it."""
    if end := effects.ends.get(ID):
        return Found(end.outcome, end.code, frozenset(end.steps))
    return Found(row.outcome, row.code, row.told | frozenset(effects.steps.get(ID, ())))
