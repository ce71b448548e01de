"""Fixtures for the tests of every member; a test that asks for a real server is an integration test by that alone."""

import pytest

pytest_plugins = ["tests.harness.fixtures"]

_SERVERS = {"kafka", "postgres", "own_kafka", "own_postgres"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _SERVERS & set(item.fixturenames):
            item.add_marker(pytest.mark.integration)
