"""Sessions as the API has them, made by hand."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def approval_json(session: str, question: str) -> Json:
    """A question of a session as the API gives it, that nobody has answered."""
    return {
        "id": "apr_1", "session": session, "session_name": session, "question": question, "subject_type": "question",
        "subject": question, "options": [], "default": None, "risk": "medium", "preview": {}, "status": "pending",
        "digest": "72af50", "created_at": "2026-01-31T12:00:00.000Z", "expires_at": None, "decided_at": None,
    }  # fmt: skip


def session_json(name: str, **changes: Any) -> Json:
    """A session of the scripted agent that runs; ``changes`` replace what it has."""
    at = "2026-01-31T12:00:00.000Z"
    return {
        "id": f"ses_{name}",
        "name": name,
        "project": "prj_1",
        "project_name": "shop",
        "task": None,
        "mode": "autonomous",
        "agent": "scripted",
        "executor": "local",
        "work": {"argv": [], "prompt": "Do it"},
        "status": "running",
        "status_reason": {"signal": "runner", "text": "Attempt 1 was started.", "at": at},
        "activity": {"state": "working", "tool": "Bash", "argument": "make test", "at": at},
        "branch": f"quarterdeck/{name}",
        "worktree": f"/tmp/{name}",
        "base_commit": "0" * 40,
        "exit_code": None,
        "priority": 0,
        "created_at": at,
        "started_at": at,
        "ended_at": None,
        "resume_at": None,
        "last_output_at": at,
        "last_heartbeat_at": None,
        "attempts": 1,
        "tokens": {"input": 0, "output": 0, "cached": 0},
        "cost_usd": 0.0,
        "budget_usd": None,
        "tools_used": {},
        "messages": 0,
        "turns": 0,
        "errors": {},
        "image": None,
        **changes,
    }
