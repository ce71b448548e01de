"""Kind `tcp`: something listens there. It proves the way to a service, nothing about what speaks on it."""

from typing import Annotated

from pydantic import Field

from clearline.probes.addresses import canonical_host
from clearline.probes.fields import Host, Port
from clearline.probes.probe import Credentials, Endpoint, Form, Kind


class TcpConfig(Form):
    """A host and a port."""

    host: Annotated[Host, Field(description="Name or address of the service.")]
    port: Annotated[Port, Field(description="Port that the service listens on.", examples=[5432])]


class TcpCredentials(Credentials):
    """None: a listening port asks for none."""


def endpoint(config: TcpConfig) -> Endpoint:
    """Where it dials."""
    return Endpoint(host=canonical_host(config.host), port=config.port)


def destination(config: TcpConfig) -> str:
    """Host and port."""
    return f"tcp://{canonical_host(config.host)}:{config.port}"


TCP = Kind(
    name="tcp",
    title="TCP port",
    description="Finds the host, and checks that something accepts connections on the port.",
    config=TcpConfig,
    credentials=TcpCredentials,
    rungs={},
    endpoint=endpoint,
    destination=destination,
    required_credentials=lambda _config: frozenset(),
    allowed_credentials=lambda _config: frozenset(),
)
