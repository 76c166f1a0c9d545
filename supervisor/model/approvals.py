"""Approvals: questions that only an authorised person, or a policy, may answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from supervisor.model.statuses import ApprovalStatus

SubjectType = Literal["tool_call", "tool_run", "gate", "plan", "rollback", "policy", "review"]
Risk = Literal["low", "medium", "high"]

Channel = Literal["stream", "wait", "rerun", "engine"]
"""How a decision reaches what waits for it: written to the agent's stdin (``stream``), fetched by the process that
asked and stands still (``wait``), by starting the tool again with the answer (``rerun``), or acted upon by the
supervisor itself (``engine``)."""

ONCE = "allow"
"""The decision that approves a request which has no options of its own: this once."""


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that may be chosen."""

    value: str
    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """A question, what exactly it is about, and what became of it. Times in milliseconds since the epoch.

    ``asked`` is the question as the requester gave it, whole: what it gets answered is made from this alone.
    ``preview`` is what a person is shown, ``digest`` binds the decision to exactly that (`digest_of`).
    ``request_key`` names the request within its session, so that one that is asked again is found, not stored twice.
    ``judgement`` says which policy rule led to the question, and why. ``decision`` is the chosen option's value;
    ``reason`` says, in words, why it has its status.
    """

    id: str
    subject_type: SubjectType
    subject: str
    question: str
    channel: Channel
    asked: dict[str, Any]
    digest: str
    requested_by: str
    created_at: int
    status: ApprovalStatus = ApprovalStatus.PENDING
    reason: str = "It waits for a decision."
    options: tuple[Option, ...] = ()
    default: str | None = None
    risk: Risk = "medium"
    preview: dict[str, Any] = field(default_factory=dict)
    judgement: dict[str, Any] = field(default_factory=dict)
    project: str | None = None
    plan: str | None = None
    task: str | None = None
    session: str | None = None
    attempt: str | None = None
    request_key: str | None = None
    expires_at: int | None = None
    decision: str | None = None
    decided_by: str | None = None
    decided_at: int | None = None
    rationale: str | None = None
    consumed_at: int | None = None
    consumed_by: str | None = None

    @property
    def name(self) -> str:
        """What a person may call it; approvals have no names of their own."""
        return self.subject
