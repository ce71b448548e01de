"""Every error of the API in one form (RFC 9457), told through the catalogue."""

from collections.abc import Mapping
from math import ceil
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from clearline.catalogue import ClearlineError, FieldError
from clearline.chassis import tracing

MEDIA_TYPE = "application/problem+json"
UNAUTHORIZED = 401
_SENTENCE = (
    "This revision cannot go live: the newest verification of revision 2 ended as failed. Verify it, then activate it."
)


class ProblemField(BaseModel):
    """One field of the input that has to be corrected."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the body, or below `/query`.", examples=["/config/port"]
    )
    code: str = Field(examples=["PORT_OUT_OF_RANGE"])
    detail: str = Field(description="What is wrong and what would be right; never the value that was sent.")


class Problem(BaseModel):
    """What went wrong, for a person and for a program."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "/docs/errors#CONNECTION_NOT_VERIFIED",
                "title": "Not proven yet",
                "status": 409,
                "detail": _SENTENCE,
                "instance": "/api/v1/connections/8d0b1f0e-6f0c-4a3c-9a65-3f5b8f0f2a11/activate",
                "code": "CONNECTION_NOT_VERIFIED",
                "correlation_id": "3f0c1f5e7d1b4a7f9c55b0a7c2f0a9e1",
                "user_message": _SENTENCE,
                "retryable": False,
                "retry_after_seconds": None,
                "remediation": ["Verify the connection and wait for the result."],
                "errors": [],
                "metadata": {"revision": 2, "verification_status": "failed"},
            }
        }
    )

    type: str = Field(description="Where this code is documented.")
    title: str
    status: int
    detail: str = Field(description="`user_message`, for MALFORMED_JSON with what is wrong and where; no value.")
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="Code of the error catalogue; stable.")
    correlation_id: str = Field(description="Under this id everything that the request caused is found.")
    trace_id: str | None = Field(default=None, description="The trace that the request is part of (W3C Trace Context).")
    user_message: str = Field(description="A sentence to show as it is.")
    retryable: bool = Field(description="Whether the same request may work later without any change.")
    retry_after_seconds: int | None = None
    remediation: list[str] = Field(description="Steps for whoever mends it, the likeliest first.")
    errors: list[ProblemField] = []
    metadata: dict[str, str | int | float] = Field(
        default={},
        description="Values that the sentence speaks of, by the catalogue's names: where another edit was first (412) "
        "`version`, which it is at now, and `given`, which the request named.",
    )


def problem_of(error: ClearlineError, *, instance: str, correlation_id: str) -> dict[str, Any]:
    """The body that tells `error`. Operator detail stays in the log (`Refusals`)."""
    told = error.translation()
    return {
        "type": told.docs_url,
        "title": told.title,
        "status": told.http_status,
        "detail": _detail(error, told.user_message),
        "instance": instance,
        "code": told.code,
        "correlation_id": correlation_id,
        "trace_id": tracing.trace_id(),
        "user_message": told.user_message,
        "retryable": told.retryable,
        "retry_after_seconds": None if error.retry_after is None else ceil(error.retry_after),
        "remediation": list(told.remediation),
        "errors": [
            {"pointer": each.pointer, "code": each.code, "detail": each.detail}
            for each in _fields(error, told.user_message)
        ],
        "metadata": dict(told.metadata),
    }


def _detail(error: ClearlineError, sentence: str) -> str:
    """The sentence; where a program wrote the body, its author also needs to know what is wrong with it and where."""
    why = error.variables.get("why") if error.code == "MALFORMED_JSON" else None
    return f"{sentence} What is wrong: {why}." if why else sentence


def problem_response(
    error: ClearlineError, *, instance: str, correlation_id: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The response with its body and the headers that its status wants."""
    body = problem_of(error, instance=instance, correlation_id=correlation_id)
    told = dict(headers or {})
    if body["retry_after_seconds"] is not None:
        told["retry-after"] = str(body["retry_after_seconds"])
    if body["status"] == UNAUTHORIZED:
        told["www-authenticate"] = "Bearer"
    return Response(orjson.dumps(body), body["status"], told, MEDIA_TYPE)


def _fields(error: ClearlineError, sentence: str) -> list[FieldError]:
    """The field errors; an error about one field that names no others is itself one."""
    if error.errors or error.pointer is None:
        return list(error.errors)
    return [FieldError(error.pointer, error.code, sentence)]
