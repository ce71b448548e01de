"""Good requests with something wrong in them: never an error of ours, always an answer that the description knows."""

import os
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from services.gateway.tests.api_stand import ApiStand

from gateway.api.app import create_api

pytestmark = pytest.mark.integration

SEED = os.environ.get("CLEARLINE_TEST_SEED", "20261122")
ROUNDS = int(os.environ.get("CLEARLINE_TEST_ROUNDS", "250"))  # a longer search is one command away
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, -(2**70), 1e308, "", " ", "\u0000", "a\u0000b", "\n"),
    *("%00", "' or 1=1 --", "../../etc/passwd", "{}", "null", "\ud7ff", "\uffff", "\U0010ffff", "é" * 300, "x" * 5000),
    *([], {}, [[]], {"": ""}, {"stored": True}, {"$ref": "#"}, [None] * 50, "9999-12-31T23:59:59Z", "0001-01-01"),
)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
async def test_mutated_requests_are_answered(
    stand: ApiStand, tcp_draft: Callable[..., dict[str, Any]], role: str
) -> None:
    chance = random.Random(f"{SEED}-{role}")  # noqa: S311 - a replayable choice, not a secret
    creator = await stand.client_of("admin")
    body = (await creator.post("/connections", json=tcp_draft())).json()
    client = await stand.client_of(role)
    operations = list(_operations())
    for number in range(ROUNDS):
        path, method, operation = chance.choice(operations)
        url = _filled(chance, path, body)
        request: dict[str, Any] = {"params": _query(chance, operation), "headers": _headers(chance)}
        if "requestBody" in operation or chance.random() < 0.1:
            request["json"] = _mutated(chance, _good_body(path, tcp_draft, number))
        answer = await client.request(method.upper(), url.removeprefix("/api/v1"), **request)
        story = f"round {number}: {method} {url} {request} → {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, story
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", story
            assert answer.json()["code"] != "UNEXPECTED", story
        else:
            assert str(answer.status_code) in operation["responses"], story


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in create_api().openapi()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _filled(chance: random.Random, path: str, body: dict[str, Any]) -> str:
    good = {"connection_id": body["id"], "verification_id": body["verification"]["id"], "kind": "tcp"}
    odd = ["0", "%00", "a" * 100, "%ff", "null", "8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11", "%F0%9F%9A%9A"]
    for name in ("connection_id", "verification_id", "token_id", "kind"):
        value = good.get(name) if chance.random() < 0.7 else None
        path = path.replace(f"{{{name}}}", value or chance.choice(odd))
    return path


def _query(chance: random.Random, operation: dict[str, Any]) -> dict[str, str]:
    names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
    chosen = [name for name in names if chance.random() < 0.25] + (["surprise"] if chance.random() < 0.05 else [])
    return {name: str(chance.choice([*ODD, "production", "tcp", "1", "200", "active", "verified"])) for name in chosen}


def _headers(chance: random.Random) -> list[tuple[bytes, bytes]]:
    choices = (b"*", b'"1"', b'"2"', b'W/"1"', b"", b"\xff", b'"' * 900, b'"1", "2"')
    return [(b"if-match", chance.choice(choices))] if chance.random() < 0.8 else []


def _good_body(path: str, draft: Callable[..., dict[str, Any]], number: int) -> dict[str, Any]:
    if path.endswith("/tokens"):
        return {
            "name": f"t{number}",
            "role": "viewer",
            "environments": ["staging"],
            "expires_at": "2030-01-01T00:00:00Z",
        }
    if path.endswith(("/verify", "/activate")):
        return {"revision": 1}
    beat = {"interval_seconds": 30, "timeout_seconds": 5, "failure_threshold": 2, "recovery_threshold": 2}
    return draft(name=f"c{number}", beat=beat, credentials={})


def _mutated(chance: random.Random, good: dict[str, Any]) -> Any:
    """Replaces, removes or adds something, one to three times, at any depth."""
    document: Any = deepcopy(good)
    for _ in range(chance.randint(0, 3)):
        holder = document
        while isinstance(holder, dict) and holder:
            name = chance.choice(list(holder))
            if isinstance(holder[name], dict) and holder[name] and chance.random() < 0.6:
                holder = holder[name]
                continue
            match chance.randint(0, 3):
                case 0:
                    del holder[name]
                case 1:
                    holder[chance.choice(["surprise", "", "a/b", "password", "\u0000"])] = deepcopy(chance.choice(ODD))
                case _:
                    holder[name] = deepcopy(chance.choice(ODD))
            break
    return deepcopy(chance.choice(ODD)) if chance.random() < 0.03 else document
