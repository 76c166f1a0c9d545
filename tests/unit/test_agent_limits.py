"""What agents say about usage limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from executors.agents.limits import epoch_ms, reset_time, says_limit_reached
from tests.support.agents import NOON

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "Claude AI usage limit reached|1795266000",
        "You’ve hit your usage limit. Try again later.",
        "You've hit your limit · resets 3pm",
        "5-hour limit reached ∙ resets 3pm",
        "Quota exceeded. Check your plan and billing details.",
        "Credit balance is too low",
        "exceeded retry limit, last status: 429 Too Many Requests",
    ],
)
def test_limits_are_recognised(text: str) -> None:
    assert says_limit_reached(text)


@pytest.mark.parametrize(
    "text",
    ["API Error: 500 boom", "We’re currently experiencing high demand", "Overloaded", "limit your answer", ""],
)
def test_other_errors_are_not(text: str) -> None:
    assert not says_limit_reached(text)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("usage limit reached|1795266000", HOUR),
        ("usage limit reached|1795266000000", HOUR),
        ("hit your limit · resets 3pm", 3 * HOUR),
        ("hit your limit · resets 3:30pm (UTC)", 3.5 * HOUR),
        ("hit your limit · resets 3pm (Europe/Berlin)", 2 * HOUR),
        ("hit your limit · resets 9am", 21 * HOUR),
        ("hit your limit · resets Nov 23 at 12am", 36 * HOUR),
        ("or try again at 1:51 PM.", HOUR + 51 * 60_000),
        ("or try again at Nov 22nd, 2026 12:00 PM.", 24 * HOUR),
        ("Try again in 1 day 2 hours 5 minutes.", 26 * HOUR + 5 * 60_000),
        ("Please try again in 11s.", 11_000),
    ],
)
def test_the_end_of_a_limit_is_read(text: str, after: float) -> None:
    assert reset_time(text, NOON) == NOON + after


@pytest.mark.parametrize(
    "text",
    ["Try again later.", "Try again in a while.", "resets Feb 30 at 3pm", "resets 3pm (Mars/Base)", "resets soon"],
)
def test_nothing_sensible_is_nothing(text: str) -> None:
    assert reset_time(text, NOON) is None


def test_seconds_and_milliseconds() -> None:
    assert epoch_ms(1795266000) == epoch_ms(1795266000000) == 1795266000000
