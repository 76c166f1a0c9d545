"""Budgets as lines: the tripped ones first, with what each has stopped and how to let it go on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from panels import shown
from panels.palette import GLYPHS, PLAN_GLYPHS
from panels.view.fleet import fitted
from panels.view.limits import bar
from panels.view.rows import Line, Row
from panels.view.sessions import SessionView
from panels.view.spending import duration, money
from panels.view.wrapping import wrap
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

LEVELS: Final[dict[str, tuple[str, str, str]]] = {
    "tripped": ("✕", "failed", "Used up"),
    "warning": ("!", "waiting", "Nearly used up"),
    "closed": ("·", "ok", "Within their limits"),
}
"""A glyph, a style and a heading for each level, the worst first."""

RAISE: Final[dict[str, str]] = {
    "session": "",
    "task": "or give it more in the plan: e there revises it",
    "plan": "or give it more: e in the plan revises it",
    "project": "or raise budgets.project in the configuration; it begins anew tomorrow",
    "day": "or raise budgets.day in the configuration; it begins anew tomorrow",
}
"""What else lifts it, by kind."""

EMPTY: Final = """\
There are no budgets: nothing is stopped whatever it costs.

A budget limits money, tokens, calls or time of work. When it is used up its breaker stops or pauses what uses it, \
here and outside of the agent, and you are told.

  a session          quarterdeck run --budget-usd 5 …, or 1 n in the app
  a plan, a task     budget: {cost_usd: 5}  in its document
  a project, a day   budgets: {day: {cost_usd: 20}}  in the configuration"""

_SCOPE: Final = re.compile(r"quarterdeck budget resume (session:\S+|task:\S+)$")


def ordered(budgets: Iterable[Json]) -> list[Json]:
    """Return budgets with the tripped ones first, then those that are nearly used up, each the fullest first."""
    levels = list(LEVELS)
    return sorted(budgets, key=lambda each: (levels.index(each["level"]), -part(each), each["of"], each["measure"]))


def part(budget: Json) -> float:
    """Return how much of it is used, 0 to 1 and beyond; of a limit of nothing all."""
    return float(budget["used"]) / budget["limit"] if budget["limit"] else 1.0


def alarm(budgets: Iterable[Json]) -> str:
    """Return in a few words how many budgets are used up, or nearly; empty when none is."""
    levels = [each["level"] for each in budgets]
    used, nearly = levels.count("tripped"), levels.count("warning")
    said = [f"✕ {used} {'budget is' if used == 1 else 'budgets are'} used up"] if used else []
    said += [f"! {nearly} nearly"] if nearly else []
    return ", ".join(said)


def stopped_by(budget: Json, sessions: Iterable[SessionView]) -> list[SessionView]:
    """Return the sessions that a budget has paused or ended."""
    paused, ended = f" of {budget['of']} is used up: ", f"quarterdeck budget resume {budget['scope']}"
    return [
        each
        for each in sessions
        if (each.status == "paused" and _signal(each.raw) == "budget" and paused in each.reason)
        or (each.status == "failed" and each.reason.endswith(ended))
    ]


def ended_by_budget(sessions: Iterable[SessionView], known: Collection[str]) -> list[tuple[SessionView, str]]:
    """Return the sessions that were stopped for good, each with the scope whose budget did it.

    Those of the scopes that are ``known`` are listed with their budgets; one that has ended has none any more.
    """
    found = [(each, match) for each in sessions if each.status == "failed" and (match := _SCOPE.search(each.reason))]
    found.sort(key=lambda pair: -(pair[0].ended_at or 0))
    return [(each, match[1]) for each, match in found if match[1] not in known]


def _signal(raw: Mapping[str, Any]) -> str:
    return str((raw.get("status_reason") or {}).get("signal", ""))


def budget_rows(
    budgets: Sequence[Json],
    sessions: Collection[SessionView],
    plans: Iterable[Json],
    lifted: Collection[str],
    width: int,
    now: int,
) -> list[Row]:
    """Return the lines. ``plans`` are those that are paused; ``lifted`` the scopes that were just let go on.

    Keys are ("budget", scope, measure), ("plan", id) and ("session", id, scope).
    """
    held = [plan for plan in plans if _signal(plan) == "budget"]
    tripped = {each["scope"] for each in budgets if each["level"] == "tripped"}
    rows, said_cells = list[Row](), max((len(_said_of(each)) + 2 for each in budgets), default=0)
    for level, (_, style, title) in LEVELS.items():
        found = [each for each in ordered(budgets) if each["level"] == level]
        if found:
            rows += [Row([]), Row([(title, "title" if level == "closed" else f"{style}-bold")])]
        for each in found:
            rows.append(Row(_line(each, width, said_cells, now), ("budget", each["scope"], each["measure"])))
            rows += _more(each, sessions, held, width)
        if level == "tripped" and (ended := ended_by_budget(sessions, tripped)):
            rows += [Row([]), Row([("Stopped for good", "failed-bold")])]
            for session, scope in ended:
                rows += _ended(session, scope, width, is_lifted=scope in lifted)
    if not budgets:
        rows += [Row([]), *(Row([(line, "dim")]) for text in EMPTY.split("\n") for line in wrap(text, width) or [""])]
    return rows[1:]


def _said_of(budget: Json) -> str:
    unit = {"tokens": " tokens", "api_calls": " calls", "time": " of work"}.get(budget["measure"], "")
    return f"{_used(budget)} of {amount(budget['measure'], budget['limit'])}{unit}"


def _line(budget: Json, width: int, said_cells: int, now: int) -> Line:
    glyph, style, _ = LEVELS[budget["level"]]
    said = _said_of(budget)
    since = shown.age(from_rfc3339(budget["since"]), now) if budget["since"] and budget["level"] != "closed" else ""
    cells = 10 if width < 70 else 16
    named = max(8, min(40, width - 2 - cells - said_cells - 7))
    return [
        (f"{glyph} ", style),
        (fitted(budget["of"], named) + " ", "bold" if budget["level"] != "closed" else ""),
        (bar(part(budget), cells), style),
        (f" {said}".ljust(said_cells), "waiting" if budget["unknown"] else ""),
        (since.rjust(5), "dim"),
    ]


def _used(budget: Json) -> str:
    if not budget["unknown"]:
        return amount(budget["measure"], budget["used"])
    return f"{amount(budget['measure'], budget['used'])}+" if budget["used"] else "unknown"


def amount(measure: str, value: float) -> str:
    """Return what is measured in its unit: $5.00, 120k, 1h05m."""
    if measure == "cost_usd":
        return money(value) if value else "$0"
    return (duration(value) if value else "0s") if measure == "time" else shown.count(round(value))


def _more(budget: Json, sessions: Collection[SessionView], held: Sequence[Json], width: int) -> Iterator[Row]:
    """Yield what is said below a budget: what it does or has done, and how it is lifted."""
    if budget["granted"]:
        given = amount(budget["measure"], budget["granted"])
        yield from _said(f"A person gave it {given} beyond its limit.", width)
    if budget["level"] == "closed":
        return
    if budget["unknown"]:
        yield from _said("An agent does not tell this: more is used than is counted.", width, "waiting")
    yield from _said(f"{'At its limit it' if budget['level'] == 'warning' else 'It'} {budget['does']}.", width)
    if budget["level"] != "tripped":
        return
    stopped = list[Row]()
    for plan in held:
        if budget["scope"] == f"plan:{plan['id']}":
            sign, style = PLAN_GLYPHS["paused"]
            stopped.append(_thing(sign, style, f"{plan['id']}  {plan['title']}", "paused", width, ("plan", plan["id"])))
    for session in stopped_by(budget, sessions):
        sign, style = GLYPHS[session.status]
        said = "stopped" if session.is_ended else session.status
        stopped.append(_thing(sign, style, session.name, said, width, ("session", session.id, budget["scope"])))
    yield from stopped or _said("Nothing that runs had to be stopped; nothing more begins.", width)
    also = RAISE[budget["kind"]]
    yield from _said(f"U lets it use as much again{f', {also}' if also else ''}.", width, "accent")
    yield from _said(f"quarterdeck budget resume {budget['scope']}", width)


def _thing(sign: str, style: str, name: str, said: str, width: int, key: tuple[str, ...]) -> Row:
    room = max(8, min(48, width - 6 - len(said) - 1))
    return Row([("    ", ""), (f"{sign} ", style), (fitted(one_line(name), room) + " ", ""), (said, style)], key)


def _said(text: str, width: int, style: str = "dim") -> list[Row]:
    return [Row([(f"    {line}", style)]) for line in wrap(one_line(text), max(20, width - 4))]


def _ended(session: SessionView, scope: str, width: int, *, is_lifted: bool) -> Iterator[Row]:
    sign, style = GLYPHS[session.status]
    yield _thing(sign, style, session.name, shown.money(session.cost_usd), width, ("session", session.id, scope))
    why = session.reason.rpartition(" quarterdeck budget resume ")[0]
    again = "⏎ opens it, a message (m) there goes on with it"
    if scope.startswith("task:"):
        again = "^r on its task does it once more: ⏎ in Tasks opens that"
    lift = f"It may use as much again: {again}." if is_lifted else f"U lets it use as much again; then {again}."
    yield from _said(why, width)
    yield from _said(lift, width, "accent")
