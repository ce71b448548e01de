"""What is left out of the relay's look, and for how long. No I/O."""

from gateway.relay_stuck import LONGEST_SECONDS, MOST_KEYS, StuckPlaces

TOPIC, KEY = ("t", None), ("u", "k")


class At:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_stuck_is_left_out_for_twice_as_long_each_time() -> None:
    at = At()
    places = StuckPlaces(at)
    waited = []
    for _ in range(8):
        places.note([TOPIC, KEY], [])
        began = at.now
        while places.left_out() != ([], [], []):
            assert places.left_out() == (["t"], ["u"], ["k"])
            at.now += 0.5
        waited.append(at.now - began)
    assert waited == [1, 2, 4, 8, 16, *[LONGEST_SECONDS] * 3]
    assert places.topics == {"t", "u"}


def test_what_was_taken_is_free_at_once_and_begins_anew() -> None:
    at = At()
    places = StuckPlaces(at)
    for _ in range(4):
        places.note([TOPIC], [])
    places.note([], [TOPIC])
    assert (places.left_out(), places.topics) == (([], [], []), set())
    places.note([TOPIC], [])
    at.now = 1
    assert places.left_out() == ([], [], [])


def test_too_many_keys_are_their_topic() -> None:
    places = StuckPlaces(At())
    places.note([("t", str(number)) for number in range(MOST_KEYS + 1)], [])
    assert places.left_out() == (["t"], [], [])


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    at = At()
    places = StuckPlaces(at)
    places.note([TOPIC], [])
    at.now = 3 * LONGEST_SECONDS
    places.note([], [])
    assert places.topics == set()
