"""Puts the API together: one router per resource, one form for every error, and guards around both."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from secrets import token_bytes
from uuid import UUID

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from clearline.catalogue import Catalogue, load
from gateway.api import (
    about,
    audit,
    connection_tests,
    connections,
    error_codes,
    keys,
    kinds,
    lifecycle,
    tokens,
    verifications,
)
from gateway.api.body_guard import BodyGuard, BodyLimits
from gateway.api.correlation import Correlated
from gateway.api.description import describe
from gateway.api.error_docs import error_docs
from gateway.api.errors import answer_errors
from gateway.api.head import HeadAsGet
from gateway.api.measured import HttpMetrics, Measured
from gateway.api.prefer import MOST_LOOKS, Ends, NothingEnds
from gateway.api.refusals import Refusals
from gateway.api.traced import Traced
from gateway.commands.desk import Desk
from gateway.security.fingerprint import Fingerprints
from gateway.security.limits import Allowances, Limits

OPERATIONS = frozenset({"/metrics", "/health/live", "/health/ready"})
RESOURCES = (connection_tests, connections, lifecycle, verifications, kinds, error_codes, audit, tokens, keys, about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the API is given."""

    desk: Desk
    new_id: Callable[[], UUID]
    installation: str
    operations: ASGIApp
    """Serves /metrics and /health on the same port."""
    limits: BodyLimits = field(default_factory=BodyLimits)
    allowances: Allowances = field(default_factory=Allowances)
    fingerprints: Fingerprints = field(default_factory=lambda: Fingerprints(token_bytes(32)))
    """Under the installation's key; by itself a process has one that nobody else has."""
    catalogue: Catalogue = field(default_factory=load)
    ends: Ends = field(default_factory=NothingEnds)
    metrics: HttpMetrics = field(default_factory=lambda: HttpMetrics(CollectorRegistry()))
    monotonic: Callable[[], float] = time.monotonic


def build(surroundings: Surroundings) -> ASGIApp:
    """The whole HTTP side as one ASGI app."""
    app = create_api()
    app.state.desk = surroundings.desk
    app.state.ends, app.state.looks = surroundings.ends, asyncio.Semaphore(MOST_LOOKS)
    app.state.refusals = refusals = Refusals(surroundings.catalogue, surroundings.monotonic)
    app.state.limits = Limits(surroundings.allowances, surroundings.monotonic)
    app.state.fingerprints = surroundings.fingerprints
    app.state.about = {"version": gateway_version(), "installation": surroundings.installation}
    guarded = Correlated(BodyGuard(app, surroundings.limits, refusals), surroundings.new_id)
    measured = Measured(guarded, surroundings.metrics, surroundings.monotonic)
    return _Front(HeadAsGet(Traced(measured, surroundings.new_id)), surroundings.operations)


def create_api() -> FastAPI:
    """The routes alone; enough to describe them."""
    app = FastAPI(
        title="Clearline",
        version=gateway_version(),
        summary="Service connections that are proven before they go live.",
        openapi_url="/openapi.json",
        docs_url=None,  # the viewers that come with FastAPI load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False},  # ours begin before the framework does: `Traced`, `Measured`
    )
    for router in (*(resource.router for resource in RESOURCES), error_docs()):
        app.router.routes.extend(router.routes)  # not `include_router`: one between is matched twice at every request
    app.state.refusals = Refusals(load(), time.monotonic)
    describe(app)
    answer_errors(app)
    return app


def gateway_version() -> str:
    """As it was installed."""
    return version("clearline-gateway")


class _Front:
    """Operations must answer whatever becomes of the API, so they stand beside it."""

    def __init__(self, api: ASGIApp, operations: ASGIApp) -> None:
        self._api = api
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operations = scope["type"] == "http" and scope["path"] in OPERATIONS
        await (self._operations if operations else self._api)(scope, receive, send)
