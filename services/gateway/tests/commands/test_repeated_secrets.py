"""A secret given with a connection is not accepted in its public config too."""

from typing import Any

import pytest

from clearline.catalogue import ClearlineError
from gateway.commands.repeated_secrets import refuse_repeated

SECRET = "hunter2secret"
CONFIG = {"host": "db.example.com", "port": 5432, "database": "w", "user": "u", "schemas": ["public"]}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"database": SECRET}, "/config/database"),
        ({"user": f"u:{SECRET}@x"}, "/config/user"),
        ({"schemas": ["public", SECRET]}, "/config/schemas/1"),
        ({"url": "https://x.example/hunter2%73ecret"}, "/config/url"),
    ],
)
def test_a_repeated_secret_is_refused_at_its_field(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(ClearlineError) as refused:
        refuse_repeated({**CONFIG, **changes}, {"password": SECRET})
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == (pointer, "SECRET_IN_PUBLIC_FIELD")
    assert SECRET not in error.detail


@pytest.mark.parametrize(
    ("changes", "secret"),
    [
        ({}, SECRET),
        ({"database": "w"}, "w"),  # too short to tell from chance
        ({"user": "postgres", "database": "postgres"}, "postgres"),  # the user's own name is no secret
    ],
)
def test_other_configs_pass(changes: dict[str, Any], secret: str) -> None:
    refuse_repeated({**CONFIG, **changes}, {"password": secret})
