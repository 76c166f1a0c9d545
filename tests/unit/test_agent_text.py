"""Text of agents and tools: whatever it is, it is read, clipped and made harmless."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.agents.text import LIMIT, clean, clip, clip_value, read_object, telling_argument


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("tab\tstays", "tab\tstays"),
        ("\x1b[1;32mgreen\x1b[0m", "green"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1;2|device\x1b\\text", "text"),
        ("\x1b_app\x1b\\text", "text"),
        ("\x9d0;title\x9ctext", "text"),
        ("text\x1b]0;cut off", "text"),
        ("a\rb\x00c\x08d\x7fe\x85f", "abcdef"),
        ("abc\u202egnp.exe\u202c", "abcgnp.exe"),
        ("\u2066x\u2069\u200f", "x"),
        ("\x1b(Bline\x1b7", "line"),
        ("Grüße 你好 👋", "Grüße 你好 👋"),
        ("[/bold] [link=x]", "[/bold] [link=x]"),
    ],
)
def test_control_codes_are_taken_out(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(st.text())
def test_cleaned_text_has_no_control_characters(text: str) -> None:
    assert not any((ord(char) < 32 and char != "\t") or 0x7F <= ord(char) < 0xA0 for char in clean(text))


@given(st.text(max_size=100), st.integers(0, 20_000))
def test_clipped_text_fits(text: str, more: int) -> None:
    clipped = clip(text + "é" * more)
    assert len(clipped.encode()) <= LIMIT
    assert text + "é" * more == clipped or clipped.endswith("…")


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert read_object(b'{"text":"cut \\ud83d"}') == {"text": "cut ?"}


def test_a_whole_surrogate_pair_is_kept() -> None:
    assert read_object(b'{"text":"\\ud83d\\ude00"}') == {"text": "😀"}


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    assert read_object(b'{"text":"\xff"}') == {"text": "\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[1]", b'"x"', b"{", b'{"a":1', b'{"a":NaN}', b'{"a":' * 100_000, b"\x00", b'{"a":1e999}'],
)
def test_what_is_no_object_is_none(data: bytes) -> None:
    assert read_object(data) is None


def test_strings_within_a_value_are_clipped() -> None:
    clipped = clip_value({"content": "x" * 20_000, "path": "a", "edits": [{"new": "y" * 20_000}]})
    assert clipped["path"] == "a"
    assert len(clipped["content"].encode()) == LIMIT
    assert len(clipped["edits"][0]["new"].encode()) == LIMIT


def test_a_value_of_many_strings_becomes_clipped_text() -> None:
    clipped = clip_value({"items": ["x" * 1000] * 1000})
    assert list(clipped) == ["clipped"]
    assert len(msgspec.json.encode(clipped)) <= LIMIT + 20_000


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"command": "make\n  test", "description": "d"}, "make test"),
        ({"file_path": "/a", "old_string": "x"}, "/a"),
        ({"pattern": "TODO", "path": "src"}, "src"),
        ({"url": "http://x"}, "http://x"),
        ({"other": 3, "thing": "words"}, "words"),
        ({"questions": [{"question": "Which?"}]}, '[{"question":"Which?"}]'),
        ({"command": "x" * 300}, "x" * 199 + "…"),
        ({"command": "rm \x1b[2Kx\u202e"}, "rm x"),
        ({}, ""),
        (None, ""),
        ("words", "words"),
    ],
)
def test_the_telling_argument_is_one_clean_line(given: object, argument: str) -> None:
    assert telling_argument(given) == argument
