"""A session as the app shows it, and how events change it between two answers of the API.

The API's answer is the truth. What is reduced here mirrors the supervisor's own figures, so that the list is right
the moment an event arrives; whoever reads it again (`ViewModel.stale`) sets it straight.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any, Literal

from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Group = Literal["needs", "working", "queued", "done"]

GROUPS: dict[Group, str] = {"needs": "Needs you", "working": "Working", "queued": "Queued", "done": "Done"}
"""In the order in which they are shown."""

ENDED = frozenset({"completed", "failed", "cancelled", "archived"})

_GROUP_OF: dict[str, Group] = {
    "waiting": "needs",
    "running": "working",
    "preparing": "working",
    "paused": "working",
    "queued": "queued",
}


@dataclass(slots=True)
class SessionView:
    """One session. Times are milliseconds since the epoch, None when it has not happened.

    ``added`` and ``removed`` are the lines of its diff, None until somebody asked for them.
    """

    id: str
    name: str
    project: str
    project_name: str
    agent: str
    mode: str
    executor: str
    status: str
    reason: str
    reason_at: int | None
    activity: str
    tool: str | None
    argument: str | None
    branch: str | None
    worktree: str | None
    base_commit: str | None
    prompt: str | None
    command: str
    exit_code: int | None
    created_at: int | None
    started_at: int | None
    ended_at: int | None
    seen_at: int | None
    resume_at: int | None
    attempts: int
    turns: int
    messages: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    cost_usd: float
    budget_usd: float | None
    errors: int
    raw: Json = field(repr=False)
    added: int | None = None
    removed: int | None = None
    merged_into: str = ""
    merged_at: int | None = None

    @property
    def merged(self) -> str:
        """Where its branch was merged into; nothing while it works, or when it has worked since."""
        is_so = self.merged_at is not None and self.ended_at is not None and self.ended_at <= self.merged_at
        return self.merged_into if is_so and self.is_ended else ""

    @property
    def group(self) -> Group:
        """Where it stands in the fleet. Idle in a person's terminal, it waits for that person."""
        if self.status == "running" and self.mode == "dispatch" and self.activity in ("idle", "asking"):
            return "needs"
        return _GROUP_OF.get(self.status, "done")

    @property
    def is_ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.status in ENDED

    @property
    def has_listener(self) -> bool:
        """Whether somebody hears messages in it: an agent, or a terminal that a person could type into."""
        return self.prompt is not None or self.mode == "dispatch"

    @property
    def doing(self) -> str:
        """What it is doing now, in one line: the tool and its argument, not "running"."""
        if self.status in ("running", "preparing") and (self.tool or self.argument):
            return " ".join(part for part in (self.tool, self.argument) if part)
        if self.status == "running":
            return self.activity
        return f"merged into {self.merged}: {self.reason}" if self.merged else self.reason

    def age_from(self) -> int | None:
        """Return the time of the last sign of life, or of its end."""
        return self.ended_at or self.seen_at or self.reason_at or self.created_at


def _ms(moment: str | None) -> int | None:
    return from_rfc3339(moment) if moment else None


def session_view(found: Json) -> SessionView:
    """Return a session of the API as the app shows it."""
    activity, reason, tokens = found["activity"], found["status_reason"], found["tokens"]
    merged = found.get("merged") or {}
    return SessionView(
        id=found["id"],
        name=found["name"],
        project=found["project"],
        project_name=found.get("project_name") or found["project"],
        agent=found["agent"],
        mode=found["mode"],
        executor=found["executor"],
        status=found["status"],
        reason=reason["text"],
        reason_at=_ms(reason["at"]),
        activity=activity["state"],
        tool=activity["tool"],
        argument=activity["argument"],
        branch=found["branch"],
        worktree=found["worktree"],
        base_commit=found["base_commit"],
        prompt=found["work"]["prompt"],
        command=shlex.join(found["work"]["argv"]),
        exit_code=found["exit_code"],
        created_at=_ms(found["created_at"]),
        started_at=_ms(found["started_at"]),
        ended_at=_ms(found["ended_at"]),
        # Heartbeats are no signs of its own: the runner sends them for any process, and no event tells of them.
        seen_at=_ms(found["last_output_at"]),
        resume_at=_ms(found["resume_at"]),
        attempts=found["attempts"],
        turns=found["turns"],
        messages=found["messages"],
        tokens_input=tokens["input"],
        tokens_output=tokens["output"],
        tokens_cached=tokens["cached"],
        cost_usd=found["cost_usd"],
        budget_usd=found["budget_usd"],
        errors=sum(found["errors"].values()),
        raw=found,
        merged_into=one_line(merged.get("into") or ""),
        merged_at=_ms(merged.get("at")),
    )


def absorb(session: SessionView, kind: str, payload: Json, time: int) -> bool:
    """Change a session by one event; whether the API knows more of it now than the event says."""
    if kind not in _OF_THE_SUPERVISOR:
        session.seen_at = max(session.seen_at or 0, time)
    if kind == "status_changed":
        session.status, session.reason, session.reason_at = payload["to"], payload.get("reason") or "", time
        return True
    if kind in _STALE:
        return True
    if kind == "output":
        if session.prompt is None:
            _works(session, None, str(payload.get("text") or "").strip()[:200] or None)
    elif kind == "tool_use":
        _works(session, str(payload.get("tool") or "unknown"), payload.get("argument"))
    elif kind == "thinking":
        _works(session, "thinking", None)
    elif kind in ("message", "tool_result"):
        session.messages += kind == "message"
        _works(session, None, None)
    elif kind == "idle":
        session.activity, session.tool, session.argument = "idle", None, None
    elif kind == "turn_ended":
        session.activity, session.tool, session.argument = "idle", None, None
        return True
    return False


_STALE = frozenset(
    {
        "session_created", "worktree_ready", "attempt_started", "attempt_ended", "recovered", "approval_registered",
        "approval_decided", "approval_ended", "screen_read", "usage_limit", "stalled", "branch_merged",
    }
)  # fmt: skip
"""Events after which a session is read again: they change more than they say."""


_OF_THE_SUPERVISOR = (_STALE - {"usage_limit"}) | {
    "status_changed", "message_delivered", "message_undelivered", "alert_acknowledged", "alert_dismissed",
}  # fmt: skip
"""Events that are no sign of life of the session: the supervisor makes them, also when it starts again."""


def _works(session: SessionView, tool: str | None, argument: str | None) -> None:
    session.activity, session.tool, session.argument = "working", tool, argument
