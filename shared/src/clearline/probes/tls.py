"""Kind `tls`: a server proves who it is. The way to it, the handshake, the name, the chain and how long it is valid."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Certificates, ClientCertificates, Host, Port, PrivateKey
from clearline.probes.handshake import open_streams, shake_hands
from clearline.probes.probe import Climb, Credentials, Endpoint, Evidence, Form, Kind, StepFailed
from clearline.probes.trust import authorities_digest, context_of, tls_allowed, tls_conflicts, tls_required

MAX_DAYS = 398
"""The longest that a public certificate may be valid: https://cabforum.org/working-groups/server/."""

_FIELDS: Mapping[str, str] = {
    "TLS_NOT_SPOKEN": "/config/port",
    "TLS_WRONG_HOST": "/config/server_name",
    "TLS_SELF_SIGNED": "/config/ca_certificate",
    "TLS_UNKNOWN_AUTHORITY": "/config/ca_certificate",
}
"""Where this form mends a finding; for all others it is the host."""


class TlsConfig(Form):
    """Which server, by which name, and how long its certificate must last."""

    host: Annotated[Host, Field(description="Name or address of the service.", examples=["api.example.com"])]
    port: Annotated[Port, Field(description="Port on which TLS begins at once.")] = 443
    server_name: Annotated[
        Host | None,
        Field(
            title="Name in the certificate",
            description="Name that is asked for and must be in the certificate, where it is not the host.",
        ),
    ] = None
    minimum_days: Annotated[
        int,
        Field(
            title="Days left at least",
            description="How many days more the certificate must be valid; 0: it is valid now.",
            ge=0,
            le=MAX_DAYS,
        ),
    ] = 0
    ca_certificate: Certificates | None = None
    client_certificate: ClientCertificates | None = None


class TlsCredentials(Credentials):
    """The key of the client certificate, where the service asks for one."""

    client_key: PrivateKey | None = None


def endpoint(config: TlsConfig) -> Endpoint:
    """Where it dials."""
    return Endpoint(host=canonical_host(config.host), port=config.port, tls_field="/config/host")


def destination(config: TlsConfig) -> str:
    """Server, the name that it must prove, and whose certificates are believed."""
    at = endpoint(config)
    return f"tls://{at.host}:{at.port}?name={_name(config)}&ca={authorities_digest(config.ca_certificate)}"


async def encrypt(climb: Climb) -> Evidence:
    """Handshake, name and chain; then the days that are left."""
    config: TlsConfig = climb.config
    context = context_of(config, climb.credentials, verify=True)
    try:
        evidence = await shake_hands(climb, context, open_streams, server_name=_name(config))
    except StepFailed as finding:
        finding.field = _FIELDS.get(finding.code, finding.field)
        raise
    told = {"server_name": _name(config), **evidence}
    certificate = evidence.get("certificate", {})
    if certificate.get("days_left", 0) < config.minimum_days:
        raise StepFailed(
            "TLS_CERTIFICATE_EXPIRING",
            field="/config/minimum_days",
            evidence=told,
            not_after=certificate.get("not_after"),
            minimum=config.minimum_days,
        )
    return told


def _name(config: TlsConfig) -> str:
    return canonical_host(config.server_name or config.host)


TLS = Kind(
    name="tls",
    title="TLS certificate",
    description="Negotiates TLS with any service, and checks name, chain and validity of its certificate.",
    config=TlsConfig,
    credentials=TlsCredentials,
    rungs={"tls": encrypt},
    endpoint=endpoint,
    destination=destination,
    required_credentials=tls_required,
    allowed_credentials=tls_allowed,
    conflicts=tls_conflicts,
)
