"""The OpenAPI document: what FastAPI knows of the routes, with problems said to be problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.problem import MEDIA_TYPE, Problem

PROBLEM = {"$ref": "#/components/schemas/Problem"}
CORRELATION: dict[str, Any] = {
    "description": "Under this id everything that the request caused is found.",
    "schema": {"type": "string"},
}


IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "Sent again with the same key by the same token within 24 hours, the request is not done again but answered as "
        "it was; refused while it is at work (Retry-After), and with another path, body or If-Match. What was refused "
        "had no effect and keeps no key."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x20-\\x7e]+$"},
    "example": "2f8f8a6e-1b1e-4d0e-9a2b-1c7d6e5f4a3b",
}
QUOTA: dict[str, Any] = {
    "RateLimit-Policy": {
        "description": "What is counted, how much of it (q) in how many seconds (w). Each gateway process counts.",
        "schema": {"type": "string"},
        "example": '"commands";q=600;w=60',
    },
    "RateLimit": {
        "description": "How much is left at once (r), and in how many seconds all of it is there again (t).",
        "schema": {"type": "string"},
        "example": '"commands";r=598;t=1',
    },
}
RETRY_AFTER: dict[str, Any] = {
    "description": "Seconds after which trying again makes sense; with 429, 503 and some 409.",
    "schema": {"type": "integer"},
}


def describe(app: FastAPI) -> None:
    """Let `app` describe itself with our additions."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(_document(app))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend its document


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description="Every error is application/problem+json with a code of the error catalogue.",
        routes=app.routes,
        servers=[{"url": "/"}],
    )
    schemas: dict[str, Any] = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for path in document["paths"].values():
        for method, operation in path.items():
            _complete(operation)
            if method != "get":
                _tell_quota(operation)
            if method == "post":
                operation["parameters"].append(IDEMPOTENCY_KEY)
    return document


def _complete(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    responses["default"] = {
        "description": "What went wrong, and what to do.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    }
    responses["default"]["headers"] = {"Retry-After": RETRY_AFTER}
    for response in responses.values():
        response.setdefault("headers", {})["X-Correlation-Id"] = CORRELATION
    operation.setdefault("parameters", []).append(
        {
            "name": "X-Correlation-Id",
            "in": "header",
            "required": False,
            "description": "Kept when it has 8 to 64 letters, digits, dots, dashes and underscores; else made anew.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
        }
    )


def _tell_quota(operation: dict[str, Any]) -> None:
    for response in operation["responses"].values():
        response["headers"].update(QUOTA)
