"""When a pasted text counts as arrived, and what is left of hostile text."""

from __future__ import annotations

import pytest

from executors.tmux.keyboard import Look, arrived, harmless, squeeze


def look(screen: str, scrolled: int = 0) -> Look:
    return Look(squeeze(screen), str(scrolled))


@pytest.mark.parametrize(
    ("text", "before", "after", "seen"),
    [
        ("hello", look("> "), look("> hello"), True),
        ("hello", look("> "), look("> hel"), False),
        ("hello", look("> "), look("> "), False),
        ("two words that wrap", look("> "), look("> two words\n  that wrap"), True),
        ("continue", look("continue\n> "), look("continue\n> "), False),
        ("continue", look("continue\n> "), look("continue\n> continue"), True),
        ("continue", look("a\ncontinue\n> continue", 5), look("a\ncontinue\n> continue", 7), True),
        ("x\n" * 30, look("> "), look("> [Pasted text #1 +30 lines]"), True),
        ("x" * 2000, look("> "), look("> [Pasted Content 2000 chars]"), True),
        ("y" * 2000, look("[Pasted text #1]"), look("[Pasted text #1] |"), False),
        ("a long text of which only the end is looked for", look("> "), look("…end is looked for"), False),
        ("a long text of which only the end is looked for", look(""), look("which only the end is looked for"), True),
        ("  \n ", look("> "), look("> "), True),
    ],
)
def test_a_text_arrived_when_its_end_is_newly_seen(text: str, before: Look, after: Look, seen: bool) -> None:
    assert arrived(text, before, after) is seen


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain ü 名", "plain ü 名"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\x1b[201~rm -rf /\x03\x04\x00\x7f\x9b", "[201~rm -rf /"),
    ],
)
def test_control_characters_are_left_out(text: str, left: str) -> None:
    assert harmless(text) == left
