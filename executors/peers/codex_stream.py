"""What `codex app-server` says, in our vocabulary (its schema: `codex app-server generate-json-schema`). Pure."""

from __future__ import annotations

import json
import os
import re
import shlex
from typing import Any

from executors.peers.forms import filled, question_of_form
from executors.peers.voice import Answer, Line, Question

_SHELLS = ("bash", "sh")
_RECONNECTING = re.compile(r"Reconnecting\.\.\. (\d+)/(\d+)")
_QUIET = (
    "account/", "app/", "fs/", "fuzzyFileSearch/", "hook/", "item/agentMessage/", "item/commandExecution/",
    "item/fileChange/", "item/mcpToolCall/", "item/plan/", "item/reasoning/", "mcpServer/", "model/", "remoteControl/",
    "serverRequest/", "skills/", "thread/", "turn/diff/", "turn/moderationMetadata", "turn/started",
    "turn/completed",
)  # fmt: skip
"""Notifications that repeat what items say, or say nothing about the work."""


class CodexStream:
    """Reads notifications; remembers what items were, because questions only name them."""

    def __init__(self) -> None:
        self.thread = ""
        self.tokens: Line = {"input": 0, "output": 0, "cached": 0}
        self.items: dict[str, Line] = {}
        self.asked: set[str] = set()
        self._typing = 0

    def lines(self, method: str, params: Line) -> list[Line]:
        """Return what a notification means; one that is not known is kept."""
        match method:
            case "item/started" | "item/completed":
                item = params.get("item")
                return self._item(item, params, done=method == "item/completed") if isinstance(item, dict) else []
            case "item/fileChange/patchUpdated" if params.get("itemId") in self.items:
                self.items[params["itemId"]]["changes"] = params.get("changes")
                return []
            case "item/commandExecution/terminalInteraction" if params.get("stdin"):
                return self._typed(params)
            case "thread/tokenUsage/updated":
                self._count(params)
                return []
            case "turn/plan/updated":
                return [{"type": "plan_update", "entries": [_entry(step) for step in _objects(params.get("plan"))]}]
            case "error":
                return [_error(params)]
            case "warning" | "guardianWarning" | "configWarning" | "deprecationNotice":
                text = params.get("message") or params.get("summary")
                return [{"type": "error", "text": text, "kind": "warning", "severity": "warning"}]
        if method.startswith(_QUIET):
            return []
        return [{"type": "unknown", "line": json.dumps({"method": method, "params": params})}]

    def question(self, method: str, params: Line) -> Question | None:
        """Return what a request asks, or None when it asks nobody."""
        item = str(params.get("itemId") or "")
        self.asked.add(item)
        reason = params.get("reason") or ""
        match method:
            case "item/commandExecution/requestApproval":
                self._typing += params.get("kind") == "writeStdin"
                return _command(params, reason)
            case "item/fileChange/requestApproval":
                changes = _objects(self.items.get(item, {}).get("changes"))
                given: Line = {"changes": changes}
                if params.get("grantRoot"):
                    given["grantRoot"] = params["grantRoot"]
                act = {"kind": _change_kind(changes), "paths": paths_of(changes)} if changes else {"kind": "other"}
                return Question("apply_patch", given, act, reason)
            case "item/permissions/requestApproval":
                given = {"permissions": params.get("permissions"), "cwd": params.get("cwd")}
                return Question("request_permissions", given, {"kind": "other"}, reason)
            case "mcpServer/elicitation/request":
                return self._elicited(params)
        return None

    def not_asked(self, item: Line) -> Line | None:
        """Return a warning about something that ran although nobody was asked: a rule of Codex's own allowed it."""
        ran = item.get("type") in ("commandExecution", "fileChange", "mcpToolCall") and item.get("status") != "declined"
        if not ran or item.get("id") in self.asked:
            return None
        what, _, argument = _call(item)
        text = f"Codex ran {what} without asking; a rule of its own, or of the tool, allows it: {argument}"
        return {"type": "error", "text": text, "kind": "not_asked", "severity": "warning"}

    def _typed(self, params: Line) -> list[Line]:
        """Report what was typed into a terminal unasked: there should be none (codex.py)."""
        if self._typing:
            self._typing -= 1
            return []
        text = f"Codex typed into a terminal without asking: {params['stdin']}"
        return [{"type": "error", "text": text, "kind": "not_asked", "severity": "warning"}]

    def _item(self, item: Line, params: Line, *, done: bool) -> list[Line]:
        kind, name = item.get("type"), str(item.get("id"))
        mine = params.get("threadId") == self.thread
        match kind:
            case "userMessage":
                return []
            case "agentMessage" if mine:
                return [{"type": "message", "text": item.get("text")}] if done else []
            case "reasoning" if mine:
                parts = [*_strings(item.get("summary")), *_strings(item.get("content"))]
                return [{"type": "thinking", "text": "\n".join(parts)}] if done and parts else []
            case "plan" if done:
                return [{"type": "message", "text": item.get("text")}]
            case "commandExecution" | "fileChange" | "mcpToolCall" | "dynamicToolCall" | "webSearch" | "imageView" \
                | "collabAgentToolCall" | "imageGeneration":  # fmt: skip
                return self._tool(item, name, done=done)
        return [] if done else [{"type": "progress", "status": str(kind)}]

    def _tool(self, item: Line, name: str, *, done: bool) -> list[Line]:
        lines: list[Line] = []
        if name not in self.items:
            tool, given, argument = _call(item)
            lines.append({"type": "tool_use", "id": name, "tool": tool, "input": given, "argument": argument})
        self.items[name] = item
        if not done:
            return lines
        if warning := self.not_asked(item):
            lines.append(warning)
        code = item.get("exitCode")
        is_error = item.get("status") in ("failed", "declined") or (isinstance(code, int) and code != 0)
        lines.append({"type": "tool_result", "id": name, "is_error": is_error, "text": _result(item)})
        return lines

    def _count(self, params: Line) -> None:
        usage = params.get("tokenUsage")
        total = usage.get("total") if isinstance(usage, dict) else None
        if params.get("threadId") == self.thread and isinstance(total, dict):
            names = {"input": "inputTokens", "output": "outputTokens", "cached": "cachedInputTokens"}
            self.tokens = {ours: total.get(theirs, 0) for ours, theirs in names.items()}

    def _elicited(self, params: Line) -> Question:
        server, meta = params.get("serverName"), params.get("_meta")
        message = str(params.get("message") or "")
        if isinstance(meta, dict) and meta.get("codex_approval_kind") == "mcp_tool_call":
            self._call_asked(server, meta)
            tool = f"mcp__{server}__{meta.get('tool_name')}"
            return Question(tool, meta.get("tool_params") or {}, {"kind": "mcp"}, message)
        if params.get("mode") == "url":
            url = params.get("url")
            return Question(
                f"mcp__{server}", {"message": message, "url": url}, {"kind": "question", "url": url}, message
            )
        return question_of_form(f"mcp__{server}", message, params.get("requestedSchema"))

    def _call_asked(self, server: object, meta: Line) -> None:
        """Note which call is meant: the request does not name its item, so it is the newest such call that runs."""
        for name, item in reversed(self.items.items()):
            same = (item.get("server"), item.get("tool")) == (server, meta.get("tool_name"))
            if same and item.get("status") == "inProgress" and name not in self.asked:
                self.asked.add(name)
                return


def result_of(method: str, params: Line, answer: Answer | None) -> Line:
    """Return the result that answers a request. Only a clear yes allows, and it allows this once."""
    allow = answer is not None and answer.allow
    stop = answer is not None and answer.interrupt
    match method:
        case "item/commandExecution/requestApproval" | "item/fileChange/requestApproval":
            return {"decision": "accept" if allow else "cancel" if stop else "decline"}
        case "item/permissions/requestApproval":
            return {"permissions": params.get("permissions") if allow else {}, "scope": "turn"}
    refused = {"action": "cancel" if stop else "decline"}
    if not allow:
        return refused
    content = filled(params.get("requestedSchema"), answer.words if answer else None)
    return refused if content is None else {"action": "accept", "content": content}


def questions_of(params: Line) -> list[tuple[str, Question]]:
    """Return the questions of an item/tool/requestUserInput, each with its id."""
    found = []
    for one in _objects(params.get("questions")):
        options = tuple(_option(option) for option in _objects(one.get("options")))
        default = next((option["value"] for option in options if option["value"].endswith("(Recommended)")), None)
        question = Question(
            "request_user_input", one, {"kind": "question"}, str(one.get("question") or ""), options, default
        )
        found.append((str(one.get("id")), question))
    return found


def _option(option: Line) -> Line:
    label = str(option.get("label"))
    return {"value": label, "label": label, "description": option.get("description") or ""}


def paths_of(changes: list[Line]) -> list[str]:
    """Return every path that a patch touches; a move has two."""
    paths = []
    for change in changes:
        paths.append(str(change.get("path")))
        kind = change.get("kind")
        if isinstance(kind, dict) and kind.get("move_path"):
            paths.append(str(kind["move_path"]))
    return paths


def script_of(command: object) -> str | list[str] | None:
    """Return what a command line runs: the script that Codex gives to a shell, or the arguments.

    Codex wraps what the model wrote (`/bin/bash -lc 'touch x'`); the script is what has to be judged.
    """
    if not isinstance(command, str):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    if len(words) == 3 and os.path.basename(words[0]) in _SHELLS and words[1] in ("-c", "-lc"):  # noqa: PTH119
        return words[2]
    return words


def _command(params: Line, reason: str) -> Question:
    command = params.get("command")
    given = {"command": command, "cwd": params.get("cwd")}
    if reason:
        given["reason"] = reason
    network = params.get("networkApprovalContext")
    if isinstance(network, dict):
        given["network"] = network
        url = f"{network.get('protocol')}://{network.get('host')}"
        return Question("network", given, {"kind": "fetch", "url": url}, reason)
    if params.get("kind", "command") != "command" or not command:  # e.g. input for a terminal that runs
        return Question("write_stdin", given, {"kind": "other"}, reason)
    act: Line = {"kind": "execute", "command": script_of(command)}
    if isinstance(params.get("cwd"), str):
        act["cwd"] = params["cwd"]
    return Question("shell", given, act, reason)


def _change_kind(changes: list[Line]) -> str:
    kinds = {_kind_of(change) for change in changes}
    return "delete" if kinds == {"delete"} else "write"


def _kind_of(change: Line) -> object:
    kind = change.get("kind")
    return kind.get("type") if isinstance(kind, dict) else kind


def _call(item: Line) -> tuple[str, Line, str]:
    """Return a call's tool, what it was given, and its most telling argument where that is not clear."""
    match item.get("type"):
        case "commandExecution":
            script = script_of(item.get("command"))
            argument = script if isinstance(script, str) else str(item.get("command"))
            return "shell", {"command": item.get("command"), "cwd": item.get("cwd")}, argument
        case "fileChange":
            changes = _objects(item.get("changes"))
            return "apply_patch", {"changes": changes}, ", ".join(paths_of(changes))
        case "mcpToolCall":
            given = item.get("arguments")
            return f"mcp__{item.get('server')}__{item.get('tool')}", {"arguments": given}, ""
        case "dynamicToolCall":
            return str(item.get("tool")), {"arguments": item.get("arguments")}, ""
        case "webSearch":
            return "web_search", {"query": item.get("query")}, ""
        case "imageView":
            return "view_image", {"path": item.get("path")}, ""
        case "collabAgentToolCall":
            return str(item.get("tool")), {"prompt": item.get("prompt")}, ""
    return str(item.get("type")), {}, ""


def _result(item: Line) -> str:
    error, result = item.get("error"), item.get("result")
    if isinstance(error, dict):
        return str(error.get("message"))
    if isinstance(result, dict):
        return "\n".join(str(part["text"]) for part in _objects(result.get("content")) if "text" in part)
    return str(item.get("aggregatedOutput") or "")


def _error(params: Line) -> Line:
    error = params.get("error")
    error = error if isinstance(error, dict) else {}
    text, details = str(error.get("message") or ""), error.get("additionalDetails")
    if params.get("willRetry") is True:
        found = _RECONNECTING.search(text)
        attempt, most = (int(found[1]), int(found[2])) if found else (0, 0)
        return {"type": "retry", "attempt": attempt, "max": most, "delay_ms": 0, "error": details or text}
    kind = error.get("codexErrorInfo")
    kind = next(iter(kind), None) if isinstance(kind, dict) else kind
    return {"type": "error", "text": text, "kind": kind or "error"}


def _entry(step: Line) -> Line:
    status = step.get("status")
    return {"content": step.get("step"), "status": "in_progress" if status == "inProgress" else status}


def _objects(value: Any) -> list[Line]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
