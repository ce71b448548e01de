"""Fingerprints tell requests apart and say nothing without the installation's key."""

from itertools import combinations
from typing import Any

from gateway.security.fingerprint import Fingerprints

KEY = b"k" * 32


def test_the_same_request_has_the_same_fingerprint_in_every_process() -> None:
    one, other = (Fingerprints(KEY).of("POST", "/api/v1/connections?", b'{"a":1}') for _ in range(2))
    assert one == other
    assert len(one) == 32


def test_any_difference_shows_and_parts_do_not_run_together() -> None:
    plain = [("POST", "/a", b"bc"), ("POST", "/ab", b"c"), ("POST", "/abc", b""), ("PUT", "/a", b"bc")]
    conditional = [("POST", "/a", b"", ["bc"]), ("POST", "/a", b"", ["b", "c"]), ("POST", "/a", b"bc", [""])]
    requests: list[Any] = [*plain, *conditional]
    for one, other in combinations(requests, 2):
        assert Fingerprints(KEY).of(*one) != Fingerprints(KEY).of(*other), (one, other)


def test_another_installation_has_others() -> None:
    assert Fingerprints(KEY).of("POST", "/a", b"") != Fingerprints(b"l" * 32).of("POST", "/a", b"")
