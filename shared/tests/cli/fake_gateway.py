"""A gateway in memory that answers as the contract says, and streams that are a terminal or not."""

import io
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx2

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
URL = "http://127.0.0.1:8080"
TOKEN = "clt_a-token-that-nobody-may-see"
KIND = {
    "name": "postgres",
    "title": "PostgreSQL",
    "description": "A PostgreSQL database.",
    "config": {
        "type": "object",
        "properties": {
            "host": {"type": "string", "description": "Where it listens."},
            "port": {"type": "integer", "default": 5432},
            "tls": {"enum": ["disable", "prefer", "require"], "default": "prefer"},
            "read_only": {"type": "boolean", "default": False},
            "budget": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
            "schemas": {"type": "array", "items": {"type": "string"}},
            "expected": {"anyOf": [{"$ref": "#/$defs/Status"}, {"type": "array", "items": {"type": "integer"}}]},
        },
        "$defs": {"Status": {"type": "integer"}},
        "required": ["host"],
    },
    "credentials": {"type": "object", "properties": {"password": {"type": "string"}}},
    "permissions": [{"name": "connect", "description": "Open a session."}],
}
STEPS = [
    {"name": "resolve", "status": "passed", "duration_ms": 0.4, "evidence": {"addresses": ["127.0.0.1"]}},
    {"name": "connect", "status": "passed", "duration_ms": 1.2, "evidence": {}},
    {"name": "tls", "status": "skipped", "duration_ms": 0.0, "skipped_because": "tls is disable"},
]


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def problem(status: int, code: str, sentence: str, **more: Any) -> httpx2.Response:
    body = {
        "type": f"/docs/errors#{code}",
        "title": code,
        "status": status,
        "code": code,
        "user_message": sentence,
        "correlation_id": "ref-1234",
        "retryable": False,
        "remediation": ["Do this.", "Then that."],
        "errors": [],
        **more,
    }
    return httpx2.Response(status, json=body, headers={"content-type": "application/problem+json"})


def verification(status: str, steps: int = 3, **more: Any) -> dict[str, Any]:
    return {"id": "v1", "revision": 1, "status": status, "steps": STEPS[:steps], "failure": None, **more}


@dataclass
class FakeGateway:
    """Answers as `interfaces.md` says; `answers` holds what a test wants to be answered instead."""

    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    script: list[dict[str, Any] | BaseException] = field(default_factory=lambda: [verification("verified")])
    """What the verification looks like, look after look; the last one stays."""
    answers: dict[tuple[str, str], Callable[[httpx2.Request], httpx2.Response]] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)
    date: datetime = NOW

    def add(self, name: str = "warehouse", environment: str = "development", **more: Any) -> dict[str, Any]:
        number = len(self.connections) + 1
        one = {
            "id": f"00000000-0000-4000-8000-{number:012}",
            "name": name,
            "environment": environment,
            "kind": "postgres",
            "owner": None,
            "config": {"host": "db", "port": 5432},
            "credentials": {"password": {"stored": True, "changed_at": "2026-11-01T00:00:00Z"}},
            "beat": {"interval_seconds": 30, "timeout_seconds": 10, "degraded_after_ms": None},
            "lifecycle": "inactive",
            "health": "unknown",
            "revision": 1,
            "live_revision": None,
            "staged_revision": None,
            "verification": verification("pending", 0),
            "last_verified_at": None,
            "version": 1,
            **more,
        }
        self.connections[one["id"]] = one
        return one

    def sent(self, method: str) -> list[Any]:
        """Bodies of the requests of that method."""
        return [json.loads(one.content) for one in self.requests if one.method == method and one.content]

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        instead = self.answers.get((request.method, request.url.path))
        response = instead(request) if instead else self._answer(request)
        response.headers.setdefault("date", self.date.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        response.headers.setdefault("x-correlation-id", request.headers["x-correlation-id"])
        return response

    def _answer(self, request: httpx2.Request) -> httpx2.Response:  # noqa: C901, PLR0911 - one table of routes
        path = request.url.path.removeprefix("/api/v1")
        parts = path.strip("/").split("/")
        match request.method, parts:
            case "GET", ["connections"]:
                query = request.url.params
                wanted = {key: query[key] for key in ("name", "environment") if key in query}
                return _page([c for c in self.connections.values() if wanted.items() <= c.items()], query)
            case "POST", ["connections"]:
                body = json.loads(request.content)
                kept = {
                    key: body[key] for key in ("name", "environment", "kind", "config", "owner", "beat") if key in body
                }
                one = self.add(**kept, credentials={name: self._stored() for name in body.get("credentials", {})})
                return httpx2.Response(201, json=one, headers={"etag": '"1"'})
            case "GET", ["connections", _, "verifications", "v1"]:
                seen = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if isinstance(seen, BaseException):
                    raise seen
                return httpx2.Response(200, json=seen)
            case "POST", ["connections", _, "verify"]:
                return httpx2.Response(202, json={"verification_id": "v1", "correlation_id": "ref-verify"})
            case _, ["connections", identifier, *act] if identifier in self.connections:
                return self._on_one(request, self.connections[identifier], act)
            case "GET", ["connection-kinds"]:
                return _page([KIND], request.url.params)
            case "GET", ["connection-kinds", "postgres"]:
                return httpx2.Response(200, json=KIND)
            case "GET", ["version"]:
                return httpx2.Response(200, json={"version": "0.1.0"})
            case "GET", ["session"]:
                body = {"name": "local-admin", "role": "admin", "environments": ["development"], "expires_at": None}
                return httpx2.Response(200, json=body)
            case "GET", ["health", "ready"]:
                return httpx2.Response(200, json={"status": "ready", "checks": {"kafka": {"ok": True, "detail": "up"}}})
            case _:
                return problem(404, "ROUTE_NOT_FOUND", "There is no such page.")

    def _on_one(self, request: httpx2.Request, one: dict[str, Any], act: list[str]) -> httpx2.Response:
        match request.method, act:
            case "PUT", []:
                if request.headers.get("if-match") != f'"{one["version"]}"':
                    return problem(412, "CONNECTION_CHANGED", "Somebody else changed this connection.")
                self._edit(one, json.loads(request.content))
            case "DELETE", []:
                return httpx2.Response(202, json=one | {"lifecycle": "retired"})
            case "POST", ["activate"]:
                one |= {"lifecycle": "active", "live_revision": one["revision"]}
            case "POST", ["deactivate"]:
                one |= {"lifecycle": "inactive", "live_revision": None}
        return httpx2.Response(200, json=deepcopy(one), headers={"etag": f'"{one["version"]}"'})

    def _edit(self, one: dict[str, Any], body: dict[str, Any]) -> None:
        """New config or any secret makes a revision; what is left out stays."""
        secrets = body.get("credentials", {})
        if secrets or body["config"] != one["config"]:
            one |= {"revision": one["revision"] + 1, "verification": verification("pending", 0)}
            one["staged_revision"] = one["revision"] if one["live_revision"] else None
        kept = {name: stored for name, stored in one["credentials"].items() if name not in secrets}
        fresh = {name: self._stored() for name, secret in secrets.items() if secret is not None}
        one |= {key: body[key] for key in ("name", "owner", "config", "beat") if key in body}
        one |= {"credentials": kept | fresh, "version": one["version"] + 1}

    def _stored(self) -> dict[str, Any]:
        return {"stored": True, "changed_at": self.date.isoformat()}


def _page(items: list[Any], query: httpx2.QueryParams) -> httpx2.Response:
    """Pages of two at most, so that every list has to follow its cursor."""
    start, size = int(query.get("cursor", 0)), min(2, int(query.get("limit", 2)))
    end = start + size
    return httpx2.Response(200, json={"items": items[start:end], "next_cursor": str(end) if end < len(items) else None})


class Stream(io.StringIO):
    """Text that is a terminal or not, as the test wants."""

    def __init__(self, text: str = "", *, tty: bool = False) -> None:
        super().__init__(text)
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class Clearline(Protocol):
    """Runs one command. `answers` are what the person types at prompts."""

    def __call__(
        self,
        *arguments: str,
        stdin: str = "",
        tty: bool = False,
        answers: tuple[str, ...] = (),
        env: Mapping[str, str | None] | None = None,
    ) -> Result: ...
