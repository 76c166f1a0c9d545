"""Events: one observed fact each. Types are open (unknown ones are kept); these are ours."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import msgspec

Severity = Literal["debug", "info", "warning", "error", "critical"]
Phase = Literal["tool", "batch", "autonomy", "telemetry", "policy", "plan"]
PHASES: tuple[Phase, ...] = ("tool", "batch", "autonomy", "telemetry", "policy", "plan")


class EventType(StrEnum):
    """The event types that Quarterdeck itself produces. Tools may emit any other name."""

    # The life of sessions and attempts (phase autonomy; queueing is batch).
    SESSION_CREATED = "session_created"
    STATUS_CHANGED = "status_changed"
    ATTEMPT_STARTED = "attempt_started"
    ATTEMPT_ENDED = "attempt_ended"
    WORKTREE_READY = "worktree_ready"
    RECOVERED = "recovered"
    BRANCH_MERGED = "branch_merged"
    CHECKPOINT_MADE = "checkpoint_made"
    CHECKPOINT_RESTORED = "checkpoint_restored"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_RESUMED = "queue_resumed"
    # What an agent or tool does (phase tool, telemetry or policy).
    AGENT_SESSION = "agent_session"
    MESSAGE = "message"
    THINKING = "thinking"
    TOOL_USE = "tool_use"
    TOOL_RESULT = "tool_result"
    OUTPUT = "output"
    USAGE = "usage"
    RETRY = "retry"
    USAGE_LIMIT = "usage_limit"
    SCREEN_READ = "screen_read"
    STALLED = "stalled"
    PERMISSION_ASKED = "permission_asked"
    PERMISSION_REFUSED = "permission_refused"
    PERMISSION_WITHDRAWN = "permission_withdrawn"
    PERMISSION_GRANTED = "permission_granted"
    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_REGISTERED = "approval_registered"
    APPROVAL_DECIDED = "approval_decided"
    APPROVAL_ENDED = "approval_ended"
    POLICY_CHANGED = "policy_changed"
    # How far budgets are used (phase telemetry).
    BUDGET_WARNING = "budget_warning"
    BUDGET_TRIPPED = "budget_tripped"
    BUDGET_RESUMED = "budget_resumed"
    # What a person did about an alert (phase telemetry).
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERT_DISMISSED = "alert_dismissed"
    # The views of live events are emptied (phase telemetry); what is stored stays.
    VIEW_CLEARED = "view_cleared"
    PLAN_UPDATE = "plan_update"
    # The life of plans (phase plan).
    PLAN_CREATED = "plan_created"
    PLAN_REVISED = "plan_revised"
    PLAN_DELETED = "plan_deleted"
    PLAN_ARCHIVED = "plan_archived"
    PLAN_STATUS_CHANGED = "plan_status_changed"
    TASK_STATUS_CHANGED = "task_status_changed"
    # A limit of a task is nearly used up, or is (phase plan); the deadline of a plan is over.
    LIMIT_NEAR = "limit_near"
    LIMIT_PASSED = "limit_passed"
    DEADLINE_PASSED = "deadline_passed"
    # The life of schedules, and what came of each time that one was due (phase plan).
    SCHEDULE_CREATED = "schedule_created"
    SCHEDULE_PAUSED = "schedule_paused"
    SCHEDULE_RESUMED = "schedule_resumed"
    SCHEDULE_REMOVED = "schedule_removed"
    SCHEDULE_RUN = "schedule_run"
    SCHEDULE_MISSED = "schedule_missed"
    SCHEDULE_SKIPPED = "schedule_skipped"
    # What is kept (phase plan where it belongs to one, else autonomy).
    ARTIFACT_KEPT = "artifact_kept"
    ARTIFACT_REMOVED = "artifact_removed"
    MESSAGE_DELIVERED = "message_delivered"
    MESSAGE_UNDELIVERED = "message_undelivered"
    TURN_ENDED = "turn_ended"
    IDLE = "idle"
    ERROR = "error"
    UNKNOWN = "unknown"
    HEARTBEAT = "heartbeat"
    PROGRESS = "progress"
    # What is wrong with a log (phase telemetry).
    LINE_TOO_LONG = "line_too_long"
    MALFORMED_RECORD = "malformed_record"
    MALFORMED_EVENT = "malformed_event"
    LOG_ROTATED = "log_rotated"
    LOG_TRUNCATED = "log_truncated"


# Structs, for tens of thousands are made a second: a frozen dataclass takes ten times as long to make.


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """An event before it is stored.

    ``time`` is milliseconds since the epoch. ``source`` names the signal: ``supervisor``,
    ``runner``, ``stream``, ``hook``, ``screen``, ``tool`` or ``person``. ``task`` is the one that it is about, where
    not all that are stored together are about the same.
    """

    type: str
    phase: Phase
    time: int
    severity: Severity = "info"
    source: str = "supervisor"
    payload: dict[str, Any] = msgspec.field(default_factory=dict)
    task: str | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """A stored event. ``seq`` is unique, increasing, and never given out twice.

    ``payload`` is kept as the JSON text that was stored, so that it is serialised once.
    """

    seq: int
    time: int
    project: str | None
    plan: str | None
    task: str | None
    session: str | None
    attempt: str | None
    phase: str
    type: str
    severity: str
    source: str
    payload: str
