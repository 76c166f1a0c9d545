"""Times are milliseconds inside and RFC 3339 at the borders."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.times import from_rfc3339, now_ms, to_rfc3339


@given(st.integers(0, 253_402_300_799_999))
def test_every_millisecond_survives_the_round_trip(ms: int) -> None:
    text = to_rfc3339(ms)
    assert text is not None
    assert from_rfc3339(text) == ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.999Z"),
        (1_795_262_400_007, "2026-11-21T12:00:00.007Z"),
    ],
)
def test_a_time_is_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert to_rfc3339(ms) == text


def test_no_time_stays_no_time() -> None:
    assert to_rfc3339(None) is None


def test_another_time_zone_is_understood() -> None:
    assert from_rfc3339("2026-11-21T14:00:00.007+02:00") == 1_795_262_400_007


@pytest.mark.parametrize("text", ["2026-11-21T12:00:00", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat|month"):
        from_rfc3339(text)


def test_now_is_the_wall_clock() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= now_ms() <= time.time_ns() // 1_000_000
