"""What an API key of Supabase says of itself: which of the keys it is, of which project, until when.

Nothing here is verified, and nothing is trusted because of it: it finds mistakes before they are dialled or stored.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

Role = Literal["anon", "service", "user"]

_PREFIXES: Mapping[str, Role] = {"sb_publishable_": "anon", "sb_secret_": "service"}
"""Keys of the newer kind, which are no JWTs."""
_CLAIMS: Mapping[str, Role] = {"anon": "anon", "service_role": "service", "authenticated": "user"}


def role_of(key: str) -> Role | None:
    """Which key it is; None where it does not say."""
    for prefix, role in _PREFIXES.items():
        if key.startswith(prefix):
            return role
    return _CLAIMS.get(str(_claims(key).get("role")))


def project_of(key: str) -> str | None:
    """The project's reference, the first label of its host."""
    project = _claims(key).get("ref")
    return project if isinstance(project, str) else None


def has_expired(key: str, now: datetime) -> bool:
    """Whether its own end has passed; keys of the newer kind have none."""
    ends = _claims(key).get("exp")
    return isinstance(ends, int | float) and ends <= now.astimezone(UTC).timestamp()


def headers_of(key: str, schema: str) -> dict[str, str]:
    """What a request shows. Only JWTs go into `Authorization`: the newer keys are no bearer tokens."""
    headers = {"apikey": key, "Accept": "application/json", "Accept-Profile": schema}
    return headers if key.startswith(tuple(_PREFIXES)) else headers | {"Authorization": f"Bearer {key}"}


def _claims(key: str) -> Mapping[str, Any]:
    parts = key.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature (RFC 7519)
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
