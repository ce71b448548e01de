"""One log line per command, under its correlation id: what was asked, about which connection, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog

from clearline.catalogue import ClearlineError

_log = structlog.get_logger(__name__)


class Ending:
    """What a command has to say for itself when its transaction has ended: names and ids, nothing that was sent."""

    def __init__(self, command: object) -> None:
        self._line = {"action": type(command).__name__}
        self.outcome = "done"
        self.note(command)

    def note(self, about: object) -> None:
        """Take the ids from whatever has them: the command, later what it brought."""
        for name in ("connection_id", "verification_id", "test_id"):
            if found := getattr(about, name, None):
                self._line[name] = str(found)

    def about(self, connection_id: UUID) -> None:
        """It was about this connection."""
        self._line["connection_id"] = str(connection_id)

    def repeated(self) -> None:
        """It was done before, under the same idempotency key."""
        self.outcome = "repeated"

    def line(self, status: str) -> dict[str, str]:
        """The line's fields."""
        return {**self._line, "status": status}


@contextmanager
def told(command: object) -> Iterator[Ending]:
    """Tell how the transaction inside ended: `done`, or with which code."""
    ending = Ending(command)
    try:
        yield ending
    except ClearlineError as error:
        _log.info("command", **ending.line(error.code))
        raise
    except Exception:
        _log.error("command", **ending.line("UNEXPECTED"))
        raise
    _log.info("command", **ending.line(ending.outcome))
