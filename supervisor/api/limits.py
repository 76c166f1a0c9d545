"""The limits of a task over the API: how long each is, what is used of it, and when it is used up."""

from __future__ import annotations

from typing import Any

from supervisor.engine.plans.limits import LIMITS, SILENCES, Clock, Signs, Watch, amounts, is_limited, used, watch_of
from supervisor.engine.plans.repeating import is_repeated
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task
from supervisor.model.times import to_rfc3339


def limits_json(task: Task, planned: PlannedTask, now: int, signs: Signs | None = None) -> list[dict[str, Any]]:
    """Return the limits of a task; those of one that is repeated are its parts'. How long it has been silent is only
    known with ``signs`` of what runs: without them ``used_s`` and ``left_s`` of a silence are null."""
    if not is_limited(planned) or is_repeated(planned):
        return []
    watch, said, found = watch_of(task) or Watch(), amounts(planned), []
    for limit in LIMITS:
        seconds = said[limit]
        if seconds is None:
            continue
        given = watch.given.get(limit, 0)
        known = signs is not None or limit not in SILENCES
        spent = used(limit, watch, signs or Signs(), now) if known else None
        left = None if spent is None else round(seconds * 1_000) + given - spent
        runs = _clock(limit == "timebox", watch).since is not None and watch.cut is None
        found.append(
            {
                "limit": limit,
                "seconds": seconds,
                "given_s": given / 1_000,
                "used_s": None if spent is None else spent / 1_000,
                "left_s": None if left is None else max(0, left) / 1_000,
                "ends_at": to_rfc3339(now + left) if runs and left is not None else None,
                "reached": watch.told[limit][0] if limit in watch.told else None,
                "asked": watch.asked == limit,
            }
        )
    return found


def _clock(of_all: bool, watch: Watch) -> Clock:
    return watch.box if of_all else watch.attempt
