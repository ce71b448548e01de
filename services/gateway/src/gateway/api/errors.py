"""Whatever a route raises becomes a problem: the one place where an error meets HTTP."""

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from clearline.catalogue import ClearlineError
from gateway.api.correlation import correlation_id_of
from gateway.api.faults import fault_of
from gateway.api.problem import problem_response

METHODS = {"GET": ("GET", "HEAD"), "POST": ("POST",), "PUT": ("PUT",), "PATCH": ("PATCH",), "DELETE": ("DELETE",)}
"""By the method of a route: what may be asked there."""
NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405


def answer_errors(app: FastAPI) -> None:
    """Register the handlers."""

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, ClearlineError)
        return _problem(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _problem(request, fault_of(error.errors()))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == METHOD_NOT_ALLOWED:
            allow = {"allow": ", ".join(_methods(app, request))}
            return _problem(
                request,
                ClearlineError("METHOD_NOT_ALLOWED", path=request.url.path, method=request.method),
                allow,
            )
        return _problem(request, _of_status(error.status_code, request))

    async def unexpected(request: Request, error: Exception) -> Response:
        return _problem(request, ClearlineError("UNEXPECTED", why=type(error).__name__))

    app.add_exception_handler(ClearlineError, told)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, unexpected)


def _problem(request: Request, error: ClearlineError, headers: Mapping[str, str] | None = None) -> Response:
    request.app.state.refusals.tell(error, request.scope)
    return problem_response(
        error, instance=request.url.path, correlation_id=correlation_id_of(request.scope), headers=headers
    )


def _of_status(status: int, request: Request) -> ClearlineError:
    if status == NOT_FOUND:
        return ClearlineError("ROUTE_NOT_FOUND", path=request.url.path)
    return ClearlineError("MALFORMED_JSON", why=f"the framework answered {status}")


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What this path does take; several routes share one path."""

    def fits(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in app.routes)

    return [word for method, words in METHODS.items() if fits(method) for word in words]
