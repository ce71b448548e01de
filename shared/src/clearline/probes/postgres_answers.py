"""What PostgreSQL and its client say, in the catalogue's terms. Codes: PostgreSQL's appendix A."""

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING

from clearline.contracts.verification import StepName
from clearline.probes.certificate import described_pem
from clearline.probes.faults import CLIENT_CERTIFICATE_FIELD, told_of
from clearline.probes.postgres_form import PostgresConfig
from clearline.probes.probe import Climb, StepFailed

if TYPE_CHECKING:
    from asyncpg import PostgresError

_ANSWERS: Mapping[str, tuple[str, str, StepName | None]] = {
    "28P01": ("AUTH_REJECTED", "/credentials/password", None),
    "28000": ("AUTH_REJECTED", "/config/user", None),  # no such role, or no entry of pg_hba.conf fits
    "3D000": ("DATABASE_MISSING", "/config/database", "authorize"),
    "42501": ("PERMISSION_MISSING", "/config/user", "authorize"),
    "42": ("PERMISSION_MISSING", "/config/tables", "authorize"),  # a name that is none, in what the config lists
    "53": ("SERVER_UNAVAILABLE", "/config/host", None),  # out of connections, memory or disk
    "57": ("SERVER_UNAVAILABLE", "/config/host", None),  # starting up, shutting down
    "08": ("SERVER_CLOSED", "/config/port", None),
    "": ("PROTOCOL_MISMATCH", "/config/port", None),
}
"""PostgreSQL's error codes (appendix A) or their classes → code, field, and the rung they are about."""


WITHOUT_LENGTH = b"Ecoul"
"""`could not fork new process for connection`: a postmaster that can start none says so before it knows our version."""


def no_process_left() -> StepFailed:
    """The server's machine has none for us at this moment."""
    return StepFailed("SERVER_UNAVAILABLE", field="/config/host", why="it could not start a process for the connection")


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """The finding for what went wrong with a database."""
    import asyncpg  # noqa: PLC0415

    if climb.kept.get("faults"):
        return climb.kept["faults"][0]  # type: ignore[no-any-return]  # put there by the guard
    if isinstance(error, asyncpg.PostgresError):
        state, why = str(error.sqlstate or ""), said_by(error)
        finding = _about_our_certificate(state, why) or _explain_answer(state, why, climb.config, step)
        if finding.code == "AUTH_REJECTED" and climb.config.client_certificate:
            ours = described_pem(climb.config.client_certificate, climb.clock.now())
            subject = ours.get("subject", "one whose subject cannot be read")
            finding.detail = (
                f"The client certificate is {subject}; with clientcert=verify-full it has to name the user."
            )
        return finding
    if isinstance(error, asyncpg.InterfaceError):
        method, met = "another way of signing in", f"The client library ended with {type(error).__name__}."
        return StepFailed("AUTH_METHOD_UNSUPPORTED", field="/config/user", method=method, detail=met)
    if isinstance(error, asyncpg.InternalClientError | struct.error | UnicodeDecodeError):
        return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=told_of(error))
    return None


def said_by(error: "PostgresError") -> str:
    """The server's own words on what is wrong. What the client library adds, and the server's hints, are left out."""
    return str(getattr(error, "message", None) or type(error).__name__)


def _about_our_certificate(state: str, why: str) -> StepFailed | None:
    """What pg_hba.conf wants of a client's certificate (`clientcert`, `cert`) is told in the words of a login."""
    if state != "28000":
        return None
    if "valid client certificate" in why:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REQUIRED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    if "certificate authentication failed" in why:
        return StepFailed("TLS_CLIENT_CERTIFICATE_REFUSED", field=CLIENT_CERTIFICATE_FIELD, why=why)
    return None


def _explain_answer(state: str, why: str, config: PostgresConfig, step: StepName) -> StepFailed:
    code, field, about = _ANSWERS.get(state) or _ANSWERS.get(state[:2]) or _ANSWERS[""]
    if state == "28000" and ("no encryption" in why or "SSL off" in why):  # pg_hba.conf lets nobody in without TLS
        field = "/config/tls"
    if state == "42501" and step == "authorize":
        field = "/config/tables"
    return StepFailed(
        code,
        field=field,
        step=about,
        user=config.user,
        database=config.database,
        permission=f"CONNECT on {config.database}" if step == "authenticate" else "access to what the config names",
        expected="PostgreSQL",
        why=f"{state}: {why}",
    )
