"""JSON-RPC over the pipes of a process, one object a line, as `codex app-server` speaks it (no ``jsonrpc`` field)."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Callable

from executors.peers.voice import Line


class Refusal(Exception):
    """The other side answered a request with an error; the text is its message."""


class Rpc:
    """Requests and notifications both ways. What comes is handed over in its order, before the next line is read."""

    def __init__(
        self,
        process: Process,
        on_notification: Callable[[str, Line], None],
        on_request: Callable[[object, str, Line], None],
        on_unread: Callable[[str], None],
    ) -> None:
        self._process = process
        self._on_notification = on_notification
        self._on_request = on_request
        self._on_unread = on_unread
        self._calls: dict[int, asyncio.Future[Line]] = {}
        self._reading = asyncio.create_task(self._read(), name="agent's stdout")

    async def call(self, method: str, params: Line) -> Line:
        """Send a request and return its result; Refusal when it is answered with an error, or not at all."""
        number = len(self._calls) + 1
        self._calls[number] = asyncio.get_running_loop().create_future()
        if self._reading.done():
            raise Refusal("The agent is gone.")
        self._send({"id": number, "method": method, "params": params})
        return await self._calls[number]

    def notify(self, method: str) -> None:
        """Send a notification."""
        self._send({"method": method})

    def reply(self, request: object, result: Line) -> None:
        """Answer a request."""
        self._send({"id": request, "result": result})

    def refuse(self, request: object, text: str) -> None:
        """Answer a request with an error."""
        self._send({"id": request, "error": {"code": -32601, "message": text}})

    async def listened(self) -> None:
        """Return when the other side has said its last."""
        await asyncio.shield(self._reading)

    def _send(self, message: Line) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> None:
        stdout = self._process.stdout
        try:
            while stdout is not None and (data := await stdout.readline()):
                self._take(data)
        finally:
            for call in self._calls.values():
                if not call.done():
                    call.set_exception(Refusal("The agent is gone."))
                    call.exception()  # a caller that has gone does not fetch it

    def _take(self, data: bytes) -> None:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._on_unread(data.decode(errors="replace"))
            return
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if isinstance(method, str):
            if "id" in message:
                self._on_request(message["id"], method, params)
            else:
                self._on_notification(method, params)
            return
        number = message.get("id")
        call = self._calls.get(number) if isinstance(number, int) else None
        if call is None or call.done():
            return
        error, result = message.get("error"), message.get("result")
        if error is None:
            call.set_result(result if isinstance(result, dict) else {})
        else:
            call.set_exception(Refusal(str(error.get("message") if isinstance(error, dict) else error)))
