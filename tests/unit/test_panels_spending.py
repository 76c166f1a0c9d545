"""What was used, as lines: what nobody told is unknown, never nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from panels.screens.insights import fitting, since_s
from panels.view.rows import Row
from panels.view.spending import (
    ROOMY,
    Spent,
    amounts,
    duration,
    in_order,
    matching,
    money,
    spending_rows,
    spent,
    summed,
    with_quiet_days,
)
from panels.widgets.lines import width_of
from supervisor.model.times import from_rfc3339

TODAY = date(2026, 11, 29)


def figures(
    cost: float = 0.0, tokens: int = 0, seconds: float = 0.0, calls: int = 0, unknown: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "cost_usd": cost, "tokens": {"input": tokens, "output": 0, "cached": 0}, "api_calls": calls,
        "seconds": seconds, "attempts": 1, "unknown": list(unknown),
    }  # fmt: skip


def line(name: str | None, *values: Any, **more: Any) -> Spent:
    return Spent(name, name or "(none)", figures(*values, **more))


def text(row: Row) -> str:
    return "".join(part for part, _ in row.line)


def test_what_no_agent_told_is_unknown_and_what_is_known_of_more_has_a_plus() -> None:
    said = amounts(figures(0.0, 0, 60, 0, unknown=("cost_usd", "tokens", "api_calls")))
    assert (said["cost"], said["tokens"], said["calls"], said["time"]) == ("unknown", "unknown", "unknown", "1m")
    said = amounts(figures(1.5, 2_000, unknown=("cost_usd",)))
    assert (said["cost"], said["tokens"], said["calls"]) == ("$1.50+", "2.0k", "-")
    assert summed(figures(unknown=("cost_usd",))) == "cost unknown · - tokens · - of work · - calls"


@pytest.mark.parametrize(
    ("amount", "words"), [(0.004, "<$0.01"), (0.01, "$0.01"), (12.346, "$12.35"), (1234.5, "$1,234"), (0, "$0.00")]
)
def test_money(amount: float, words: str) -> None:
    assert money(amount) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "-"), (0.2, "<1s"), (59, "59s"), (60, "1m"), (3_725, "1h02m"), (359_999, "99h59m"), (360_000, "100h")],
)
def test_lengths_of_work(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_order_follows_a_figure_and_what_belongs_to_none_is_last() -> None:
    lines = [line("b", 1.0, 10), line("a", 2.0, 5), line(None, 9.0, 99), line("c", unknown=("cost_usd",)), line("d")]
    assert [each.key for each in in_order(lines, "cost")] == ["a", "b", "c", "d", None]
    assert [each.key for each in in_order(lines, "tokens")] == ["b", "a", "c", "d", None]
    assert [each.key for each in in_order(lines, "name")] == ["a", "b", "c", "d", None]
    assert [each.key for each in matching(lines, "A ")] == ["a"]


def test_each_day_of_the_period_has_a_line_the_newest_first() -> None:
    found = [line("2026-11-27", 1.0)]
    days = with_quiet_days(found, 4, TODAY)
    assert [each.name for each in days] == ["Today", "Yesterday", "Fri 27 Nov", "Thu 26 Nov"]
    assert [each.of("cost") for each in days] == [0, 0, 1.0, 0]
    assert [each.key for each in with_quiet_days(found, None, TODAY)] == ["2026-11-29", "2026-11-28", "2026-11-27"]
    assert len(with_quiet_days([line("1999-01-01", 1.0)], None, TODAY)) == 400


def test_the_bars_are_as_long_as_the_figure_that_counts() -> None:
    lines = [line("dear", 2.0, 5), line("half", 1.0, 10), line("free", unknown=("cost_usd",))]
    heading, dear, half, free = (text(row) for row in spending_rows(lines, "cost", 80))
    assert "▾cost" in heading
    assert dear.count("█") in (2 * half.count("█"), 2 * half.count("█") + 1)
    assert "?" in free
    assert "unknown" in free
    _, dear, half, _ = (text(row) for row in spending_rows(lines, "tokens", 80))
    assert dear.count("█") < half.count("█")


@pytest.mark.parametrize("width", [40, 50, 78, ROOMY, 158])
def test_lines_fit_and_name_what_they_are_about(width: int) -> None:
    lines = [line("x" * 90, 123_456.0, 10**9, 10**6, 10**6, unknown=("cost_usd",)), line("名前", 0.001)]
    rows = spending_rows(lines, "cost", width)
    assert [row.key for row in rows] == [None, "x" * 90, "名前"]
    assert len({width_of(row.line) for row in rows}) == 1
    if width >= 50:
        assert width_of(rows[0].line) <= width


def test_names_come_from_the_answer_and_none_has_words() -> None:
    answer = {"rows": [{"key": "prj_1", "name": "sh\x1b[2Jop", **figures()}, {"key": None, **figures()}]}
    assert [each.name for each in spent(answer, "project")] == ["shop", "(no project)"]


def test_a_period_begins_with_its_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    noon = from_rfc3339("2026-11-29T12:00:00Z")
    assert since_s("today", noon) == 12 * 3_600
    assert since_s("fortnight", noon) == (13 * 24 + 12) * 3_600
    assert since_s("all", noon) is None


def test_sentences_have_room_or_are_left_out() -> None:
    assert fitting(["", "one.", "two.", "a long one."], 12) == "one.  two."
    assert fitting(["one.", "a long one.", "two."], 12) == "one.  two."
    assert fitting(["longer than there is room"], 5) == "longer than there is room"
