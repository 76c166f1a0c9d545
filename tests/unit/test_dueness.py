"""What a schedule calls for: what is due, what was missed, and what is made good."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from supervisor.engine.dueness import LATE_MS, MOST, Called, called_for
from supervisor.model.schedules import Missed, Schedule
from tests.support.stores import a_schedule

HOUR = 3_600_000
TEN = round(datetime.fromisoformat("2026-06-01T10:00:00Z").timestamp() * 1000)


def hourly(missed: Missed = Missed.SKIP, **fields: Any) -> Schedule:
    """Due at each full hour, seen to up to half past nine."""
    return a_schedule(**{"cron": "0 * * * *", "timezone": "UTC", "missed": missed, "since": TEN - HOUR // 2, **fields})


def test_nothing_before_its_time() -> None:
    schedule = hourly()
    assert called_for(schedule, TEN - 1) == Called(schedule)


@pytest.mark.parametrize("missed", Missed)
@pytest.mark.parametrize("late", [0, 1, LATE_MS - 1])
def test_one_run_when_it_is_due_and_shortly_after(missed: Missed, late: int) -> None:
    schedule = hourly(missed)
    called = called_for(schedule, TEN + late)
    assert called == Called(replace(schedule, since=TEN), (TEN,), ())
    assert called_for(called.schedule, TEN + late) == Called(called.schedule), "and never again"


class TestMissed:
    NOW = TEN + 3 * HOUR + HOUR // 2

    def test_skip_makes_none(self) -> None:
        called = called_for(hourly(Missed.SKIP), self.NOW)
        assert (called.runs, called.missed) == ((), (TEN, TEN + HOUR, TEN + 2 * HOUR, TEN + 3 * HOUR))
        assert called.schedule.since == TEN + 3 * HOUR

    def test_once_makes_one_for_all(self) -> None:
        called = called_for(hourly(Missed.ONCE), self.NOW)
        assert (called.runs, called.missed) == ((TEN + 3 * HOUR,), (TEN, TEN + HOUR, TEN + 2 * HOUR))

    def test_once_is_the_one_that_is_due_now(self) -> None:
        called = called_for(hourly(Missed.ONCE), TEN + 2 * HOUR)
        assert (called.runs, called.missed) == ((TEN + 2 * HOUR,), (TEN, TEN + HOUR))

    def test_all_makes_each(self) -> None:
        called = called_for(hourly(Missed.ALL), TEN + 2 * HOUR)
        assert (called.runs, called.missed) == ((TEN, TEN + HOUR, TEN + 2 * HOUR), ())

    def test_all_makes_the_newest_where_there_are_too_many(self) -> None:
        called = called_for(hourly(Missed.ALL), TEN + 100 * HOUR + HOUR // 2)
        assert called.runs == tuple(TEN + each * HOUR for each in range(101 - MOST, 101))
        assert len(called.missed) == 101 - MOST

    def test_what_was_missed_longer_ago_than_a_year_is_forgotten(self) -> None:
        called = called_for(hourly(), TEN + 5 * 366 * 24 * HOUR + HOUR // 2)
        assert len(called.missed) == 366 * 24


def test_a_paused_or_removed_one_calls_for_nothing() -> None:
    for schedule in (hourly(paused_at=1), hourly(removed_at=1)):
        assert called_for(schedule, TEN + 10 * HOUR) == Called(schedule)


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    ahead = called_for(hourly(), TEN + 1000 * HOUR).schedule
    back = called_for(ahead, TEN + 10)
    assert back == Called(replace(ahead, since=TEN + 10))
    assert called_for(back.schedule, TEN + HOUR).runs == (TEN + HOUR,)


def test_a_clock_that_is_set_back_a_little_repeats_nothing() -> None:
    seen = called_for(hourly(), TEN).schedule
    assert called_for(seen, TEN - LATE_MS) == Called(seen)
