"""What commands print: one JSON document for programs, aligned text for people.

Text that came from agents or tools is printed as text: control sequences are taken out.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

import click

from supervisor.model.plain import clean

P = ParamSpec("P")
T = TypeVar("T")

GLYPHS = {
    "queued": ("◌", "white"),
    "preparing": ("◌", "cyan"),
    "running": ("●", "cyan"),
    "waiting": ("◐", "yellow"),
    "paused": ("‖", "white"),
    "completed": ("✓", "green"),
    "failed": ("✕", "red"),
    "cancelled": ("■", "white"),
    "archived": ("○", "white"),
    "pending": ("◐", "yellow"),
    "approved": ("✓", "green"),
    "consumed": ("✓", "green"),
    "rejected": ("✕", "red"),
    "expired": ("■", "white"),
    "superseded": ("■", "white"),
    "active": ("●", "cyan"),
    "acknowledged": ("✓", "white"),
    "dismissed": ("✕", "white"),
    "answered": ("✓", "green"),
}
"""A glyph per status, readable without its colour."""

OF_PLANS = {
    "draft": ("·", "white"),
    "pending": ("◌", "white"),
    "ready": ("○", "cyan"),
    "running": ("●", "cyan"),
    "waiting_approval": ("◐", "yellow"),
    "paused": ("‖", "white"),
    "blocked": ("▣", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✕", "red"),
    "skipped": ("–", "white"),
    "abandoned": ("■", "white"),
}
"""The same for plans and their tasks, of which a pending one has not begun."""

SEVERITIES = {"low": ("▽", "white"), "medium": ("△", "yellow"), "high": ("▲", "red")}
"""The signs of alerts, as the app has them."""

LEVELS = {"closed": ("●", "green"), "warning": ("△", "yellow"), "tripped": ("▲", "red")}
"""The signs of budgets, by how far they are used."""

OF_DIFFS = {"+": "green", "-": "red", "@": "cyan"}
"""Colours of a diff's lines, by how they begin."""

RISKS = {"low": "green", "medium": "yellow", "high": "red"}


def json_option(function: Callable[P, T]) -> Callable[P, T]:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def print_json(document: object) -> None:
    """Print one document, complete with its newline, at once."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def until(moment: str | None) -> str:
    """Return how long it is to an RFC 3339 time: 5s, 3m, 2h, 4d; ``-`` for None."""
    if moment is None:
        return "-"
    return _span((datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds())


def mark_risk(risk: str) -> str:
    """Return a risk, coloured."""
    return click.style(risk, fg=RISKS.get(risk), bold=risk == "high")


def mark_severity(severity: str) -> str:
    """Return an alert's severity with its sign, coloured."""
    sign, colour = SEVERITIES[severity]
    return click.style(f"{sign} {severity}", fg=colour, bold=severity == "high")


def mark_level(level: str) -> str:
    """Return how far a budget is with its sign, coloured."""
    sign, colour = LEVELS[level]
    return click.style(f"{sign} {'ok' if level == 'closed' else level}", fg=colour, bold=level == "tripped")


def mark(status: str) -> str:
    """Return a status with its glyph, coloured."""
    glyph, colour = GLYPHS.get(status, ("·", "white"))
    return click.style(f"{glyph} {status}", fg=colour)


def mark_plan(status: str) -> str:
    """Return the status of a plan or a task with its glyph, coloured."""
    glyph, colour = OF_PLANS.get(status, ("·", "white"))
    return click.style(f"{glyph} {status}", fg=colour)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns; the last one takes what is left of the line."""
    width = _width()
    plain = [[click.unstyle(cell) for cell in row] for row in rows]
    widths = [
        max(len(heading), *(len(row[column]) for row in plain)) if plain else len(heading)
        for column, heading in enumerate(headings)
    ]
    click.secho(
        "  ".join(heading.ljust(size) for heading, size in zip(headings, widths, strict=True)).rstrip(), dim=True
    )
    used = sum(widths[:-1]) + 2 * (len(widths) - 1)
    for row, unstyled in zip(rows, plain, strict=True):
        cells = [
            cell + " " * (size - len(bare))
            for cell, bare, size in zip(row[:-1], unstyled[:-1], widths[:-1], strict=True)
        ]
        last = row[-1] if width is None or used + len(unstyled[-1]) <= width else _cut(unstyled[-1], width - used)
        click.echo("  ".join([*cells, last]).rstrip())


def facts(values: Mapping[str, object]) -> None:
    """Print names and values, aligned; what is None is left out."""
    shown = {name: value for name, value in values.items() if value not in (None, "", [], {})}
    size = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{click.style(name.ljust(size), dim=True)}  {value}")


def age(moment: str | None) -> str:
    """Return how long ago an RFC 3339 time was: 5s, 3m, 2h, 4d."""
    if moment is None:
        return "-"
    return _span((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def in_full(seconds: float) -> str:
    """Return a length of time in all of its units: 1h30m, 1m30s, 0.5s."""
    if seconds < 60:
        return f"{round(seconds, 1):g}s"
    found, left = "", int(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        found += f"{count}{unit}" if count else ""
    return found


def _span(length_s: float) -> str:
    seconds = max(0, int(length_s))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def doing(session: Mapping[str, Any]) -> str:
    """Return what a session does now, in one line: the tool and its argument, not just that it runs."""
    activity = session["activity"]
    if session["status"] in ("running", "waiting") and activity["tool"]:
        return clean(f"{activity['tool']} {activity['argument'] or ''}").strip()
    if session["status"] == "running":
        return clean(activity["argument"] or activity["state"]).replace("\n", " ")
    return clean(session["status_reason"]["text"]).replace("\n", " ")


def _width() -> int | None:
    """Return the columns of the terminal, or None when the output is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _cut(text: str, size: int) -> str:
    return text if size < 2 else text[: size - 1] + "…"
