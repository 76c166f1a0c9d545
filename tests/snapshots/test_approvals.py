"""Pictures of the approvals panel and of the new-session dialog, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from panels.screens.approvals import ApprovalsPanel
from panels.screens.new import NewSession
from panels.view.connecting import STARTING
from supervisor.model.times import from_rfc3339
from tests.support.app import StillApp, becomes, snapshot

Json = dict[str, Any]
SnapCompare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
NOON = from_rfc3339("2026-11-29T12:00:00.000Z")
HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202eevil\u2066 你好 a\u200bb"


def approval(number: int, **fields: Any) -> Json:
    return {
        "id": f"app_{number}", "subject_type": "tool_call", "subject": "Bash", "project": "prj_1",
        "project_name": "shop", "session": None, "session_name": "fix-login", "attempt": None,
        "question": "May fix-login do this?", "options": [], "default": None, "risk": "medium", "preview": {},
        "judgement": {"effect": "ask", "rule": "default", "reason": "No rule speaks of it.", "risk": "medium",
                      "parts": []},
        "digest": "72af50164a9a6f6b5acf06bd21101bb6", "status": "pending", "reason": "It waits for a decision.",
        "decision": None, "requested_by": "session ses_1", "decided_by": None, "rationale": None,
        "created_at": f"2026-11-29T11:{number:02}:00.000Z", "decided_at": None,
        "expires_at": "2026-11-29T13:00:00.000Z", "consumed_at": None, **fields,
    }  # fmt: skip


def command(number: int, line: str, **fields: Any) -> Json:
    parts = [
        {"effect": "allow", "text": "cd src", "rule": "change-folder", "reason": "Goes to another folder."},
        {"effect": "ask", "text": "./migrate", "rule": "default", "reason": "No rule speaks of it."},
    ]
    judgement = {"effect": "ask", "rule": "default", "reason": "No rule speaks of it.", "parts": parts}
    preview = {"tool": "Bash", "input": {"command": line}, "act": {"kind": "execute", "command": line}}
    return approval(number, preview=preview, judgement=judgement, **fields)


BUSY = [
    command(1, "cd src && ./migrate --now | tee 'log file' # all of it", risk="high"),
    approval(
        2,
        subject="Edit app.py",
        preview={
            "tool": "Edit",
            "input": {"file_path": "app.py", "old_string": "one\ntwo", "new_string": "one\nthree"},
        },
        expires_at="2026-11-29T12:20:00.000Z",
    ),
    approval(
        3,
        subject_type="tool_run",
        question="Deploy?",
        options=[{"value": "yes", "label": "Deploy now", "description": "To production."},
                 {"value": "no", "label": "Not today", "description": ""}],
        default="no",
        risk="low",
        session_name=None,
        requested_by="person",
        expires_at="2026-11-29T12:02:00.000Z",
    ),
    command(4, HOSTILE, question=HOSTILE, session_name=HOSTILE),
]  # fmt: skip

AGENTS = [
    {
        "name": name,
        "adapter": name,
        "description": f"What {name} is.",
        "executor": "local",
        "installed": name != "codex",
        "path": None,
        "install_hint": "Install it with: npm install -g codex",
        "paused_until": None,
        "pause_reason": None,
    }
    for name in ("claude", "codex", "command", "scripted")
]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("panels.widgets.approvals", "panels.widgets.peek", "panels.screens.fleet", "panels.screens.new"):
        monkeypatch.setattr(f"{module}.now_ms", lambda: NOON)
    monkeypatch.setattr("panels.screens.new._here", lambda: Path("/nowhere"))
    monkeypatch.setattr("panels.screens.new.passed_on", lambda environ: {})


def pressing(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Opens the panel and presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await pilot.press("2")
        await becomes(pilot, lambda: pilot.app.screen.query(ApprovalsPanel), "the panel is there")
        panel = pilot.app.screen.query_one(ApprovalsPanel)
        await becomes(pilot, lambda: panel.is_composed and panel.has_focus_within, "it has the keys")
        await pilot.press(*keys)
        await pilot.pause()

    return run


@SIZES
class TestApprovals:
    def test_empty(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        assert snap_compare(StillApp(snapshot()), terminal_size=size, run_before=pressing())

    def test_failing(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        app = StillApp(None, problem=STARTING)
        assert snap_compare(app, terminal_size=size, run_before=pressing())

    def test_busy(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        assert snap_compare(StillApp(snapshot(approvals=BUSY)), terminal_size=size, run_before=pressing())

    def test_an_edit_with_a_mark(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        app = StillApp(snapshot(approvals=BUSY))
        assert snap_compare(app, terminal_size=size, run_before=pressing("space"))

    def test_hostile_text_opened(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        app = StillApp(snapshot(approvals=BUSY))
        assert snap_compare(app, terminal_size=size, run_before=pressing("j", "j", "j", "enter"))

    def test_review_of_a_high_risk(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        assert snap_compare(StillApp(snapshot(approvals=BUSY)), terminal_size=size, run_before=pressing("a"))

    def test_what_was_decided(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        past = [
            command(5, "git push", status="rejected", reason="Rejected by person: Not today.", decided_by="person",
                    rationale="Not today.", decided_at="2026-11-29T11:30:00.000Z"),
            command(6, "git tag v1", status="consumed", reason="Approved.", decided_by="person",
                    decision="allow", decided_at="2026-11-29T11:40:00.000Z"),
        ]  # fmt: skip
        app = StillApp(snapshot(approvals=BUSY[:1]), {"/approvals": {"approvals": past}})
        assert snap_compare(app, terminal_size=size, run_before=pressing("f", "j"))


def writing(problem: bool) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def run(pilot: Pilot[Any]) -> None:
        app: Any = pilot.app
        await becomes(pilot, lambda: app.view.connection.state == "live" and app.focused, "the fleet is there")
        await pilot.press("n")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, NewSession) and pilot.app.focused, "it is open")
        if problem:
            pilot.app.screen.query_one(TextArea).text = "Fix the [b]failing[/b] test"
            pilot.app.screen.query_one("#folder", Input).value = "/does/not/exist"
            await pilot.press("ctrl+s")
        await pilot.pause()

    return run


@SIZES
class TestNewSession:
    def test_empty(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        app = StillApp(snapshot(agents=AGENTS), {"/projects": {"projects": []}})
        assert snap_compare(app, terminal_size=size, run_before=writing(problem=False))

    def test_with_a_problem(self, snap_compare: SnapCompare, size: tuple[int, int]) -> None:
        app = StillApp(snapshot(agents=AGENTS), {"/projects": {"projects": []}})
        assert snap_compare(app, terminal_size=size, run_before=writing(problem=True))
