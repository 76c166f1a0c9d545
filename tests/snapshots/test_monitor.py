"""Pictures of the monitor, and of the strip with the most severe alert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from panels.screens.monitor import MonitorPanel
from panels.view.connecting import STARTING
from panels.view.model import Snapshot
from panels.view.monitor import Monitor
from panels.widgets.strip import AlertStrip
from supervisor.model.alerts import Alerts
from supervisor.model.times import from_rfc3339, to_rfc3339
from tests.support.app import StillApp, becomes, text_of
from tests.support.sessions import session_json

Json = dict[str, Any]
Compare = Callable[..., bool]

SIZES = [(80, 24), (160, 48)]
NOW = from_rfc3339("2026-01-31T12:10:00Z")
CLOCK = 10_000_250

QUEUE: Json = {
    "running": [session_json("fix-login"), session_json("port-tests")],
    "waiting": [session_json("write-docs", status="queued"), session_json("日本語の名前", status="queued")],
    "limits": {"concurrent": 3, "waiting": 10},
    "paused_agents": [{"agent": "codex", "until": to_rfc3339(NOW + 2_700_000), "reason": "usage limit"}],
    "held_back": None,
}
SESSIONS = [
    session_json("fix-login", budget_usd=2.0, cost_usd=0.5),
    session_json("port-tests", budget_usd=1.0, cost_usd=0.98),
    session_json("write-docs", status="queued"),
]
GOOD: Json = {"health": "healthy", "checks": {"store": "ok", "scheduler": "ok", "disk": "ok", "tasks": "ok"}}
BAD: Json = {
    "health": "unhealthy",
    "checks": {"store": "failed: disk I/O error", "scheduler": "ok", "disk": "Only 12 MiB are free.", "tasks": "ok"},
}


def event(
    seq: int,
    kind: str,
    severity: str = "info",
    phase: str = "tool",
    session: str | None = "fix-login",
    **payload: Any,
) -> Json:
    return {
        "seq": seq, "time": to_rfc3339(NOW - 60_000 + seq * 1000), "type": kind, "severity": severity, "phase": phase,
        "session": session and f"ses_{session}", "project": None, "plan": None, "task": None, "attempt": None,
        "source": "stream", "payload": payload,
    }  # fmt: skip


def moved(before: str, after: str, reason: str) -> Json:
    return {"from": before, "to": after, "reason": reason}


BUSY = [
    event(1, "session_created", phase="batch", agent="scripted", name="fix-login", status="queued"),
    event(2, "status_changed", phase="autonomy", **moved("queued", "running", "It was started.")),
    event(3, "message", text="I look at the login form first. [bold red]Not markup[/]"),
    event(4, "tool_use", tool="Bash", argument="pytest -q tests/login"),
    event(5, "tool_result", "warning", is_error=True, text="2 failed, 31 passed\x1b[31m in 3 s"),
    event(6, "thinking", "debug", text="The token is compared before it is decoded."),
    event(7, "usage", phase="telemetry", tokens={"input": 1200, "output": 310, "cached": 0}),
    event(8, "progress", phase="telemetry", session="port-tests", done=3, of=10),
    event(9, "permission_granted", phase="policy", tool="Bash", argument="git status", text="It only reads."),
    event(10, "plan_update", phase="plan", session="port-tests", text="Port the tests, then run them"),
]  # fmt: skip
FAILING = [
    event(11, "approval_registered", "warning", "policy", approval="apr_1", question="rm -rf a; b | sh", risk="high"),
    event(12, "status_changed", "error", "autonomy", "port-tests", **moved("running", "failed", "It exited with 3.")),
    event(13, "usage_limit", "warning", "telemetry", status="warning", text="90 % of the limit are used"),
    event(14, "queue_paused", "critical", "batch", None, reason="Only 12 MiB are free."),
    event(15, "malformed_event", "warning", "telemetry", "日本語", reason="It has no type: {\x1b]0;evil\x07"),
    event(16, "error", "error", text="Connection lost \u202egnol oot"),
    event(17, "test_alert", phase="telemetry", session=None, severity="low"),
]  # fmt: skip


class Pictured(StillApp):
    """The app with a clock that stands still; what is ``failing`` happens before its eyes."""

    def __init__(self, events: list[Json], *, failing: bool = False, empty: bool = False, away: bool = False) -> None:
        known = Snapshot(
            seq=10, sessions=[] if empty else SESSIONS, approvals=[], status=BAD if failing else GOOD, agents=[],
            queue={**QUEUE, **({"waiting": [], "running": [], "paused_agents": []} if empty else {})}, events=events,
        )  # fmt: skip
        answers: Json = {"/events": {"events": []}}
        super().__init__(None if away else known, answers, problem=STARTING)
        self._happens = FAILING if failing else []
        self.ms = CLOCK
        self.animation_level = "none"
        self.view.alerts = Alerts(lambda: self.ms)
        self.view.monitor = Monitor(lambda: self.ms)

    async def _follow(self) -> None:
        await super()._follow()
        for second in range(100):
            self.ms = CLOCK - (100 - second) * 1000
            for _ in range((second * 7) % 23 if second > 40 and self.view.sessions else 0):
                self.view.monitor.take({**event(10, "usage", phase="telemetry"), "session": "ses_fix-login"})
        self.view.monitor.clear("telemetry")
        self.ms = CLOCK - 2_000
        for each in self._happens:
            self.view.apply(each)
        self.ms = CLOCK
        self._changed(self.view.take_changes())


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    for module in ("panels.screens.monitor", "panels.screens.fleet", "panels.widgets.peek"):
        monkeypatch.setattr(f"{module}.now_ms", lambda: NOW)
    monkeypatch.setattr("panels.shown.clock", lambda ms: (to_rfc3339(ms) or "")[11:19])


async def _monitor(pilot: Pilot[Any]) -> None:
    await pilot.press("3")
    await becomes(pilot, lambda: pilot.app.screen.query(MonitorPanel), "the monitor is there")
    panel = pilot.app.screen.query_one(MonitorPanel)
    await becomes(pilot, lambda: panel.is_mounted and pilot.app.focused is panel.events, "it has the keys")
    await pilot.pause()


async def _strip(pilot: Pilot[Any]) -> None:
    await becomes(pilot, lambda: pilot.app.screen.query_one(AlertStrip).display, "the strip is there")
    await pilot.pause()


async def _limits(pilot: Pilot[Any]) -> None:
    await _monitor(pilot)
    await pilot.press("right_square_bracket")
    await pilot.pause()


def _pictured(state: str) -> App[Any]:
    return {
        "empty": lambda: Pictured([], empty=True),
        "busy": lambda: Pictured(BUSY),
        "failing": lambda: Pictured(BUSY, failing=True),
        "away": lambda: Pictured([], away=True),
    }[state]()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", ["empty", "busy", "failing", "away"])
def test_the_monitor(snap_compare: Compare, state: str, size: tuple[int, int]) -> None:
    assert snap_compare(_pictured(state), terminal_size=size, run_before=_monitor)


def test_the_limits_where_there_is_no_room_beside(snap_compare: Compare) -> None:
    assert snap_compare(_pictured("failing"), terminal_size=(80, 24), run_before=_limits)


async def test_the_strip_above_another_panel() -> None:
    """Only its line: the panel below it has pictures of its own."""
    async with _pictured("failing").run_test(size=(80, 24)) as pilot:
        await _strip(pilot)
        assert text_of(pilot.app).splitlines()[1] == (
            " ▲ high   asks: rm -rf a; b | sh           fix-login   2s        +6 more, see 3"
        )
