"""What goes over the API about approvals and policy: requests (validated here) and the JSON shapes of answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from supervisor.api.protocol import TEXT_LIMIT, AbsolutePath, Body, Document, PlainText
from supervisor.engine.policy.rules import Rule
from supervisor.engine.suggesting import Proposal
from supervisor.model.acts import Judgement
from supervisor.model.approvals import Approval, Option, Risk
from supervisor.model.protocol import VALUE_LIMIT
from supervisor.model.times import to_rfc3339
from supervisor.store.policies import PolicyVersion

KEY_LIMIT = 200
QUESTION_LIMIT = 16 * 1024
OPTION_LIMIT = 50
BATCH_LIMIT = 500
DOCUMENT_LIMIT = 1024 * 1024

WAIT_LIMIT_S = 60.0
"""Seconds that one request may wait; who waits longer asks again with the same key."""


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("it holds a character that is not printable")
    return value


Key = Annotated[str, Field(min_length=1, max_length=KEY_LIMIT), AfterValidator(_printable)]
"""Names a request, so that one that is made again is found and not stored twice."""

Value = Annotated[str, Field(min_length=1, max_length=VALUE_LIMIT), AfterValidator(_printable)]
Seconds = Annotated[float, Field(ge=0, le=WAIT_LIMIT_S, allow_inf_nan=False)]
Note = Annotated[PlainText, Field(max_length=QUESTION_LIMIT)]


class ApproveBody(Body):
    """Say yes: with the value of an option where the question has some."""

    choice: str | None = None
    rationale: Note | None = None


class RejectBody(Body):
    """Say no. ``reason`` is told to what asked; ``interrupt`` also ends an agent's turn."""

    reason: Note | None = None
    interrupt: bool = False


class OneDecision(ApproveBody):
    """One of several decisions. ``approval`` is an id or its unique beginning."""

    approval: str
    approve: bool
    interrupt: bool = False


class DecideBody(Body):
    """Decisions that are made together: all of them, or none."""

    decisions: list[OneDecision] = Field(min_length=1, max_length=BATCH_LIMIT)


class PermissionBody(Body):
    """What an agent wants to do, as the agent says it. With ``withdrawn`` it needs no answer any more."""

    key: Key
    request: Document
    wait_s: Seconds = 0.0
    withdrawn: bool = False


class OptionBody(Body):
    """An answer that may be chosen."""

    value: Value
    label: Annotated[PlainText, Field(max_length=QUESTION_LIMIT)] = ""
    description: Annotated[PlainText, Field(max_length=QUESTION_LIMIT)] = ""


class QuestionBody(Body):
    """A question of a tool or of a person's script. ``attempt`` names the command of a plan that asks."""

    key: Key
    attempt: Value | None = None
    question: Annotated[PlainText, Field(min_length=1, max_length=QUESTION_LIMIT)]
    options: list[OptionBody] = Field([], max_length=OPTION_LIMIT)
    default: str | None = None
    expires_s: float | None = Field(None, gt=0, le=1e9, allow_inf_nan=False)
    risk: Risk = "medium"
    preview: Document = Field({})
    wait_s: Seconds = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> QuestionBody:
        values = [option.value for option in self.options]
        if len(set(values)) < len(values):
            raise ValueError("two options have the same value")
        if self.default is not None and self.default not in values:
            raise ValueError(f"the default {self.default!r} is none of the options")
        return self

    def choices(self) -> tuple[Option, ...]:
        """Return the options; one without a label is called by its value."""
        return tuple(Option(each.value, each.label or each.value, each.description) for each in self.options)


class PolicyTestBody(Body):
    """A command that policy is asked about: a shell line, or words that no shell reads."""

    command: Annotated[PlainText, Field(max_length=TEXT_LIMIT)] | list[PlainText]
    cwd: AbsolutePath = "/"
    agent: str | None = None
    mode: Literal["autonomous", "dispatch"] = "autonomous"


class PolicyApplyBody(Body):
    """Rules that a person applies: a whole ``document``, or one ``rule`` more.

    ``base`` is the version that they saw; when another one is in force, nothing is applied.
    """

    document: Annotated[str, Field(max_length=DOCUMENT_LIMIT)] | None = None
    rule: Document | None = None
    base: int | None = Field(None, ge=0)
    rationale: Note = ""

    @model_validator(mode="after")
    def _one(self) -> PolicyApplyBody:
        if (self.document is None) == (self.rule is None):
            raise ValueError("give either a document or a rule")
        return self


class PolicyProposeBody(Body):
    """The approval that a rule is proposed for: an id or its unique beginning."""

    approval: str


class PolicyRollbackBody(Body):
    """The version whose rules are to be in force again."""

    version: int = Field(ge=0)
    rationale: Note = ""


def approval_json(approval: Approval, session_name: str | None, project_name: str | None) -> dict[str, Any]:
    """Return an approval as the contract has it."""
    return {
        "id": approval.id,
        "subject_type": approval.subject_type,
        "subject": approval.subject,
        "project": approval.project,
        "project_name": project_name,
        "plan": approval.plan,
        "task": approval.task,
        "session": approval.session,
        "session_name": session_name,
        "attempt": approval.attempt,
        "question": approval.question,
        "options": [
            {"value": option.value, "label": option.label, "description": option.description}
            for option in approval.options
        ],
        "default": approval.default,
        "risk": approval.risk,
        "preview": approval.preview,
        "judgement": approval.judgement,
        "digest": approval.digest,
        "status": approval.status,
        "reason": approval.reason,
        "decision": approval.decision,
        "requested_by": approval.requested_by,
        "decided_by": approval.decided_by,
        "rationale": approval.rationale,
        "created_at": to_rfc3339(approval.created_at),
        "decided_at": to_rfc3339(approval.decided_at),
        "expires_at": to_rfc3339(approval.expires_at),
        "consumed_at": to_rfc3339(approval.consumed_at),
    }


def judgement_json(judgement: Judgement) -> dict[str, Any]:
    """Return what policy says of a command, with each simple command of it."""
    return {
        "decision": judgement.effect,
        "rule": judgement.rule,
        "reason": judgement.reason,
        "risk": judgement.risk,
        "commands": [
            {"command": part.text, "decision": part.effect, "rule": part.rule, "reason": part.reason}
            for part in judgement.parts
        ],
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """Return a rule in force."""
    return {
        "name": rule.name,
        "effect": rule.effect,
        "risk": rule.risk,
        "reason": rule.reason,
        "matches": rule.sort,
        "patterns": list(rule.patterns),
        "conditions": {name: list(patterns) for name, patterns in rule.conditions.items()},
        "layer": rule.layer,
        "source": rule.source,
    }


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """Return a proposed rule, and what of the history it would and would not have matched."""
    return {
        "id": proposal.id,
        "rule": proposal.rule,
        "text": proposal.text,
        "reason": proposal.reason,
        "would_allow": list(proposal.would_allow),
        "would_ask": list(proposal.would_ask),
    }


def version_json(version: PolicyVersion) -> dict[str, Any]:
    """Return a version of the rules that people applied."""
    return {
        "version": version.number,
        "created_at": to_rfc3339(version.created_at),
        "author": version.author,
        "rationale": version.rationale,
        "document": version.document,
    }
