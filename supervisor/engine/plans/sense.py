"""Whether each task can be done as it is written: who runs it, what closes a gate, what a fan-out repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from supervisor.engine.plans.checks import Tasks
from supervisor.engine.plans.problems import quoted
from supervisor.engine.plans.prose import criterion, nature
from supervisor.model.plan.runners import Runner
from supervisor.model.roles import AGENT, role_key

_DETAILS: Final = {
    "subplan": "subplan",
    "http": "http",
    "db": "db",
    "git": "git",
    "prompt": "agent",
    "agent": "agent",
    "command": "shell",
    "commands": "shell",
}
"""Keys that say what runs, and the runner they mean."""

_RUNNERS: Final = get_args(Runner)
_NEEDED: Final = {"http": "`http`", "db": "`db`", "git": "`git`", "shell": "`command`", "subplan": "`subplan`"}
_CHECKS: Final = ("checks", "evidence_required", "schemas", "invariants", "regressions")
_APPROVED: Final = ("approval", "diff_review", "approver_role")
_OF_GATES: Final = tuple(key for key in (*_CHECKS, *_APPROVED) if key != "schemas")
_COMMANDS: Final = ("command", "commands", "preconditions", "success_criteria", "checks", "invariants", "rollback")
_JUDGED: Final = ("success_criteria", "checks", "invariants", "preconditions")
_LIMITS: Final = ("timeout", "timebox", "no_output", "heartbeat")
_LIMIT_NAMES: Final = ", ".join(f"`{each}`" for each in _LIMITS)


@dataclass(frozen=True, slots=True)
class Around:
    """What the plan says that its tasks rest on. ``artifacts`` are the names of those that the plan lists."""

    pools: Mapping[str, Any]
    hypotheses: bool
    artifacts: frozenset[str]


def check_sense(tasks: Tasks, around: Around) -> None:
    """Check each task by itself."""
    for number, task in tasks.tasks:
        if task.get("kind") == "gate" or task.get("using") == "gate":
            _gate(tasks, number, task, around.hypotheses)
        else:
            _runner(tasks, number, task)
        name = task.get("id")
        if isinstance(name, str) and (name.endswith("-*") or "fan_out" in task):
            _fan_out(tasks, number, task, name, around)
        if "resources" in task:
            _resources(tasks, number, task["resources"], around.pools)
        if "escalation" in task and not any(task.get(limit) for limit in _LIMITS):
            tasks.error(number, f"this is about limits: give the task one of {_LIMIT_NAMES}", "escalation")
        if "artifacts" in task:
            _artifacts(tasks, number, task["artifacts"])
        for key in _COMMANDS:
            if key in task:
                _natures(tasks, number, key, task[key])


def _gate(tasks: Tasks, number: int, task: dict[str, Any], hypotheses: bool) -> None:
    if task.get("kind") != "gate":
        tasks.error(number, "only a task of `kind: gate` is run as a gate", "using")
    elif task.get("using", "gate") != "gate":
        tasks.error(number, "a gate runs nothing itself: leave `using` out", "using")
    for key in _DETAILS:
        if key in task:
            tasks.error(number, f"a gate runs nothing itself: put what must succeed under `checks`, not `{key}`", key)
    if role_key(str(task.get("approver_role", ""))) == AGENT:
        tasks.error(number, "an agent decides nothing: `approver_role` is the role of a person", "approver_role")
    if task.get("approval") is False and (asks := [key for key in ("diff_review", "approver_role") if task.get(key)]):
        tasks.error(number, f"`{asks[0]}` means that a person approves; leave `approval: false` out", "approval")
    if task.get("workspace") in ("own", "none") and (held := [k for k in ("invariants", "regressions") if task.get(k)]):
        tasks.error(number, f"`{held[0]}` is about the plan's worktree: leave `workspace` out", "workspace")
    if any(task.get(key) for key in (*_CHECKS, *_APPROVED)):
        return
    if hypotheses and "approval" not in task:
        task["approval"] = True
        tasks.warn(number, "this gate has no checks: a person decides between the hypotheses")
        return
    what = "this gate has no `checks`, no `evidence_required` and no `approval: true`, so it would stand open"
    tasks.error(number, what)


def _runner(tasks: Tasks, number: int, task: dict[str, Any]) -> None:
    for key in _OF_GATES:
        if task.get(key):
            tasks.error(number, f"`{key}` belongs to a task of `kind: gate`", key)
    given: dict[str, str] = {}
    for key, runner in _DETAILS.items():
        if key in task:
            given.setdefault(runner, key)
    if task.get("command") and task.get("commands"):
        tasks.error(number, "give `command` or `commands`, not both", "commands")
    using = task.get("using")
    using = using if using in _RUNNERS else None  # validation tells of what is no runner
    runners = set(given)
    if runners == {"agent", "shell"} and "prompt" not in task:
        runners = {"agent"}  # a command that is prose is what the agent is told
    if len(runners) > 1:
        keys = " and ".join(f"`{given[runner]}`" for runner in given)
        tasks.error(number, f"a task has one runner, and this one has {keys}; make two tasks of it")
    elif using in _NEEDED and using not in given:
        tasks.error(number, f"`using: {using}` needs {_NEEDED[using]}", "using")
    elif using is not None and runners and using not in runners and not (using == "agent" and runners == {"shell"}):
        tasks.error(number, f"`using: {using}` does not go with `{next(iter(given.values()))}`", "using")


def _fan_out(tasks: Tasks, number: int, task: dict[str, Any], name: str, around: Around) -> None:
    fan_out = task.get("fan_out")
    if not name.endswith("-*"):
        tasks.error(number, f"a task that fans out has an id that ends with `-*`, such as `{name[:80]}-*`", "fan_out")
    elif not task.get("needs") and not fan_out:
        tasks.error(number, "nothing says what this task fans out over: give it `needs` or `fan_out`", "id")
    over = fan_out.get("over") if isinstance(fan_out, dict) else None
    if not isinstance(fan_out, dict) or not isinstance(over, str):
        return
    if "items" in fan_out:
        tasks.error(number, "give `over` or `items`, not both", "fan_out")
    elif over not in tasks.numbers and over not in around.artifacts and over not in tasks.made:
        tasks.error(number, f"there is no task and no artifact {quoted(over)}", "fan_out", "over")


def _resources(tasks: Tasks, number: int, written: Any, pools: Mapping[str, Any]) -> None:
    for name, amount in written.items() if isinstance(written, dict) else ():
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            continue
        there = pools.get(name, 1)
        if isinstance(there, int | float) and amount > there:
            what = f"this takes {amount:g} of {quoted(name)}, and there is only {there:g}"
            tasks.error(
                number, f"{what}{'' if name in pools else ': add it to `pools` of the plan'}", "resources", name
            )


def _artifacts(tasks: Tasks, number: int, written: Any) -> None:
    seen: set[str] = set()
    for place, each in enumerate(written if isinstance(written, list) else ()):
        name = each.get("name") if isinstance(each, dict) else each
        if isinstance(name, str) and name in seen:
            tasks.error(number, f"the artifact {quoted(name)} is here a second time", "artifacts", place)
        elif isinstance(name, str):
            seen.add(name)


def _natures(tasks: Tasks, number: int, key: str, written: Any) -> None:
    many = isinstance(written, list)
    for place, text in enumerate(written if many else [written]):
        if isinstance(text, str) and (criterion if key in _JUDGED else nature)(text[:2_000]) == "prose":
            who = "a judge (an agent or a person) decides" if key in _JUDGED else "it needs an agent, no shell runs it"
            who += "; `$ ` in front says that it is a command"
            tasks.warn(number, f"this is a sentence, not a command: {who}", key, *((place,) if many else ()))
