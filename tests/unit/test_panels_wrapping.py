"""Lines that are broken: none is too wide, nothing but the blank at a break is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from panels.view.wrapping import wrap

letters = st.text(
    st.one_of(
        st.sampled_from(" ab\t漢字🦊é\u0301\u200d👨\u200d👩"),
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\n"),
    ),
    max_size=80,
)


@given(letters, st.integers(2, 40))
def test_no_line_is_wider_than_asked(text: str, width: int) -> None:
    assert all(cell_len(line) <= width for line in wrap(text, width))


@given(letters, st.integers(2, 40))
def test_the_text_is_kept_but_for_blanks_at_breaks(text: str, width: int) -> None:
    broken = list(wrap(text, width))
    assert "".join(broken).replace(" ", "") == text.expandtabs(4).replace(" ", "")
    lost = text.expandtabs(4).count(" ") - sum(line.count(" ") for line in broken)
    assert 0 <= lost <= len(broken) - 1


def test_what_fits_is_left_as_it_is_with_its_indentation() -> None:
    assert list(wrap("    漢字 x", 20)) == ["    漢字 x"]
    assert list(wrap("  漢字漢字漢字 漢字", 14)) == ["  漢字漢字漢字", "漢字"]


def test_it_breaks_at_blanks_where_there_are_some() -> None:
    assert list(wrap("one two three", 8)) == ["one two", "three"]
    assert list(wrap("abcdefghij", 4)) == ["abcd", "efgh", "ij"]


def test_an_empty_text_is_one_empty_line() -> None:
    assert list(wrap("", 10)) == [""]
    assert list(wrap("a\n\nb", 10)) == ["a", "", "b"]
