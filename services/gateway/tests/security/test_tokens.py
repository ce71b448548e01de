"""Tokens are 256 random bits, and only their hash is kept."""

import hashlib
from uuid import UUID

import pytest

from gateway.security.principal import ROLES, Principal, Role
from gateway.security.tokens import hash_token, looks_like_token, new_token


def test_a_token_is_random_and_known_by_its_hash() -> None:
    made = [new_token() for _ in range(100)]
    assert len({text for text, _ in made}) == 100
    for text, digest in made:
        assert looks_like_token(text)
        assert digest == hash_token(text) == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "text", ["", "clt_", "clt_" + "a" * 42, "clt_" + "a" * 44, "CLT_" + "a" * 43, "clt_" + "ä" * 43]
)
def test_what_is_no_token_is_not_looked_up(text: str) -> None:
    assert not looks_like_token(text)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_the_ones_before_it(role: Role) -> None:
    holder = Principal(id=UUID(int=5), name="ci", role=role, environments=("staging",))
    assert [holder.may(needed) for needed in ROLES] == [ROLES.index(needed) <= ROLES.index(role) for needed in ROLES]
    assert holder.sees_operator_detail == (role != "viewer")
    assert holder.label == "ci#00000000"
