"""What an agent of the Agent Client Protocol says, in our vocabulary (agentclientprotocol.com, version 1). Pure."""

from __future__ import annotations

import json
from typing import Any

from executors.peers.voice import Answer, Line, Question, about_of

_KINDS = {
    "execute": "execute", "edit": "write", "delete": "delete", "move": "move", "read": "read", "search": "search",
    "fetch": "fetch",
}  # fmt: skip
_PATHS = ("file_path", "filePath", "filepath", "path", "notebook_path", "absolute_path", "source", "destination")
_QUIET = ("available_commands_update", "current_mode_update", "config_option_update", "session_info_update")


class AcpStream:
    """Reads session updates: gathers a message's pieces, and what is known of each tool call."""

    def __init__(self) -> None:
        self.cost_usd: float | None = None
        self.calls: dict[str, Line] = {}
        self._used: set[str] = set()
        self._spoken: tuple[str, list[str]] = ("message", [])

    def lines(self, update: Line) -> list[Line]:
        """Return what an update means; one that is not known is kept."""
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                return self._speak("message", update.get("content"))
            case "agent_thought_chunk":
                return self._speak("thinking", update.get("content"))
            case "tool_call" | "tool_call_update" as stage:
                return [*self.flush(), *self._tool(update, first=stage == "tool_call")]
            case "plan":
                return [*self.flush(), {"type": "plan_update", "entries": _objects(update.get("entries"))}]
            case "usage_update":
                cost = update.get("cost")
                if (
                    isinstance(cost, dict)
                    and cost.get("currency") == "USD"
                    and isinstance(cost.get("amount"), int | float)
                ):
                    self.cost_usd = float(cost["amount"])
                return [{"type": "progress", "status": "usage", "used": update.get("used"), "size": update.get("size")}]
            case "user_message_chunk":
                return []
            case str(kind) if kind in _QUIET:
                return []
        return [{"type": "unknown", "line": json.dumps(update)}]

    def flush(self) -> list[Line]:
        """Return what was spoken since the last time."""
        kind, pieces = self._spoken
        self._spoken = (kind, [])
        text = "".join(pieces)
        return [{"type": kind, "text": text}] if text.strip() else []

    def question(self, params: Line) -> tuple[Question, list[Line]]:
        """Return what session/request_permission asks, and the lines that come before it."""
        asked = params.get("toolCall")
        asked = asked if isinstance(asked, dict) else {}
        name = str(asked.get("toolCallId"))
        before = self.flush()
        call = self._merged(name, asked)
        before += self._use(name, call)
        choices = _of_kind(params, "allow_once")
        options: tuple[Line, ...] = ()
        if len(choices) > 1:  # which of them is meant has to be said
            options = tuple({"value": value, "label": label, "description": ""} for value, label in choices)
        act = {"kind": "question"} if options else act_of(call)
        title = str(asked.get("title") or "")
        return Question(_tool_name(call), _input(call), act, title if options else "", options), before

    def _speak(self, kind: str, content: object) -> list[Line]:
        before = self.flush() if kind != self._spoken[0] else []
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            self._spoken = (kind, [*self._spoken[1], content["text"]])
        return before

    def _merged(self, name: str, update: Line) -> Line:
        """Return all that is known of a call: what is told later adds to what was told before."""
        known = self.calls.setdefault(name, {})
        raw, before = update.get("rawInput"), known.get("rawInput")
        known |= {key: value for key, value in update.items() if value not in (None, [], {}) and key != "sessionUpdate"}
        if isinstance(raw, dict) and isinstance(before, dict):
            known["rawInput"] = {**before, **raw}
        return known

    def _tool(self, update: Line, *, first: bool) -> list[Line]:
        name = str(update.get("toolCallId"))
        if first:
            self.calls.setdefault(name, {})["firstTitle"] = update.get("title")
        call = self._merged(name, update)
        status = call.get("status")
        lines: list[Line] = []
        if status in ("completed", "failed") or (not first and call.get("rawInput")):
            lines += self._use(name, call)
        if update.get("status") in ("completed", "failed"):
            failed = status == "failed"
            lines.append({"type": "tool_result", "id": name, "is_error": failed, "text": _output(update)})
        return lines

    def _use(self, name: str, call: Line) -> list[Line]:
        if name in self._used:
            return []
        self._used.add(name)
        argument = about_of(act_of(call))
        return [{"type": "tool_use", "id": name, "tool": _tool_name(call), "input": _input(call), "argument": argument}]


def act_of(call: Line) -> Line:
    """Return what a tool call would do. What carries a command is a command, whatever the agent calls it."""
    raw = call.get("rawInput")
    raw = raw if isinstance(raw, dict) else {}
    command = raw.get("command")
    if (isinstance(command, str) and command) or _is_argv(command):
        folder = raw.get("cwd") or raw.get("workdir") or raw.get("directory")
        act: Line = {"kind": "execute", "command": command}
        return {**act, "cwd": folder} if isinstance(folder, str) else act
    if _tool_name(call).startswith("mcp__"):
        return {"kind": "mcp"}
    kind = _KINDS.get(str(call.get("kind")), "other")
    act = {"kind": kind}
    if kind == "execute" or kind == "other":  # a command that is not told cannot be judged
        return {"kind": "other"}
    if kind == "fetch":
        return act | ({"url": raw["url"]} if isinstance(raw.get("url"), str) else {})
    paths = [raw[key] for key in _PATHS if isinstance(raw.get(key), str)]
    paths += [place["path"] for place in _objects(call.get("locations")) if isinstance(place.get("path"), str)]
    paths += [path for path, _ in diffs_of(call)]
    if not paths and kind in ("write", "delete", "move"):
        return {"kind": "other"}
    return act | {"paths": list(dict.fromkeys(paths))}


def diffs_of(call: Line) -> list[tuple[str, str]]:
    """Return the files that a call says it will write, each with its new text."""
    return [
        (part["path"], part["newText"])
        for part in _objects(call.get("content"))
        if part.get("type") == "diff" and isinstance(part.get("path"), str) and isinstance(part.get("newText"), str)
    ]


def outcome_of(params: Line, answer: Answer | None) -> Line:
    """Return what answers session/request_permission, chosen by kind: ids differ between agents.

    Only an option that allows once allows; where there are several, the answer has to name one.
    """
    wanted = _of_kind(params, "allow_once" if answer is not None and answer.allow else "reject_once")
    choice = answer.choice if answer is not None and answer.allow else None
    ids = [value for value, _ in wanted]
    if choice is not None and len(ids) > 1:
        ids = [value for value in ids if value == choice]
    elif answer is not None and answer.allow and len(ids) != 1:
        ids = []
    if answer is not None and answer.allow and not ids:
        ids = [value for value, _ in _of_kind(params, "reject_once")]
    return {"outcome": "selected", "optionId": ids[0]} if answer is not None and ids else {"outcome": "cancelled"}


def tokens_of(usage: object) -> Line:
    """Return the tokens of a prompt's result."""
    given = usage if isinstance(usage, dict) else {}
    cached = _count(given.get("cachedReadTokens"))
    read = _count(given.get("inputTokens")) + cached + _count(given.get("cachedWriteTokens"))
    return {"input": read, "output": _count(given.get("outputTokens")), "cached": cached}


def _of_kind(params: Line, kind: str) -> list[tuple[str, str]]:
    options = [option for option in _objects(params.get("options")) if option.get("kind") == kind]
    return [
        (option["optionId"], str(option.get("name"))) for option in options if isinstance(option.get("optionId"), str)
    ]


def _tool_name(call: Line) -> str:
    meta = call.get("_meta")
    claude = meta.get("claudeCode") if isinstance(meta, dict) else None
    name = claude.get("toolName") if isinstance(claude, dict) else None
    return str(name or call.get("firstTitle") or call.get("title") or call.get("kind") or "tool")


def _input(call: Line) -> Line:
    raw = call.get("rawInput")
    given: Line = dict(raw) if isinstance(raw, dict) else {} if raw is None else {"input": raw}
    if not given:
        given = {"title": call.get("title")}
    if diffs := [part for part in _objects(call.get("content")) if part.get("type") == "diff"]:
        given.setdefault("diffs", diffs)
    return given


def _output(update: Line) -> str:
    raw = update.get("rawOutput")
    raw = raw.get("output") if isinstance(raw, dict) else raw
    if isinstance(raw, str):
        return raw
    blocks = [part.get("content") for part in _objects(update.get("content"))]
    return "\n".join(str(block["text"]) for block in blocks if isinstance(block, dict) and "text" in block)


def _is_argv(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _objects(value: Any) -> list[Line]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
