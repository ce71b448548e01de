"""The stack that the walks share: one fresh checkout, one `make up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.collector import Collector, collecting
from tests.e2e.local_checkout import Checkout, copy_tree


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def spans() -> Iterator[Collector]:
    """Where the running stack sends its traces."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, spans: Collector) -> Iterator[Checkout]:
    """A running stack in a folder of its own, for tests that use it and break nothing."""
    made = copy_tree(tmp_path_factory.mktemp("walk"))
    try:
        made.up(
            CLEARLINE_RATE_LIMIT_COMMANDS="100000",
            CLEARLINE_RATE_LIMIT_TESTS="100000",
            OTEL_EXPORTER_OTLP_ENDPOINT=spans.url,
            OTEL_BSP_SCHEDULE_DELAY="500",
        )
        yield made
    finally:
        made.make("reset", "FORCE=1")
