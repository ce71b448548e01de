"""Kind `postgres`: a PostgreSQL database that lets us in, holds what the form names, and answers a query."""

import asyncio
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from clearline.contracts.verification import StepName
from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Host, Line, Port, PrivateKey, Secret
from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.negotiation import Streams
from clearline.probes.probe import Climb, Credentials, Endpoint, Evidence, Form, Kind, Permission, Skipped, StepFailed
from clearline.probes.trust import authorities_digest, context_of, tls_allowed, tls_conflicts, tls_required

if TYPE_CHECKING:
    from asyncpg import Connection
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest."""

_SCHEMA_USAGE = "select has_schema_privilege(to_regnamespace($1), 'USAGE')"
_TABLE_PRIVILEGE = "select has_table_privilege(to_regclass($1), $2)"
"""Both answer null where there is no such schema or table."""

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


class PostgresConfig(Form):
    """Where the database is and what it must allow."""

    host: Annotated[Host, Field(description="Name or address of the database server.")]
    port: Annotated[Port, Field(description="Port of the database server.")] = 5432
    database: Annotated[Line, Field(title="Database", max_length=63, examples=["warehouse"])]
    user: Annotated[Line, Field(title="User", max_length=63, examples=["clearline"])]
    tls: Annotated[
        Literal["disable", "prefer", "require", "verify-full"],
        Field(
            title="Encryption",
            description="prefer: if offered. require: always, whoever answers. verify-full: and only the right server.",
        ),
    ] = "prefer"
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None
    schemas: Annotated[
        tuple[Line, ...], Field(title="Schemas", description="Schemas that must be usable.", max_length=20)
    ] = ()
    tables: Annotated[
        tuple[Line, ...],
        Field(title="Tables", description="Tables that must be accessible, as schema.table.", max_length=50),
    ] = ()
    privileges: Annotated[
        tuple[Literal["select", "insert", "update", "delete"], ...],
        Field(title="Privileges", description="What must be allowed on each of the tables.", max_length=4),
    ] = ("select",)


class PostgresCredentials(Credentials):
    """The user's password."""

    password: Annotated[Secret, Field(title="Password")]
    client_key: PrivateKey | None = None


def endpoint(config: PostgresConfig) -> Endpoint:
    """Where it dials."""
    return Endpoint(host=canonical_host(config.host), port=config.port)


def destination(config: PostgresConfig) -> str:
    """Server, encryption, and whose certificates are believed."""
    trusted = f"&ca={authorities_digest(config.ca_certificate)}" if config.tls == "verify-full" else ""
    return f"postgres://{canonical_host(config.host)}:{config.port}?tls={config.tls}{trusted}"


async def encrypt(climb: Climb) -> Evidence | Skipped:
    """Ask for TLS as the protocol does, and negotiate it when it is offered."""
    config: PostgresConfig = climb.config
    if config.tls == "disable":
        return Skipped("encryption is switched off in the config")
    try:
        context = context_of(config, climb.credentials, verify=config.tls == "verify-full")
        evidence = await shake_hands(climb, context, _asked_for_tls)
    except StepFailed as finding:
        if finding.code == "TLS_NOT_SPOKEN" and config.tls == "prefer":
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
            raise StepFailed("TLS_NOT_SPOKEN", field="/config/tls", why="the server offers no encryption")
        case _:
            raise StepFailed(
                "PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why="another protocol answered"
            )


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
    """Ask for each permission on its own, and name the first that is missing."""
    config: PostgresConfig = climb.config
    connection: Connection[Any] = climb.kept["connection"]
    granted = [f"CONNECT on {config.database}"]
    for index, schema in enumerate(config.schemas):
        held = await connection.fetchval(_SCHEMA_USAGE, schema)
        _demand(held, f"USAGE on {schema}", f"/config/schemas/{index}", config.user)
        granted.append(f"USAGE on {schema}")
    for index, table in enumerate(config.tables):
        for privilege in config.privileges:
            held = await connection.fetchval(_TABLE_PRIVILEGE, table, privilege)
            _demand(held, f"{privilege.upper()} on {table}", f"/config/tables/{index}", config.user)
            granted.append(f"{privilege.upper()} on {table}")
    return {"granted": granted}


def _demand(held: bool | None, permission: str, field: str, user: str) -> None:  # noqa: FBT001 - a value of SQL
    if not held:
        why = "it is not granted" if held is False else "there is no such object, or it cannot be seen"
        raise StepFailed("PERMISSION_MISSING", field=field, permission=permission, user=user, why=why)


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


def explain(error: BaseException, climb: Climb, step: StepName) -> StepFailed | None:
    """What PostgreSQL and its client say, in the catalogue's terms. Codes: PostgreSQL's appendix A."""
    import asyncpg  # noqa: PLC0415

    if climb.kept.get("faults"):
        return climb.kept["faults"][0]  # type: ignore[no-any-return]  # put there by the guard
    if isinstance(error, asyncpg.PostgresError):
        return _explain_answer(str(error.sqlstate or ""), str(error), climb.config, step)
    if isinstance(error, asyncpg.InterfaceError):
        return StepFailed("AUTH_METHOD_UNSUPPORTED", field="/config/user", method="unknown", detail=str(error))
    if isinstance(error, asyncpg.InternalClientError | struct.error | UnicodeDecodeError):
        return StepFailed("PROTOCOL_MISMATCH", field="/config/port", expected="PostgreSQL", why=str(error))
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


POSTGRES = Kind(
    name="postgres",
    title="PostgreSQL",
    description="Logs in to a PostgreSQL database, checks each permission on its own and runs one query.",
    config=PostgresConfig,
    credentials=PostgresCredentials,
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda config: tls_required(config) | {"password"},
    allowed_credentials=lambda config: tls_allowed(config) | {"password"},
    conflicts=tls_conflicts,
    permissions=(
        Permission("connect", "CONNECT on the database."),
        Permission("usage", "USAGE on each schema that the config names."),
        Permission("privileges", "Each named privilege on each table that the config names."),
    ),
    explain=explain,
)
