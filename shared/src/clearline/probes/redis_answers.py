"""What Redis's refusals mean: exactly one code of the catalogue, and the field of the form to look at."""

from collections.abc import Iterable

from clearline.probes.probe import Climb, StepFailed
from clearline.probes.redis_wire import RedisError, Reply

_NOT_NOW = frozenset(
    {
        "LOADING",
        "BUSY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
        "UNKILLABLE",
    }
)
"""First words that say that the server cannot work at the moment: src/server.c, `shared.…err`."""

_BY_FIRST_WORD = {
    "WRONGPASS": ("AUTH_REJECTED", "/credentials/password"),
    "NOAUTH": ("AUTH_REQUIRED", "/credentials/password"),
    "NOPERM": ("PERMISSION_MISSING", "/config/user"),
    "DENIED": ("CLIENT_NOT_ADMITTED", "/config/host"),  # protected mode: this machine only
    "MOVED": ("REDIRECTED", "/config/host"),
    "ASK": ("REDIRECTED", "/config/host"),
    "READONLY": ("READ_ONLY_REPLICA", "/config/host"),
}

_BY_TEXT = (
    ("max number of clients", "SERVER_UNAVAILABLE", "/config/host"),
    ("wrong number of arguments for 'auth'", "AUTH_METHOD_UNSUPPORTED", "/config/user"),  # before 6.0: no users
    ("without any password configured", "AUTH_REJECTED", "/credentials/password"),
    ("but no password is set", "AUTH_REJECTED", "/credentials/password"),  # the same before 6.0
    ("invalid password", "AUTH_REJECTED", "/credentials/password"),
    ("operation not permitted", "AUTH_REQUIRED", "/credentials/password"),  # before 2.6
    ("db index", "DATABASE_MISSING", "/config/database"),
    ("select is not allowed in cluster mode", "DATABASE_MISSING", "/config/database"),
    ("unknown command", "PERMISSION_MISSING", "/config/user"),  # renamed, or switched off
)
"""Refusals that all begin with ERR."""


def demand(reply: Reply, expected: str, climb: Climb, *, permission: str, field: str | None = None) -> None:
    """Raise the finding unless the answer is `expected`."""
    if reply == expected:
        return
    if isinstance(reply, RedisError):
        raise refusal(reply, climb, permission=permission, field=field)
    why = f"{permission} was not answered by {expected}"
    raise StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="Redis", why=why)


def refusal(error: RedisError, climb: Climb, *, permission: str, field: str | None = None) -> StepFailed:
    """The finding that a refusal stands for. `field` is where the missing permission was asked for."""
    code, at = _meaning(error)
    return StepFailed(
        code,
        field=field if field and code == "PERMISSION_MISSING" else at,
        user=climb.config.user or "default",
        database=str(climb.config.database),
        permission=permission,
        method="a password without a user name",
        location=_pointed_to(error.text.split()),
        expected="Redis",
        why=error.text,
    )


def _meaning(error: RedisError) -> tuple[str, str]:
    if error.code in _NOT_NOW:
        return "SERVER_UNAVAILABLE", "/config/host"
    if found := _BY_FIRST_WORD.get(error.code):
        return found
    text = error.text.lower()
    return next(((code, at) for part, code, at in _BY_TEXT if part in text), ("PROTOCOL_MISMATCH", "/config/port"))


def _pointed_to(words: Iterable[str]) -> str | None:
    """The node of `MOVED 3999 127.0.0.1:6381`."""
    return next((word for word in words if ":" in word), None)
