"""Code in colours: the text stays as it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from panels.view.finding import text_of
from panels.view.syntax import LONGEST, coloured, coloured_text


def test_a_keyword_and_a_comment_have_styles() -> None:
    spans = dict(coloured("a.py", "return 1  # why"))
    assert spans["return"] == "accent"
    assert spans["# why"] == "italic"


def test_an_unknown_language_and_a_long_line_are_plain() -> None:
    assert coloured("a.nothing-knows", "return 1") == (("return 1", ""),)
    assert coloured("a.py", "x" * (LONGEST + 1)) == (("x" * (LONGEST + 1), ""),)


def test_a_text_keeps_its_lines_and_what_goes_over_them() -> None:
    lines = coloured_text("a.py", 'x = """one\ntwo"""\ny = 1')
    assert [text_of(line) for line in lines] == ['x = """one', 'two"""', "y = 1"]
    assert lines[1][0][1] == "ok"


@given(st.sampled_from(["a.py", "a.json", "a.rs", "Makefile", "a.md", "a.html"]), st.text(max_size=60))
def test_no_letter_is_lost(path: str, text: str) -> None:
    line = text.replace("\n", " ").replace("\r", " ")
    assert text_of(coloured(path, line)) == line
