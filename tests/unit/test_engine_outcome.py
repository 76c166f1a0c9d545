"""What the end of an attempt means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.engine.outcome import outcome
from supervisor.engine.ports.processes import ExitRecord
from supervisor.model.entities import Attempt, Session, Stats, Work
from supervisor.model.statuses import AttemptStatus as A
from supervisor.model.statuses import SessionStatus as S
from tests.support.stores import NOON, a_session

COMMAND = Attempt("att_1", "ses_1", 1, 1, "local", A.RUNNING, "boot", NOON, Work(argv=("true",)))
AGENT = replace(COMMAND, work=Work(prompt="Do it"))
SESSION = a_session(status=S.RUNNING)
LIMITED = replace(SESSION, resume_at=NOON)
TURN_FAILED = replace(SESSION, stats=Stats(turn_error="overloaded", process_turns=1))
DEAR = replace(SESSION, stats=Stats(cost_usd=1.5, process_turns=1))
DONE = replace(SESSION, stats=Stats(process_turns=1))
CANCEL: Any = {"intent": "cancel"}


def record(code: int = 0, cause: Any = "exit", **fields: Any) -> ExitRecord:
    return ExitRecord("att_1", 1, code, cause, NOON, NOON + 1, **fields)


@pytest.mark.parametrize(
    ("session", "attempt", "ended", "expected"),
    [
        (SESSION, COMMAND, record(), (A.COMPLETED, S.COMPLETED, "exit", "exit code 0")),
        (SESSION, COMMAND, record(3), (A.FAILED, S.FAILED, "exit", "exit code 3")),
        (SESSION, COMMAND, record(137, signal=9), (A.FAILED, S.FAILED, "exit", "signal 9")),
        (SESSION, COMMAND, record(90), (A.FAILED, S.FAILED, "exit", "approval")),
        (SESSION, COMMAND, record(1, message="No memory."), (A.FAILED, S.FAILED, "exit", "No memory.")),
        (SESSION, COMMAND, None, (A.LOST, S.FAILED, "recovery", "no exit record")),
        (
            SESSION,
            replace(COMMAND, **CANCEL),
            record(143, "stopped"),
            (A.CANCELLED, S.CANCELLED, "person", "cancelled"),
        ),
        (SESSION, replace(COMMAND, **CANCEL), None, (A.LOST, S.FAILED, "recovery", "no exit record")),
        (SESSION, COMMAND, record(127, "spawn_failed", message="Gone."), (A.FAILED, S.FAILED, "runner", "Gone.")),
        (SESSION, COMMAND, record(127, "spawn_failed"), (A.FAILED, S.FAILED, "runner", "could not be started")),
        (SESSION, COMMAND, record(143, "start_to_close"), (A.FAILED_TIMEOUT, S.FAILED, "watchdog", "start_to_close")),
        (SESSION, COMMAND, record(143, "no_output"), (A.FAILED_TIMEOUT, S.FAILED, "watchdog", "no_output")),
        (LIMITED, COMMAND, record(1), (A.FAILED, S.PAUSED, "limit", "usage limit")),
        (replace(TURN_FAILED, resume_at=NOON), AGENT, record(), (A.FAILED, S.PAUSED, "limit", "usage limit")),
        (LIMITED, COMMAND, record(), (A.COMPLETED, S.COMPLETED, "exit", "exit code 0")),
        (TURN_FAILED, AGENT, record(), (A.FAILED, S.FAILED, "stream", "overloaded")),
        (DEAR, AGENT, record(143, "stopped"), (A.FAILED, S.FAILED, "limit", "budget")),
        (DEAR, AGENT, record(), (A.FAILED, S.FAILED, "limit", "budget")),
        (SESSION, AGENT, record(), (A.FAILED, S.FAILED, "stream", "without having ended a turn")),
        (SESSION, AGENT, record(2), (A.FAILED, S.FAILED, "exit", "exit code 2")),
        (DONE, AGENT, record(), (A.COMPLETED, S.COMPLETED, "exit", "exit code 0")),
        (replace(SESSION, mode="dispatch"), AGENT, record(), (A.COMPLETED, S.COMPLETED, "exit", "exit code 0")),
    ],
)
def test_an_end_means(
    session: Session, attempt: Attempt, ended: ExitRecord | None, expected: tuple[A, S, str, str]
) -> None:
    found = outcome(session, attempt, ended, spent="Its budget of $1.00 is used up." if session is DEAR else "")
    assert (found.attempt, found.session, found.signal) == expected[:3]
    assert expected[3] in found.text
