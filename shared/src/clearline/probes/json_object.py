"""Reads the JSON object of an answer that a server chose."""

import json
from collections.abc import Mapping
from typing import Any

MAX_JSON = 64 * 1024
"""Bytes. The largest access tokens (with all groups of a user) have about 16 KiB; a megabyte of empty lists holds the
loop for a fifth of a second."""


def object_in(body: bytes) -> Mapping[str, Any]:
    """The object; an empty one for anything else, and for one that is too long to be looked into."""
    if len(body) > MAX_JSON:
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
