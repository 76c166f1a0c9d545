"""A model on this machine that calls one command, for the probe of a Claude program."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ProbeModel:
    """The Messages API, as far as one call and one answer need it.

    It calls ``command`` once, and was ``told`` when the answer held ``refusal``.
    """

    command: str
    refusal: str
    told: bool = field(default=False, init=False)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length") or 0))
            kind, answer = self._answer(first, body)
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + (b"" if first.startswith("HEAD") else answer)
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return  # the program went away, or speaks otherwise: it will not have asked
        finally:
            writer.close()

    def _answer(self, first: str, body: bytes) -> tuple[str, bytes]:
        if not first.startswith("POST") or "/messages" not in first or "count_tokens" in first:
            return "application/json", b'{"input_tokens": 1, "data": []}'
        request = json.loads(body)
        messages = json.dumps(request.get("messages"))
        self.told = self.told or self.refusal in messages
        calls = bool(request.get("tools")) and "tool_result" not in messages
        block: dict[str, Any] = {"type": "text", "text": ""}
        delta: dict[str, Any] = {"type": "text_delta", "text": "Done."}
        if calls:
            block = {"type": "tool_use", "id": "toolu_probe", "name": "Bash", "input": {}}
            given = {"command": self.command, "description": "Make a file"}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(given)}
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "msg_probe", "type": "message", "role": "assistant", "model": "probe", "content": []}
        reason = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
        if not request.get("stream"):
            text = {"type": "text", "text": "Done."}
            whole = {**message, **reason, "stop_reason": "end_turn", "content": [text], "usage": usage}
            return "application/json", json.dumps(whole).encode()
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": reason, "usage": usage},
            {"type": "message_stop"},
        ]
        lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        return "text/event-stream", "".join(lines).encode()
