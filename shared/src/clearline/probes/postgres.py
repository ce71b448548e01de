"""Kind `postgres`: a PostgreSQL database that lets us in, holds what the form names, and answers a query."""

import asyncio
import struct
from typing import TYPE_CHECKING, Any

from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.negotiation import Streams
from clearline.probes.postgres_answers import WITHOUT_LENGTH, explain, no_process_left
from clearline.probes.postgres_form import PostgresConfig, PostgresCredentials, destination, endpoint
from clearline.probes.probe import Climb, Evidence, Kind, Permission, Skipped, StepFailed
from clearline.probes.trust import context_of, tls_allowed, tls_conflicts, tls_required

if TYPE_CHECKING:
    from asyncpg import Connection

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest."""

NONE_OFFERED = "the server offers no encryption"


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """Ask for TLS as the protocol does, and negotiate it when it is offered."""
    config: PostgresConfig = climb.config
    if config.tls == "disable":
        return Skipped("encryption is switched off in the config")
    try:
        context = context_of(config, climb.credentials, verify=config.tls == "verify-full")
        evidence = await shake_hands(climb, context, _asked_for_tls)
    except StepFailed as finding:
        if finding.code != "TLS_NOT_SPOKEN":
            raise
        if finding.variables["why"] != NONE_OFFERED:
            raise _another("it began no encryption after it had agreed to") from finding
        if config.tls == "prefer":
            return Skipped("the server offers no encryption, and the config does not insist on it")
        raise
    climb.kept["tls"] = context
    return evidence


async def _asked_for_tls(climb: Climb) -> Streams:
    reader, writer = await open_streams(climb)
    writer.write(SSL_REQUEST)
    match await reader.readexactly(1):
        case b"S":
            return reader, writer
        case b"N":
            raise StepFailed("TLS_NOT_SPOKEN", field="/config/tls", why=NONE_OFFERED)
        case b"E" if b"E" + await reader.readexactly(len(WITHOUT_LENGTH) - 1) == WITHOUT_LENGTH:
            raise no_process_left()
        case _:
            raise _another("another protocol answered")


def _another(why: str) -> StepFailed:
    return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=why)


async def authenticate(climb: Climb) -> Evidence:
    """Log in. The connection is kept for the rungs above."""
    import asyncpg  # noqa: PLC0415 - the gateway knows this form without the client

    from clearline.probes.postgres_guard import GuardedLoop  # noqa: PLC0415

    config: PostgresConfig = climb.config
    faults: list[StepFailed] = climb.kept.setdefault("faults", [])
    loop: Any = GuardedLoop(asyncio.get_running_loop(), faults.append)
    connection = await asyncpg.connect(
        host=climb.endpoint.host,
        port=climb.endpoint.port,
        user=config.user,
        password=climb.credentials.given()["password"],
        database=config.database,
        ssl=climb.kept.get("tls", False),
        loop=loop,
        statement_cache_size=0,  # poolers in transaction mode lose named statements
        server_settings={"application_name": "clearline"},
    )
    climb.closing.callback(connection.terminate)
    climb.kept["connection"] = connection
    return {"user": config.user, "server_version": connection.get_settings().server_version}


async def authorize(climb: Climb) -> Evidence:
    """Ask for each permission on its own; all are asked for, and the first that is missing is the finding."""
    from clearline.probes.postgres_rights import judged  # noqa: PLC0415

    return await judged(climb.kept["connection"], climb.config)


async def exercise(climb: Climb) -> Evidence:
    """One query, answered."""
    connection: Connection[Any] = climb.kept["connection"]
    begun = climb.clock.monotonic()
    answer = await connection.fetchval("select 1")
    if answer != 1:
        raise StepFailed(
            "PROTOCOL_MISMATCH", field="/config/port", expected="1", why="`select 1` was not answered by 1"
        )
    return {"query": "select 1", "answered_in_ms": round((climb.clock.monotonic() - begun) * 1000, 3)}


POSTGRES = Kind(
    name="postgres",
    title="PostgreSQL",
    description="Logs in to a PostgreSQL database, checks each permission on its own and runs one query.",
    config=PostgresConfig,
    credentials=PostgresCredentials,
    libraries=("asyncpg", "clearline.probes.postgres_guard", "clearline.probes.postgres_rights"),
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda config: tls_required(config) | {"password"},
    allowed_credentials=lambda config: tls_allowed(config) | {"password"},
    conflicts=tls_conflicts,
    permissions=(
        Permission("database", "Each named privilege on the database; CONNECT unless the config names others."),
        Permission("schemas", "Each named privilege on each named schema."),
        Permission("tables", "Each named privilege on each named table or view."),
        Permission("sequences", "USAGE on each named sequence."),
        Permission("functions", "EXECUTE on each named function."),
    ),
    explain=explain,
)
