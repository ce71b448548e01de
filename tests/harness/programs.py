"""Servers that come from the system, not a registry: found, or the test is skipped; in CI their absence fails."""

import os
import shutil

import pytest

_SYSTEM = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
"""Where systems keep servers that a user's PATH leaves out."""


def program(name: str, *, package: str) -> str:
    """The path of `name`. Where it is absent the test is skipped with what to install; with CI=true it fails."""
    if (found := shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), _SYSTEM)))) is not None:
        return found
    absent = f"{name} is not installed; `apt-get install {package}` (or your system's own package) brings it"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{absent}, and .ci/run should have")
    pytest.skip(absent)
