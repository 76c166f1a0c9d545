"""Schedules: plans that are run again and again, and what came of each time that they were due.

Times are milliseconds since the epoch (`times`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Approval = Literal["each", "auto"]
"""Whether a person approves each run before it starts, or it starts by itself."""


class Missed(StrEnum):
    """What is done about the times that were missed because no supervisor ran (or the machine slept)."""

    SKIP = "skip"
    """Nothing; it is recorded that they were missed."""
    ONCE = "once"
    """One run for all of them."""
    ALL = "all"
    """A run for each, up to a limit."""


class RunState(StrEnum):
    """Where a run stands, which belongs to one time that a schedule was due."""

    DUE = "due"
    """Its plan is not made yet."""
    WAITING = "waiting"
    """Its plan is made, and a person decides whether it is started."""
    STARTING = "starting"
    """It may be started, and was not yet."""
    STARTED = "started"
    DECLINED = "declined"
    """Nobody allowed its start."""
    SKIPPED = "skipped"
    """The run before it was still under way."""
    FAILED = "failed"
    """Its plan could not be made or started."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan that is run whenever ``cron`` says so, in the hours of ``timezone``.

    Each run is a new plan, made of the document that is in force then. ``since`` is the last moment that was seen to:
    what was due up to then has its runs, or was missed.
    """

    id: str
    plan: str
    project: str
    cron: str
    timezone: str
    missed: Missed
    approval: Approval
    created_by: str
    created_at: int
    since: int
    paused_at: int | None = None
    removed_at: int | None = None

    @property
    def name(self) -> str:
        """What people call it: the plan that it runs."""
        return self.plan


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one time (``due``) that a schedule was due: there is one of these, ever.

    ``plan`` is the id of the plan that is made for it, ``approval`` the question whether it may be started.
    """

    schedule: str
    due: int
    plan: str
    state: RunState
    reason: str
    at: int
    approval: str | None = None
