"""Requests made up from the API's own description, good and bad, by every role: no answer that it does not describe.

The short form is part of `make test`; `make fuzz` sends more than ten thousand. CLEARLINE_TEST_SEED replays a run.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from services.gateway.tests.api_stand import ApiStand, open_stand
from services.gateway.tests.migrated import MigratedDatabase
from tests.harness import database as databases

from gateway.api.app import create_api

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("CLEARLINE_TEST_SEED", "20261122"))
CASES = int(os.environ.get("CLEARLINE_FUZZ_CASES", "3"))  # per role, operation and mode
ROLES = ("viewer", "operator", "admin", "none")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
HOW = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
async def stand(postgres: str, schema_template: str) -> AsyncIterator[ApiStand]:
    made = await databases.create(postgres, template=schema_template)
    database = MigratedDatabase(made.name, made.dsn)
    async with database.connect() as owner, open_stand(database, owner) as opened:
        opened.outbox["pending"] = -1_000_000  # no Kafka takes anything here
        yield opened
    await databases.drop(postgres, made)


@dataclass
class Fuzz:
    """One role's requests. `loop` serves them while hypothesis thinks in a thread."""

    client: httpx2.AsyncClient
    admin: httpx2.AsyncClient
    loop: asyncio.AbstractEventLoop
    real: dict[str, str] = field(default_factory=dict)
    """Path parameters that lead to something; anew for each operation, as some of them end it."""
    statuses: Counter[int] = field(default_factory=Counter)

    def all(self) -> None:
        api = schemathesis.openapi.from_dict(create_api().openapi())
        for found in api.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # a description that is none fails here
            self.real = asyncio.run_coroutine_threadsafe(_something_real(self.admin), self.loop).result(30)
            for mode in MODES:
                self._one(operation, mode)

    def _one(self, operation: Any, mode: GenerationMode) -> None:
        @seed(SEED)
        @HOW
        @given(operation.as_strategy(generation_mode=mode), st.booleans())
        def answered(case: Any, real: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
            if real:
                case.path_parameters = {name: self.real.get(name, "x") for name in case.path_parameters or {}}
                case.headers = {**(case.headers or {}), "If-Match": "*"}
            answer = asyncio.run_coroutine_threadsafe(self._send(case), self.loop).result(30)
            self.statuses[answer.status_code] += 1
            case.validate_response(answer, checks=CHECKS)

        answered()

    async def _send(self, case: Any) -> httpx2.Response:
        told = case.as_transport_kwargs(base_url="http://gateway")
        known = {name: told[name] for name in ("method", "url", "params", "json", "content") if name in told}
        if "data" in told:
            known["content"] = told["data"]
        headers = {name: value.encode("utf-8", "replace") for name, value in (told.get("headers") or {}).items()}
        headers.pop("Authorization", None)
        return await self.client.request(**known, headers=headers)


async def _something_real(admin: httpx2.AsyncClient) -> dict[str, str]:
    config = {"host": "db.example.com", "port": 1}
    draft = {"name": f"a-{uuid4()}", "environment": "development", "kind": "tcp", "config": config}
    made = (await admin.post("/connections", json=draft)).json()
    token = (await admin.post("/tokens", json={"name": "x", "role": "viewer"})).json()
    return {
        "connection_id": made["id"],
        "verification_id": made["verification"]["id"],
        "test_id": str(uuid4()),
        "token_id": token["id"],
        "kind": "tcp",
    }


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("role", ROLES)
async def test_every_answer_is_described(stand: ApiStand, role: str) -> None:
    admin = await stand.client_of("admin")
    client = stand.client_with({}) if role == "none" else await stand.client_of(role)
    fuzz = Fuzz(client, admin, asyncio.get_running_loop())
    await asyncio.to_thread(fuzz.all)
    print(f"{role}: {fuzz.statuses.total()} requests, {dict(sorted(fuzz.statuses.items()))}")  # noqa: T201 - the summary
    assert fuzz.statuses.total() >= 100
    assert not [status for status in fuzz.statuses if status >= 500]
    assert (set(fuzz.statuses) <= {400, 401, 415, 422}) if role == "none" else fuzz.statuses[200] > 0
