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
        for operation in path.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    responses["default"] = {
        "description": "What went wrong, and what to do.",
        "content": {MEDIA_TYPE: {"schema": PROBLEM}},
    }
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
