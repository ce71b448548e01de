"""What the table of verification asks of each kind: one form for each column, or why there is none."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COLUMNS = (
    "good", "wrong host", "wrong port", "wrong TLS", "wrong credentials", "missing permission", "silent server",
)  # fmt: skip

Form = tuple[dict[str, Any], dict[str, str]]
Cases = Mapping[str, Form | str]
"""Column → the filled-in form, or the reason why the column does not apply to the kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """How a kind's servers are started, and what they are."""

    server: str
    """Product, as the table names it; a stand-in says that it is one."""
    cases: Callable[[Path], AbstractAsyncContextManager[Cases]]
    """Runs the servers in a folder of their own until the block ends."""
