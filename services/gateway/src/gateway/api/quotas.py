"""Counts what callers ask for, and tells them what is left: `RateLimit-Policy` and `RateLimit` (IETF httpapi draft)."""

from math import ceil
from typing import cast

from fastapi import Request

from gateway.api.correlation import tell_with_answer
from gateway.security.addresses import counted_address
from gateway.security.limits import Limits, refusal
from gateway.security.principal import Principal
from gateway.security.rate_limit import Verdict

READS = frozenset({"GET", "HEAD"})
TESTS = frozenset({"testConnection"})
"""Operations that dial somewhere for whoever asks and keep nothing; they have a quota of their own."""


def limits_of(request: Request) -> Limits:
    """The one count of this process."""
    return cast("Limits", request.app.state.limits)


def address_of(request: Request) -> str:
    """Whom a failed sign-in is counted for."""
    peer = request.client.host if request.client else None
    return counted_address(peer, request.headers.getlist("x-forwarded-for"), limits_of(request).trusted_proxies)


def count(request: Request, principal: Principal) -> None:
    """Take a command or a test from the caller's quota; reading is free. Raises RATE_LIMITED."""
    if request.method in READS:
        return
    operation = getattr(request.scope.get("route"), "operation_id", None)
    verdict = limits_of(request).take(principal.id, is_test=operation in TESTS)
    tell_with_answer(request.scope, _headers(verdict))
    if not verdict.allowed:
        raise refusal(verdict)


def _headers(verdict: Verdict) -> dict[str, str]:
    quota = verdict.quota
    return {
        "ratelimit-policy": f'"{quota.name}";q={quota.amount};w={ceil(quota.seconds)}',
        "ratelimit": f'"{quota.name}";r={verdict.left};t={ceil(verdict.full_in)}',
    }
