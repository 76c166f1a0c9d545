"""A plan with all that is laid out once for a revision. Making one may take a while: it is made beside the app."""

from __future__ import annotations

import json
from dataclasses import dataclass

from panels.view.plan import Json, PlanView, plan_view
from panels.view.plandrawing import Drawing, drawing
from panels.view.planoutline import Branch, outline


@dataclass(frozen=True, slots=True)
class Opened:
    """A plan, its drawing and its tree."""

    plan: PlanView
    drawing: Drawing
    branches: list[Branch]

    def is_of(self, plan: str, revision: int) -> bool:
        """Whether it is of this revision of this plan."""
        return (self.plan.id, self.plan.revision) == (plan, revision)


def opened(answer: Json, document: str) -> Opened:
    """Return a plan as the API has it, with the document of its revision as JSON."""
    return _laid_out(plan_view(answer, json.loads(document)))


def as_it_stands(before: Opened, answer: Json) -> Opened:
    """Return a plan as it stands now, in the same revision: laid out anew when tasks came to it since."""
    plan = plan_view(answer, before.plan.said)
    if plan.tasks.keys() != before.plan.tasks.keys():
        return _laid_out(plan)
    return Opened(plan, before.drawing, before.branches)


def _laid_out(plan: PlanView) -> Opened:
    return Opened(plan, drawing(list(plan.tasks.values()), plan.edges()), outline(plan))
