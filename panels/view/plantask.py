"""A task of a plan, whole: how it stands and why, what it asks, what runs, what proves it, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from panels import shown
from panels.palette import GLYPHS, PLAN_GLYPHS
from panels.view import approvals
from panels.view.exactly import Line, broken, plain
from panels.view.plan import ENDED, PlanView, TaskView
from supervisor.api.wording import to_prove
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

LONGEST: Final = 40
"""Lines of a text that the document gives; the document has the rest."""

_TEXTS: Final = {
    "preconditions": "Before it starts",
    "assumptions": "Taken for true",
    "risks": "Risks",
    "rollback": "Undone by",
}
_FACTS: Final = ("owner", "priority", "labels", "workspace", "retry", "budget", "capabilities")
_FILES: Final = ("inputs", "outputs", "reads", "writes", "resources", "environment")


def detail(
    plan: PlanView,
    task: TaskView,
    asked: Mapping[str, Any] | None,
    steps: Sequence[Json],
    now: Callable[[], int],
) -> Callable[[int], Iterator[Line]]:
    """Return what lays a task out in so many cells.

    ``asked`` is the question about it that waits, if one does; ``steps`` are its commands with what they put out.
    """

    return lambda width: _laid(_parts(plan, task, asked, steps, now(), width - 1), width)


def question_lines(task: TaskView, asked: Mapping[str, Any], now: int, width: int) -> range:
    """Return which lines of the detail say what is asked and all that would happen: who decides must see them."""
    before = len(list(_laid(_head(task), width)))
    return range(before, before + len(list(_laid(_asked(asked, now, width - 1), width))))


def _laid(parts: Iterable[Line], width: int) -> Iterator[Line]:
    for part in parts:
        yield from broken(part, width, (" ", ""), (" ", "")) if part else [[]]


def _parts(
    plan: PlanView,
    task: TaskView,
    asked: Mapping[str, Any] | None,
    steps: Sequence[Json],
    now: int,
    width: int,
) -> Iterator[Line]:
    yield from _head(task)
    if asked is not None:
        yield from _asked(asked, now, width)
        yield from approvals.circumstances(asked, width)
    yield []
    yield from _facts(task, now)
    yield from _work(task.said)
    yield from _steps(steps)
    yield from _around(plan, task)
    yield from _proofs(task)
    yield from _result(task)
    yield from _rest(task.said)


def _head(task: TaskView) -> Iterator[Line]:
    yield from plain(one_line(task.title) or task.id, "bold")
    yield _status(task)
    style = {"blocked": "waiting", "waiting_approval": "waiting", "failed": "failed"}.get(task.status, "")
    yield from plain(task.reason, style)


def _status(task: TaskView) -> Line:
    sign, style = PLAN_GLYPHS.get(task.status, ("·", ""))
    since = f"  since {shown.clock(task.reason_at)}" if task.reason_at is not None else ""
    return [(f"{sign} {task.status.replace('_', ' ')}", style), (since, "dim")]


def _asked(asked: Mapping[str, Any], now: int, width: int) -> Iterator[Line]:
    yield []
    yield [("◐ You are asked", "waiting-bold"), ("   a r R decide; what does not fit is shown whole first", "dim")]
    yield from approvals.question(asked, width)
    yield approvals.standing(asked, now)
    yield from approvals.consequences(asked, width)


def _facts(task: TaskView, now: int) -> Iterator[Line]:
    attempts = (task.said.get("retry") or {}).get("attempts")
    times = f"{task.attempts} of {attempts}" if attempts else str(task.attempts)
    times = f"  attempts {times}" if task.attempts else ""
    yield [(one_line(task.id), ""), (f"  {one_line(task.kind)}{times}", "dim")]
    if task.started_at is not None:
        end = f"  ended {shown.clock(task.ended_at)}" if task.ended_at is not None else ""
        took = f"  {'took' if end else 'for'} {shown.age(task.started_at, task.ended_at or now)}"
        yield [("started ", "dim"), (shown.clock(task.started_at), ""), (end, "dim"), (took, "dim")]
    found: dict[str, object] = {
        "session": f"{task.session}  ⏎ opens it" if task.session else "",
        **{name.replace("_", " "): _fact(task.said.get(name)) for name in _FACTS},
    }
    for name, value in found.items():
        if value not in ("", None):
            yield [(f"{name:<10} ", "dim"), (one_line(value), "")]
    yield from (_limit(each, now) for each in task.limits)


def _limit(limit: Json, now: int) -> Line:
    """Return how long a limit is, and what is left of it."""
    long = _long(limit["seconds"]) + (f" and {_long(limit['given_s'])} more" if limit["given_s"] else "")
    left, style = "", "waiting" if limit["reached"] == "near" else "dim"
    if limit["reached"] == "passed":
        left, style = "used up", "failed"
    elif limit["ends_at"] is not None:
        ends = from_rfc3339(limit["ends_at"])
        left = f"{_long((ends - now) / 1_000)} left, until {shown.clock(ends)}"
    elif limit["used_s"]:
        left = f"{_long(limit['left_s'])} left"
    asked = "  you are asked" if limit["asked"] else ""
    name = f"{limit['limit'].replace('_', ' '):<10} "
    return [(name, "dim"), (long, ""), (f"  {left}" if left else "", style), (asked, "waiting")]


def _long(seconds: float) -> str:
    return shown.exact_span(int(max(0, seconds)))


def _around(plan: PlanView, task: TaskView) -> Iterator[Line]:
    before = [plan.tasks[need] for need in task.needs if need in plan.tasks]
    ways = [after for after in task.after if after not in task.needs]
    if before or ways:
        yield from _title("After")
        yield from (_named(each) for each in before)
        yield from ([("· ", "dim"), (one_line(way), "")] for way in ways)
    following = task.said.get("next") or ()
    if following:
        yield from _title("Goes on")
        for each in following:
            yield [(f"on {each['on']} ", "dim"), (one_line(each["to"]), "")]


def _named(task: TaskView) -> Line:
    sign, style = PLAN_GLYPHS.get(task.status, ("·", ""))
    title = one_line(task.title)
    return [(f"{sign} ", style), (one_line(task.id), ""), (f"  {title}" if title != task.id else "", "dim")]


def _work(said: Json) -> Iterator[Line]:
    """Yield what runs: exactly what stands in the document."""
    works: list[tuple[str, str]] = []
    if said.get("agent") or said.get("prompt"):
        works.append(
            (f"Agent {one_line(said.get('agent') or '')}".rstrip(), said.get("prompt") or said.get("description") or "")
        )
    if said.get("command"):
        works.append(("Command", said["command"]))
    if said.get("commands"):
        works.append(("Commands", "\n".join(said["commands"])))
    works += [(name.upper(), _short(said[name])) for name in ("http", "db", "git") if said.get(name)]
    if said.get("subplan"):
        inner = said["subplan"].get("tasks") or ()
        works.append(
            ("Subplan", "\n".join(f"{one_line(each['id'])}  {one_line(each.get('title') or '')}" for each in inner))
        )
    if said.get("using"):
        works.append(("Runner", said["using"]))
    for title, text in works:
        yield from _title(title)
        yield from _cut(text)


def _steps(steps: Sequence[Json]) -> Iterator[Line]:
    """Yield the commands of the last attempt, as they went, with what they put out last."""
    last = max((step["number"] for step in steps), default=0)
    for step in steps:
        if step["number"] != last:
            continue
        if step is next(each for each in steps if each["number"] == last):
            yield from _title(f"Attempt {last}" if last > 1 else "As it went")
        sign, style = GLYPHS.get(step["status"], ("·", ""))
        code = f"  exit code {step['exit_code']}" if step["exit_code"] else ""
        command = step["argv"][-1] if step["argv"][:2] == ["sh", "-c"] else " ".join(step["argv"])
        yield [(f"{sign} ", style), (f"$ {one_line(command)}", "bold"), (code, "failed")]
        for each in step["output"]:
            yield from plain(f"  {each['text']}", "waiting" if each["stream"] == "stderr" else "dim")


def _proofs(task: TaskView) -> Iterator[Line]:
    """Yield what must hold when it is done, and which of it was found to hold."""
    said = task.said
    wanted = to_prove(said)
    known = {proof["text"]: proof for proof in task.result.get("proofs") or ()}
    wanted += [text for text in known if text not in wanted]
    approved = any(said.get(key) for key in ("approval", "diff_review", "approver_role"))
    if not wanted and not approved:
        return
    yield from _title("To prove")
    for text in wanted:
        proof = known.get(text)
        if proof is None:
            word = "not proven" if task.status in ENDED else "not proven yet"
            sign, style = ("· ", "dim")
        elif proof["holds"]:
            sign, style, word = "✓ ", "ok", ""
        else:
            sign, style, word = (
                "✕ ",
                "failed",
                f"does not hold: {one_line(proof['why'])}" if proof["why"] else "does not hold",
            )
        yield [(sign, style), (one_line(text), ""), (f"  {word}" if word else "", "dim" if proof is None else style)]
    if approved:
        done = task.status == "completed"
        role = said.get("approver_role")
        who = f"somebody with the role {one_line(role)}" if role else "a person"
        what = "reviews the diff and approves it" if said.get("diff_review") else "approves it"
        yield [("✓ " if done else "· ", "ok" if done else "dim"), (f"{who} {what}", "")]


def _result(task: TaskView) -> Iterator[Line]:
    found = {name: value for name, value in task.result.items() if name != "proofs"}
    if found:
        yield from _title("Result")
        for name, value in found.items():
            yield [(f"{one_line(name).replace('_', ' ')} ", "dim"), (_short(value), "")]


def _rest(said: Json) -> Iterator[Line]:
    if said.get("description"):
        yield from _title("Description")
        yield from _cut(said["description"])
    for name in _FILES:
        if said.get(name):
            yield from _title(name.capitalize())
            yield from _values(said[name])
    for name, title in _TEXTS.items():
        if said.get(name):
            yield from _title(title)
            yield from ([("· ", "dim"), (one_line(text), "")] for text in said[name])
    if said.get("failure_modes"):
        yield from _title("Foreseen failures")
        for each in said["failure_modes"]:
            yield [("· ", "dim"), (one_line(each["name"]), ""), (f"  {one_line(each.get('recover') or '')}", "dim")]


def _values(value: Mapping[str, object] | Sequence[object]) -> Iterator[Line]:
    if isinstance(value, Mapping):
        yield from ([(f"{one_line(name)} ", "dim"), (_short(each), "")] for name, each in value.items())
    else:
        yield from ([("· ", "dim"), (_short(each), "")] for each in value)


def _title(text: str) -> Iterator[Line]:
    yield []
    yield [(text, "title")]


def _cut(text: str) -> Iterator[Line]:
    lines = text.splitlines()
    for line in lines[:LONGEST]:
        yield from plain(line)
    if len(lines) > LONGEST:
        yield [(f"… {len(lines) - LONGEST} lines more: quarterdeck plan export", "dim")]


def _fact(value: object) -> str:
    """Return what a document says about a task as people write it: ``attempts 3, delay 5``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{one_line(name)} {_short(each)}" for name, each in value.items() if each is not None)
    return ", ".join(map(_short, value)) if isinstance(value, list) else _short(value)


def _short(value: object) -> str:
    if value is None or isinstance(value, str):
        return one_line(value or "")
    return one_line(json.dumps(value, ensure_ascii=False))
