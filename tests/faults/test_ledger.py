"""The checker itself: it is content with a clean run and finds every fault that is planted in one. No I/O."""

import dataclasses
from typing import Any

import pytest
from tests.faults.ledger import Ledger, Truth, Verification, faults


def ledger() -> Ledger:
    made = Ledger()
    made.acknowledge("a", 1, "one")
    made.acknowledge("a", 2, "two")
    return made


CLEAN = Truth(
    rows={"a": (2, "two")},
    audited={"a": 2},
    verifications=[Verification("a", "verified", steps=6, ends_told=1, steps_told=6)],
    on_bus={"a": [(1, "one"), (2, "two"), (1, "one"), (2, "two")]},  # a batch that was sent twice is no fault
    waiting=0,
    dead=0,
)


def test_a_clean_run_has_no_fault() -> None:
    assert list(faults(ledger(), CLEAN)) == []


PLANTED: dict[str, dict[str, Any]] = {
    "a lost row": {"rows": {}},
    "a lost change": {"rows": {"a": (1, "one")}, "audited": {"a": 1}},
    "a change that never reached the bus": {"on_bus": {"a": [(1, "one")]}},
    "a change that reached the bus as another": {"on_bus": {"a": [(1, "one"), (2, "three")]}},
    "a change that was done twice": {"audited": {"a": 3}},
    "a connection that nobody asked for": {"rows": {"a": (2, "two"), "b": (1, "x")}, "audited": {"a": 2, "b": 1}},
    "two verifications": {"verifications": [*CLEAN.verifications, *CLEAN.verifications]},
    "an end told twice": {"verifications": [dataclasses.replace(CLEAN.verifications[0], ends_told=2)]},
    "a step told twice": {"verifications": [dataclasses.replace(CLEAN.verifications[0], steps_told=7)]},
    "a verification without an end": {
        "verifications": [dataclasses.replace(CLEAN.verifications[0], outcome="pending")]
    },
    "a later change first": {"on_bus": {"a": [(2, "two"), (1, "one"), (2, "two")]}},
    "an old state last": {"on_bus": {"a": [(1, "one"), (2, "two"), (1, "one")]}},
    "an outbox that nobody drains": {"waiting": 1},
    "a dead letter": {"dead": 1},
}


@pytest.mark.parametrize("planted", PLANTED)
def test_every_planted_fault_is_found(planted: str) -> None:
    assert list(faults(ledger(), dataclasses.replace(CLEAN, **PLANTED[planted])))


def test_two_commands_told_the_same_number_are_a_fault() -> None:
    with pytest.raises(AssertionError, match="two commands were told"):
        ledger().acknowledge("a", 2, "again")
