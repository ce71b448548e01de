"""What the services behind a Supabase project mean by their refusals: one finding each. Pure.

Sources: PostgREST's and Supabase's lists of error codes, and the bodies that gateway (Kong, Cloudflare), Auth and
Storage send.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clearline.contracts.verification import StepName
from clearline.probes.probe import StepFailed

URL = "/config/url"
PAUSED = 540
OK, UNAUTHORIZED, RESTRICTED, FORBIDDEN, NOT_FOUND, TOO_MANY, SERVER_FAULT = 200, 401, 402, 403, 404, 429, 500

_TOKEN_CODES = {"PGRST300", "PGRST301", "PGRST302", "PGRST303"}
"""PostgREST cannot read the JWT, its time has passed, or there has to be one."""
_TOKEN_WORDS = ("jwt", "jws", "signature", "api key", "apikey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, as findings tell of it."""

    credential: str
    """Field of the key that was shown."""
    permission: str
    field: str
    """What to look at where the key is good and the permission is missing."""
    step: StepName


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer: its status, its JSON where it is an object, and what a rate limit or redirect said."""

    status: int
    body: Mapping[str, Any]
    location: str = ""
    retry_after: int | None = None

    @property
    def code(self) -> str:
        """PostgREST's or Storage's own code; Storage hides a status of its own in the body."""
        return str(self.body.get("code") or self.body.get("statusCode") or "")

    @property
    def words(self) -> str:
        """What it says for people."""
        told = [str(self.body[key]) for key in ("error", "message", "msg", "hint") if self.body.get(key)]
        return ": ".join(told) or f"it answered {self.status}"


def refusal(said: Said, asked: Asked) -> StepFailed:
    """The finding for an answer that is not the expected one."""
    return _of_the_gateway(said) or _of_the_key(said, asked) or _of_the_permission(said, asked) or _odd(said)


def _of_the_gateway(said: Said) -> StepFailed | None:
    """What is so for every key: no service behind the gateway, or none at the moment."""
    if said.status == PAUSED:
        return StepFailed("SERVICE_PAUSED", field=URL, why=said.words)
    if said.status == TOO_MANY:
        return StepFailed("RATE_LIMITED_BY_REMOTE", field=URL, status=said.status, retry_after_seconds=said.retry_after)
    if said.status >= SERVER_FAULT or said.status == RESTRICTED:
        return StepFailed("SERVER_UNAVAILABLE", field=URL, why=f"{said.status}: {said.words}")
    if said.location:
        return StepFailed("REDIRECTED", field=URL, status=said.status, location=said.location)
    if said.status == NOT_FOUND and ("no route matched" in said.words.lower() or not said.body):
        return StepFailed("PROTOCOL_MISMATCH", field=URL, expected="a Supabase project", why=said.words)
    return None


def _of_the_key(said: Said, asked: Asked) -> StepFailed | None:
    """The key itself is not taken. PostgREST answers 401 also where the anon role lacks a right (42501)."""
    about_token = said.code in _TOKEN_CODES or any(word in said.words.lower() for word in _TOKEN_WORDS)
    if about_token or (said.status == UNAUTHORIZED and not said.code.startswith("42")):
        return StepFailed("AUTH_REJECTED", field=asked.credential, user=_name(asked), why=f"{said.code} {said.words}")
    return None


def _of_the_permission(said: Said, asked: Asked) -> StepFailed | None:
    known = {"PGRST106", "PGRST205", "42P01", "42501", "3F000", "403", "404", "NoSuchBucket", "AccessDenied"}
    if said.code in known or said.status == FORBIDDEN:
        why = f"{said.code} {said.words}"
        return StepFailed(
            "PERMISSION_MISSING",
            field=asked.field,
            step=asked.step,
            permission=asked.permission,
            user=_name(asked),
            why=why,
        )
    return None


def _odd(said: Said) -> StepFailed:
    if said.body:
        return StepFailed("UNEXPECTED_STATUS", field=URL, status=said.status, expected=str(OK), detail=said.words)
    return StepFailed("PROTOCOL_MISMATCH", field=URL, expected="a Supabase project", why=said.words)


def _name(asked: Asked) -> str:
    return asked.credential.rpartition("/")[2]
