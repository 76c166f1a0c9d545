"""Named points at which a test may kill the supervisor, as a crash would.

``QUARTERDECK_FAILPOINT=claim.after@3`` kills this process with SIGKILL the third time that
``hit("claim.after")`` is reached. Where ``QUARTERDECK_FAILPOINT_LOG`` names a file, every point that is
reached is noted there once, so that a chaos run can tell which points it never saw.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

FAILPOINTS: Final = (
    "session.stored",
    "session.dequeued",
    "workspace.before",
    "workspace.after",
    "claim.before",
    "claim.after",
    "start.before",
    "start.after",
    "started.recorded",
    "ingest.before_commit",
    "ingest.after_commit",
    "exit.seen",
    "exit.drained",
    "finish.before_commit",
    "finish.after_commit",
    "message.before_write",
    "message.after_write",
    "approval.before_store",
    "approval.before_decide",
    "approval.after_decide",
    "approval.before_consume",
    "approval.after_consume",
    "approval.expired",
    "artifact.placed",
    "artifact.kept",
    "recovery.begin",
    "recovery.adopted",
)

PLAN_FAILPOINTS: Final = (
    "plan.before_commit",
    "plan.after_commit",
    "plan.before_start",
    "plan.after_start",
    "plan.before_merge",
    "plan.after_merge",
    "session.prepared",
)
"""Those that only running plans reach, or come back from: a session asked for by hand is not acknowledged yet."""

RESTORE_FAILPOINTS: Final = ("restore.kept", "restore.written", "restore.removed")
"""Those that only a restore of a checkpoint reaches."""

CHECKPOINT_FAILPOINTS: Final = ("checkpoint.made",)
"""Those that only the making of a checkpoint reaches."""

SCHEDULE_FAILPOINTS: Final = (
    "schedule.called",
    "schedule.created",
    "schedule.made",
    "schedule.before_start",
    "schedule.started",
)
"""Those that only scheduled plans reach."""


class Failpoints:
    """The failpoint that is armed, if any, and the ones that were reached."""

    def __init__(self, armed: str = "", log: str = "") -> None:
        name, _, count = armed.partition("@")
        seldom = (*PLAN_FAILPOINTS, *SCHEDULE_FAILPOINTS, *RESTORE_FAILPOINTS, *CHECKPOINT_FAILPOINTS)
        if name and name not in (*FAILPOINTS, *seldom):
            raise ValueError(f"There is no failpoint {name!r}. Known: {', '.join(FAILPOINTS)}.")
        self._armed = name
        self._left = int(count or 1)
        self._log = Path(log) if log else None
        self._seen: set[str] = set()

    def hit(self, name: str) -> None:
        """Note that a point was reached, and die there when it is the armed one."""
        if self._log is not None and name not in self._seen:
            self._seen.add(name)
            with self._log.open("a") as log:
                log.write(f"{name}\n")
        if name == self._armed:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


_active = Failpoints(os.environ.get("QUARTERDECK_FAILPOINT", ""), os.environ.get("QUARTERDECK_FAILPOINT_LOG", ""))
hit = _active.hit
