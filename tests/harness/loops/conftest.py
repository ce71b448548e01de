"""Every test below runs on two kinds of event loop, as probe tests run on one of their own."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest


class AnotherLoop(asyncio.SelectorEventLoop):
    """Different from the usual one by its type alone."""


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:  # noqa: ARG001
    return {"usual": asyncio.SelectorEventLoop, "another": AnotherLoop}
