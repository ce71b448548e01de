"""A real nginx of one's own, for tests: a plain port, an encrypted one where it has a certificate, and further ones.

No pytest in here but for the path of the program, which the caller brings: the table of verification uses it too.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.harness.authority import Authority, Issued
from tests.harness.places import free_ports
from tests.harness.process import ServerProcess
from tests.harness.reaching import accepts

PROGRAM = {"name": "nginx", "package": "nginx-light"}
"""For `tests.harness.programs.program`."""

_CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off; ssl_protocols TLSv1.2 TLSv1.3;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {tls}
        {locations}
    }}
    {others}
}}
"""
_TLS = "listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};"
_OTHER = "server {{ {tls} location / {{ return 200 ok; }} }}\n"
_CLIENTS = "ssl_verify_client on; ssl_client_certificate {authority};"


@dataclass(frozen=True, slots=True)
class Nginx:
    """A server that runs: `port` in plain, `tls_port` encrypted where there is a certificate."""

    port: int
    tls_port: int
    others: Mapping[str, int]
    """Ports that are encrypted with other certificates and answer 200 everywhere, by name."""


@asynccontextmanager
async def nginx(
    program: str,
    folder: Path,
    *,
    locations: str,
    certificate: Issued | None = None,
    clients: Authority | None = None,
    others: Mapping[str, Issued] = MappingProxyType({}),
) -> AsyncIterator[Nginx]:
    """Serve until the block ends. `locations` is nginx's own; with `clients` only their certificates get in."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment, before anything runs
    port, tls_port, *more = free_ports(2 + len(others))
    tls = _encrypted(folder, "server", tls_port, certificate) if certificate else ""
    if clients is not None:
        (folder / "clients.pem").write_text(clients.pem)
        tls += _CLIENTS.format(authority=folder / "clients.pem")
    ports = dict(zip(others, more, strict=True))
    rest = "".join(_OTHER.format(tls=_encrypted(folder, name, ports[name], others[name])) for name in others)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIG.format(folder=folder, port=port, tls=tls, locations=locations, others=rest))
    process = ServerProcess(
        name="nginx",
        command=[program, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)],
        environment=os.environ,
        log=folder / "nginx.log",
        is_ready=lambda: accepts(port),
    )
    await process.start()
    try:
        yield Nginx(port, tls_port, ports)
    finally:
        await process.stop()


def _encrypted(folder: Path, name: str, port: int, certificate: Issued) -> str:
    public, private = certificate.written(folder, name)
    return _TLS.format(port=port, certificate=public, key=private)
