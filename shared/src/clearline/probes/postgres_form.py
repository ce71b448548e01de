"""The form of kind `postgres`: where the database is, how it is spoken to, and what it must allow."""

from typing import Annotated, Literal

from pydantic import Field

from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Host, Line, Port, PrivateKey, Secret
from clearline.probes.probe import Credentials, Endpoint, Form
from clearline.probes.trust import authorities_digest


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
    database_privileges: Annotated[
        tuple[Literal["connect", "create", "temporary"], ...],
        Field(title="Privileges on the database", description="What must be allowed on the database.", max_length=3),
    ] = ("connect",)
    schemas: Annotated[
        tuple[Line, ...], Field(title="Schemas", description="Schemas that must be usable.", max_length=20)
    ] = ()
    schema_privileges: Annotated[
        tuple[Literal["usage", "create"], ...],
        Field(title="Privileges on schemas", description="What must be allowed on each of the schemas.", max_length=2),
    ] = ("usage",)
    tables: Annotated[
        tuple[Line, ...],
        Field(title="Tables", description="Tables that must be accessible, as schema.table.", max_length=50),
    ] = ()
    privileges: Annotated[
        tuple[Literal["select", "insert", "update", "delete", "truncate", "references", "trigger"], ...],
        Field(title="Privileges on tables", description="What must be allowed on each of the tables.", max_length=7),
    ] = ("select",)
    sequences: Annotated[
        tuple[Line, ...],
        Field(title="Sequences", description="Sequences whose next value must be allowed.", max_length=20),
    ] = ()
    functions: Annotated[
        tuple[Line, ...],
        Field(
            title="Functions",
            description="Functions that must be allowed to be called, with the types of their arguments.",
            max_length=20,
            examples=[["sales.total(integer, text)"]],
        ),
    ] = ()


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
