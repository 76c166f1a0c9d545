"""Searching in what is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.finding import highlighted, pattern, standing_words, text_of


def test_a_match_is_made_visible_whatever_its_case() -> None:
    assert list(highlighted([("A Needle here", "dim")], pattern("needle"))) == [
        ("A ", "dim"),
        ("Needle", "match"),
        (" here", "dim"),
    ]


def test_a_match_goes_over_spans() -> None:
    assert list(highlighted([("ab", "x"), ("cd", "y"), ("ef", "z")], pattern("bcde"))) == [
        ("a", "x"),
        ("b", "match"),
        ("cd", "match"),
        ("e", "match"),
        ("f", "z"),
    ]


def test_what_is_typed_is_text_and_no_expression() -> None:
    assert pattern("") is None
    assert list(highlighted([("a.b[c]", "")], pattern("[c]"))) == [("a.b", ""), ("[c]", "match")]


@given(
    st.lists(st.tuples(st.text(alphabet="abB ", max_size=6), st.sampled_from(["", "dim"]))), st.text("abB", max_size=3)
)
def test_the_text_stays_and_all_matches_are_marked(line: list[tuple[str, str]], wanted: str) -> None:
    found = highlighted(line, pattern(wanted))
    assert text_of(found) == text_of(line)
    marked = sum(len(text) for text, style in found if style == "match")
    assert marked == (text_of(line).lower().count(wanted.lower()) * len(wanted) if wanted else 0)


@pytest.mark.parametrize(
    ("place", "total", "more", "words"),
    [
        (3, 17, False, "3 of 17"), (3, 17, True, "3 of 17+"), (0, 17, False, "17 found"), (0, 1, True, "1+ found"),
        (0, 0, False, "no match"), (0, 0, True, "no match yet"), (1_200, 3_400, False, "1,200 of 3,400"),
    ],
)  # fmt: skip
def test_which_match_of_how_many_is_said(place: int, total: int, more: bool, words: str) -> None:
    assert standing_words(place, total, more=more) == words
