"""What goes over the API: requests (validated here) and the JSON shapes of answers.

Times are RFC 3339 UTC; keys are a contract that outside programs rely on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from supervisor.model.alerts import Alert
from supervisor.model.entities import Attempt, AuditEntry, Project, Reason, Session
from supervisor.model.events import Event, Phase
from supervisor.model.times import to_rfc3339

TEXT_LIMIT = 1024 * 1024
"""Characters of a prompt or message."""

NUMBER_LIMIT = 2**53
"""Sequence numbers and offsets go up to what every JSON reader counts exactly."""

DEPTH_LIMIT = 64
"""Levels of a JSON document that a tool or a hook sends."""


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it holds a NUL byte")
    return text


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not an absolute path")
    return path


def _variables(environment: dict[str, str]) -> dict[str, str]:
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise ValueError(f"{name!r} cannot be a variable of an environment")
    return environment


Environment = Annotated[dict[str, str], AfterValidator(_variables)]
"""Variables by name."""


def _storable(document: dict[str, Any]) -> dict[str, Any]:
    if not _is_shallow(document, DEPTH_LIMIT):
        raise ValueError(f"it nests deeper than {DEPTH_LIMIT} levels")
    try:
        msgspec.json.encode(document)
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise ValueError("it holds a number or a text that JSON cannot carry") from error
    return document


def _is_shallow(value: object, room: int) -> bool:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return room > 0 and all(_is_shallow(each, room - 1) for each in inner)
    return True


PlainText = Annotated[str, AfterValidator(_without_nul)]
AbsolutePath = Annotated[PlainText, AfterValidator(_absolute)]
Document = Annotated[dict[str, Any], AfterValidator(_storable)]
Number = Annotated[int, Field(ge=0, le=NUMBER_LIMIT)]
"""A sequence number or an offset in bytes."""


class Body(BaseModel):
    """A request body; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class RunBody(Body):
    """Start a session. ``cwd`` is an absolute path inside the project."""

    cwd: AbsolutePath
    argv: list[PlainText] = []
    prompt: PlainText | None = Field(None, max_length=TEXT_LIMIT)
    agent: str | None = None
    mode: Literal["autonomous", "dispatch"] | None = None
    executor: str | None = None
    task: str | None = None
    name: str | None = None
    branch: PlainText | None = None
    base: PlainText | None = None
    image: PlainText | None = None
    priority: int = Field(0, ge=-1000, le=1000)
    budget_usd: float | None = Field(None, gt=0, le=1e9, allow_inf_nan=False)
    timeout_s: float | None = Field(None, gt=0, le=1e9, allow_inf_nan=False)
    environment: Environment = {}


class PathBody(Body):
    """A path on this machine, absolute."""

    path: AbsolutePath


class TextBody(Body):
    """A message or prompt."""

    text: PlainText = Field(min_length=1, max_length=TEXT_LIMIT)


class CommitBody(Body):
    """A commit message."""

    message: PlainText = Field(min_length=1, max_length=TEXT_LIMIT)


class MergeBody(Body):
    """Where to merge; the project's default branch when None."""

    into: PlainText | None = None


class PushBody(Body):
    """The remote to push to; origin, or the only one, when None."""

    remote: Annotated[PlainText, Field(min_length=1)] | None = None


class EmitBody(Body):
    """An event that a tool emits."""

    type: str
    payload: Document = {}


class ClearBody(Body):
    """What leaves the views of live events: a phase or all, and of it what is older than so many seconds or all."""

    phase: Phase | None = None
    older_than_s: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None


class StopBody(Body):
    """Stop the supervisor; with ``all`` its sessions too."""

    all: bool = False


def reason_json(reason: Reason) -> dict[str, Any]:
    """Return why something has its status."""
    return {"signal": reason.signal, "text": reason.text, "at": to_rfc3339(reason.at)}


def session_json(session: Session, project_name: str | None, merged: Event | None) -> dict[str, Any]:
    """Return a session as the contract has it; ``merged`` is the newest merge of its branch."""
    stats = session.stats
    return {
        "id": session.id,
        "name": session.name,
        "project": session.project,
        "project_name": project_name,
        "task": session.task,
        "parent": session.parent,
        "mode": session.mode,
        "agent": session.agent,
        "executor": session.executor,
        "work": {"argv": list(session.work.argv), "prompt": session.work.prompt},
        "status": session.status,
        "status_reason": reason_json(session.reason),
        "activity": {
            "state": session.activity.state,
            "tool": session.activity.tool,
            "argument": session.activity.argument,
            "at": to_rfc3339(session.activity.at or None),
        },
        "branch": session.branch,
        "worktree": session.worktree,
        "base_commit": session.base_commit,
        "merged": None if merged is None else _merge(merged),
        "exit_code": session.exit_code,
        "priority": session.priority,
        "created_at": to_rfc3339(session.created_at),
        "started_at": to_rfc3339(session.started_at),
        "ended_at": to_rfc3339(session.ended_at),
        "resume_at": to_rfc3339(session.resume_at),
        "last_output_at": to_rfc3339(session.last_output_at),
        "last_heartbeat_at": to_rfc3339(session.last_heartbeat_at),
        "attempts": session.attempts,
        "tokens": {"input": stats.tokens_input, "output": stats.tokens_output, "cached": stats.tokens_cached},
        "cost_usd": round(stats.cost_usd, 6),
        "budget_usd": session.budget_usd,
        "tools_used": stats.tools_used,
        "messages": stats.messages,
        "turns": stats.turns,
        "errors": stats.errors,
        "permissions_refused": stats.permissions_refused,
        "log_path": session.log_path,
        "agent_session_ids": list(session.agent_session_ids),
        "tmux_target": session.tmux_target,
        "container": session.container,
        "image": session.image,
        "isolation": "enforced" if session.executor == "docker" else "advisory",
    }


def _merge(merged: Event) -> dict[str, Any]:
    told = msgspec.json.decode(merged.payload)
    return {"into": told["into"], "commit": told["commit"], "at": to_rfc3339(merged.time)}


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt."""
    return {
        "id": attempt.id,
        "session": attempt.session,
        "number": attempt.number,
        "executor": attempt.executor,
        "status": attempt.status,
        "handle": attempt.handle,
        "pid": attempt.pid,
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
        "last_error": attempt.last_error,
        "claimed_at": to_rfc3339(attempt.claimed_at),
        "started_at": to_rfc3339(attempt.started_at),
        "ended_at": to_rfc3339(attempt.ended_at),
        "last_output_at": to_rfc3339(attempt.last_output_at),
        "last_heartbeat_at": to_rfc3339(attempt.last_heartbeat_at),
    }


def project_json(project: Project) -> dict[str, Any]:
    """Return a project."""
    return {
        "id": project.id,
        "name": project.name,
        "root": project.root,
        "default_branch": project.default_branch,
        "created_at": to_rfc3339(project.created_at),
    }


def audit_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an audit entry."""
    return {
        "seq": entry.seq,
        "time": to_rfc3339(entry.time),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """Return an alert."""
    return {
        "id": alert.id,
        "status": "resolved" if alert.ended else "acknowledged" if alert.is_acknowledged else "active",
        "severity": alert.severity,
        "kind": alert.kind,
        "text": alert.text,
        "session": alert.session,
        "approval": alert.subject,
        "event": alert.event,
        "count": alert.count,
        "raised_at": to_rfc3339(alert.raised_at),
        "last_at": to_rfc3339(alert.last_at),
        "expires_at": to_rfc3339(alert.expires_at),
        "acknowledged_by": alert.acknowledged_by,
        "ended": alert.ended,
        "ended_by": alert.ended_by,
        "ended_at": to_rfc3339(alert.ended_at),
    }


@lru_cache(maxsize=16_384)
def event_bytes(event: Event) -> bytes:
    """Return an event as JSON; its payload is the text that was stored. Subscribers share the result."""
    return msgspec.json.encode(
        {
            "seq": event.seq,
            "time": to_rfc3339(event.time),
            "project": event.project,
            "plan": event.plan,
            "task": event.task,
            "session": event.session,
            "attempt": event.attempt,
            "phase": event.phase,
            "type": event.type,
            "severity": event.severity,
            "source": event.source,
            "payload": msgspec.Raw(event.payload.encode()),
        }
    )
