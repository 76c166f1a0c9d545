"""What a schedule calls for at a moment: the runs that are due, and the times that were missed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from supervisor.engine.cron import Cron
from supervisor.model.schedules import Missed, Schedule

LATE_MS: Final = 120_000
"""How late a run may be and not count as missed: a supervisor that is started again is there within this time."""

MOST: Final = 10
"""Runs that are made for missed times at most."""

LOOK_BACK_MS: Final = 366 * 86_400_000
"""What was missed longer ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Called:
    """What is called for: a run for each of ``runs``; for ``missed`` there is none of its own.

    ``schedule`` is the schedule as it is once that is stored.
    """

    schedule: Schedule
    runs: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()


def called_for(schedule: Schedule, now: int) -> Called:
    """Return what a schedule calls for; nothing while it is paused."""
    if schedule.paused_at is not None or schedule.removed_at is not None:
        return Called(schedule)
    if schedule.since > now + LATE_MS:
        # The clock was set back. What ran already is known by its time, and does not run again.
        return Called(replace(schedule, since=now))
    begin = max(schedule.since, now - LOOK_BACK_MS)
    times = Cron(schedule.cron, schedule.timezone).between(begin, now)
    if not times:
        return Called(schedule)
    on_time = [each for each in times if each > now - LATE_MS]
    late = times[: len(times) - len(on_time)]
    made_good = _made_good(schedule.missed, late, on_time)
    kept = set(made_good)
    missed = tuple(each for each in late if each not in kept)
    return Called(replace(schedule, since=times[-1]), (*made_good, *on_time), missed)


def _made_good(policy: Missed, late: list[int], on_time: list[int]) -> list[int]:
    """Return the missed times that get a run of their own."""
    if policy is Missed.ALL:
        return late[-MOST:]
    # One that is due now stands for those that were missed.
    return late[-1:] if policy is Missed.ONCE and not on_time else []
