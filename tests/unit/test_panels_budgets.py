"""Budgets, as lines: the tripped ones first, with what they stopped and how they are lifted."""

from __future__ import annotations

from typing import Any

import pytest

from panels.view.budgets import alarm, amount, budget_rows, ended_by_budget, ordered, stopped_by
from panels.view.sessions import SessionView, session_view
from panels.widgets.lines import width_of
from supervisor.model.times import from_rfc3339
from tests.unit.test_panels_view import session

Json = dict[str, Any]
NOON = "2026-11-29T12:00:00.000Z"
NOW = from_rfc3339(NOON)


def budget(scope: str, of: str, used: float, limit: float, level: str = "closed", **more: Any) -> Json:
    return {
        "scope": scope, "kind": scope.partition(":")[0], "of": of, "measure": "cost_usd", "used": used, "limit": limit,
        "unknown": False, "granted": 0, "level": level, "since": NOON, "period": None,
        "does": "pauses what costs money", **more,
    }  # fmt: skip


PLAN = budget("plan:plan-x", "the plan plan-x", 5.2, 5.0, "tripped", does="pauses the plan and its sessions")
DAY = budget("day", "the day", 9.0, 10.0, "warning")
SHOP = budget("project:prj_1", "the project shop", 0.0, 8.0, unknown=True)


def stopped(name: str, status: str, signal: str, text: str) -> SessionView:
    return session_view(session(name, status=status, status_reason={"signal": signal, "text": text, "at": NOON}))


HELD = stopped("held", "paused", "budget", "The budget of $5.00 of the plan plan-x is used up: $5.20.")
BY_HAND = stopped("by-hand", "paused", "person", "The budget of $5.00 of the plan plan-x is used up: $5.20.")
DEAR = stopped(
    "dear", "failed", "limit", "Its budget of $1.00 is used up: $1.20. quarterdeck budget resume session:ses_dear"
)
HELD_PLAN = {
    "id": "plan-x", "title": "The [b]search[/]", "status": "paused", "status_reason": {"signal": "budget", "text": "x"},
}  # fmt: skip


def texts(*given: Json, sessions: tuple[SessionView, ...] = (), plans: tuple[Json, ...] = (), **more: Any) -> list[str]:
    rows = budget_rows(given, sessions, plans, more.get("lifted", ()), more.get("width", 78), NOW)
    assert all(width_of(row.line) <= more.get("width", 78) for row in rows)
    return ["".join(text for text, _ in row.line).rstrip() for row in rows]


def test_what_is_used_up_comes_first_then_what_nearly_is() -> None:
    assert [each["scope"] for each in ordered([SHOP, DAY, PLAN])] == ["plan:plan-x", "day", "project:prj_1"]
    assert [each["measure"] for each in ordered([DAY, {**DAY, "measure": "tokens", "used": 9.5}])] == [
        "tokens", "cost_usd",
    ]  # fmt: skip
    lines = texts(SHOP, DAY, PLAN)
    titles = [line for line in lines if line and not line.startswith((" ", "✕", "!", "·"))]
    assert titles == ["Used up", "Nearly used up", "Within their limits"]
    assert alarm([SHOP, DAY, PLAN]) == "✕ 1 budget is used up, ! 1 nearly"
    assert alarm([SHOP]) == ""


def test_a_tripped_one_says_what_it_stopped_and_how_it_is_lifted() -> None:
    lines = texts(PLAN, sessions=(HELD, BY_HAND), plans=(HELD_PLAN,))
    assert lines[1].startswith("✕ the plan plan-x")
    assert "$5.20 of $5.00" in lines[1]
    assert "It pauses the plan and its sessions." in lines[2]
    assert lines[3].startswith("    ‖ plan-x The [b]search[/]")
    assert lines[4].startswith("    ‖ held")
    assert "U lets it use as much again" in lines[5]
    assert lines[-1].strip() == "quarterdeck budget resume plan:plan-x"
    assert [each.name for each in stopped_by(PLAN, [HELD, BY_HAND, DEAR])] == ["held"]
    assert "Nothing that runs had to be stopped" in "\n".join(texts(PLAN))


def test_a_session_that_was_stopped_for_good_stays_in_sight() -> None:
    assert ended_by_budget([DEAR, HELD], ()) == [(DEAR, "session:ses_dear")]
    assert ended_by_budget([DEAR], {"session:ses_dear"}) == []
    lines = texts(SHOP, sessions=(DEAR,))
    assert lines[0] == "Stopped for good"
    assert lines[1].startswith("    ✕ dear")
    assert lines[2].strip() == "Its budget of $1.00 is used up: $1.20."
    assert "U lets it use as much again; then" in "\n".join(lines)
    assert "It may use as much again: ⏎ opens it" in "\n".join(texts(sessions=(DEAR,), lifted={"session:ses_dear"}))
    of_task = stopped("unit", "failed", "limit", "It is used up. quarterdeck budget resume task:plan-x/unit")
    assert "^r on its task does it once more" in "\n".join(texts(sessions=(of_task,)))


def test_what_is_not_told_is_not_nothing() -> None:
    assert "unknown of $8.00" in "\n".join(texts(SHOP))
    lines = "\n".join(texts({**PLAN, "unknown": True}))
    assert "$5.20+ of $5.00" in lines
    assert "more is used than is counted" in lines


def test_keys_say_what_a_line_is_about() -> None:
    rows = budget_rows([PLAN], [HELD, DEAR], [HELD_PLAN], (), 78, NOW)
    assert [row.key for row in rows if row.key is not None] == [
        ("budget", "plan:plan-x", "cost_usd"), ("plan", "plan-x"), ("session", "ses_held", "plan:plan-x"),
        ("session", "ses_dear", "session:ses_dear"),
    ]  # fmt: skip


def test_without_budgets_it_says_how_to_set_one() -> None:
    lines = "\n".join(texts())
    assert "There are no budgets" in lines
    assert "--budget-usd" in lines


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("cost_usd", 0, "$0"),
        ("tokens", 500_000, "500k"),
        ("api_calls", 7, "7"),
        ("time", 0, "0s"),
        ("time", 5_400, "1h30m"),
    ],
)
def test_amounts(measure: str, value: float, words: str) -> None:
    assert amount(measure, value) == words


@pytest.mark.parametrize("width", [50, 60, 78, 120])
def test_lines_fit(width: int) -> None:
    long = {**PLAN, "of": "the plan " + "x" * 200, "granted": 5.0}
    assert "A person gave it $5.00 beyond its limit." in "\n".join(texts(long, DAY, sessions=(HELD, DEAR), width=width))
