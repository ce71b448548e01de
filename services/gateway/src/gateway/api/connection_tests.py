"""`/connections:test` and `/connection-tests`: try values before anyone saves them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from clearline.catalogue import ClearlineError, FieldError
from gateway.api.access import Operator
from gateway.api.connection_models import ConnectionTestAnswer
from gateway.api.connection_requests import BeatRequest, Credentials, Name, Owner
from gateway.api.paths import PREFIX
from gateway.api.prefer import Waiting
from gateway.api.values import Answer, Environment, Request
from gateway.commands.cancel_test import CancelTest
from gateway.commands.start_test import StartTest
from gateway.queries.connection_tests import ConnectionTestById

router = APIRouter(prefix=PREFIX, tags=["connection tests"])
Shown = dict[str, Any]
NEEDED = ("environment", "kind", "config")


class TestRequest(Request):
    """A draft as create takes it; or an `id`, to try an edit of that connection with the secrets it has stored."""

    __test__ = False  # no test case, whatever its name begins with
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "environment": "development",
                "kind": "postgres",
                "config": {"host": "db.example.com", "port": 5432, "database": "w", "user": "clearline"},
                "credentials": {"password": "correct horse"},
            }
        }
    )

    id: Annotated[UUID, Field(strict=False)] | None = Field(
        default=None,
        description="Its secrets stand for those left out, as in an edit; config left out stays. You may edit it.",
    )
    name: Name | None = Field(default=None, description="As create takes it; a test needs none and looks at none.")
    environment: Environment | None = Field(default=None, description="Needed without an `id`.")
    owner: Owner | None = None
    kind: str | None = Field(default=None, max_length=63, examples=["postgres"], description="Needed without an `id`.")
    config: dict[str, Any] | None = Field(default=None, repr=False, description="Needed without an `id`.")
    credentials: Credentials = Field(default_factory=dict)
    beat: BeatRequest | None = None

    def command(self) -> StartTest:
        """The use case that this asks for. Raises VALIDATION_FAILED for what is left out and needed."""
        missing = [name for name in NEEDED if self.id is None and getattr(self, name) is None]
        if missing:
            errors = [FieldError.of(f"/{name}", "FIELD_REQUIRED") for name in missing]
            raise ClearlineError("VALIDATION_FAILED", pointer=errors[0].pointer, errors=errors)
        return StartTest(
            connection_id=self.id,
            environment=self.environment,
            kind=self.kind,
            config=self.config,
            credentials=self.credentials,
        )


class TestAnswer(Answer):
    """What to follow; the header Location leads there."""

    __test__ = False

    test_id: UUID
    correlation_id: str = Field(description="Of the test's events and logs.")
    test: ConnectionTestAnswer | None = Field(
        default=None, description="Its end, where `Prefer: wait=N` was sent and it came in time."
    )


@router.post(
    "/connections:test",
    status_code=202,
    operation_id="testConnection",
    response_model=TestAnswer,
    response_model_exclude_unset=True,
)
async def start(body: TestRequest, response: Response, wish: Waiting, at: Operator) -> Shown:
    """Try values without saving them. How it went is kept for one hour, the values are not."""
    started = await at.perform(body.command())
    response.headers["location"] = f"/api/v1/connection-tests/{started.test_id}"
    answer: Shown = {"test_id": started.test_id, "correlation_id": started.correlation_id}
    question = ConnectionTestById(started.test_id)
    ended = await wish.end_of(started.test_id, lambda: at.ask(question), response)
    return answer if ended is None else {**answer, "test": ended}


@router.get(
    "/connection-tests/{test_id}",
    operation_id="getConnectionTest",
    response_model=ConnectionTestAnswer,
)
async def get(test_id: UUID, at: Operator) -> Shown:
    """One test, its steps as they come: for whoever started it and for admins, for one hour."""
    return await at.ask(ConnectionTestById(test_id))


@router.delete(
    "/connection-tests/{test_id}",
    status_code=202,
    operation_id="cancelConnectionTest",
    response_model=ConnectionTestAnswer,
)
async def cancel(test_id: UUID, at: Operator) -> Shown:
    """End a running test now. It is `cancelled` when the verifier has answered; one that has ended stays as it is."""
    await at.perform(CancelTest(test_id))
    return await at.ask(ConnectionTestById(test_id))
