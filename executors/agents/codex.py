"""Codex: `codex exec --json`, or its own screen in a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from executors.agents.limits import reset_time, says_limit_reached
from executors.agents.program import program
from executors.agents.shapes import NO_TOKENS, Origin, number, prose
from executors.agents.text import read_object
from supervisor.engine.ports import Invocation, Line, Turn, Verdict
from supervisor.model.errors import InvalidInput
from supervisor.model.events import NewEvent

_RECONNECTING = re.compile(r"Reconnecting\.\.\. (\d+)/(\d+)(?: \((.*)\))?", re.DOTALL)
_REJECTED = re.compile(r"rejected by user approval|approval policy|rejected: |Rejected\(", re.IGNORECASE)
_TOOLS = {"command_execution": "shell", "file_change": "apply_patch", "web_search": "web_search"}


class CodexAdapter:
    """Codex 0.169. `exec` reads no messages and never asks; it is interrupted by a signal."""

    name = "codex"

    def invocation(self, turn: Turn) -> Invocation:
        """Start `codex exec`, resumed where asked, or the terminal interface."""
        profile = turn.profile
        if turn.argv:
            raise InvalidInput(
                f"The agent {profile.name!r} takes a prompt, not a command.",
                hint="Give --prompt, or use --agent command.",
            )
        argv = program(profile, "codex")
        model = ["--model", profile.model] if profile.model else []
        if turn.mode == "dispatch":
            argv += ["resume"] if turn.resume else []
            argv += ["--no-daemon", "-a", "on-request", *model, *profile.arguments, "--"]
            argv += [part for part in (turn.resume, turn.prompt) if part]
            return Invocation(tuple(argv))
        if turn.prompt is None:
            raise InvalidInput(f"The agent {profile.name!r} needs a prompt.", hint="Give --prompt or --prompt-file.")
        argv += ["exec", "-s", "workspace-write"]
        argv += ["resume"] if turn.resume else []
        argv += ["--json", *model, *profile.arguments, "--"]
        argv += [turn.resume, turn.prompt] if turn.resume else [turn.prompt]
        return Invocation(tuple(argv))

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the events of one line; what a terminal shows has none."""
        if line.stream == "tty" or not line.data.strip():
            return ()
        origin = Origin(line.time)
        data = read_object(line.data) if line.stream == "stdout" else None
        if data is not None:
            return _read(origin, data) or (origin.unknown(msgspec.json.encode(data).decode()),)
        printed = origin.unread(line.data, line.stream)
        if line.stream == "stderr" and _REJECTED.search(printed.payload["text"]):
            return (origin.permission_refused(None, None, {}, printed.payload["text"]),)
        return (printed,)

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the input as it is: Codex is not given hooks."""
        return (Origin(time, "hook").unknown(msgspec.json.encode(payload).decode()),)

    def message(self, text: str) -> None:
        """`codex exec` reads no messages while it runs."""

    def interrupt(self) -> None:
        """A signal must do it."""

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> None:
        """`codex exec` never asks."""

    def permission(self, payload: dict[str, Any], time: int) -> None:
        """It makes no blocking requests."""

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return the verdict as it is."""
        return {"allow": verdict.allow, "choice": verdict.choice, "message": verdict.message}


def _read(origin: Origin, data: dict[str, Any]) -> Sequence[NewEvent]:
    match data.get("type"):
        case "thread.started":
            return (origin.agent_session(data.get("thread_id"), None),)
        case "turn.started":
            return (origin.progress("requesting"),)
        case "turn.completed":
            return (_completed(origin, data.get("usage")),)
        case "turn.failed":
            return _failed(origin, _message(data.get("error")))
        case "error":
            return (_error(origin, _message(data)),)
        case "item.started" | "item.updated" | "item.completed" as stage:
            item = data.get("item")
            return _item(origin, item, stage) if isinstance(item, dict) else ()
    return ()


def _message(error: object) -> str:
    return prose(error.get("message")) if isinstance(error, dict) else prose(error)


def _error(origin: Origin, text: str) -> NewEvent:
    if found := _RECONNECTING.search(text):
        return origin.retry(int(found[1]), int(found[2]), None, found[3] or text)
    return origin.error(text, "error")


def _failed(origin: Origin, text: str) -> Sequence[NewEvent]:
    ended = origin.turn_ended(is_error=True, subtype="failed", text=text, tokens=dict(NO_TOKENS))
    if says_limit_reached(text):
        return (origin.usage_limit("rejected", reset_time(text, origin.time), text), ended)
    return (ended,)


def _item(origin: Origin, item: dict[str, Any], stage: str) -> Sequence[NewEvent]:
    kind = item.get("type")
    match kind:
        case "agent_message" if stage == "item.completed":
            return (origin.message(item.get("text")),)
        case "reasoning" if stage == "item.completed":
            return (origin.thinking(item.get("text")),)
        case "error":  # Codex uses it for what is only worth a warning
            return (origin.error(item.get("message"), "warning", severity="warning"),)
        case "todo_list":
            return (origin.progress("plan", items=item.get("items")),)
        case "command_execution" | "file_change" | "mcp_tool_call" | "web_search":
            return _tool(origin, item, str(kind), stage)
    return (origin.progress(f"{kind} {stage}"),) if isinstance(kind, str) and stage != "item.completed" else ()


def _tool(origin: Origin, item: dict[str, Any], kind: str, stage: str) -> Sequence[NewEvent]:
    if stage == "item.started":
        tool = _TOOLS.get(kind) or f"mcp__{item.get('server')}__{item.get('tool')}"
        given = {key: item[key] for key in ("command", "changes", "arguments", "query") if key in item}
        return (origin.tool_use(item.get("id"), tool, given, _paths(item.get("changes"))),)
    if stage == "item.updated":
        return (origin.progress(kind),)
    code = item.get("exit_code")
    is_error = item.get("status") in ("failed", "declined") or (isinstance(code, int) and code != 0)
    text = prose(item.get("aggregated_output")) or _message(item.get("error"))
    return (origin.tool_result(item.get("id"), text, is_error=is_error),)


def _paths(changes: object) -> str:
    if not isinstance(changes, list):
        return ""
    return ", ".join(str(change.get("path")) for change in changes if isinstance(change, dict))


def _completed(origin: Origin, usage: object) -> NewEvent:
    """The turn is done. Its figures count the whole conversation, earlier processes too (measured)."""
    used = usage if isinstance(usage, dict) else {}
    tokens = {
        "input": number(used.get("input_tokens")),
        "output": number(used.get("output_tokens")),
        "cached": number(used.get("cached_input_tokens")),
    }
    return origin.turn_ended(is_error=False, subtype="success", text="", tokens=tokens, tokens_of="conversation")
