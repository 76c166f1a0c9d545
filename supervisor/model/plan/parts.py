"""What plans and tasks share: budgets, artifacts, ways to fail, what comes next."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt

from supervisor.model.plan.values import ITEM_LIMIT, MaybeText, Name, Seconds, Shape, TaskId, Text, Wait, named


def _one(value: Any) -> Any:
    """Return a list of one for what is no list."""
    return [value] if isinstance(value, str | dict) else value


class Budget(Shape):
    """What may be used before a circuit breaker stops the work. What is absent has no limit."""

    time: Seconds | None = None
    """Seconds of work, all attempts together."""
    cost_usd: Annotated[float, Field(strict=True, ge=0, le=1e9)] | None = None
    """US dollars."""
    api_calls: Annotated[StrictInt, Field(ge=0, le=10**12)] | None = None
    """Calls of a model or service."""
    tokens: Annotated[StrictInt, Field(ge=0, le=10**15)] | None = None
    """Tokens of a model, input and output together."""


class Artifact(Shape):
    """An output that is kept: addressed by plan, task and name, and by what is in it."""

    name: Name
    """The name below its task."""
    type: Name | None = None
    """What it is, in words of the author: `file`, `list[url]`."""
    path: Name | None = None
    """The file or folder that holds it, below the task's folder."""
    retention: Annotated[str, Field(pattern=r"^(task|plan|project|forever|[1-9][0-9]{0,4}[hdw])$")] | None = None
    """How long it is kept: while the task, plan or project exists, forever, or a time such as `30d`."""
    from_: TaskId | None = Field(None, alias="from")
    """The task that makes it."""


class FailureMode(Shape):
    """A way to fail that the author foresaw."""

    name: Name
    """What it is called."""
    detect: MaybeText = ""
    """How to notice it."""
    recover: MaybeText = ""
    """What to do then."""


class Next(Shape):
    """The task that goes on from here."""

    on: Literal["success", "failure"]
    """After which outcome."""
    to: TaskId
    """The id of the task that then runs."""


class Regression(Shape):
    """A command whose result must not be worse than it was."""

    command: Text
    """A line for the shell. Without `better` it is a test: it succeeds, or failed before, too."""
    better: Literal["higher", "lower"] | None = None
    """Which numbers are better; what is compared is the number in the last line that the command puts out."""
    tolerance: Annotated[float, Field(strict=True, ge=0, le=1e12)] = 0
    """By how much the number may be worse."""
    baseline: Name | None = None
    """The artifact or evidence of an earlier plan that has the number; absent, the command runs in the plan's base."""


class Retry(Shape):
    """How often a failed task is tried again. Without it never: nothing is retried silently."""

    attempts: Annotated[StrictInt, Field(ge=1, le=100)] = 1
    """Attempts, the first included."""
    delay: Wait = 0
    """Seconds before the second attempt."""
    backoff: Annotated[float, Field(strict=True, ge=1, le=100)] = 1
    """What the delay is multiplied with before each further attempt."""
    max_delay: Wait | None = None
    """Seconds that no delay exceeds."""


class Escalation(Shape):
    """What happens about the limits of a task: `timeout`, `timebox`, `no_output`, `heartbeat`."""

    near: Literal["warn", "ask"] | None = None
    """When four fifths of one are used: nothing, an alert (`warn`), or a question to a person (`ask`)."""
    passed: Literal["warn", "ask", "stop"] = "stop"
    """When one is used up: an alert, a question while it goes on, or its end (`stop`), which counts as a failure."""


class FanOut(Shape):
    """What a task with an id `name-*` is repeated for: one task for each item."""

    over: Name | None = None
    """The task or artifact whose lines are the items; without it, what the needed tasks put out."""
    items: Annotated[tuple[Text, ...], Field(max_length=ITEM_LIMIT)] = ()
    """The items themselves, where they are known before."""
    limit: Annotated[StrictInt, Field(ge=1, le=1_000)] = 20
    """Tasks at most."""


ArtifactEntry = Annotated[Artifact, BeforeValidator(named("name"), json_schema_input_type=Artifact | Name)]
FailureModeEntry = Annotated[FailureMode, BeforeValidator(named("name"), json_schema_input_type=FailureMode | Name)]
Artifacts = Annotated[tuple[ArtifactEntry, ...], Field(max_length=ITEM_LIMIT)]
RegressionEntry = Annotated[Regression, BeforeValidator(named("command"), json_schema_input_type=Regression | Text)]
Regressions = Annotated[
    tuple[RegressionEntry, ...],
    BeforeValidator(_one, json_schema_input_type=RegressionEntry | tuple[RegressionEntry, ...]),
    Field(max_length=ITEM_LIMIT),
]
FailureModes = Annotated[tuple[FailureModeEntry, ...], Field(max_length=ITEM_LIMIT)]
