"""Kind `redis`: a Redis server that lets us in, has the database, allows each named command, and answers."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from clearline.catalogue import FieldError
from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Host, Line, Port, PrivateKey, Secret
from clearline.probes.probe import Climb, Credentials, Endpoint, Evidence, Form, Kind, Permission, Skipped
from clearline.probes.redis_answers import demand
from clearline.probes.redis_login import encrypt, log_in
from clearline.probes.redis_rights import CommandName, channels_wanted, granted, keys_wanted, wanted
from clearline.probes.redis_wire import RedisWire
from clearline.probes.trust import authorities_digest, tls_allowed, tls_conflicts, tls_required

MAX_DATABASE = 2**31 - 1


class RedisConfig(Form):
    """Where the server is and what it must allow."""

    host: Annotated[Host, Field(description="Name or address of the Redis server.", examples=["cache.example.com"])]
    port: Annotated[Port, Field(description="Port of the Redis server.")] = 6379
    user: Annotated[
        Line | None,
        Field(title="User", description="Name of an ACL user; without one the password is the default user's."),
    ] = None
    database: Annotated[
        int,
        Field(title="Database", description="Number of the database that must exist.", ge=0, le=MAX_DATABASE),
    ] = 0
    tls: Annotated[
        Literal["disable", "require", "verify-full"],
        Field(title="Encryption", description="require: whoever answers. verify-full: only the right server."),
    ] = "disable"
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None
    commands: Annotated[
        tuple[CommandName, ...],
        Field(
            title="Commands", description="Commands that must be allowed; none of them is carried out.", max_length=20
        ),
    ] = ()
    keys: Annotated[
        tuple[Line, ...],
        Field(
            title="Keys",
            description="Keys on which each of the commands must be allowed; * stands for any text.",
            max_length=10,
            examples=[["orders:*"]],
        ),
    ] = ()
    channels: Annotated[
        tuple[Line, ...],
        Field(
            title="Channels",
            description="Channels on which publish, subscribe and psubscribe must be allowed; * stands for any text.",
            max_length=10,
            examples=[["news:*"]],
        ),
    ] = ()


class RedisCredentials(Credentials):
    """The password, where there is one, and the key of a client certificate."""

    password: Annotated[Secret | None, Field(title="Password", description="Needed with a user.")] = None
    client_key: PrivateKey | None = None


def endpoint(config: RedisConfig) -> Endpoint:
    """Where it dials."""
    return Endpoint(host=canonical_host(config.host), port=config.port)


def destination(config: RedisConfig) -> str:
    """Server, encryption, and whose certificates are believed."""
    trusted = f"&ca={authorities_digest(config.ca_certificate)}" if config.tls == "verify-full" else ""
    return f"redis://{canonical_host(config.host)}:{config.port}?tls={config.tls}{trusted}"


def conflicts(config: RedisConfig, credentials: RedisCredentials, now: datetime | None) -> Iterator[FieldError]:
    """Commands are allowed on keys or channels, so it has to be said on which."""
    yield from tls_conflicts(config, credentials, now)
    if keys_wanted(config.commands) and not config.keys:
        yield FieldError("/config/keys", "FIELD_REQUIRED", "Name the keys on which these commands must be allowed.")
    if channels_wanted(config.commands) and not config.channels:
        yield FieldError("/config/channels", "FIELD_REQUIRED", "Name the channels on which these must be allowed.")


async def authenticate(climb: Climb) -> Evidence:
    """Sign in. The connection is kept for the rungs above."""
    climb.kept["wire"], evidence = await log_in(climb)
    return evidence


async def authorize(climb: Climb) -> Evidence | Skipped:
    """Choose the database, then ask for each command on each key or channel on its own."""
    config: RedisConfig = climb.config
    wire: RedisWire = climb.kept["wire"]
    asked = list(wanted(config.commands, config.keys, config.channels))
    if not (asked or config.database):
        return Skipped("the config names no command that must be allowed")
    if config.database:
        demand(await wire.ask("SELECT", str(config.database)), "OK", climb, permission="SELECT")
    chosen = [f"SELECT {config.database}"] if config.database else []
    evidence = await granted(wire, asked, climb)
    return {**evidence, "granted": chosen + evidence["granted"]}


async def exercise(climb: Climb) -> Evidence:
    """One command, answered."""
    wire: RedisWire = climb.kept["wire"]
    begun = climb.clock.monotonic()
    demand(await wire.ask("PING"), "PONG", climb, permission="PING")
    return {"command": "PING", "answered_in_ms": round((climb.clock.monotonic() - begun) * 1000, 3)}


def required(config: RedisConfig) -> frozenset[str]:
    """A user signs in with a password; whose password is of no account to a user without one."""
    return tls_required(config) | ({"password"} if config.user else frozenset())


REDIS = Kind(
    name="redis",
    title="Redis",
    description="Signs in to a Redis server, checks each command on each key on its own, and has PING answered.",
    config=RedisConfig,
    credentials=RedisCredentials,
    rungs={"tls": encrypt, "authenticate": authenticate, "authorize": authorize, "exercise": exercise},
    endpoint=endpoint,
    destination=destination,
    required_credentials=required,
    allowed_credentials=lambda config: tls_allowed(config) | {"password"},
    conflicts=conflicts,
    permissions=(
        Permission("ping", "PING."),
        Permission("select", "SELECT of the database, where it is not 0."),
        Permission("commands", "Each named command on each named key or channel; none is carried out."),
    ),
)
