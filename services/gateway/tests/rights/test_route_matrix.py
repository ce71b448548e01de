"""Role, environments, route and object: who may not do it is told 403, what may not be seen is not there (404)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from services.gateway.tests.api_stand import ALL, ApiStand
from services.gateway.tests.migrated import add_connection, add_verification
from services.gateway.tests.rights.routes import ROUTES, Route

from gateway.api.app import create_api
from gateway.security.principal import ROLES, Role

pytestmark = pytest.mark.integration

ENVIRONMENTS = (("production",), ("development", "staging"), ALL)
DETAIL = "refused by 10.0.0.1"
BEAT = {"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2}
OBJECTS = ("own", "foreign", "missing")


def operations() -> Iterator[tuple[str, str, str]]:
    for path, methods in create_api().openapi()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path.removeprefix("/api/v1")


@pytest.fixture
async def stand(rights_stand: ApiStand) -> AsyncIterator[ApiStand]:
    yield rights_stand
    for client in rights_stand.clients:
        await client.aclose()
    rights_stand.clients.clear()


@dataclass(frozen=True, slots=True)
class Call:
    """One request of one route."""

    method: str
    path: str
    body: Any = None

    async def by(self, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.request(self.method, self.path, json=self.body, headers={"if-match": "*"})


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked, about which object."""

    role: Role
    environments: tuple[str, ...]
    which: str


def test_every_route_is_in_the_table() -> None:
    assert {operation for operation, *_ in operations()} == set(ROUTES)


@pytest.mark.parametrize(("operation", "method", "path"), list(operations()))
async def test_who_is_nobody_gets_nothing(stand: ApiStand, operation: str, method: str, path: str) -> None:
    call = await _call(stand, (operation, method, path), "production", None)
    past = datetime.now(UTC) - timedelta(seconds=1)
    nobody = {
        "NOT_AUTHENTICATED": stand.client_with({}),
        "TOKEN_EXPIRED": await stand.client_of("admin", expires_at=past),
        "TOKEN_REVOKED": await stand.client_of("admin", revoked_at=past),
    }
    for code, client in nobody.items():
        answer = await call.by(client)
        assert (answer.status_code, answer.json()["code"]) == (401, code), operation


@pytest.mark.parametrize(("operation", "method", "path"), list(operations()))
async def test_each_role_gets_what_is_its_own(stand: ApiStand, operation: str, method: str, path: str) -> None:
    route = ROUTES[operation]
    for role in ROLES:
        for environments in ENVIRONMENTS:
            client = await stand.client_of(role, environments)
            who = (await client.get("/session")).json()
            for which in OBJECTS:
                place = _place(which, environments)
                if place is None:
                    continue
                call = await _call(stand, (operation, method, path), place, who)
                if which == "missing":
                    call = Call(method, _filled(path, *(uuid4() for _ in range(4))), call.body)
                answer = await call.by(client)
                asked = Asked(role, environments, which)
                _check(route, asked, answer, f"{operation}, {asked}: {answer.status_code} {answer.text[:400]}")


def _check(route: Route, asked: Asked, answer: httpx2.Response, story: str) -> None:
    role, environments, which = asked.role, asked.environments, asked.which
    allowed = ROLES.index(role) >= ROLES.index(route.role)
    told = answer.json() if answer.content else {}
    if not allowed or (route.only_everywhere and environments != ALL):
        assert (answer.status_code, told["code"]) == (403, "NOT_ALLOWED"), story
    elif which != "own" and route.missing:
        expected = {route.missing, "CONNECTION_NOT_FOUND"} if route.subject == "verification" else {route.missing}
        assert answer.status_code == 404, story
        assert told["code"] in expected, story
    elif which == "foreign" and route.body and "environment" in route.body:
        assert (answer.status_code, told["code"]) == (403, "NOT_ALLOWED"), story
    else:
        assert answer.status_code == route.answers, story
        assert route.code is None or told["code"] == route.code, story
        if route.detail and which == "own" and route.subject != "list":
            assert (DETAIL in answer.text) == (role != "viewer"), story
    assert role != "viewer" or "operator_detail" not in answer.text, story
    assert role != "viewer" or "operator_summary" not in answer.text, story
    if "metadata" in told:
        del told["metadata"]  # a refusal names the environment that was asked for; it is no object in it
    _nothing_foreign(told, environments, story)


def _nothing_foreign(told: Any, environments: tuple[str, ...], story: str) -> None:
    """No object in an answer, however deep, is of an environment that the caller may not see."""
    match told:
        case {"environment": str(environment)}:
            assert environment in environments, story
        case {"environments": list(several)}:
            assert set(several) <= set(environments), story
    for each in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        _nothing_foreign(each, environments, story)


def _place(which: str, environments: tuple[str, ...]) -> str | None:
    """The environment of the object; None where there is none that is foreign."""
    foreign = [each for each in ALL if each not in environments]
    return environments[0] if which != "foreign" else foreign[0] if foreign else None


async def _call(stand: ApiStand, place: tuple[str, str, str], environment: str, who: dict[str, Any] | None) -> Call:
    operation, method, path = place
    route = ROUTES[operation]
    connection_id, verification_id = await _connection(stand, environment, ended=operation != "verifyConnection")
    if route.subject == "retired connection":
        await stand.owner.execute(
            "update service_connection_profiles set lifecycle = 'retired', retired_at = now() where id = $1",
            connection_id,
        )
    label = f"{who['name']}#{who['id'][:8]}" if who else "somebody"
    test_id = await _test(stand, environment, label) if route.subject == "test" else uuid4()
    token_id = await _token(stand, environment) if route.subject == "token" else uuid4()
    words = {"OWN": environment, "NEW": f"n-{uuid4()}"}
    body = route.body and {name: words.get(str(value), value) for name, value in route.body.items()}
    return Call(method, _filled(path, connection_id, verification_id, test_id, token_id), body)


def _filled(path: str, connection_id: UUID, verification_id: UUID, test_id: UUID, token_id: UUID) -> str:
    return path.format(
        connection_id=connection_id, verification_id=verification_id, test_id=test_id, token_id=token_id, kind="tcp"
    )


async def _connection(stand: ApiStand, environment: str, *, ended: bool) -> tuple[UUID, UUID]:
    """One whose verification failed, with a detail for operators, and an entry of the audit."""
    connection_id = await add_connection(stand.owner, environment=environment)
    await stand.owner.execute("update service_connection_profiles set beat = $2 where id = $1", connection_id, BEAT)
    config = {"host": "db.example.com", "port": 1}
    await stand.owner.execute(
        "update connection_revisions set config = $2 where connection_id = $1", connection_id, config
    )
    await stand.owner.execute("delete from connection_credentials where connection_id = $1", connection_id)
    verification_id = await add_verification(stand.owner, connection_id, environment=environment)
    if ended:
        await stand.end_verification(str(verification_id), "failed")
    await stand.owner.execute(
        "insert into audit (principal, action, object_type, object_id, environment, correlation_id, before, after) "
        "values ('test', 'connection.edited', 'connection', $1, $2, 'c', $3, $4)",
        *(str(connection_id), environment, {"owner": "a"}, {"owner": "b"}),
    )
    return connection_id, verification_id


async def _test(stand: ApiStand, environment: str, label: str) -> UUID:
    test_id = uuid4()
    await stand.owner.execute(
        "insert into connection_tests (id, environment, kind, correlation_id, requested_at, requested_by, deadline) "
        "values ($1, $2, 'tcp', 'c', clock_timestamp(), $3, clock_timestamp() + interval '1 minute')",
        *(test_id, environment, label),
    )
    return test_id


async def _token(stand: ApiStand, environment: str) -> UUID:
    token_id = uuid4()
    await stand.owner.execute(
        "insert into tokens (id, name, hash, role, environments, created_at, created_by) "
        "values ($1, 'other', $2, 'viewer', $3, now(), 'test')",
        *(token_id, token_id.bytes, [environment]),
    )
    return token_id
