"""Serves the app to browsers: each one that connects gets a process of its own, as each terminal does."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from string import Template
from typing import Final

from aiohttp import WSCloseCode, web
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from supervisor.cli.browser.guard import PARAMETER, Guard
from supervisor.model.errors import Unavailable

END_S: Final = 5.0
"""How long an app may take to end before it is killed."""

MESSAGE_LIMIT: Final = 256 * 1024
"""Bytes of one message of a browser; what is pasted arrives in one."""

_PAGE: Final = Path(__file__).parent / "page.html"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def app_command() -> str:
    """Return what draws the app; without a shell around it, so that ending it ends it."""
    return f"exec {shlex.join([sys.executable, '-P', '-m', 'supervisor.cli.browser.app', str(os.getpid())])}"


class Service(AppService):
    """One app in one browser."""

    async def stop(self) -> None:
        """End the app, by force when it does not end by itself."""
        process = self._process
        if process is None:
            return
        await self.send_meta({"type": "quit"})
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S):
                    await process.wait()
        finally:
            # Also when the server is in a hurry itself.
            if process.returncode is None:
                process.kill()
        await process.wait()
        await super().stop()


class AppServer(Server):
    """The page, its websocket and its files, behind a guard."""

    def __init__(self, host: str, port: int, *, command: str | None = None) -> None:
        super().__init__(command or app_command(), host=host, port=port, title="Quarterdeck")
        self.guard = Guard(host, port)
        self._page = Template(_PAGE.read_text())
        self._open: set[web.WebSocketResponse] = set()

    @property
    def url(self) -> str:
        """The address to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/?{PARAMETER}={self.guard.token}"

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self.guard.middleware])
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/ws", self.handle_websocket),
                web.get("/download/{key}", self.handle_download),
                web.static("/static", self.statics_path),
            ]
        )
        app.on_response_prepare.append(_protect)
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def page(self, request: web.Request) -> web.Response:
        """Return the page; who has asked with the token is known from now on."""
        nonce = secrets.token_urlsafe(16)
        text = self._page.substitute(
            nonce=nonce, websocket=f"ws://{request.host}/ws", size=to_int(request.query.get("fontsize", "16"), 16)
        )
        response = web.Response(text=text, content_type="text/html")
        response.headers["Content-Security-Policy"] = "; ".join(
            (
                "default-src 'none'",
                f"script-src 'self' 'nonce-{nonce}'",
                "style-src 'self' 'unsafe-inline'",  # The terminal writes styles as it draws.
                "img-src 'self' data: blob:",
                "font-src 'self' data:",
                f"connect-src 'self' ws://{request.host}",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            )
        )
        self.guard.admit(response)
        return response

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run an app for a browser until it leaves."""
        websocket = web.WebSocketResponse(heartbeat=15, max_msg_size=MESSAGE_LIMIT)
        await websocket.prepare(request)
        service = Service(
            self.command,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=websocket.close,  # type: ignore[arg-type] # What it returns is not looked at.
            download_manager=self.download_manager,
        )
        self._open.add(websocket)
        try:
            await service.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            # A browser that sends what is no message of ours is cut off.
            with suppress(AssertionError, LookupError, TypeError, ValueError, AttributeError):
                await self._process_messages(websocket, service)
        finally:
            self._open.discard(websocket)
            await service.stop()
        return websocket

    async def on_shutdown(self, app: web.Application) -> None:
        """Let every browser go."""
        for websocket in list(self._open):
            await websocket.close(code=WSCloseCode.GOING_AWAY)


async def _protect(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@asynccontextmanager
async def serving(host: str, port: int, *, command: str | None = None) -> AsyncIterator[AppServer]:
    """Serve on a port of this machine until the end of the context; 0 takes one that is free.

    Unavailable when the port is in use.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise Unavailable(
            f"The port {port} of {host} cannot be had: {error.strerror or error}.",
            hint="Is another `quarterdeck web` there? With --port 0 one that is free is taken.",
        ) from error
    with listener:
        server = AppServer(host, listener.getsockname()[1], command=command)
        runner = web.AppRunner(await server._make_app(), access_log=None, shutdown_timeout=2 * END_S)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield server
        finally:
            await runner.cleanup()
