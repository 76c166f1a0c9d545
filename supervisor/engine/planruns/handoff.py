"""What an archived plan leaves for whoever comes after: what it was for, what came of it, why, and what was decided.

Pure: Markdown from what is stored. Foreign text stays text: it is put into one line, and its markup is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from supervisor.engine.planning import Shown
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt, Session
from supervisor.model.plain import one_line
from supervisor.model.plans import Revision, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.model.times import to_rfc3339

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#])")
MINUTE = 60
_DECIDED = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONSUMED, ApprovalStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is told of a plan."""

    shown: Shown
    attempts: Sequence[Attempt]
    sessions: Sequence[Session]
    approvals: Sequence[Approval]
    now: int


def handoff(story: Story) -> str:
    """Return the handoff readme of a plan, with the postmortem of what failed."""
    plan, planned = story.shown.plan, story.shown.planned
    parts = [
        [f"# {_text(plan.title)}", "", *_facts(story)],
        _section("Objective", [_text(planned.objective)] if planned.objective else []),
        _section("Definition of done", [f"- {_text(each)}" for each in planned.definition_of_done]),
        _section("Tasks", _tasks(story)),
        _section("Decisions", [_decision(each) for each in story.approvals if each.status in _DECIDED]),
        _section("Postmortem", _postmortem(story)),
        _section("Revisions", [_revision(each) for each in story.shown.revisions] if plan.revision > 1 else []),
        _section("Where it is", _where(story)),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _facts(story: Story) -> list[str]:
    plan = story.shown.plan
    cost = sum(session.stats.cost_usd for session in story.sessions)
    facts = {
        "Plan": f"`{plan.id}`, revision {plan.revision}",
        "Outcome": f"{plan.status}: {_text(plan.reason.text)}",
        "Owner": _text(plan.owner or ""),
        "Began": to_rfc3339(plan.started_at) or "",
        "Ended": to_rfc3339(plan.ended_at) or "",
        "Took": duration(plan.started_at, plan.ended_at),
        "Cost": f"${cost:.2f}" if cost else "",
    }
    return [f"- **{name}:** {value}" for name, value in facts.items() if value]


def _tasks(story: Story) -> list[str]:
    rows = ["| task | what | status | attempts | took | proofs |", "|---|---|---|---|---|---|"]
    for task in story.shown.tasks:
        proofs = task.result.get("proofs") or []
        held = sum(bool(proof["holds"]) for proof in proofs)
        proven = f"{held} of {len(proofs)}" if proofs else ""
        took = duration(task.started_at, task.ended_at)
        rows.append(
            f"| {_text(task.id)} | {_text(task.title)} | {task.status} | {task.attempts or ''} | {took} | {proven} |"
        )
    return rows


def _decision(approval: Approval) -> str:
    word = "rejected" if approval.status is ApprovalStatus.REJECTED else "approved"
    when = to_rfc3339(approval.decided_at)
    why = f": {_text(approval.rationale)}" if approval.rationale else ""
    return (
        f"- {_text(approval.task or approval.subject)} was {word} by {_text(approval.decided_by or '')} at {when}{why}"
    )


def _postmortem(story: Story) -> list[str]:
    """Say what failed, with what its commands said, and what was tried again."""
    lines = []
    for task in story.shown.tasks:
        made = [attempt for attempt in story.attempts if attempt.task == task.id]
        failed = [attempt for attempt in made if attempt.exit_code]
        if task.status in (TaskStatus.FAILED, TaskStatus.BLOCKED, TaskStatus.ABANDONED):
            lines.append(f"- **{_text(task.id)}** {task.status}: {_text(task.reason.text)}")
        elif failed and task.attempts > 1:
            last = _text(task.result.get("last_failure", ""))
            lines.append(f"- **{_text(task.id)}** needed {task.attempts} attempts. It failed with: {last}")
    skipped = [task for task in story.shown.tasks if task.status is TaskStatus.SKIPPED]
    if lines and skipped:
        lines.append(f"- Not run because of that, or because it was not needed: {_named(skipped)}.")
    return lines


def _revision(revision: Revision) -> str:
    return f"- {revision.number}, by {_text(revision.author)}: {_text(revision.rationale or 'the first')}"


def _where(story: Story) -> list[str]:
    plan = story.shown.plan
    lines = [f"- Branch `{plan.branch}`, from `{(plan.base_commit or '')[:12]}`"] if plan.branch else []
    worked = [f"- Session `{each.name}` ({each.agent}), branch `{each.branch}`" for each in story.sessions]
    return lines + worked


def _named(tasks: Iterable[Task]) -> str:
    return ", ".join(_text(task.id) for task in tasks)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _text(text: str) -> str:
    return _MARKUP.sub(r"\\\1", one_line(text).strip())


def duration(began: int | None, ended: int | None) -> str:
    """Return how long something took, in words: ``2 h 5 min``; empty when it has not begun or not ended."""
    if began is None or ended is None:
        return ""
    seconds = max(0, ended - began) / 1_000
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(int(seconds // MINUTE), MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
