"""What an event says, in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from supervisor.model.approvals import ONCE
from supervisor.model.plain import one_line

Json = dict[str, Any]

LIMIT: Final = 400
"""Characters of a summary; an event may carry thousands of times as many."""


def summary(event: Json) -> str:
    """Return the gist of an event's payload: by its type, else its text, else the payload itself."""
    payload = event["payload"]
    reader = _READERS.get(event["type"])
    said = reader(payload) if reader is not None else ""
    if not said:
        said = _first(payload, "text", "reason", "status", "name", "question", "message", "line")
    if not said and payload:
        said = json.dumps(payload, ensure_ascii=False)
    return one_line(said[: 4 * LIMIT])[:LIMIT]


def _first(payload: Mapping[str, Any], *names: str) -> str:
    return next((str(payload[name]) for name in names if payload.get(name)), "")


def _joined(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part)


def _moved(payload: Json) -> str:
    reason = payload.get("reason")
    return f"{payload.get('from')} → {payload.get('to')}" + (f": {reason}" if reason else "")


def _result(payload: Json) -> str:
    failed = "failed: " if payload.get("is_error") else ""
    return failed + _first(payload, "text", "tool")


def _usage(payload: Json) -> str:
    tokens = payload.get("tokens")
    if not isinstance(tokens, dict):
        return ""
    return ", ".join(f"{count} {name}" for name, count in tokens.items() if count)


def _turn(payload: Json) -> str:
    return _joined(payload.get("subtype"), _first(payload, "text"))


def _attempt(payload: Json) -> str:
    code = payload.get("exit_code")
    return _joined(payload.get("status"), f"(exit {code})" if code is not None else "", payload.get("reason"))


def _retry(payload: Json) -> str:
    return f"{payload.get('attempt')} of {payload.get('max')}: {payload.get('error')}"


def _progress(payload: Json) -> str:
    if "done" in payload and "of" in payload:
        return _joined(f"{payload['done']} of {payload['of']}", payload.get("text"))
    return ""


def chosen_answer(payload: Mapping[str, Any]) -> str:
    """Return the option that was chosen; empty where a question had none of its own and was just approved."""
    decision = one_line(payload.get("decision") or "")
    return "" if decision in ("", ONCE) else decision


def _approval(payload: Json) -> str:
    status = payload.get("status") or payload.get("decision")
    if status == "approved" and (choice := chosen_answer(payload)):
        status = f"answered {choice!r}"
    return _joined(status, payload.get("reason") or payload.get("rationale"))


def _asked(payload: Json) -> str:
    risk = payload.get("risk")
    return _joined(payload.get("question"), f"(risk {risk})" if risk else "")


_READERS: Final[dict[str, Callable[[Json], str]]] = {
    "status_changed": _moved,
    "session_created": lambda payload: _joined(payload.get("agent"), payload.get("name"), payload.get("status")),
    "attempt_ended": _attempt,
    "branch_merged": lambda payload: f"into {payload.get('into')}",
    "tool_use": lambda payload: _joined(payload.get("tool"), payload.get("argument")),
    "permission_asked": lambda payload: _joined(payload.get("tool"), payload.get("argument")),
    "permission_granted": lambda payload: _joined(payload.get("tool"), payload.get("argument"), payload.get("text")),
    "permission_refused": lambda payload: _joined(payload.get("tool"), payload.get("argument"), payload.get("text")),
    "tool_result": _result,
    "usage": _usage,
    "turn_ended": _turn,
    "retry": _retry,
    "progress": _progress,
    "approval_registered": _asked,
    "approval_decided": _approval,
    "approval_ended": _approval,
    "view_cleared": lambda payload: f"{payload.get('phase') or 'all phases'}, by {payload.get('by')}",
    "queue_paused": lambda payload: _joined(payload.get("agent"), payload.get("reason")),
    "test_alert": lambda payload: _joined(payload.get("severity"), payload.get("text")),
}
