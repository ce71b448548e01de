"""`clearline doctor`: can this machine talk to Clearline, as whom, and is Clearline well?"""

from collections.abc import Iterator
from typing import Any

import typer

from clearline.cli import diagnosis
from clearline.cli.clock_skew import Sighting, certain_skew, sighting
from clearline.cli.commands.options import Output
from clearline.cli.diagnosis import Finding, Level
from clearline.cli.ends import CommandError, ExitCode, RefusedError
from clearline.cli.lines import Line
from clearline.cli.session import Session, session
from clearline.cli.surroundings import OutputForm
from clearline.cli.versions import installed_version

NOT_READY, FORBIDDEN, NOT_FOUND = 503, 403, 404
GLYPHS = {Level.FINE: "passed", Level.WARNING: "warning", Level.BROKEN: "failed"}


def doctor(context: typer.Context, *, output: Output = OutputForm.TABLE) -> None:
    """Check the way to Clearline: address, token, versions, readiness, clocks. Shows no token."""
    with session(context, output, token_needed=False) as opened:
        findings = []
        for finding in _Examination(opened).findings():
            findings.append(finding)
            if not opened.screen.wants_json:
                _show(opened, finding)
        worst = ExitCode.FAILED if any(one.level is Level.BROKEN for one in findings) else ExitCode.FINE
        code = ExitCode.UNREACHABLE if any(one.subject == "gateway" for one in findings) else worst
        if opened.screen.wants_json:
            opened.screen.json([_as_json(one) for one in findings])
        raise typer.Exit(code)


class _Examination:
    """One visit: asks a few things and notes the gateway's clock each time."""

    def __init__(self, opened: Session) -> None:
        self._opened = opened
        self._sightings: list[Sighting] = []

    def findings(self) -> Iterator[Finding]:
        yield from diagnosis.of_target(self._opened.target)
        try:
            status, body = self._ask("/health/ready", NOT_READY)
        except CommandError as error:
            yield _broken("gateway", error)
            return
        yield from diagnosis.of_readiness(body, ready=status != NOT_READY)
        yield from self._as_whom()
        yield diagnosis.of_clock(certain_skew(self._sightings))

    def _as_whom(self) -> Iterator[Finding]:
        """The token, and what only a valid one may ask."""
        if not self._opened.target.token:
            mend = ("Set CLEARLINE_TOKEN; an admin makes one with: clearline tokens create",)
            yield Finding(subject="token", level=Level.BROKEN, told="There is none.", mend=mend)
            return
        subject = "token"
        try:
            yield diagnosis.of_token(self._ask("/api/v1/session")[1])
            yield from self._keys()
            subject = "versions"
            _, about = self._ask("/api/v1/version")
            yield diagnosis.of_versions(installed_version(), str(about.get("version", "unknown")))
        except CommandError as error:
            yield _broken(subject, error)

    def _keys(self) -> Iterator[Finding]:
        """What is sealed for which key: for admins, and for gateways that know of it."""
        status, body = self._ask("/api/v1/keys", FORBIDDEN, NOT_FOUND)
        if status not in (FORBIDDEN, NOT_FOUND):
            yield from diagnosis.of_keys(body)

    def _ask(self, path: str, *accepted: int) -> tuple[int, Any]:
        now = self._opened.surroundings.now
        sent = now()
        reply = self._opened.api.send("GET", path, accepted=accepted)
        seen = sighting(sent, reply.headers.get("date", ""), now())
        if seen is not None:
            self._sightings.append(seen)
        return reply.status, reply.body if isinstance(reply.body, dict) else {}


def _broken(subject: str, error: CommandError) -> Finding:
    code = f"{error.problem.code}: " if isinstance(error, RefusedError) else ""
    return Finding(subject=subject, level=Level.BROKEN, told=code + error.sentence, mend=tuple(error.steps))


def _show(opened: Session, finding: Finding) -> None:
    opened.screen.line(Line(f"{finding.subject}: {finding.told}", glyph=GLYPHS[finding.level]))
    for step in finding.mend:
        opened.screen.line(Line(step, indent=4))


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "level": finding.level.value,
        "detail": finding.told,
        "mend": list(finding.mend),
    }
