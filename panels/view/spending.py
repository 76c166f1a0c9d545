"""What was used by day, project, plan, task, model or session: figures, their order, and a bar for the one that counts.

What no agent told is unknown and never nothing: it is written as `unknown`, or with a + behind what is known of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from rich.cells import cell_len

from panels import shown
from panels.view.fleet import fitted
from panels.view.limits import bar
from panels.view.rows import Line, Row
from supervisor.model.plain import one_line

Json = dict[str, Any]
Order = Literal["cost", "tokens", "time", "calls", "name"]
By = Literal["day", "project", "plan", "task", "model", "session"]

ORDERS: Final[tuple[Order, ...]] = ("cost", "tokens", "time", "calls", "name")

PERIODS: Final[dict[str, tuple[int | None, str]]] = {
    "today": (1, "Today"),
    "week": (7, "The last 7 days"),
    "fortnight": (14, "The last 14 days"),
    "month": (30, "The last 30 days"),
    "quarter": (90, "The last 90 days"),
    "all": (None, "Everything"),
}
"""How many days, today among them, and what they are called."""

NOTHING_OF: Final[dict[By, str]] = {
    "day": "",
    "project": "(no project)",
    "plan": "(no plan)",
    "task": "(no task)",
    "model": "",
    "session": "(commands of plans)",
}
"""What the line is called of what belongs to none."""

ROOMY: Final = 104
"""Cells from which tokens are told apart and attempts are counted."""

MOST_DAYS: Final = 400

_MEASURE: Final[dict[Order, str]] = {"cost": "cost_usd", "tokens": "tokens", "calls": "api_calls"}


@dataclass(frozen=True, slots=True)
class Spent:
    """One line: what it is called, and its figures as the API has them."""

    key: str | None
    name: str
    figures: Mapping[str, Any]

    def of(self, order: Order) -> float:
        """Return the figure that lines are put in order by; names by the cost."""
        tokens = self.figures["tokens"]
        amounts = {
            "tokens": tokens["input"] + tokens["output"],
            "time": self.figures["seconds"],
            "calls": self.figures["api_calls"],
        }
        return float(amounts.get(order, self.figures["cost_usd"]))

    def is_unknown(self, order: Order) -> bool:
        """Whether not all of a figure is known."""
        return _MEASURE.get(order, "") in self.figures["unknown"]


def spent(answer: Json, by: By) -> list[Spent]:
    """Return the lines of an answer of ``GET /cost``."""
    return [Spent(row["key"], one_line(row.get("name") or row["key"] or NOTHING_OF[by]), row) for row in answer["rows"]]


def with_quiet_days(found: Sequence[Spent], days: int | None, today: date) -> list[Spent]:
    """Return each day of a period, the newest first, also those on which nothing was used."""
    known = {each.key: each for each in found}
    first = min((date.fromisoformat(each.key) for each in found if each.key), default=today)
    count = (today - first).days + 1 if days is None else days
    wanted = [today - timedelta(days=back) for back in range(min(max(1, count), MOST_DAYS))]
    return [_of_day(known.get(day.isoformat()), day, today) for day in wanted]


def _of_day(found: Spent | None, day: date, today: date) -> Spent:
    name = "Today" if day == today else "Yesterday" if day == today - timedelta(days=1) else f"{day:%a %d %b}"
    return Spent(day.isoformat(), name, found.figures if found is not None else NOTHING)


NOTHING: Final[Json] = {
    "cost_usd": 0.0, "tokens": {"input": 0, "output": 0, "cached": 0}, "api_calls": 0, "seconds": 0.0, "attempts": 0,
    "unknown": [],
}  # fmt: skip


def in_order(found: Iterable[Spent], order: Order) -> list[Spent]:
    """Return the lines with most of a figure first; by name in the order of the alphabet."""
    if order == "name":
        return sorted(found, key=lambda each: (each.key is None, each.name.casefold(), each.key or ""))
    # What belongs to none comes last; what nobody knows the sum of may well be much.
    return sorted(found, key=lambda each: (each.key is None, -each.of(order), not each.is_unknown(order), each.name))


def matching(found: Iterable[Spent], wanted: str) -> list[Spent]:
    """Return the lines in whose names every word occurs."""
    words = wanted.casefold().split()
    return [each for each in found if all(word in f"{each.name} {each.key}".casefold() for word in words)]


def amounts(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures as they are written: nothing is -, what nobody told is unknown."""
    tokens, unknown = figures["tokens"], figures["unknown"]
    return {
        "cost": _known(figures["cost_usd"], money, "cost_usd" in unknown),
        "tokens": _known(tokens["input"] + tokens["output"], shown.count, "tokens" in unknown),
        "in": _known(tokens["input"], shown.count, "tokens" in unknown),
        "out": _known(tokens["output"], shown.count, "tokens" in unknown),
        "cached": shown.count(tokens["cached"]) if tokens["cached"] else "-",
        "time": duration(figures["seconds"]),
        "calls": _known(figures["api_calls"], shown.count, "api_calls" in unknown),
        "runs": shown.count(figures["attempts"]) if figures["attempts"] else "-",
    }


def _known(amount: Any, written: Callable[[Any], str], unknown: bool) -> str:
    if not amount:
        return "unknown" if unknown else "-"
    return f"{written(amount)}+" if unknown else written(amount)


def money(usd: float) -> str:
    """Return dollars; a little is never nothing."""
    if 0 < usd < 0.01:
        return "<$0.01"
    return f"${usd:,.2f}" if usd < 1_000 else f"${usd:,.0f}"


def duration(seconds: float) -> str:
    """Return a length of work in at most six cells: 42s, 12m, 3h07m, 120h; - for none."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s" if whole else "<1s" if seconds else "-"
    if whole < 3_600:
        return f"{whole // 60}m"
    return f"{whole // 3_600}h{whole % 3_600 // 60:02}m" if whole < 360_000 else f"{whole // 3_600}h"


def summed(figures: Mapping[str, Any]) -> str:
    """Return everything together, in one line."""
    said = amounts(figures)
    parts = [f"cost {said['cost']}", f"{said['tokens']} tokens", f"{said['time']} of work", f"{said['calls']} calls"]
    return " · ".join(parts)


_COLUMNS: Final[tuple[tuple[str, str, int], ...]] = (
    ("cost", "cost", 10), ("tokens", "tokens", 8), ("time", "time", 8), ("calls", "calls", 8),
)  # fmt: skip
_MORE: Final[tuple[tuple[str, str, int], ...]] = (
    ("cost", "cost", 11), ("tokens", "tokens", 9), ("in", "read", 9), ("out", "written", 9), ("cached", "cached", 8),
    ("time", "time", 8), ("calls", "calls", 9), ("runs", "runs", 6),
)  # fmt: skip


def spending_rows(found: Sequence[Spent], order: Order, width: int) -> list[Row]:
    """Return a line for each, under a heading; ``found`` is in the order in which they are shown."""
    columns = _MORE if width >= ROOMY else _COLUMNS
    room = width - sum(cells for _, _, cells in columns)
    names = max((cell_len(each.name) for each in found), default=0) + 1
    named = max(10, min(names, room * 3 // 5))
    cells = max(4, min(40, room - named - 1))
    most = max((each.of(order) for each in found), default=0.0)
    heading: Line = [
        (" " * (named + cells + 1), ""),
        *(
            (f"{'▾' if key == order else ''}{title}".rjust(cells_of), "title" if key == order else "dim")
            for key, title, cells_of in columns
        ),
    ]
    return [Row(heading), *(Row(_line(each, order, most, named, cells, columns), each.key or "") for each in found)]


def _line(
    each: Spent, order: Order, most: float, named: int, cells: int, columns: Sequence[tuple[str, str, int]]
) -> Line:
    amount, said = each.of(order), amounts(each.figures)
    drawn = bar(amount / most, cells).replace("░", " ") if most else " " * cells
    if not amount and each.is_unknown(order):
        drawn = "?".ljust(cells)
    figures = [(said[key].rjust(cells_of), _style(said[key], key == order)) for key, _, cells_of in columns]
    is_quiet = all(text.strip() == "-" for text, _ in figures)
    return [(fitted(each.name, named), "dim" if is_quiet else ""), (f"{drawn} ", "running"), *figures]


def _style(text: str, leads: bool) -> str:
    if text == "-":
        return "dim"
    return "waiting" if text == "unknown" or text.endswith("+") else "bold" if leads else ""
