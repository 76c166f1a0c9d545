"""Who may speak to the app in the browser: only who has the token, through an address of this machine.

Everyone on this machine can connect to a port of it, and every page that a browser shows can make it connect there. So
nothing is answered, not even a picture, without the token; and only under the names of this machine, so that a page
whose name was made to point here (DNS rebinding) is refused, as is a page of another origin that opens a websocket.
"""

from __future__ import annotations

import secrets
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

PARAMETER: Final = "token"
_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """Checks every request. ``port`` is the one that is listened on, ``host`` the address."""

    def __init__(self, host: str, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        named = f"[{host}]" if ":" in host else host
        self._hosts = frozenset(f"{name}:{port}" for name in (*_NAMES, named))
        # A cookie is for all ports of a host: two of us must not overwrite each other's.
        self._cookie = f"quarterdeck-{port}"

    @property
    def middleware(self) -> Middleware:
        """What aiohttp calls before each handler."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._refuse_strangers(request)
            given = request.query.get(PARAMETER)
            if not self._is_token(given if given is not None else request.cookies.get(self._cookie)):
                raise web.HTTPForbidden(text="Open the address that `quarterdeck web` printed, with its token.")
            return await handler(request)

        return check

    def admit(self, response: web.StreamResponse) -> None:
        """Let the browser that gets a response ask again without the token in its address."""
        response.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict", path="/")

    def _is_token(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def _refuse_strangers(self, request: web.Request) -> None:
        if request.headers.get("Host", "").lower() not in self._hosts:
            raise web.HTTPForbidden(text="This name is not one of this machine's own.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self._hosts}:
            raise web.HTTPForbidden(text="Another page may not ask here.")
