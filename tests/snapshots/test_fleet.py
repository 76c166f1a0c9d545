"""Pictures of the fleet, of help, and of the dialogs over it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from panels.dialogs import AskText, Confirm
from panels.view.model import Snapshot
from supervisor.model.times import from_rfc3339, to_rfc3339
from tests.support.app import StillApp, becomes, shows, snapshot, text_of
from tests.support.sessions import session_json

Json = dict[str, Any]
Compare = Callable[..., bool]

SIZES = [(44, 20), (70, 24), (80, 24), (160, 48)]
NOW = from_rfc3339("2026-01-31T12:10:00Z")
HOSTILE = "[red]not markup[/] \x1b[31mno colour\x1b]0;no title\x07 \u202eno turn 日本語 👩‍👩‍👧 " + "x" * 300

sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time of day, in one time zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for module in ("screens.fleet", "widgets.peek", "widgets.asked"):
        monkeypatch.setattr(f"panels.{module}.now_ms", lambda: NOW)
    yield
    monkeypatch.undo()
    time.tzset()


def ago(seconds: int) -> str:
    return str(to_rfc3339(NOW - seconds * 1000))


def reason(text: str, seconds: int) -> Json:
    return {"signal": "runner", "text": text, "at": ago(seconds)}


def doing(tool: str, argument: str, seconds: int = 3) -> Json:
    return {"state": "working", "tool": tool, "argument": argument, "at": ago(seconds)}


BUSY = [
    session_json("deploy-docs", status="waiting", status_reason=reason("It asks: Bash git push origin main", 95),
                 cost_usd=0.42, work={"argv": [], "prompt": "Publish the documentation of the release"}),
    session_json("fix-login", activity=doing("Edit", "src/login.py"), cost_usd=1.18, last_output_at=ago(2),
                 tokens={"input": 81_000, "output": 9_400, "cached": 0}, budget_usd=5.0, agent="claude"),
    session_json("port-tests", activity=doing("Bash", "pytest -q tests/unit --maxfail 1"), agent="codex", cost_usd=0.3,
                 last_output_at=ago(14), branch="feature/ported-tests"),
    session_json("quiet-one", activity={"state": "stalled", "tool": None, "argument": None, "at": ago(900)},
                 last_output_at=ago(900)),
    session_json("held", status="paused", status_reason=reason("A person paused it.", 3600), last_output_at=ago(3600)),
    session_json("next", status="queued", status_reason=reason("It waits for a free place.", 20)),
    session_json("works", status="completed", status_reason=reason("It ended with exit code 0.", 300),
                 ended_at=ago(300), exit_code=0, cost_usd=2.5,
                 merged={"into": "main", "commit": "abc", "at": ago(200)}),
    session_json("halted", status="cancelled", status_reason=reason("A person stopped it.", 3600), ended_at=ago(3600)),
    session_json("broken", status="failed", status_reason=reason("It ended with exit code 2.", 7200),
                 ended_at=ago(7200), exit_code=2, errors={"error": 3}),
]  # fmt: skip

ASKED: Json = {
    "id": "app_1", "session": "ses_deploy-docs", "session_name": "deploy-docs", "question": "May deploy-docs do this?",
    "subject_type": "tool_call", "subject": "git push", "options": [], "default": None, "risk": "medium",
    "preview": {"tool": "Bash", "input": {"command": "git push origin main"}}, "status": "pending", "digest": "72af50",
    "created_at": ago(95), "expires_at": None, "decided_at": None,
}  # fmt: skip

EVENTS: Json = {
    "/events": {
        "events": [
            {"seq": number, "time": ago(100 - number), "session": "ses_deploy-docs", "type": kind, "payload": payload}
            for number, (kind, payload) in enumerate(
                [
                    ("status_changed", {"to": "running", "reason": "Attempt 1 was started."}),
                    ("message_delivered", {"text": "Publish the documentation of the release"}),
                    ("thinking", {"text": "First I see what has changed."}),
                    ("tool_use", {"id": "1", "tool": "Bash", "argument": "git status --short"}),
                    ("tool_result", {"id": "1", "text": " M docs/index.md\n M docs/api.md"}),
                    ("tool_use", {"id": "2", "tool": "Edit", "argument": "docs/index.md",
                                  "input": {"old_string": "Version 1", "new_string": "Version 2"}}),
                    ("tool_result", {"id": "2", "text": "The file has been updated."}),
                    ("message", {"text": "The page says version 2 now. " + HOSTILE}),
                    ("approval_registered", {"question": "May deploy-docs do this?"}),
                ],
                1,
            )
        ]
    }
}  # fmt: skip


def still(sessions: list[Json], approvals: list[Json] | None = None, **more: Any) -> StillApp:
    found: Snapshot = snapshot(sessions, approvals, **more)
    return StillApp(found, EVENTS)


async def ready(pilot: Pilot[Any]) -> None:
    await becomes(pilot, lambda: "●" in text_of(pilot.app) or "◌" in text_of(pilot.app))


async def read(pilot: Pilot[Any]) -> None:
    await shows(pilot, "Needs you")
    if pilot.app.size.width >= 50:
        await shows(pilot, "a approve")


@sizes
def test_an_empty_fleet(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(still([]), terminal_size=size, run_before=ready)


@sizes
def test_a_busy_fleet(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = still(BUSY, [ASKED])

    async def measured(pilot: Pilot[Any]) -> None:
        await read(pilot)
        app.view.measured("ses_fix-login", 120, 14)
        app.changes.publish(app.view.take_changes())
        if size[0] >= 120:
            await shows(pilot, "+120-14")

    assert snap_compare(app, terminal_size=size, run_before=measured)


@sizes
def test_a_fleet_without_its_supervisor(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = StillApp(None, problem="The supervisor did not start: the disk is full. Its log is supervisor.log.")
    assert snap_compare(app, terminal_size=size, run_before=ready)


@pytest.mark.parametrize("theme", ["quarterdeck-light", "textual-dark", "gruvbox"])
def test_a_theme(snap_compare: Compare, theme: str) -> None:
    async def themed(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await read(pilot)

    assert snap_compare(still(BUSY, [ASKED]), terminal_size=(100, 30), run_before=themed)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def opened(pilot: Pilot[Any]) -> None:
        await read(pilot)
        await pilot.press("question_mark")
        await shows(pilot, "esc closes")

    assert snap_compare(still(BUSY, [ASKED]), terminal_size=size, run_before=opened)


@pytest.mark.parametrize("dialog", ["confirm", "text"])
def test_dialogs(snap_compare: Compare, dialog: str) -> None:
    async def opened(pilot: Pilot[Any]) -> None:
        await read(pilot)
        app: App[Any] = pilot.app
        await app.push_screen(
            Confirm(
                "Stop fix-login?", "  fix-login: Edit src/login.py\n\nIts processes end now.", yes="Stop", danger=True
            )
            if dialog == "confirm"
            else AskText("A message for fix-login", value="Look at the tests, too")
        )
        await shows(pilot, "Stop" if dialog == "confirm" else "Send")

    assert snap_compare(still(BUSY, [ASKED]), terminal_size=(80, 24), run_before=opened)


@pytest.mark.parametrize("shown_in", ["the corner", "the list"])
def test_messages(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, shown_in: str) -> None:
    monkeypatch.setattr("panels.app.now_ms", lambda: NOW)
    monkeypatch.setattr("panels.view.messages.SECONDS", dict.fromkeys(("information", "warning", "error"), 600.0))

    async def said(pilot: Pilot[Any]) -> None:
        await read(pilot)
        app: Any = pilot.app
        app.say("fix-login: stopped.")
        app.say("The choices are not remembered: No space left on device.", severity="warning")
        app.say(f"qd/fix does not merge into main: in conflict: {HOSTILE} Settle it there.", severity="error")
        if shown_in == "the list":
            await pilot.press("E")
            await shows(pilot, "Settle it there.")
        else:
            await shows(pilot, "E shows it whole")

    assert snap_compare(still(BUSY, [ASKED]), terminal_size=(80, 24), run_before=said)
