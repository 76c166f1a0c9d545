"""The raw log: pages in both directions, lines over pages, text that would act on a screen, a line of a megabyte."""

from __future__ import annotations

from typing import Any

from panels.view.finding import text_of
from panels.view.rawlog import LONGEST, RawLog

TIME = "2026-11-21T09:05:00.000Z"


def page(offset: int, after: int, *texts: str, size: int = 0, **partial: str) -> dict[str, Any]:
    lines = [{"time": TIME, "stream": "stdout", "text": text} for text in texts]
    return {"lines": lines, "partial": partial, "offset": offset, "next_offset": after, "size": size or after}


def test_older_pages_come_before_and_newer_ones_after() -> None:
    log = RawLog()
    log.take_newest(page(100, 200, "c", "d"))
    assert log.offset == 100
    assert log.take_older(page(0, 100, "a", "b")) == 2
    assert not log.has_older
    assert not log.take_newer(page(200, 250, "e"))
    assert [line.text for line in log.lines] == ["a", "b", "c", "d", "e"]
    assert log.next_offset == 250


def test_a_line_that_goes_over_pages_is_one() -> None:
    log = RawLog()
    log.take_newest(page(0, 100, "a", stdout="begin"))
    assert [line.text for line in log.open_lines] == ["begin"]
    assert log.take_newer(page(100, 200, size=300, stdout=" middle"))
    assert not log.take_newer(page(200, 300, " end", "next"))
    assert [line.text for line in log.lines] == ["a", "begin middle end", "next"]
    assert log.open_lines == []


def test_an_answer_that_gets_no_further_does_not_add_its_beginning_again() -> None:
    log = RawLog()
    log.take_newest(page(0, 100, stdout="begin"))
    assert not log.take_newer(page(100, 100, size=120))
    assert [line.text for line in log.open_lines] == ["begin"]


def test_reading_back_ends() -> None:
    log = RawLog()
    log.take_newest(page(100, 200, "c"))
    log.take_older(page(100, 100))
    assert not log.has_older


def test_a_line_of_a_megabyte_is_cut_and_its_size_said() -> None:
    log = RawLog()
    log.take_newest(page(0, 1, "x" * 1_000_000))
    (line,) = log.lines
    assert len(line.text) == LONGEST
    shown = text_of(line.spans(0, 80))
    assert shown.endswith(" … 1.0M characters")
    assert len(shown) <= 80


def test_what_would_act_on_the_screen_is_out() -> None:
    log = RawLog()
    log.take_newest(page(0, 1, "\x1b[31mred\x1b[0m 10%\r20%\r [b]x[/b] \u202eback \x07\x00"))
    assert log.lines[0].text == "red 10% 20%  [b]x[/b] back "


def test_text_moves_sideways_below_its_columns() -> None:
    log = RawLog()
    log.take_newest(page(0, 1, "0123456789"))
    assert [text for text, _ in log.lines[0].spans(4, 80)][1:] == [" out ", "456789"]
