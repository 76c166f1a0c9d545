"""The transcript: blocks of events, pages put before, filters, and text that would act on a screen."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from panels.view.finding import pattern, text_of
from panels.view.transcript import RESULT_LINES, Transcript, passes

HOSTILE = "[red]x[/red] \x1b[2J\x1b]0;title\x07 \u202egnp\u202c \x9b1m 漢字🦊\r\x08 <b>"


def event(seq: int, kind: str, **payload: Any) -> dict[str, Any]:
    return {"seq": seq, "time": "2026-11-21T09:05:00.000Z", "type": kind, "payload": payload, "session": "s"}


def made(*events: dict[str, Any]) -> Transcript:
    transcript = Transcript()
    for each in events:
        transcript.add(each)
    return transcript


def drawn(transcript: Transcript, width: int = 80) -> list[str]:
    return [text_of(line) for block in transcript.blocks for line in block.lines(width)]


def test_a_tool_and_its_result_are_one_block_that_is_folded() -> None:
    transcript = made(
        event(1, "tool_use", id="1", tool="Bash", argument="seq 9"),
        event(2, "tool_result", id="1", text="\n".join(map(str, range(9)))),
    )
    assert len(transcript.blocks) == 1
    assert drawn(transcript)[0] == "● Bash  seq 9"
    assert drawn(transcript)[-1] == f"  │ … {9 - RESULT_LINES} more lines, o opens them"
    transcript.blocks[0].folded = False
    assert drawn(transcript)[-1] == "  │ 8"


def test_a_result_that_failed_says_so() -> None:
    transcript = made(
        event(1, "tool_use", id="1", tool="Bash", argument="x"),
        event(2, "tool_result", id="1", text="no", is_error=True),
    )
    assert transcript.blocks[0].mark == ("✕ ", "failed")
    assert transcript.blocks[0].is_error


def test_an_older_page_comes_before_and_its_calls_are_answered() -> None:
    transcript = made(event(5, "message", text="later"))
    count = transcript.prepend([event(1, "message", text="earlier"), event(2, "tool_use", id="9", tool="Read")])
    assert count == 2
    assert transcript.first_seq == 1
    answered = transcript.add(event(6, "tool_result", id="9", text="found"))
    assert answered is transcript.blocks[1]
    assert [block.seq for block in transcript.blocks] == [1, 2, 5]


def test_an_event_that_was_taken_is_not_taken_again() -> None:
    transcript = made(event(1, "message", text="once"))
    assert transcript.add(event(1, "message", text="once")) is None
    assert len(transcript.blocks) == 1


def test_filters_keep_their_kind() -> None:
    transcript = made(
        event(1, "message", text="m"),
        event(2, "message_delivered", text="d"),
        event(3, "tool_use", id="1", tool="Bash"),
        event(4, "error", text="e"),
        event(5, "status_changed", to="failed", reason="x"),
        event(6, "output", text="o"),
    )
    kept = {
        wanted: [block.seq for block in transcript.blocks if passes(block, wanted)]
        for wanted in ("everything", "messages", "tools", "errors")
    }
    assert kept == {"everything": [1, 2, 3, 4, 5, 6], "messages": [1, 2, 6], "tools": [3], "errors": [4, 5]}


def test_a_folded_result_is_found() -> None:
    transcript = made(
        event(1, "tool_use", id="1", tool="Bash", argument="seq"),
        event(2, "tool_result", id="1", text="a\n" * 20 + "needle"),
    )
    wanted = pattern("NEEDLE")
    assert wanted is not None
    assert transcript.blocks[0].matches(wanted)
    assert not any(wanted.search(line) for line in drawn(transcript))


def test_nothing_that_comes_from_outside_acts_on_the_screen() -> None:
    transcript = made(
        *(
            event(
                seq, kind, text=HOSTILE, tool=HOSTILE, argument=HOSTILE, question=HOSTILE, reason=HOSTILE, id=str(seq)
            )
            for seq, kind in enumerate(
                (
                    "message",
                    "thinking",
                    "tool_use",
                    "tool_result",
                    "output",
                    "error",
                    "approval_registered",
                    "status_changed",
                ),
                1,
            )
        )
    )
    lines = drawn(transcript)
    assert len(lines) >= 8
    for line in lines:
        assert not any(
            ord(letter) < 32 or 127 <= ord(letter) < 160 or 0x202A <= ord(letter) <= 0x202E for letter in line
        )
    assert any("[red]x[/red]" in line for line in lines)


@given(st.text(max_size=300), st.integers(20, 60))
def test_no_line_of_a_block_is_wider_than_the_screen(text: str, width: int) -> None:
    transcript = made(
        event(1, "message", text=text),
        event(2, "tool_use", id="1", tool="Bash", argument=text[:80]),
        event(3, "tool_result", id="1", text=text),
        event(4, "output", text=text),
    )
    assert all(cell_len(line) <= width for line in drawn(transcript, width))


def test_a_search_stops_at_each_line_that_matches_also_where_it_is_folded() -> None:
    (block,) = made(
        event(1, "tool_use", id="1", tool="Bash", argument="seq 90"),
        event(2, "tool_result", id="1", text="\n".join(map(str, range(90)))),
    ).blocks
    seven = pattern("7")
    assert seven is not None
    wanted = [row for row, line in enumerate(block.lines(80, whole=True)) if "7" in text_of(line)]
    assert len(wanted) == 18
    assert block.folded
    assert block.stops(seven, 80) == tuple(wanted)


def test_a_match_that_is_broken_over_lines_is_one() -> None:
    (block,) = made(event(1, "message", text="needle in a haystack " * 20)).blocks
    for width in (20, 33):
        broken, missing = pattern("haystack needle in a haystack needle"), pattern("pin")
        assert broken is not None
        assert missing is not None
        assert block.stops(broken, width) == (0,)
        assert block.stops(missing, width) == ()
