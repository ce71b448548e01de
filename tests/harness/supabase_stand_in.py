"""Answers as a Supabase project does: gateway, PostgREST, Auth and Storage. A stand-in: the products are not installed.

Statuses and bodies are those of Kong's key-auth as Supabase sets it up, PostgREST 13, GoTrue 2 and storage-api 1.
"""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

Reply = tuple[int, Any]
HEADER_END = b"\r\n\r\n"
TLS_RECORD = b"\x16"


def jwt(role: str, *, ref: str = "localproject", exp: int = 4_102_444_800) -> str:
    """A key as Supabase issues it, signed by nobody; it ends in 2100 unless told otherwise."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iss": "supabase", "ref": ref, "role": role, "exp": exp})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*encoded, "c2lnbmVkLWJ5LW5vYm9keQ"))


@dataclass(slots=True)
class Project:
    """What exists, and who may do what; a test changes it as it likes."""

    port: int = 0
    keys: dict[str, str] = field(default_factory=lambda: {jwt("anon"): "anon", jwt("service_role"): "service_role"})
    schemas: dict[str, dict[str, set[str]]] = field(
        default_factory=lambda: {
            "public": {"articles": {"anon", "service_role"}, "invoices": {"service_role"}},
            "sales": {"orders": {"service_role"}},
        }
    )
    buckets: set[str] = field(default_factory=lambda: {"avatars"})
    storage_roles: set[str] = field(default_factory=lambda: {"service_role", "anon"})
    instead: dict[str, Reply] = field(default_factory=dict)
    """Path prefix → what is answered there, whoever asks: an outage, an expired token."""
    seen: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Every request: its path and headers."""

    def answer(self, target: str, headers: Mapping[str, str]) -> Reply:
        """What the gateway and the service behind it answer to a GET."""
        path = urlsplit(target).path
        self.seen.append((target, headers))
        for prefix, reply in self.instead.items():
            if path.startswith(prefix):
                return reply
        role = self.keys.get(headers.get("apikey", ""))
        return self._turned_away(headers) if role is None else self._served(path, role, headers)

    def _turned_away(self, headers: Mapping[str, str]) -> Reply:
        if "apikey" not in headers:
            hint = "No `apikey` request header or url param was found."
            return 401, {"message": "No API key found in request", "hint": hint}
        hint = "Double check your Supabase `anon` or `service_role` API key."
        return 401, {"message": "Invalid API key", "hint": hint}

    def _served(self, path: str, role: str, headers: Mapping[str, str]) -> Reply:
        match path.split("/")[1:]:
            case ["rest", "v1", table]:
                return self._rest(unquote(table), role, headers)
            case ["auth", "v1", "health"]:
                description = "GoTrue is a user registration and authentication API"
                return 200, {"version": "v2.180.0", "name": "GoTrue", "description": description}
            case ["storage", "v1", "bucket", *rest]:
                return self._storage(rest, role)
            case _:
                return 404, {"message": "no Route matched with those values"}

    def _rest(self, table: str, role: str, headers: Mapping[str, str]) -> Reply:
        schema = headers.get("accept-profile", "public")
        if (tables := self.schemas.get(schema)) is None:
            told = f"The schema must be one of the following: {', '.join(self.schemas)}"
            return 406, _postgrest("PGRST106", told)
        if table == "":
            hint = "Accessing the schema via the Data API is only allowed using a secret API key."
            closed = {"message": "Access to schema is forbidden", "hint": hint}
            return (200, {"swagger": "2.0"}) if role == "service_role" else (403, closed)
        if (roles := tables.get(table)) is None:
            return 404, _postgrest("PGRST205", f"Could not find the table '{schema}.{table}' in the schema cache")
        if role not in roles:
            status = 401 if role == "anon" else 403  # PostgREST: the anonymous role could still sign in
            return status, _postgrest("42501", f"permission denied for table {table}")
        return 200, []

    def _storage(self, rest: list[str], role: str) -> Reply:
        if role not in self.storage_roles:
            return 400, {"statusCode": "403", "error": "Unauthorized", "message": "new row violates row-level security"}
        if not rest:
            return 200, [{"id": bucket, "name": bucket, "public": False} for bucket in sorted(self.buckets)]
        if unquote(rest[0]) not in self.buckets:
            return 400, {"statusCode": "404", "error": "Bucket not found", "message": "Bucket not found"}
        return 200, {"id": rest[0], "name": rest[0], "public": False}


def _postgrest(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "details": None, "hint": None, "message": message}


@asynccontextmanager
async def project(tls: ssl.SSLContext | None = None) -> AsyncIterator[Project]:
    """The stand-in, listening on a free port of 127.0.0.1."""
    state = Project()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError), closing(writer):
            first = await reader.readexactly(1)
            if first == TLS_RECORD:  # nginx, under Kong, does not wait for the end of what is no request
                writer.write(_wire(400, b"<html>400 Bad Request"))
                return
            head, *lines = (first + await reader.readuntil(HEADER_END)).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            status, body = state.answer(head.split(" ")[1], headers)
            writer.write(_wire(status, body))
            await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    async with server:
        yield state


def _wire(status: int, body: Any) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content
