"""Fixtures for the tests of every member; a test that asks for a real server is an integration test by that alone."""

from collections.abc import Generator
from typing import Any

import pytest

pytest_plugins = ["tests.harness.fixtures"]

_SERVERS = {"kafka", "postgres", "own_kafka", "own_postgres"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _SERVERS & set(item.fixturenames):
            item.add_marker(pytest.mark.integration)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Under xdist reports travel as UTF-8; tests of hostile texts log half surrogates, which would end the run."""
    return _encodable((yield))


def _encodable(data: Any) -> Any:
    match data:
        case str():
            return data.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_encodable(key): _encodable(value) for key, value in data.items()}
        case list():
            return [_encodable(each) for each in data]
        case tuple():
            return tuple(_encodable(each) for each in data)
        case _:
            return data
