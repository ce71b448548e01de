"""The version of this command, as it was installed."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """For example `0.1.0`; `unknown` where the code runs without being installed."""
    try:
        return version("clearline")
    except PackageNotFoundError:
        return "unknown"
