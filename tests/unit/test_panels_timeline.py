"""Statuses in time, attempts, signals."""

from __future__ import annotations

from rich.cells import cell_len

from panels.view.finding import text_of
from panels.view.timeline import timeline
from supervisor.model.times import from_rfc3339

STATUSES = [
    {"time": f"2026-11-21T09:0{minute}:00.000Z", "payload": {"to": to, "reason": reason, "signal": "queue"}}
    for minute, to, reason in ((0, "queued", "It waits."), (1, "running", "Attempt 1 was started. " * 6))
]
ATTEMPT = {
    "number": 1, "executor": "local", "status": "ended", "pid": 7, "exit_code": 3, "reason": "ended",
    "last_error": None,
    "claimed_at": "2026-11-21T09:01:00.000Z", "started_at": "2026-11-21T09:01:00.000Z",
    "ended_at": "2026-11-21T09:01:30.000Z",
}  # fmt: skip
SIGNALS = [
    {
        "time": "2026-11-21T09:01:00.000Z",
        "signal": "runner",
        "text": "queued -> running: \x1b[2Jstarted",
        "decided": True,
    },
    {"time": "2026-11-21T09:00:00.000Z", "signal": "person", "text": "asked", "decided": False},
]
NOW = from_rfc3339("2026-11-21T09:03:00.000Z")


def lines(width: int = 80) -> list[str]:
    return [text_of(row) for row in timeline(STATUSES, [ATTEMPT], SIGNALS, width, NOW)]


def test_a_status_says_how_long_it_lasted_and_the_last_goes_on() -> None:
    found = lines()
    assert next(line for line in found if "queued" in line).endswith("1m  It waits.")
    assert "2m…" in next(line for line in found if "running " in line)


def test_an_attempt_says_its_exit_code_and_how_long_it_ran() -> None:
    line = next(line for line in lines() if "attempt 1" in line)
    assert "✕ attempt 1" in line
    assert line.endswith("30s  exit code 3 · local · ended")


def test_a_stopped_attempt_has_another_sign_than_a_failed_one() -> None:
    stopped = {**ATTEMPT, "status": "cancelled", "exit_code": None}
    assert any("■ attempt 1" in text_of(row) for row in timeline(STATUSES, [stopped], SIGNALS, 80, NOW))


def test_the_signal_that_decided_is_marked_and_cannot_act_on_the_screen() -> None:
    decided = next(line for line in lines() if "▶" in line)
    assert decided.endswith("queued -> running: started")
    assert sum("▶" in line for line in lines()) == 1


def test_no_row_is_wider_than_the_screen() -> None:
    for width in (60, 80, 160):
        assert all(cell_len(line) <= width for line in lines(width))


def test_a_session_that_never_ran_says_so() -> None:
    assert any("none yet" in text_of(row) for row in timeline([], [], [], 80, NOW))
