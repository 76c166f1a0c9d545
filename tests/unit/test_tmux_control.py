"""The parser of tmux's control mode."""

from __future__ import annotations

import pytest

from executors.tmux.control import Parser, quote

ATTACHED = ["%begin 1 10 0", "%end 1 10 0", "%window-add @0", "%sessions-changed"]


def answers(*lines: str) -> list[tuple[bool, list[str]]]:
    parser = Parser()
    assert [parser.feed(line) for line in ATTACHED] == [None, (True, []), None, None]
    return [answer for line in lines if (answer := parser.feed(line)) is not None]


def test_an_answer_is_what_stands_between_its_guards() -> None:
    assert answers("%begin 1 11 1", "one", "two", "%end 1 11 1") == [(True, ["one", "two"])]


def test_an_error_says_so() -> None:
    found = answers("%begin 1 11 1", "parse error: unknown command: x", "%error 1 11 1")
    assert found == [(False, ["parse error: unknown command: x"])]


def test_what_the_server_says_by_itself_answers_nothing() -> None:
    assert answers("%output %1 text", "%begin 1 11 0", "%end 1 11 0", "%begin 1 12 1", "%end 1 12 1") == [(True, [])]


def test_a_client_that_cannot_attach_is_told_why() -> None:
    parser = Parser()
    found = [parser.feed(line) for line in ("%begin 1 1 0", "duplicate session: x", "%error 1 1 0")]
    assert found[-1] == (False, ["duplicate session: x"])


def test_news_between_two_answers_is_left_out() -> None:
    found = answers("%begin 1 1 1", "a", "%end 1 1 1", "%unlinked-window-add @3", "%begin 1 2 1", "b", "%end 1 2 1")
    assert found == [(True, ["a"]), (True, ["b"])]


@pytest.mark.parametrize("line", ["%end", "%end 1 1 1", "%end 9 7 1", "%error 9 7 1", "%begin 9 7 1", "%exit"])
def test_a_screen_that_shows_guards_changes_nothing(line: str) -> None:
    assert answers("%begin 9 8 1", line, "%end 9 8 1") == [(True, [line])]


def test_an_end_without_a_beginning_is_nothing() -> None:
    assert answers("%end 9 8 1", "%begin", "text", "") == []


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain", "'plain'"),
        ("it's", "'it'\\''s'"),
        ("#{x} $HOME ; kill-server", "'#{x} $HOME ; kill-server'"),
        ("two\nlines\r\n", "'two lines'"),
        ("", "''"),
    ],
)
def test_words_are_quoted(word: str, quoted: str) -> None:
    assert quote(word) == quoted
