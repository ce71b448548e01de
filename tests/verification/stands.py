"""The servers behind the table of verification, by kind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.harness.authority import Authority
from tests.harness.kafka_stand import kafka_stand
from tests.harness.name_server import ZONE, name_server
from tests.harness.nowhere import NO_SUCH_HOST, unanswered
from tests.harness.programs import program
from tests.harness.redis import PROGRAM
from tests.harness.redis_stand import redis_stand
from tests.harness.supabase_stand_in import jwt, project
from tests.harness.tls_server import tls_answering
from tests.verification.case import Cases, Stand
from tests.verification.http_cases import http_cases
from tests.verification.postgres_cases import postgres_cases

from clearline.testing.hostile_servers import serving, silent

NO_TLS, NO_CREDENTIALS, NO_PERMISSIONS = "no encryption", "asks for none", "needs none"


@asynccontextmanager
async def tcp_cases(_folder: Path) -> AsyncIterator[Cases]:
    async with serving(silent) as server, unanswered() as (closed, mute):
        good = {"host": "127.0.0.1", "port": server.port}
        yield {
            "good": (good, {}),
            "wrong host": (good | {"host": NO_SUCH_HOST}, {}),
            "wrong port": (good | {"port": closed}, {}),
            "wrong TLS": NO_TLS,
            "wrong credentials": NO_CREDENTIALS,
            "missing permission": NO_PERMISSIONS,
            "silent server": (good | {"port": mute}, {}),
        }


@asynccontextmanager
async def tls_cases(folder: Path) -> AsyncIterator[Cases]:
    """A server that lets in only clients with a certificate of its authority."""
    ours, others = Authority(), Authority("Somebody else's authority")
    context = ours.issue("localhost").server(folder, clients=ours)
    known, unknown = ours.issue("clearline"), others.issue("clearline")
    with tls_answering(context) as port:
        async with unanswered() as (closed, mute):
            good = {
                "host": "localhost",
                "port": port,
                "ca_certificate": ours.pem,
                "client_certificate": known.certificate,
            }
            key = {"client_key": known.key}
            yield {
                "good": (good, key),
                "wrong host": (good | {"host": NO_SUCH_HOST}, key),
                "wrong port": (good | {"port": closed}, key),
                "wrong TLS": (good | {"ca_certificate": others.pem}, key),
                "wrong credentials": (good | {"client_certificate": unknown.certificate}, {"client_key": unknown.key}),
                "missing permission": NO_PERMISSIONS,
                "silent server": (good | {"port": mute}, key),
            }


@asynccontextmanager
async def dns_cases(folder: Path) -> AsyncIterator[Cases]:
    async with name_server(folder) as port, unanswered() as (closed, mute):
        good = {"name": f"www.{ZONE}", "resolver": "127.0.0.1", "port": port, "expected": ["192.0.2.10"]}
        yield {
            "good": (good, {}),
            "wrong host": (good | {"resolver": NO_SUCH_HOST}, {}),
            "wrong port": (good | {"port": closed}, {}),
            "wrong TLS": NO_TLS,
            "wrong credentials": NO_CREDENTIALS,
            "missing permission": (good | {"name": "www.example.org"}, {}),
            "silent server": (good | {"port": mute}, {}),
        }


@asynccontextmanager
async def supabase_cases(folder: Path) -> AsyncIterator[Cases]:
    authority = Authority()
    keys = {"anon_key": jwt("anon"), "service_key": jwt("service_role")}
    async with (
        project(authority.issue("localhost").server(folder)) as encrypted,
        project() as plain,
        unanswered() as (closed, mute),
    ):

        def url(port: int, host: str = "localhost") -> dict[str, str]:
            return {"url": f"https://{host}:{port}"}

        good = {"ca_certificate": authority.pem, "anon_tables": ["articles"]} | url(encrypted.port)
        yield {
            "good": (good, keys),
            "wrong host": (good | url(encrypted.port, NO_SUCH_HOST), keys),
            "wrong port": (good | url(closed), keys),
            "wrong TLS": (good | url(plain.port), keys),
            "wrong credentials": (good, keys | {"anon_key": jwt("anon", ref="replaced")}),
            "missing permission": (good | {"anon_tables": ["invoices"]}, keys),
            "silent server": (good | {"url": f"http://127.0.0.1:{mute}", "ca_certificate": None}, keys),
        }


@asynccontextmanager
async def redis_cases(folder: Path) -> AsyncIterator[Cases]:
    async with redis_stand(program(**PROGRAM), folder) as stand:
        yield stand.cases


@asynccontextmanager
async def kafka_cases(folder: Path) -> AsyncIterator[Cases]:
    async with kafka_stand(folder) as stand:
        yield stand.cases


STANDS: Mapping[str, Stand] = {
    "http": Stand(server="nginx", cases=http_cases),
    "supabase": Stand(server="a stand-in for PostgREST, GoTrue and Storage", cases=supabase_cases),
    "postgres": Stand(server="PostgreSQL", cases=postgres_cases),
    "redis": Stand(server="Redis", cases=redis_cases),
    "kafka": Stand(server="Apache Kafka", cases=kafka_cases),
    "tls": Stand(server="OpenSSL, which wants a client certificate", cases=tls_cases),
    "tcp": Stand(server="a listening socket", cases=tcp_cases),
    "dns": Stand(server="NSD", cases=dns_cases),
}
