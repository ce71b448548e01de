"""Whoever adds a route adds a guard: each asks who calls, also one that the OpenAPI document leaves out. No I/O."""

from typing import Any

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from gateway.api.access import SignedIn
from gateway.api.app import create_api

PUBLIC = {"/openapi.json", "/docs/errors"}
"""The description of the API and the page that problems link to."""


def guarded(dependant: Dependant) -> bool:
    return isinstance(dependant.call, SignedIn) or any(guarded(each) for each in dependant.dependencies)


def unguarded(routes: list[Any]) -> set[str]:
    """Paths; what is no plain route of ours (a mount, a router) counts as unguarded until somebody says how it is."""
    return {route.path for route in routes if not (isinstance(route, APIRoute) and guarded(route.dependant))}


def test_every_route_asks_who_calls() -> None:
    assert unguarded(create_api().routes) == PUBLIC


def test_a_route_without_a_guard_is_found() -> None:
    router = APIRouter()
    router.add_api_route("/api/v1/hidden", lambda: None, include_in_schema=False)
    assert unguarded(router.routes) == {"/api/v1/hidden"}
