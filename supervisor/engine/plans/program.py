"""What is done for a plan: each task as steps, with when it runs and what it takes. Pure.

What must hold before comes first, then the work, then the checks that prove it. What only a person can judge, a
criterion in prose, is asked about when those have succeeded; then what was done in a worktree of its own is merged
into the plan's branch. An agent's word is never among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from supervisor.engine.plans.choosing import Demand, Demands
from supervisor.engine.plans.fitting import fitting
from supervisor.engine.plans.flattening import confused, placed, placed_parts
from supervisor.engine.plans.progress import Node, Progress, Route
from supervisor.engine.plans.prose import criterion, line_of, nature
from supervisor.engine.plans.repeating import NOTHING, PLACE, Items, Parts, is_repeated, named_parts
from supervisor.engine.plans.requests import request_of
from supervisor.engine.plans.reusing import is_reusable
from supervisor.model.plan.parts import Regression
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task

COMMANDS: Final = "commands"
"""The pool that everything but agents takes a place in; agents wait in the queue of sessions."""

AGENTS: Final = "agents"
SUBPLANS: Final = "subplans"
"""Tasks that wait for their parts take no place from these."""

MANY: Final = 1_000_000

UNDO: Final = 1_000_000
"""The number of the first step that rolls a task back: it stands apart from what does it."""

RECALL: Final = "take what it gave before, when nothing that it depends on has changed"
REMEMBER: Final = "remember what it gave"

_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+:,./-]+")
"""A word that a shell takes as it stands."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command, one condition, an agent's session, finding out what a task is repeated for, the end of its parts (of
    its subplan, or one for each item), keeping what it made, a question to a person (about ``judged``), the merge of
    a task's own worktree, taking what it gave before in the place of all that follows, or remembering what it gave.

    ``given`` is what a command reads on its stdin: the request of a task that uses http or db, as a line of JSON.
    ``proves`` is false for the work itself, true for what checks it; ``before`` is true for what must hold before.

    With ``at_base`` it is done in a worktree of what the plan began with, which ``tidy`` removes. What a command
    ``measures`` is noted by that name, whatever it ends with, or is the ``baseline`` from evidence; ``compare`` holds
    two of those against each other as ``regression`` says. ``evidence`` is a file (in ``argv``) that is there, or kept.
    """

    what: Literal[
        "command", "expression", "session", "repeat", "parts", "keep", "ask", "merge", "recall", "remember",
        "evidence", "baseline", "compare", "tidy",
    ]  # fmt: skip
    text: str
    argv: tuple[str, ...] = ()
    given: str = ""
    judged: tuple[str, ...] = ()
    proves: bool = False
    before: bool = False
    at_base: bool = False
    measures: str = ""
    regression: Regression | None = None

    @property
    def said(self) -> str:
        """What it proves, in words."""
        return f"in the plan's base: {self.text}" if self.at_base else self.text


@dataclass(frozen=True, slots=True)
class Job:
    """A task as it is done: its steps follow each other. ``repeated`` is what the parts of one that is are made of.

    ``undo`` are the steps that roll it back; their numbers begin with `UNDO`.
    """

    task: Task
    demand: Demand
    steps: tuple[Step, ...] = ()
    repeated: Task | None = None
    undo: tuple[Step, ...] = ()

    def step(self, number: int) -> Step:
        """Return the step of this number."""
        return self.steps[number] if number < UNDO else self.undo[number - UNDO]


@dataclass(frozen=True, slots=True)
class Program:
    """A plan, ready to be run. ``problems`` say why it cannot be started as it is.

    ``anew`` is what the revision in force says of tasks that go by the job of an earlier one as long as they run.
    """

    jobs: Mapping[str, Job]
    progress: Progress
    capacity: Mapping[str, float]
    problems: tuple[str, ...]
    anew: Mapping[str, Job] = field(default_factory=dict)
    demands: Demands = field(init=False)

    def __post_init__(self) -> None:
        """Put together what its tasks take."""
        object.__setattr__(self, "demands", Demands(job.demand for job in self.jobs.values()))


def program(plan: Plan, cores: int, items: Items = NOTHING) -> Program:
    """Return what is done for a plan on a machine with so many cores, and with these parts of what is repeated."""
    found = placed(plan, items)
    tasks = [each.task for each in found]
    routes: dict[str, list[Route]] = {task.id: [] for task in tasks}
    for task in tasks:
        for following in task.next:
            routes[following.to].append(Route(task.id, following.on))
    jobs = {task.id: _job(task, position) for position, task in enumerate(tasks)}
    nodes = {each.id: Node(each.needs, tuple(routes[each.id]), within) for each, within in found}
    problems = [problem for job in jobs.values() if (problem := _problem(job.repeated or job.task))]
    problems += [
        f"{other}: its branch would be called like that of {one}; rename one of them" for one, other in confused(tasks)
    ]
    capacity = {**plan.pools, COMMANDS: plan.parallel or 2 * cores, AGENTS: MANY, SUBPLANS: MANY}
    return Program(jobs, Progress(nodes), capacity, tuple(problems))


def repeat(made: Program, task: str, parts: Parts) -> Program:
    """Return a program in which a task that is repeated has these parts."""
    repeated = made.jobs[task].repeated
    if repeated is None:
        raise ValueError(f"{task} is not repeated")
    new = placed_parts(repeated, parts)
    routes: dict[str, list[Route]] = {each.task.id: [] for each in new}
    for each in new:
        for following in each.task.next:
            routes[following.to].append(Route(each.task.id, following.on))
    jobs = {each.task.id: _job(each.task, len(made.jobs) + number) for number, each in enumerate(new)}
    nodes = {each.task.id: Node(each.task.needs, tuple(routes[each.task.id]), each.within) for each in new}
    return replace(made, jobs={**made.jobs, **jobs}, progress=made.progress.extended(nodes))


def going_by(made: Program, earlier: Mapping[str, Task]) -> Program:
    """Return a program in which these tasks are done by what an earlier revision says of them. Nothing waits for those
    that the plan has no more, and they wait for nothing."""
    jobs, anew, left = dict(made.jobs), {}, {}
    for name, task in earlier.items():
        if (now := made.jobs.get(name)) is None:
            jobs[name], left[name] = _job(task, len(jobs)), Node(left=True)
        else:
            # The parts of what is repeated are tasks of their own: they go by the revision in force.
            jobs[name] = replace(_job(task, now.demand.position), repeated=now.repeated)
            anew[name] = now
    return replace(made, jobs=jobs, anew=anew, progress=made.progress.extended(left) if left else made.progress)


def renewed(made: Program, task: str) -> Program:
    """Return a program in which a task is done as the revision in force says from now on."""
    anew = {name: job for name, job in made.anew.items() if name != task}
    return replace(made, jobs={**made.jobs, task: made.anew[task]}, anew=anew)


def with_examples(made: Program) -> Program:
    """Return a program in which whatever is repeated, and not known for what, has one part as an example."""
    while unknown := [n for n, job in made.jobs.items() if job.repeated is not None and not made.progress.parts(n)]:
        for name in unknown:
            made = repeat(made, name, named_parts(name, [PLACE]))
    return made


def _job(task: Task, position: int) -> Job:
    if is_repeated(task):
        # It waits for its parts in the plan's worktree; everything else that is said of it is theirs.
        steps = (*_before(task), *_repeating(task), Step("parts", "one task for each item"))
        limits = dict.fromkeys(("timeout", "timebox", "no_output", "heartbeat"))
        alone = task.model_copy(update={"workspace": "plan", "retry": None, **limits})
        return Job(alone, Demand(task.id, SUBPLANS, position, task.rank), steps, repeated=task)
    if task.runner == "subplan":
        # What it takes is taken by its parts: it must not be in their way.
        demand = Demand(task.id, SUBPLANS, position, task.rank)
    else:
        demand = Demand(
            task=task.id,
            pool=AGENTS if task.runner == "agent" else COMMANDS,
            position=position,
            priority=task.rank,
            reads=task.reads,
            writes=task.writes,
            resources=task.resources,
        )
    steps = (*_before(task), *_work(task), *_proofs(task), *_kept(task), *_asked(task), *_merged(task))
    if is_reusable(task):
        # After the merge: what it made is then where it is looked for.
        steps = (Step("recall", RECALL), *steps, Step("remember", REMEMBER))
    return Job(task, demand, steps, undo=undo_of(task))


def _before(task: Task) -> list[Step]:
    found = [replace(_proof(text), before=True) for text in task.preconditions if criterion(text) != "prose"]
    if judged := tuple(text for text in task.preconditions if criterion(text) == "prose"):
        found.append(Step("ask", "Does what it needs before it starts hold?", judged=judged, before=True))
    return found


def _repeating(task: Task) -> list[Step]:
    """Return the step that finds out what a task is repeated for, where that does not stand in the document."""
    if task.fan_out is not None and task.fan_out.items:
        return []
    over = (task.fan_out.over if task.fan_out is not None else None) or ", ".join(task.needs)
    return [Step("repeat", f"repeat it for what {over} put out")]


def _proofs(task: Task) -> list[Step]:
    found = [_proof(text) for text in (*task.success_criteria, *task.checks) if criterion(text) != "prose"]
    found += (Step("command", *fitting(path, schema), proves=True) for path, schema in task.schemas.items())
    found += (_shown(path) for path in task.evidence)
    found += (Step("evidence", f"evidence {path}", argv=(path,), proves=True) for path in task.evidence_required)
    return [*found, *_compared(task)]


def _compared(task: Task) -> list[Step]:
    """Return the steps that look at what a plan began with, and then at what it has come to."""
    invariants = [_proof(text) for text in task.invariants if criterion(text) != "prose"]
    base = [replace(step, at_base=True) for step in invariants]
    now = []
    for number, each in enumerate(task.regressions):
        before, after = f"{number} before", f"{number} now"
        # By a shell in any case: that a program is missing in the base is a result like another.
        line = Step("command", each.command, ("sh", "-c", each.command), measures=after)
        if each.baseline is None:
            base.append(replace(line, at_base=True, measures=before))
        else:
            now.append(Step("baseline", each.baseline, measures=before))
        said = f"no worse than before: {each.command}"
        now += [line, Step("compare", said, proves=True, measures=str(number), regression=each)]
    tidy = [Step("tidy", "remove the worktree of what the plan began with")] if base else []
    return [*base, *tidy, *invariants, *now]


def _asked(task: Task) -> list[Step]:
    texts = (*task.success_criteria, *task.checks, *task.invariants)
    judged = tuple(text for text in texts if criterion(text) == "prose")
    return [Step("ask", task.name, judged=judged)] if judged or task.is_approved else []


def _kept(task: Task) -> list[Step]:
    """Return the step that keeps what a task declares as artifacts and as evidence."""
    made = [artifact.name for artifact in task.artifacts if artifact.from_ in (None, task.id)]
    return [Step("keep", f"keep {', '.join((*made, *task.evidence))}")] if made or task.evidence else []


def _merged(task: Task) -> list[Step]:
    return [Step("merge", "merge into the plan's branch")] if task.place == "own" else []


def _work(task: Task) -> tuple[Step, ...]:
    if task.runner == "git" and task.git is not None:
        return (Step("command", "git", ("git", *task.git.arguments)),)
    if task.subplan is not None:
        return (Step("parts", f"its {len(task.subplan.tasks)} tasks"),)
    if task.runner in ("http", "db"):
        said, argv, given = request_of(task)
        return (Step("command", said, argv, given),)
    if task.runner == "agent":
        return (Step("session", task.prompt or task.description or task.name),)
    if task.runner != "shell":
        return ()
    return tuple(Step("command", line, argv_of(line)) for line in map(line_of, _lines(task)))


def _proof(text: str) -> Step:
    if criterion(text) == "expression":
        return Step("expression", text, proves=True)
    text = line_of(text)
    return Step("command", text, argv_of(text), proves=True)


def undo_of(task: Task) -> tuple[Step, ...]:
    """Return the steps that roll a task back. One that is repeated has none: its parts have them."""
    return () if is_repeated(task) else tuple(Step("command", line, argv_of(line)) for line in task.rollback)


def argv_of(line: str) -> tuple[str, ...]:
    """Return what runs a line: a shell, unless it is nothing but words that name a program by its path.

    Such a line means the same to a shell, which would cost as much again as a short program does.
    """
    words = tuple(line.split(" "))
    plain = "/" in words[0] and all(_PLAIN.fullmatch(word) for word in words)
    return words if plain else ("sh", "-c", line)


def _shown(path: str) -> Step:
    return Step("command", f"evidence {path}", ("test", "-e", path), proves=True)


def _problem(task: Task) -> str:
    """Return why a task cannot be run as it is; empty when it can."""
    if task.runner == "subplan" and task.workspace == "own":
        return f"{task.id}: the tasks of a subplan work where they say themselves; leave its workspace `own` out"
    if task.runner == "shell" and (prose := [line for line in _lines(task) if nature(line) == "prose"]):
        way = "give it an `agent`, or write `$ ` in front if it is a command"
        return f"{task.id}: {prose[0].splitlines()[0][:60]!r} is prose, no command; {way}"
    if task.runner == "agent" and task.place == "none":
        return f"{task.id}: an agent works in a worktree; give it the workspace `own` or `plan`"
    return ""


def _lines(task: Task) -> tuple[str, ...]:
    return (task.command,) if task.command else task.commands
