"""The client that the command line and the app use. Asynchronous, over the unix socket.

Errors of the supervisor come back as the classes of `supervisor.model.errors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from supervisor.model import errors
from supervisor.model.errors import NotFound, QuarterdeckError, SupervisorUnreachable

READ_TIMEOUT_S = 20.0
TIMEOUT_S = 60.0
"""How long an answer may take, and how long a supervisor that went away is waited for."""

KEPT_S = 2.0
"""An idle connection is used again this long; the server closes it after 5 s, and a request must not meet that."""

RECONNECT_S = 0.2
RECONNECT_MAX_S = 2.0

WAIT_S = 25.0
"""How long one request waits for a decision, before it is made again with the same key."""

Json = dict[str, Any]

ENDED = ("completed", "failed", "cancelled", "archived")


def at(noun: str, ref: str, what: str = "") -> str:
    """Return the path of what a person names (``/sessions/fix/diff``); NotFound when nothing can have that name."""
    if not ref or "/" in ref or ref in (".", ".."):
        raise NotFound(f"There is no {noun} {ref!r}.", hint="Give an id, its unique beginning, or a name.")
    path = f"/{noun}s/{quote(ref, safe='', errors='surrogateescape')}"
    return f"{path}/{what}" if what else path


def of_task(task: str) -> str:
    """Return what stands behind a plan's path for one of its tasks; that of a subplan has an id with slashes."""
    return "/".join(("tasks", *(at("task", part).removeprefix("/tasks/") for part in task.split("/"))))


def rests(plan: Json) -> bool:
    """Whether nothing of a plan goes on without a person: it has ended, is held or blocked, or all there is waits."""
    statuses = Counter(task["status"] for task in plan["tasks"])
    # A task with a subplan runs for as long as its parts: it moves when they do.
    moving = ("ready", "running", "waiting_approval", "blocked")
    held = {task["within"] for task in plan["tasks"] if task["status"] in moving}
    if any(task["status"] == "running" and task["id"] not in held for task in plan["tasks"]):
        return False
    if plan["status"] != "running":
        return True
    ready = [task for task in plan["tasks"] if task["status"] == "ready"]
    if plan["advance"] == "manual":
        return not any(task["not_before"] for task in ready)
    return not ready and bool(statuses["waiting_approval"])


async def _leave_it() -> None:
    """Start nothing: whoever runs the supervisor starts it again."""


class Client:
    """Speaks to the supervisor on ``socket`` with the token in ``token_file``, or with ``token`` itself.

    ``revive`` is called while a supervisor that is waited for does not answer; it may start another one.
    """

    def __init__(
        self,
        socket: Path,
        token_file: Path | None = None,
        *,
        token: str = "",
        timeout_s: float = READ_TIMEOUT_S,
        revive: Callable[[], Awaitable[None]] = _leave_it,
    ) -> None:
        self._revive = revive
        self._token_file = None if token else token_file
        # There is no TLS on a socket of this machine, and loading the authorities for it takes 40 ms.
        transport = httpx.AsyncHTTPTransport(
            uds=str(socket), verify=False, limits=httpx.Limits(keepalive_expiry=KEPT_S)
        )
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url="http://quarterdeck",
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
        )
        self._take_token()

    def _take_token(self) -> None:
        """Read the token unless it is known: before the first start of a supervisor there is none."""
        if self._token_file is not None:
            with contextlib.suppress(FileNotFoundError):
                self._http.headers["Authorization"] = f"Bearer {self._token_file.read_text().strip()}"
                self._token_file = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if loop.get_exception_handler() is None:
            loop.set_exception_handler(_without_late_results)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second cancellation, as of an app that closes, would leave the rest of the connections open.
        await asyncio.shield(self._http.aclose())

    async def get(self, path: str, /, **query: Any) -> Json:
        """Return the answer to a GET; parameters that are None are left out."""
        return await self._call("GET", path, params={key: value for key, value in query.items() if value is not None})

    async def get_patiently(self, path: str, /, **query: Any) -> Json:
        """Like `get`, across restarts of the supervisor."""
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        while True:
            try:
                return await self.get(path, **query)
            except SupervisorUnreachable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await self.pause()

    async def pause(self) -> None:
        """Give a supervisor that went away the time to come back."""
        await self._revive()
        await asyncio.sleep(RECONNECT_S)

    async def post(self, path: str, body: Mapping[str, Any] | None = None, *, timeout_s: float | None = None) -> Json:
        """Return the answer to a POST."""
        return await self._call("POST", path, json=dict(body or {}), timeout=timeout_s or TIMEOUT_S)

    async def post_until_decided(
        self, path: str, body: Mapping[str, Any], is_pending: Callable[[Json], bool], *, away: Callable[[], None]
    ) -> Json:
        """Return the answer to a request that waits for a person, across restarts of the supervisor.

        It is made again as it was, with its key, as long as ``is_pending`` says so of the answer. Once the supervisor
        has taken it, one that is ``away`` (called once each time) is waited for without end; before, for TIMEOUT_S.
        """
        loop = asyncio.get_running_loop()
        deadline, taken, failures = loop.time() + TIMEOUT_S, False, 0
        while True:
            try:
                answer = await self.post(path, {**body, "wait_s": WAIT_S}, timeout_s=WAIT_S + READ_TIMEOUT_S)
            except QuarterdeckError as error:
                # Refused, or not understood, it stays. One that stops may fail before it is gone.
                gone = isinstance(error, SupervisorUnreachable)
                passing = gone or error.exit_code == QuarterdeckError.exit_code
                if not passing or (loop.time() > deadline and not (taken and gone)):
                    raise
                if not failures:
                    away()
                await self._revive()
                await asyncio.sleep(min(RECONNECT_MAX_S, RECONNECT_S * 2**failures))
                failures = min(failures + 1, 10)
                continue
            if not is_pending(answer):
                return answer
            deadline, taken, failures = loop.time() + TIMEOUT_S, True, 0

    async def delete(self, path: str, /, **query: Any) -> Json:
        """Return the answer to a DELETE."""
        return await self._call("DELETE", path, params=query)

    async def put(self, path: str, data: bytes, /, **query: Any) -> Json:
        """Return the answer to a PUT of bytes."""
        return await self._call("PUT", path, content=data, params=query, timeout=TIMEOUT_S)

    async def content(self, path: str, begin: int = 0) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of an answer from one on; SupervisorUnreachable when it breaks off."""
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        self._take_token()
        try:
            async with self._http.stream("GET", path, headers=headers, timeout=TIMEOUT_S) as response:
                if response.is_error:
                    await response.aread()
                    raise _error(response)
                async for data in response.aiter_bytes():
                    yield data
        except httpx.TransportError as error:
            raise _unreachable() from error

    async def text(self, path: str) -> str:
        """Return a plain-text answer."""
        return (await self._request("GET", path)).text

    async def follow(self, after: int | None = None, **query: Any) -> AsyncIterator[Json]:
        """Yield events as they happen, after the number ``after`` (None: from now on).

        A gap is filled by re-reading. Ends with SupervisorUnreachable when the supervisor goes away;
        the last event's ``seq`` is where to go on.
        """
        params = {key: value for key, value in query.items() if value is not None}
        cursor = after
        if cursor is not None:
            params["after"] = cursor
        self._take_token()
        try:
            async with self._http.stream("GET", "/events/stream", params=params, timeout=None) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _error(response)
                gap = False
                async for line in response.aiter_lines():
                    if line.startswith("event: gap"):
                        gap = True
                    elif line.startswith("data: ") and gap:
                        gap = False
                        async for event in self._between(json.loads(line[6:])["from"] - 1, query):
                            cursor = event["seq"]
                            yield event
                    elif line.startswith("data: "):
                        event = json.loads(line[6:])
                        if cursor is None or event["seq"] > cursor:
                            cursor = event["seq"]
                            yield event
        except httpx.TransportError as error:
            raise _unreachable() from error
        raise _unreachable()

    async def wait_until_ended(self, session: str, *, or_asks: bool = False) -> Json:
        """Return a session once it has ended, across restarts of the supervisor.

        With ``or_asks`` also one whose tool has exited to ask, and will not go on before that is decided.
        """
        until = (*ENDED, "waiting") if or_asks else ENDED
        while True:
            last = await self.last_seq()
            found: Json = (await self.get_patiently(at("session", session)))["session"]
            if found["status"] in ENDED or (or_asks and await self._exited_to_ask(found)):
                return found
            try:
                async for event in self.follow(last, session=found["id"]):
                    if event["type"] == "status_changed" and event["payload"]["to"] in until:
                        break
            except SupervisorUnreachable:
                await self.pause()

    async def _exited_to_ask(self, session: Json) -> bool:
        if session["status"] != "waiting":
            return False
        made = (await self.get_patiently(at("session", session["id"], "attempts")))["attempts"]
        return bool(made) and made[-1]["status"] == "waiting_approval"

    async def wait_until_plan_rests(self, plan: str) -> Json:
        """Return a plan once nothing of it goes on without a person, across restarts of the supervisor."""
        while True:
            last = await self.last_seq()
            found: Json = (await self.get_patiently(at("plan", plan)))["plan"]
            if rests(found):
                return found
            standing = Counter(task["status"] for task in found["tasks"])
            try:
                async for event in self.follow(last, plan=found["id"]):
                    told = event["payload"]
                    if event["type"] == "task_status_changed":
                        standing[told["from"]] -= 1
                        standing[told["to"]] += 1
                    elif event["type"] not in ("plan_status_changed", "plan_revised", "plan_deleted"):
                        continue
                    if event["type"] != "task_status_changed" or not standing["running"]:
                        break
            except SupervisorUnreachable:
                await self.pause()

    async def last_seq(self) -> int:
        """Return the number of the newest event, 0 before the first."""
        newest = (await self.get_patiently("/events", limit=1))["events"]
        return newest[-1]["seq"] if newest else 0

    async def _between(self, after: int, query: Mapping[str, Any]) -> AsyncIterator[Json]:
        while True:
            events = (await self.get("/events", after=after, **query))["events"]
            for event in events:
                yield event
            if not events:
                return
            after = events[-1]["seq"]

    async def _call(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = (await self._request(method, path, **options)).json()
        return answer

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        self._take_token()
        try:
            response = await self._http.request(method, path, **options)
        except httpx.TimeoutException as error:
            raise SupervisorUnreachable(
                "The supervisor did not answer in time.",
                hint="`quarterdeck status` shows its pid. If it hangs, kill it: sessions go on, and the next command "
                "starts another one.",
                code="no_answer",
            ) from error
        except httpx.TransportError as error:
            raise _unreachable() from error
        if response.is_error:
            raise _error(response)
        return response


def _without_late_results(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report what went wrong in the loop, but not what anyio (4.16) does when a reader is cancelled.

    A socket that became readable in that very moment still sets the result of the reader's future.
    """
    if not isinstance(context.get("exception"), asyncio.InvalidStateError):
        loop.default_exception_handler(context)


def _unreachable() -> SupervisorUnreachable:
    return SupervisorUnreachable("No supervisor answers.", hint="Start one with `quarterdeck serve`.")


def _error(response: httpx.Response) -> QuarterdeckError:
    try:
        found = response.json()["error"]
        code, message, hint, exit_code = found["code"], found["message"], found["hint"], found["exit_code"]
    except (ValueError, KeyError, TypeError):
        return QuarterdeckError(f"The supervisor answered with status {response.status_code}.")
    kind = _BY_EXIT_CODE.get(exit_code, QuarterdeckError)
    return kind(message, hint=hint, code=code)


_BY_EXIT_CODE: dict[int, type[QuarterdeckError]] = {
    2: errors.InvalidInput,
    3: errors.NotFound,
    4: errors.Refused,
    5: errors.SupervisorUnreachable,
}
