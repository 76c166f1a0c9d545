"""What the app says: short over the screen, whole in the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.finding import text_of
from panels.view.messages import EMPTY, REST, Said, compact, rows
from panels.view.wrapping import wrap

LONG = "The branch does not merge into main: there are conflicts in many files. " * 6


def test_a_short_message_stays_as_it_is() -> None:
    assert compact("fix: stopped.", 60) == "fix: stopped."
    assert compact("first\nsecond \x1b[31mred", 60) == "first second red"


@given(st.text(), st.integers(1, 200))
def test_a_message_takes_two_lines_at_most(text: str, width: int) -> None:
    assert len(list(wrap(compact(text, width), max(width, len(REST) + 8)))) <= 2


def test_a_message_that_was_cut_says_where_it_is_whole() -> None:
    short = compact(LONG, 60)
    assert short.endswith(REST)
    assert LONG.startswith(short.removesuffix(REST))


def test_the_newest_is_first_and_each_is_whole() -> None:
    said = [Said(1_000, "information", "older"), Said(2_000, "error", LONG + "\x1b[2J[b]end[/b]")]
    found = [text_of(line) for line in rows(said, 40)]
    assert "older" in found[-1]
    assert " ▲ " in found[0]
    assert " • " in found[-1]
    text = " ".join(line[11:].strip() for line in found[:-1])
    assert text == (LONG + "[b]end[/b]").strip()
    assert max(map(len, found)) <= 40


@pytest.mark.parametrize("width", [20, 80])
def test_before_anything_was_said_it_says_what_it_is_for(width: int) -> None:
    assert " ".join(text_of(line).strip() for line in rows([], width)) == EMPTY
