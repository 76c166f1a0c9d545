"""Costs by what sessions have in common."""

from __future__ import annotations

from panels.view.costs import BY, cost_rows, sums
from panels.view.sessions import SessionView, session_view
from tests.snapshots.test_records import session


def views() -> list[SessionView]:
    return [
        session_view(session("one", "claude", 1.0)),
        session_view(session("two", "codex", 2.5, "failed")),
        session_view(session("three", "claude", 0.5)),
    ]


def test_the_dearest_is_first_and_everything_is_counted_once() -> None:
    dear, cheap = sums(views(), BY["agent"])
    assert (dear.name, dear.sessions, dear.failed, dear.cost_usd) == ("codex", 1, 1, 2.5)
    assert (cheap.name, cheap.sessions, cheap.failed, cheap.cost_usd) == ("claude", 2, 0, 1.5)
    assert cheap.tokens == 2 * 120_900
    (project,) = sums(views(), BY["project"])
    assert (project.name, project.sessions, project.cost_usd) == ("lighthouse", 3, 4.0)


def test_tables_end_with_what_it_is_together() -> None:
    texts = ["".join(text for text, _ in row.line) for row in cost_rows(views(), 80)]
    assert texts[-1].startswith("Together")
    assert texts[-1].endswith("$4.00")
    assert all(len(text) <= 80 for text in texts)
    assert "nothing to count" in "".join(text for text, _ in cost_rows([], 80)[0].line)
