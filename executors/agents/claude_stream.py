"""What the lines of Claude's stream-json mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from executors.agents.claude_acts import act_of
from executors.agents.claude_questions import ELICITATION, asked_in
from executors.agents.limits import epoch_ms, reset_time, says_limit_reached
from executors.agents.shapes import Origin, number, prose, word
from executors.agents.text import read_object, telling_argument
from supervisor.engine.ports.agents import Line
from supervisor.model.events import NewEvent

_CUT_QUESTION = re.compile(
    rb'\{"type":"control_request","request_id":"([\w-]+)",'
    rb'"request":\{"subtype":"can_use_tool","tool_name":"([\w-]+)"'
)
"""The beginning of a line that asks; lines are read up to a limit."""

Reader = Callable[[Origin, dict[str, Any]], Sequence[NewEvent]]


def events(line: Line) -> Sequence[NewEvent]:
    """Return the events of one line; what a terminal shows has none. Never raises."""
    if line.stream == "tty" or not line.data.strip():
        return ()
    origin = Origin(line.time)
    data = read_object(line.data) if line.stream == "stdout" else None
    if data is not None:
        kind = data.get("type")
        read = _READERS.get(kind, _kept) if isinstance(kind, str) else _kept
        return read(origin, data) or _kept(origin, data)
    if line.stream == "stdout" and (cut := _CUT_QUESTION.match(line.data)):
        return (_cut_question(origin, cut, len(line.data)),)
    return (origin.unread(line.data, line.stream),)


def _cut_question(origin: Origin, cut: re.Match[bytes], size: int) -> NewEvent:
    """Return a question whose end is missing, so that it is refused: Claude would wait for an answer for ever."""
    request, tool = (part.decode("ascii") for part in cut.groups())
    asked = origin.permission_asked(request, tool, {})
    asked.payload["too_large"] = size
    return asked


def question(origin: Origin, request: object, tool: object, given: object) -> NewEvent:
    """Return the question whether a tool may run, or the one that Claude itself puts."""
    return origin.permission_asked(request, tool, given, act=act_of(tool, given), **asked_in(tool, given))


def _kept(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    return (origin.unknown(msgspec.json.encode(data).decode()),)


def _system(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    match data.get("subtype"):
        case "init":
            return (origin.agent_session(data.get("session_id"), data.get("model")),)
        case "api_retry":
            error = data.get("error") or data.get("error_status")
            return (origin.retry(data.get("attempt"), data.get("max_retries"), data.get("retry_delay_ms"), str(error)),)
        case "status":
            return (origin.progress(word(data.get("status")) or "idle"),)
        case "thinking_tokens":
            return (origin.progress("thinking"),)
    return ()


def _rate_limit(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    info = data.get("rate_limit_info")
    if not isinstance(info, dict):
        return ()
    resets = info.get("resetsAt")
    resets_at = epoch_ms(resets) if isinstance(resets, int | float) else None
    text = word(info.get("rateLimitType")) or ""
    match info.get("status"):
        case "rejected":
            return (origin.usage_limit("rejected", resets_at, text),)
        case "allowed_warning":
            return (origin.usage_limit("warning", resets_at, text),)
        case "allowed":
            return (origin.progress("within limits", resets_at=resets_at),)
    return ()


def _content(data: dict[str, Any]) -> list[Any]:
    """Return the content blocks: inside the message, or beside the type in older logs."""
    message = data.get("message", data.get("content"))
    content = message.get("content") if isinstance(message, dict) else message
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _assistant(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    content = _content(data)
    if error := word(data.get("error")):
        return (origin.error(prose(content), error),)
    return [_block(origin, block) for block in content]


def _block(origin: Origin, block: Any) -> NewEvent:
    if isinstance(block, dict):
        match block.get("type"):
            case "text":
                return origin.message(block.get("text"))
            case "thinking" | "redacted_thinking":
                return origin.thinking(block.get("thinking", ""))
            case "tool_use" | "server_tool_use" | "mcp_tool_use":
                return _tool_use(origin, block)
            case str(kind) if kind.endswith("tool_result"):
                return _tool_result(origin, block)
    return origin.unknown(msgspec.json.encode(block).decode())


def _tool_use(origin: Origin, block: dict[str, Any]) -> NewEvent:
    """Read a tool call: ``name`` and ``input``, prefixed with ``tool_``, or within ``tool``."""
    inner = block.get("tool")
    if isinstance(inner, dict):
        block = {**block, **inner}
    name = block.get("name") or block.get("tool_name") or inner
    given = block.get("input", block.get("tool_input", {}))
    return origin.tool_use(block.get("id") or block.get("tool_use_id"), name, given)


def _tool_result(origin: Origin, block: dict[str, Any]) -> NewEvent:
    content = block.get("content", block.get("output", ""))
    is_error = block.get("is_error") is True
    return origin.tool_result(block.get("tool_use_id") or block.get("id"), content, is_error=is_error)


def _user(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    content = _content(data)
    results = [
        _tool_result(origin, block)
        for block in content
        if isinstance(block, dict) and block.get("type") == "tool_result"
    ]
    if results or not content:
        return results
    text = prose(content)
    if data.get("isReplay") is True:
        return (origin.message_delivered(text),)
    return (origin.progress(text),)


def _control_request(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    request = data.get("request")
    if not isinstance(request, dict):
        return ()
    match request.get("subtype"):
        case "can_use_tool":
            tool, given = request.get("tool_name"), request.get("input", {})
        case "elicitation":
            tool = ELICITATION
            given = {"message": request.get("message"), **request}
            del given["subtype"]
        case _:
            return ()
    return (question(origin, data.get("request_id"), tool, given),)


def _control_cancel(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    return (origin.permission_withdrawn(data.get("request_id")),)


def _control_response(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    """Read Claude's answer to an interrupt, or its echo of an answer that it was given."""
    response = data.get("response")
    if not isinstance(response, dict):
        return ()
    return (origin.progress("answered", request_id=word(response.get("request_id"))),)


def _result(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    is_error = data.get("is_error") is True
    how = word(data.get("terminal_reason")) or word(data.get("stop_reason"))
    text = prose(data.get("result")) or prose(data.get("errors"))
    interrupted = how is not None and how.startswith("aborted")
    if interrupted:
        text = "The turn was interrupted."
    costs = (data.get(key) for key in ("total_cost_usd", "total_cost", "cost_usd"))
    turns = data.get("num_turns")
    ended = origin.turn_ended(
        is_error=is_error,
        subtype=word(data.get("subtype")) or "success",
        text=text,
        tokens=_tokens(data),
        process_cost_usd=next((float(cost) for cost in costs if isinstance(cost, int | float)), None),
        turns=turns if isinstance(turns, int) else None,
        severity="warning" if interrupted else None,
        terminal_reason=how,
        denials=_denials(data.get("permission_denials")),
    )
    if is_error and (data.get("api_error_status") == 429 or says_limit_reached(text)):
        return (origin.usage_limit("rejected", reset_time(text, origin.time), text), ended)
    return (ended,)


def _denials(denials: object) -> list[dict[str, Any]]:
    """Return the calls that were not allowed: those that were asked about, and those that a rule denied."""
    return [
        {"tool": word(denial.get("tool_name")), "argument": telling_argument(denial.get("tool_input"))}
        for denial in (denials if isinstance(denials, list) else ())
        if isinstance(denial, dict)
    ]


def _tokens(data: dict[str, Any]) -> dict[str, int]:
    """Return the tokens of a turn: ``input`` is everything that was read, ``cached`` the part from a cache.

    After a cut stream ``usage`` is zero and only ``modelUsage`` (of the whole process) is right.
    """
    usage = data.get("usage")
    if isinstance(usage, dict):
        cached = number(usage.get("cache_read_input_tokens"))
        read = number(usage.get("input_tokens")) + number(usage.get("cache_creation_input_tokens")) + cached
        written = number(usage.get("output_tokens"))
        if read or written:
            return {"input": read, "output": written, "cached": cached}
    models = data.get("modelUsage")
    each = [model for model in models.values() if isinstance(model, dict)] if isinstance(models, dict) else []
    cached = sum(number(model.get("cacheReadInputTokens")) for model in each)
    read = sum(number(model.get("inputTokens")) + number(model.get("cacheCreationInputTokens")) for model in each)
    written = sum(number(model.get("outputTokens")) for model in each)
    return {"input": read + cached, "output": written, "cached": cached}


_READERS: dict[str, Reader] = {
    "system": _system,
    "rate_limit_event": _rate_limit,
    "assistant": _assistant,
    "user": _user,
    "control_request": _control_request,
    "control_cancel_request": _control_cancel,
    "control_response": _control_response,
    "result": _result,
    "tool_use": lambda origin, data: (_tool_use(origin, data),),
    "tool_result": lambda origin, data: (_tool_result(origin, data),),
}
