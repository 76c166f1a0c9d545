"""Schedules over the API: requests and the JSON shapes of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from supervisor.api.protocol import Body, Environment, PlainText
from supervisor.model.schedules import Approval, Missed, Run, Schedule
from supervisor.model.times import to_rfc3339


class ScheduleBody(Body):
    """Have a plan run again and again. Without ``cron`` the schedule in the plan's document counts."""

    plan: PlainText = Field(min_length=1, max_length=1_000)
    cron: PlainText | None = Field(default=None, max_length=1_000)
    timezone: PlainText | None = Field(default=None, max_length=1_000)
    missed: Missed = Missed.SKIP
    approval: Approval = "each"
    environment: Environment = Field(default_factory=dict)


def schedule_json(
    schedule: Schedule, next_times: Sequence[int], runs: Sequence[Run], project_name: str | None
) -> dict[str, Any]:
    """Return a schedule with when it is due next, and its newest runs, newest first."""
    return {
        "id": schedule.id,
        "plan": schedule.plan,
        "project": schedule.project,
        "project_name": project_name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "approval": schedule.approval,
        "created_by": schedule.created_by,
        "created_at": to_rfc3339(schedule.created_at),
        "paused_at": to_rfc3339(schedule.paused_at),
        "next": [to_rfc3339(each) for each in next_times],
        "runs": [run_json(run) for run in runs],
    }


def run_json(run: Run) -> Mapping[str, Any]:
    """Return what came of one time that a schedule was due."""
    return {
        "due": to_rfc3339(run.due),
        "plan": run.plan,
        "state": run.state,
        "reason": run.reason,
        "at": to_rfc3339(run.at),
        "approval": run.approval,
    }
