"""What turns cost, however the agent counts."""

from __future__ import annotations

from typing import Any

from panels.view.cost import reports_nothing, turns


def ended(attempt: str, cost: float | None, tokens: tuple[int, int] | None = None, **more: Any) -> dict[str, Any]:
    given = None if tokens is None else {"input": tokens[0], "output": tokens[1], "cached": 0}
    payload = {"is_error": False, "tokens": given, "process_cost_usd": cost, **more}
    return {"attempt": attempt, "time": "2026-11-21T09:05:00.000Z", "payload": payload}


def test_the_cost_of_a_process_is_counted_up_and_begins_anew_with_the_next() -> None:
    found = turns([ended("a", 0.25), ended("a", 0.75), ended("b", 0.5), ended("b", 0.5)])
    assert [turn.cost_usd for turn in found] == [0.25, 0.5, 0.5, 0.0]
    assert [turn.total_usd for turn in found] == [0.25, 0.75, 1.25, 1.25]
    assert [turn.number for turn in found] == [1, 2, 3, 4]


def test_a_process_that_counts_from_zero_again_costs_what_it_says() -> None:
    assert [turn.cost_usd for turn in turns([ended("a", 0.5), ended("a", 0.125)])] == [0.5, 0.125]


def test_tokens_of_a_turn_and_tokens_of_the_conversation() -> None:
    own = turns([ended("a", None, (10, 1)), ended("a", None, (30, 2))])
    assert [(turn.input, turn.output) for turn in own] == [(10, 1), (30, 2)]
    whole = turns(
        [ended("a", None, tokens, tokens_of="conversation") for tokens in ((10, 1), (30, 2), (5, 1))],
    )
    assert [(turn.input, turn.output) for turn in whole] == [(10, 1), (20, 1), (5, 1)]


def test_an_agent_that_says_nothing_is_known() -> None:
    assert reports_nothing(turns([ended("a", None)]))
    assert not reports_nothing(turns([ended("a", 0.0, (1, 0))]))
    assert not reports_nothing(turns([ended("a", 0.5)]))


def test_odd_figures_count_as_none() -> None:
    odd = ended("a", None) | {"payload": {"tokens": {"input": "many"}, "process_cost_usd": "much"}}
    (turn,) = turns([odd])
    assert (turn.input, turn.output, turn.cost_usd) == (0, 0, None)
