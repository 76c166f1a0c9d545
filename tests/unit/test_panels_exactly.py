"""Foreign text in lines of so many cells: whole, harmless, and nothing hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from panels.view.exactly import COLOURED_LIMIT, Line, broken, coloured, coloured_as_file, plain
from supervisor.model.plain import exact

HARMLESS = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Me")))


def text_of(line: Line) -> str:
    return "".join(text for text, _ in line)


@given(st.text(), st.integers(12, 60))
def test_nothing_is_lost_and_no_line_is_too_wide(text: str, width: int) -> None:
    for line in plain(text):
        pieces = [text_of(piece) for piece in broken(line, width)]
        assert all(cell_len(piece) <= width for piece in pieces)
        assert "".join(piece[2:] for piece in pieces) == text_of(line)
    assert "\n".join(map(text_of, plain(text))) == exact(text).expandtabs(4)


@given(HARMLESS, st.sampled_from(["bash", "json", "yaml", "no such language"]))
def test_colours_change_nothing_of_the_text(text: str, language: str) -> None:
    shown = "\n".join(map(text_of, coloured(text, language)))
    assert shown.rstrip("\n") == exact(text).expandtabs(4).rstrip("\n")


def test_what_cannot_be_seen_is_written_out() -> None:
    (line,) = plain("a\x1b[2J\u202eb\u200b\x00\x9b\u00a0")
    assert text_of(line) == r"a\x1b[2J\u202eb\u200b\x00\x9b\xa0"


def test_blanks_stay_where_a_line_is_broken() -> None:
    pieces = [text_of(piece) for piece in broken([("one two  three" + " " * 20 + "; rm", "")], 14)]
    assert "".join(piece[2:] for piece in pieces) == "one two  three" + " " * 20 + "; rm"
    assert pieces[0] == "│ one two  "
    assert all(piece.startswith("┆ ") for piece in pieces[1:])


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)), st.integers(0, 8), st.integers(0, 12))
def test_what_stands_before_the_other_pieces_may_be_wider(text: str, bar: int, more: int) -> None:
    pieces = [text_of(piece) for piece in broken([(text, "")], 20, (" " * bar, ""), (" " * more, ""))]
    assert all(len(piece) <= 20 for piece in pieces)
    assert "".join([pieces[0][bar:], *(piece[more:] for piece in pieces[1:])]) == text


def test_a_wide_letter_is_never_halved() -> None:
    pieces = [text_of(piece) for piece in broken([("a你好b", "")], 5)]
    assert pieces == ["│ a你", "┆ 好b"]


def test_a_shell_command_and_a_file_have_colours() -> None:
    (line,) = coloured("if true; then echo 'x'; fi # why", "bash")
    styles = dict(line)
    assert (styles["if"], styles["'x'"], styles["# why"]) == ("running", "ok", "dim")
    (first, _) = coloured_as_file("def f():\n    return 1\n", "/a/b.py")
    assert ("def", "running") in first
    assert list(coloured_as_file("def f():", "a.unknown-kind")) == [[("def f():", "")]]


@pytest.mark.parametrize("name", ["", "/", "a/b/", "\x1b.py"])
def test_any_name_of_a_file_will_do(name: str) -> None:
    assert "".join(map(text_of, coloured_as_file("x", name))) == "x"


def test_a_text_that_is_too_long_is_shown_plain_and_whole() -> None:
    text = "if " * COLOURED_LIMIT
    assert list(coloured(text, "bash")) == [[(text, "")]]
