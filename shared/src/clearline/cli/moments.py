"""Times as tables show them: UTC, to the second, the same width everywhere."""

from datetime import UTC, datetime


def moment(when: datetime | str | None) -> str:
    """The time, or `never`."""
    known = moment_of(when) if isinstance(when, str) else when
    return "never" if known is None else known.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def moment_of(text: str | None) -> datetime | None:
    """The time that a JSON answer carries; None where there is none that can be read."""
    try:
        when = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when
