"""A task: one node of a plan."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from supervisor.model.plan.parts import Artifacts, Budget, FailureModes, FanOut, Next, Retry
from supervisor.model.plan.runners import Db, GitEntry, HttpEntry, Runner
from supervisor.model.plan.values import (
    ITEM_LIMIT,
    Amount,
    Environment,
    Free,
    MaybeText,
    Name,
    Names,
    Priority,
    Scalar,
    Seconds,
    Shape,
    TaskId,
    TaskIds,
    Text,
    Texts,
    Title,
    by_name,
    rank,
)

Kind = Literal["research", "implement", "validate", "debug", "refactor", "deploy", "synthesize", "analyze", "gate"]
TaskState = Literal[
    "pending", "ready", "running", "waiting_approval", "blocked", "completed", "failed", "skipped", "abandoned"
]
Workspace = Literal["plan", "own", "none"]


def _attempts(value: Any) -> Any:
    return {"attempts": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _units(value: Any) -> Any:
    """Read names as one unit of each."""
    value = [value] if isinstance(value, str) else value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return dict.fromkeys(value, 1)
    return value


def _outcomes(value: Any) -> Any:
    """Read ``{success: a, failure: [b, c]}`` as a list of steps."""
    if not isinstance(value, dict) or not value.keys() <= {"success", "failure"}:
        return value
    return [
        {"on": on, "to": each} for on, to in value.items() for each in (to if isinstance(to, list | tuple) else [to])
    ]


class Outcomes(Shape):
    """The short way to write what comes next: outcome to tasks."""

    success: TaskIds = ()
    """Tasks that go on after success."""
    failure: TaskIds = ()
    """Tasks that go on after failure."""


class Task(Shape):
    """One piece of work: what it needs, what runs, and how its success is checked."""

    id: TaskId
    """Its name in the plan and in branches; `name-*` is repeated, see `fan_out`."""
    title: Title = ""
    """One line for people; the id stands in for an empty one."""
    description: MaybeText = ""
    """What is to be done, at length."""
    kind: Kind = "implement"
    """What sort of work it is."""
    status: TaskState | None = None
    """Where it stood when the document was written; a running plan keeps its own."""
    priority: Priority = "normal"
    """Which ready task goes first: a word, or a number where higher goes first."""
    owner: Name | None = None
    """Who answers for it."""
    labels: Names = ()
    """Words to find it by."""
    needs: TaskIds = ()
    """Ids of the tasks that must be completed before."""
    inputs: Annotated[
        dict[Name, Scalar | tuple[Scalar, ...]],
        BeforeValidator(by_name, json_schema_input_type=dict[Name, Scalar | tuple[Scalar, ...]] | tuple[Name, ...]),
        Field(max_length=ITEM_LIMIT),
    ] = Field(default_factory=dict)
    """What it is given, by name; a command finds each in its environment. A list of names stands for itself."""
    outputs: Annotated[
        dict[Name, Text],
        BeforeValidator(by_name, json_schema_input_type=dict[Name, Text] | tuple[Name, ...]),
        Field(max_length=ITEM_LIMIT),
    ] = Field(default_factory=dict)
    """What it makes: name to file or artifact. A list of files is named by itself."""
    artifacts: Artifacts = ()
    """Outputs that are kept."""
    capabilities: Names = ()
    """What it must be allowed to do, in words of policy: `web.fetch`."""
    reads: Names = ()
    """Files and folders it reads, as patterns: tasks that write them do not run beside it."""
    writes: Names = ()
    """Files and folders it changes, as patterns: tasks that touch them do not run beside it."""
    resources: Annotated[
        dict[Name, Amount],
        BeforeValidator(_units, json_schema_input_type=dict[Name, Amount] | Name | tuple[Name, ...]),
        Field(max_length=1_000),
    ] = Field(default_factory=dict)
    """How much it takes of each pool of the plan; a name without a pool is a lock, taken as 1."""
    preconditions: Texts = ()
    """What must hold before it starts: expressions or commands."""
    success_criteria: Texts = ()
    """What must hold when it is done: expressions, commands, or sentences for a judge."""
    assumptions: Texts = ()
    """What is taken for true."""
    risks: Texts = ()
    """What may go wrong."""
    failure_modes: FailureModes = ()
    """Foreseen ways to fail, how to notice them and what to do."""
    using: Runner | None = None
    """What runs it; absent, it follows from the other keys."""
    agent: Name | None = None
    """The profile of the agent that works on it."""
    prompt: Text | None = None
    """What the agent is told."""
    command: Text | None = None
    """A line, or several, for the shell."""
    commands: Texts = ()
    """Lines for the shell, one after the other; the first that fails ends the task."""
    http: HttpEntry | None = None
    """The request of a task that uses http."""
    db: Db | None = None
    """The statements of a task that uses db."""
    git: GitEntry | None = None
    """The command of a task that uses git."""
    subplan: Subplan | None = None
    """A plan of its own that this task stands for."""
    fan_out: FanOut | None = None
    """What a task with an id `name-*` is repeated for."""
    environment: Environment = Field(default_factory=dict)
    """Variables for what runs."""
    workspace: Workspace | None = None
    """Where it works: `plan` the plan's worktree, `own` a fork of it, `none` a scratch folder."""
    budget: Budget | None = None
    """What it may use."""
    timeout: Seconds | None = None
    """Seconds an attempt may take."""
    no_output: Seconds | None = None
    """Seconds an attempt may be silent."""
    heartbeat: Seconds | None = None
    """Seconds between two signs of life."""
    timebox: Seconds | None = None
    """Seconds after which the work ends with what there is; not a failure."""
    retry: Annotated[Retry, BeforeValidator(_attempts, json_schema_input_type=Retry | int)] | None = None
    """How often it is tried again."""
    idempotent: StrictBool = False
    """Whether running it twice does no harm. One that says what it `reads` is run again only when something changed."""
    rollback: Texts = ()
    """Commands that undo it, one after the other: for `task rollback`."""
    next: Annotated[
        tuple[Next, ...],
        BeforeValidator(_outcomes, json_schema_input_type=Outcomes | tuple[Next, ...]),
        Field(max_length=ITEM_LIMIT),
    ] = ()
    """Tasks that go on from here on success or on failure."""
    evidence: Names = ()
    """Artifacts or files that show that it was done."""
    checks: Texts = ()
    """Of a gate: what must hold for it to open: commands, expressions, or sentences for a judge."""
    evidence_required: Names = ()
    """Of a gate: artifacts or files that must be there."""
    approval: StrictBool = False
    """Of a gate: whether a person must approve."""
    approver_role: Name | None = None
    """Of a gate: the role that the person must have."""
    metadata: Free = Field(default_factory=dict)
    """Free data."""

    @property
    def name(self) -> str:
        """The title, or the id where there is none."""
        return self.title or self.id

    @property
    def rank(self) -> int:
        """The priority as a number; higher goes first."""
        return rank(self.priority)

    @property
    def runner(self) -> Runner:
        """What runs it. What nothing else runs is work for an agent."""
        if self.using is not None:
            return self.using
        if self.kind == "gate":
            return "gate"
        given: tuple[tuple[object, Runner], ...] = (
            (self.subplan, "subplan"),
            (self.http, "http"),
            (self.db, "db"),
            (self.git, "git"),
            (self.agent or self.prompt, "agent"),
            (self.command or self.commands, "shell"),
        )
        return next((runner for value, runner in given if value), "agent")

    @property
    def place(self) -> Workspace:
        """Where it works: an agent in a worktree of its own, everything else in the plan's, unless it says so."""
        return self.workspace or ("own" if self.runner == "agent" else "plan")


class Subplan(Shape):
    """A plan inside a task. Ids in it are its own."""

    title: Title = ""
    """One line for people."""
    objective: MaybeText = ""
    """What it is for."""
    definition_of_done: Texts = ()
    """What holds when it is done."""
    budget: Budget | None = None
    """What all of it may use, inside of its task's budget."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1, max_length=ITEM_LIMIT)]
    """Its tasks."""
    metadata: Free = Field(default_factory=dict)
    """Free data."""


Task.model_rebuild()
