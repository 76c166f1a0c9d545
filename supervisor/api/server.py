"""The HTTP application on the unix socket."""

from __future__ import annotations

import logging
import time

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.auth import Gate
from supervisor.api.handlers import (
    alerts,
    approvals,
    artifacts,
    budgets,
    changes,
    checkpoints,
    cost,
    digest,
    planruns,
    plans,
    policy,
    projects,
    records,
    schedules,
    sessions,
    supervisor,
)
from supervisor.api.state import ServerState
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request body."""

log = logging.getLogger(__name__)


def build(state: ServerState, gate: Gate) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="Quarterdeck", version=state.version, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.server = state
    app.state.gate = gate
    # Routes are looked through in this order: agents that ask come first.
    routers = (
        approvals.router, supervisor.router, sessions.router, sessions.own, changes.router, checkpoints.router,
        plans.router, planruns.router, artifacts.router, schedules.router, policy.router, records.router,
        alerts.router, budgets.router, cost.router, digest.router, projects.router,
    )  # fmt: skip
    for router in routers:
        # As they are, for they are complete; included routers make each request take twice as long.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(QuarterdeckError, _refuse)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unroutable)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(_Bounded)
    app.add_middleware(_Timed)
    return app


def error_json(error: QuarterdeckError) -> dict[str, dict[str, str | int]]:
    """Return an error as clients get it."""
    return {
        "error": {
            "code": error.specific_code,
            "message": " ".join(part for part in (error.message, error.kept) if part),
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
    }


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, QuarterdeckError)  # noqa: S101 - registered for this type
    return JSONResponse(error_json(error), error.http_status)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return await _refuse(request, InvalidInput(f"{where}: {first['msg']}.", hint="See the API reference."))


async def _unroutable(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    if error.status_code == NotFound.http_status:
        return await _refuse(
            request, NotFound(f"There is nothing at {request.url.path}.", hint="See the API reference.")
        )
    problem = InvalidInput(f"{request.method} {request.url.path}: {error.detail}.", hint="See the API reference.")
    return JSONResponse(error_json(problem), error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    problem = QuarterdeckError(
        "Something went wrong inside the supervisor.", hint="Its log says more: `quarterdeck status` names the folder."
    )
    return await _refuse(request, problem)


class _Timed:
    """Says with each answer how many milliseconds it took here, by the standard header Server-Timing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                took = f"app;dur={(time.perf_counter() - began) * 1000:.2f}"
                message["headers"] = [*message["headers"], (b"server-timing", took.encode())]
            await send(message)

        await self._app(scope, receive, timed)


class _Bounded:
    """Refuses bodies that say that they are too large, or that do not say how large they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if "transfer-encoding" in headers or not length.isdecimal() or int(length) > BODY_LIMIT:
                problem = InvalidInput(f"The request is larger than {BODY_LIMIT} bytes.", hint="Send less.")
                await JSONResponse(error_json(problem), 413)(scope, receive, send)
                return
        await self._app(scope, receive, send)
