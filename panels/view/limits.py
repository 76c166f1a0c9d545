"""What is limited and how far it is used: the queue, agents held back, budgets, the supervisor's health."""

from __future__ import annotations

from rich.cells import cell_len

from panels import shown
from panels.view.fleet import fitted
from panels.view.model import ViewModel
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Span = tuple[str, str]
Line = list[Span]

BAR: int = 10
"""Cells of a bar."""


def bar(part: float, cells: int = BAR) -> str:
    """Return a bar of so many cells that is filled by a part, 0 to 1; more is full. A little is never nothing."""
    eighths = round(max(0.0, min(1.0, part)) * cells * 8)
    if part > 0 and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(cells, "░")


def limits(view: ViewModel, width: int, now: int) -> list[Line]:
    """Return the lines, ``width`` cells wide; ``now`` in milliseconds since the epoch."""
    return [*_queue(view, width), *_held(view, width, now), *_budgets(view, width), *_busy(view, width), *_checks(view)]


def _title(text: str, more: str = "") -> Line:
    return [(text, "title"), (f"  {more}" if more else "", "dim")]


def _queue(view: ViewModel, width: int) -> list[Line]:
    queue = view.queue
    if not queue:
        return []
    running, waiting, most = queue["running"], queue["waiting"], queue["limits"]
    lines = [
        _title("Queue"),
        _used("running", len(running), most["concurrent"]),
        _used("waiting", len(waiting), most["waiting"]),
    ]
    for place, session in enumerate(waiting, 1):
        name = fitted(session["name"], max(8, width - 14))
        lines.append([(f"{place:>3} ", "dim"), (name, ""), (f" {fitted(session['agent'], 9)}", "dim")])
    return [*lines, []]


def _used(what: str, number: int, most: int) -> Line:
    part = number / most if most else 1.0
    style = "running" if part < 0.8 else "waiting"
    return [(f"  {what} ", "dim"), (bar(part), style), (f" {number} of {most}", "")]


def _held(view: ViewModel, width: int, now: int) -> list[Line]:
    queue = view.queue
    lines = list[Line]()
    if reason := queue.get("held_back"):
        lines.append([("✕ ", "failed"), (one_line(f"nothing starts: {reason}"), "")])
    for pause in queue.get("paused_agents", ()):
        text = f"{pause['agent']} until "
        if pause["until"] is None:
            lines.append([("‖ ", "paused"), (one_line(f"{pause['agent']}: {pause['reason']}"), "")])
            continue
        until = from_rfc3339(pause["until"])
        text += f"{shown.clock(until)[:5]} (in {shown.span((until - now) / 1000)}): {pause['reason']}"
        lines.append([("‖ ", "paused"), (one_line(text), "")])
    cut = [[*line[:-1], (_short(line[-1][0], width - 2), "")] for line in lines]
    return [_title("Held back"), *cut, []] if cut else []


def _budgets(view: ViewModel, width: int) -> list[Line]:
    held = [session for session in view.sessions.values() if session.budget_usd and not session.is_ended]
    if not held:
        return []
    held.sort(key=lambda each: (-each.cost_usd / (each.budget_usd or 1), each.name))
    lines = [_title("Budgets")]
    for session in held:
        part = session.cost_usd / (session.budget_usd or 1)
        style = "ok" if part < 2 / 3 else "waiting" if part < 1 else "failed"
        spent = f" {shown.spent(session.cost_usd, session.budget_usd)}"
        name = fitted(session.name, max(8, min(24, width - BAR - len(spent) - 3)))
        lines.append([(f"  {name} ", ""), (bar(part), style), (spent, "")])
    return [*lines, []]


def _busy(view: ViewModel, width: int) -> list[Line]:
    lines = list[Line]()
    for identifier, rate in view.monitor.rates()[:5]:
        known = view.sessions.get(identifier)
        name = fitted(known.name if known is not None else identifier, max(8, width - 14))
        lines.append([(f"  {name}", ""), (f" {rate:>7.1f}/s", "dim")])
    return [_title("Busiest"), *lines, []] if lines else []


def _checks(view: ViewModel) -> list[Line]:
    checks = view.status.get("checks")
    if not checks:
        return []
    lines = [_title("Health", one_line(view.status.get("health", "")))]
    for name, found in checks.items():
        good = found == "ok"
        lines.append([("✓ " if good else "✕ ", "ok" if good else "failed"), (one_line(f"{name}: {found}"), "")])
    return lines


def _short(text: str, width: int) -> str:
    return fitted(text, width) if cell_len(text) > width else text
