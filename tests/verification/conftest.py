"""The table is climbed on the loop that probes need."""

from collections.abc import Mapping
from typing import Any

import pytest

from clearline.probes.dial import OutboundLoop


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:  # noqa: ARG001
    return {"outbound": OutboundLoop}
