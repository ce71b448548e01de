"""What `doctor` concludes from what it saw: each finding says what is so and how to mend it. No I/O, no secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from clearline.cli.clock_skew import TOLERATED_SECONDS
from clearline.cli.target import Target

LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Level(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    level: Level = Level.FINE
    told: str
    mend: tuple[str, ...] = ()


def of_target(target: Target) -> Iterator[Finding]:
    """Where the address and token come from, and whether they travel safely."""
    yield Finding(subject="address", told=f"{target.url}, from {target.origin}")
    for warning in target.warnings:
        yield Finding(subject="settings file", level=Level.WARNING, told=warning)
    parts = urlsplit(target.url)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        yield Finding(
            subject="encryption",
            level=Level.WARNING,
            told="The token travels in the clear.",
            mend=("Use an https:// address in CLEARLINE_URL.",),
        )


def of_versions(mine: str, gateways: str) -> Finding:
    """Whether command and gateway come from the same release."""
    told = f"clearline {mine}, gateway {gateways}"
    if mine.split(".")[:2] == gateways.split(".")[:2]:
        return Finding(subject="versions", told=told)
    return Finding(
        subject="versions",
        level=Level.WARNING,
        told=f"{told}: they may not understand each other.",
        mend=(f"Install version {gateways} of the command.",),
    )


def of_token(session: Mapping[str, Any]) -> Finding:
    """Whose token it is and what it may do."""
    where = ", ".join(session.get("environments") or []) or "no environment"
    return Finding(
        subject="token", told=f"{session.get('name', 'unnamed')}, {session.get('role', 'no role')} in {where}"
    )


def of_keys(body: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether all that is stored can be opened, and is sealed for the current key."""
    for key in body.get("items") or []:
        if key.get("unreadable"):
            yield Finding(
                subject="sealing keys",
                level=Level.BROKEN,
                told=f"{key['unreadable']} connections have credentials under key {key['key_id']} that do not open.",
                mend=("See which, and why: clearline keys status", "How to mend it: docs/guides/sealing-keys.md"),
            )
    left, running = body.get("envelopes_left", 0), (body.get("rotation") or {}).get("status") == "running"
    if left and not running:
        yield Finding(
            subject="sealing keys",
            level=Level.WARNING,
            told=f"{left} credentials are sealed for other keys than the current one.",
            mend=("clearline keys rotate --wait",),
        )


def of_readiness(body: Mapping[str, Any], *, ready: bool) -> Iterator[Finding]:
    """The gateway's own checks. One that fails while the gateway is ready is a warning."""
    yield Finding(
        subject="readiness",
        level=Level.FINE if ready else Level.BROKEN,
        told="The gateway is ready." if ready else "The gateway is not ready.",
        mend=() if ready else ("On a laptop: make status, then make logs SERVICE=gateway",),
    )
    checks = body.get("checks")
    for name, check in (checks if isinstance(checks, dict) else {}).items():
        good = bool(check.get("ok"))
        level = Level.FINE if good else Level.WARNING if ready else Level.BROKEN
        yield Finding(subject=f"gateway {name}", level=level, told=str(check.get("detail", "")))


def of_clock(skew: float | None) -> Finding:
    """Whether times here and there can be compared."""
    if skew is None:
        return Finding(subject="clock", level=Level.WARNING, told="The gateway does not say what time it has.")
    if abs(skew) <= TOLERATED_SECONDS:
        return Finding(subject="clock", told="This machine and the gateway agree.")
    side = "ahead of" if skew > 0 else "behind"
    return Finding(
        subject="clock",
        level=Level.WARNING,
        told=f"The gateway's clock is at least {abs(skew):.1f} s {side} this machine's.",
        mend=("Let both keep time by NTP (timedatectl set-ntp true).",),
    )
