"""How sizes are written."""

from __future__ import annotations

import pytest

from panels.shown import money, spent


@pytest.mark.parametrize(
    ("usd", "words"), [(0.0, ""), (0.004, ""), (0.006, "$0.01"), (1.5, "$1.50"), (99.994, "$99.99"), (250.4, "$250")]
)
def test_money_is_said_where_it_is_worth_a_word(usd: float, words: str) -> None:
    assert money(usd) == words


@pytest.mark.parametrize(
    ("usd", "budget", "words"), [(0.0, None, ""), (0.0, 5.0, "$0 of $5.00"), (1.0, 5.0, "$1.00 of $5.00")]
)
def test_what_was_spent_is_said_with_its_budget(usd: float, budget: float | None, words: str) -> None:
    assert spent(usd, budget) == words
