"""A scripted model: the Anthropic Messages and the OpenAI Responses API on one local port.

Real agents talk to it instead of to a model. Each request takes the next answer of the script; a
request without tools (Claude asks for a title now and then) takes none.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool call. A string as input makes it a call of a custom tool (Responses API).

    ``namespace`` is what the Responses API groups the tools of an MCP server under.
    """

    name: str
    input: Json | str
    namespace: str = ""


@dataclass(frozen=True)
class Answer:
    """What the model does on one request: text, then calls; or an HTTP error.

    ``hold``: after the first half of the text the stream waits for it. ``cut``: the connection is
    closed before the stream ended. ``error`` is the body of an HTTP error.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    status: int = 200
    error: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    cut: bool = False
    usage: tuple[int, int, int] = (100, 20, 0)
    """Tokens: input that was not cached, output, cached."""


class Cut(Exception):
    """The stream stops here."""


class ModelServer:
    """Serves a script on an address of this machine while it is entered. ``requests`` holds the bodies that came."""

    def __init__(self, answers: Iterable[Answer], host: str = "127.0.0.1") -> None:
        self._answers = iter(answers)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.requests: list[Json] = []
        server = self
        self.closing = threading.Event()

        class Handler(_Handler):
            model = server

        self._http = ThreadingHTTPServer((host, 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://{host}:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: Json) -> tuple[Answer, int]:
        """Return the next answer and a number for its ids; words when the script is at its end."""
        with self._lock:
            if not request.get("tools"):
                return Answer("Title"), next(self._numbers)
            self.requests.append(request)
            return next(self._answers, Answer("The script is at its end.")), next(self._numbers)


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._json(200, {})

    def do_GET(self) -> None:
        self._json(200, {"data": [], "models": []})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "count_tokens" in self.path:
            self._json(200, {"input_tokens": 100})
            return
        answer, number = self.model.answer(request)
        if answer.status != 200:
            self._json(answer.status, answer.error, answer.headers)
            return
        events = openai_events if self.path.endswith("/responses") else anthropic_events
        if not request.get("stream"):
            self._json(200, whole_message(answer, number))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        try:
            for event in events(answer, number, self.model.closing):
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
        except (Cut, OSError):
            return

    def _json(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _pieces(answer: Answer, closing: threading.Event) -> Iterator[str]:
    """Yield the two halves of an answer's text, waiting or cutting between them."""
    middle = len(answer.text) // 2
    if answer.text[:middle]:
        yield answer.text[:middle]
    while answer.hold and not answer.hold.wait(0.02):
        if closing.is_set():
            raise Cut
    if answer.cut:
        raise Cut
    yield answer.text[middle:]


def _message(number: int) -> Json:
    return {
        "id": f"msg_{number:04}", "type": "message", "role": "assistant", "model": "claude-opus-4-8",
        "stop_sequence": None,
    }  # fmt: skip


def _anthropic_usage(answer: Answer) -> Json:
    read, written, cached = answer.usage
    return {
        "input_tokens": read, "output_tokens": written, "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
    }  # fmt: skip


def whole_message(answer: Answer, number: int) -> Json:
    """Return a Messages API answer that is not streamed."""
    content = [{"type": "text", "text": answer.text}]
    return {
        **_message(number), "content": content, "stop_reason": "end_turn", "usage": _anthropic_usage(answer)
    }  # fmt: skip


def anthropic_events(answer: Answer, number: int, closing: threading.Event) -> Iterator[Json]:
    """Yield the server-sent events of the Messages API."""
    usage = _anthropic_usage(answer)
    started = {**_message(number), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": started}
    index = 0
    if answer.text:
        yield _block_start(index, {"type": "text", "text": ""})
        for piece in _pieces(answer, closing):
            yield _delta(index, {"type": "text_delta", "text": piece})
        yield {"type": "content_block_stop", "index": index}
        index += 1
    for call in answer.calls:
        block = {"type": "tool_use", "id": f"toolu_{number:04}_{index}", "name": call.name, "input": {}}
        yield _block_start(index, block)
        yield _delta(index, {"type": "input_json_delta", "partial_json": json.dumps(call.input)})
        yield {"type": "content_block_stop", "index": index}
        index += 1
    reason = "tool_use" if answer.calls else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": usage}
    yield {"type": "message_stop"}


def _block_start(index: int, block: Json) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: Json) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def openai_events(answer: Answer, number: int, closing: threading.Event) -> Iterator[Json]:
    """Yield the server-sent events of the Responses API."""
    response = {"id": f"resp_{number:04}"}
    yield {"type": "response.created", "response": response}
    if answer.text:
        item: Json = {"type": "message", "role": "assistant", "id": f"msg_{number:04}", "content": []}
        yield {"type": "response.output_item.added", "item": item}
        for piece in _pieces(answer, closing):
            yield {"type": "response.output_text.delta", "item_id": item["id"], "delta": piece}
        content = [{"type": "output_text", "text": answer.text}]
        yield {"type": "response.output_item.done", "item": {**item, "content": content}}
    for index, call in enumerate(answer.calls):
        ids = {"call_id": f"call_{number:04}_{index}", "name": call.name}
        if call.namespace:
            ids["namespace"] = call.namespace
        if isinstance(call.input, str):
            item = {"type": "custom_tool_call", **ids, "input": call.input}
        else:
            item = {"type": "function_call", **ids, "arguments": json.dumps(call.input)}
        yield {"type": "response.output_item.done", "item": item}
    read, written, cached = answer.usage
    usage = {
        "input_tokens": read + cached, "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": written, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + cached + written,
    }  # fmt: skip
    yield {"type": "response.completed", "response": {**response, "usage": usage}}
