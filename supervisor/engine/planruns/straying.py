"""A plan's worktree that has another branch checked out than the plan's: nothing is committed there, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supervisor.engine.planruns.state import State
from supervisor.engine.ports.workspaces import Workspaces
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plans import Plan


class Strayed(Refused):
    """The plan's worktree has another branch checked out. What was changed in it is there, and not committed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended; a ``final`` failure is not tried again."""

    ok: bool
    why: str = ""
    final: bool = False


async def strayed(workspaces: Workspaces, plan: Plan) -> str:
    """Say what is wrong when the worktree of a plan is not on the plan's branch; empty when it is, or is gone."""
    if plan.worktree is None or plan.branch is None:
        return ""
    try:
        now = await workspaces.checked_out(Path(plan.worktree))
    except QuarterdeckError:
        return ""  # whoever needs it says what is wrong
    if now == plan.branch:
        return ""
    return (
        f"The plan's worktree was switched from its branch {plan.branch} to {now or 'no branch'}, so nothing more is "
        f"committed. Nothing is lost: commits are where they were made, other changes are in {plan.worktree}. Bring it "
        f"back: git -C '{plan.worktree}' switch {plan.branch}"
    )


def judged(state: State, task: str, outcome: Outcome) -> Outcome:
    """Return how a step of a task has ended, now that it is known what is wrong with the plan's worktree, if anything.

    What worked in it has failed then, and is not tried again before a person has looked.
    """
    if not state.strayed or state.program.jobs[task].task.place != "plan":
        return outcome
    why = f"{outcome.why} {state.strayed}".strip()
    return Outcome(ok=False, why=f"{why}, then: quarterdeck task retry {state.plan.id}/{task}", final=True)
