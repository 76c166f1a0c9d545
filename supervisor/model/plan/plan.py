"""A plan: an objective as a graph of tasks, in the one form that everything else uses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from supervisor.model.plan.parts import Artifacts, Budget
from supervisor.model.plan.task import Task
from supervisor.model.plan.values import (
    ITEM_LIMIT,
    Amount,
    Free,
    MaybeText,
    Moment,
    Name,
    Names,
    PlanId,
    Priority,
    Shape,
    TaskIds,
    Text,
    Texts,
    Title,
    check_id,
    named,
    rank,
)

PlanState = Literal["draft", "pending", "running", "paused", "blocked", "completed", "failed", "abandoned"]


class Policies(Shape):
    """Rules for the whole plan."""

    require_gate_for_prod: StrictBool = False
    """Whether every task of kind deploy must have a gate before it."""


class Hypothesis(Shape):
    """A statement that evidence may support or refute."""

    id: Name
    """Its short name."""
    statement: MaybeText = ""
    """What it says."""
    prior: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    """How likely it is before any evidence, 0 to 1."""
    test_cost: Annotated[float, Field(strict=True, ge=0, le=1e9)] | None = None
    """What testing it costs compared to the others; any unit."""


class Milestone(Shape):
    """A point that people wait for."""

    id: Name
    """Its short name."""
    title: Title = ""
    """One line for people."""
    needs: TaskIds = ()
    """Ids of the tasks that must be completed for it."""
    due: Moment | None = None
    """When it should be reached: RFC 3339."""


class Memory(Shape):
    """What the plan's memory is used for."""

    keys: Names = ()
    """Keys that its tasks write or read."""


class Schedule(Shape):
    """When the plan is started by itself, once a person has switched that on."""

    cron: Annotated[str, Field(pattern=r"^\S+( +\S+){4}$", max_length=200)]
    """Minute, hour, day of the month, month, day of the week."""
    timezone: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=100)] = "UTC"
    """The time zone that the hours are of."""


def _hypotheses(value: Any) -> Any:
    """Read texts: a short name is an id, a sentence a statement."""
    if not isinstance(value, list | tuple):
        return value
    return [_hypothesis(each, number) if isinstance(each, str) else each for number, each in enumerate(value, 1)]


def _hypothesis(text: str, number: int) -> dict[str, str]:
    try:
        return {"id": check_id(text)}
    except ValueError:
        return {"id": f"H{number}", "statement": text}


class Plan(Shape):
    """An objective as a graph of tasks."""

    id: PlanId
    """Its name, everywhere and in branches."""
    title: Title = ""
    """One line for people; the id stands in for an empty one."""
    objective: MaybeText = ""
    """What it is for."""
    definition_of_done: Texts = ()
    """What holds when it is done."""
    scope: Texts = ()
    """What belongs to it, and what does not."""
    constraints: Texts = ()
    """What must be kept to."""
    deadline: Moment | None = None
    """When it must be done: RFC 3339, or a date."""
    stakeholders: Names = ()
    """Who wants to know."""
    owner: Name | None = None
    """Who answers for it."""
    priority: Priority = "normal"
    """Which plan goes first: a word, or a number where higher goes first."""
    status: PlanState | None = None
    """Where it stood when the document was written; a running plan keeps its own."""
    revision: Annotated[StrictInt, Field(ge=1, le=10**9)] | None = None
    """The revision that the document was written as."""
    created_at: Moment | None = None
    """When the document was made: RFC 3339."""
    advance: Literal["manual", "auto"] = "manual"
    """Whether each step waits for a person, or runs on by itself."""
    parallel: Annotated[StrictInt, Field(ge=1, le=1_000)] | None = None
    """Commands at once; absent, twice the cores."""
    agents: Annotated[tuple[StrictInt | Name, ...], Field(max_length=ITEM_LIMIT)] = ()
    """Agents that are assigned, by name or number."""
    policies: Policies = Policies()
    """Rules that its tasks keep to."""
    budget: Budget | None = None
    """What all of it may use."""
    pools: Annotated[dict[Name, Amount], Field(max_length=1_000)] = Field(default_factory=dict)
    """What tasks share, and how much of it there is: name to number."""
    locks: Names = ()
    """Names that one task holds at a time."""
    hypotheses: Annotated[
        tuple[Hypothesis, ...],
        BeforeValidator(_hypotheses, json_schema_input_type=tuple[Hypothesis | Text, ...]),
        Field(max_length=ITEM_LIMIT),
    ] = ()
    """Statements that the plan tests; a gate may decide between them."""
    artifacts: Artifacts = ()
    """Outputs that are kept, and the task that makes each."""
    memory: Memory = Memory()
    """What its memory is used for."""
    milestones: Annotated[tuple[Milestone, ...], Field(max_length=ITEM_LIMIT)] = ()
    """Points that people wait for."""
    schedule: Annotated[Schedule, BeforeValidator(named("cron"), json_schema_input_type=Schedule | Text)] | None = None
    """When it is started by itself."""
    metadata: Free = Field(default_factory=dict)
    """Free data."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=ITEM_LIMIT)]
    """What is to be done."""

    @property
    def name(self) -> str:
        """The title, or the id where there is none."""
        return self.title or self.id

    @property
    def rank(self) -> int:
        """The priority as a number; higher goes first."""
        return rank(self.priority)
