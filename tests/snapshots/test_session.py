"""Pictures of a session's own screen: each tab at two sizes, empty, busy and failing, and with hostile text."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from config.paths import Paths
from tests.support.session_app import StillApp
from tests.support.sessions import approval_json
from tests.wait import until

NOW = 1_800_000_000_000
HOSTILE = "[red]markup[/red] \x1b[2J\x1b]0;title\x07 \u202ebidi\u202c 漢字漢字 👩‍💻🦊 \x9b31m \r\x08end"
SIZES = [(80, 24), (160, 48)]


def at(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(NOW / 1000 + seconds))


def session(**more: Any) -> dict[str, Any]:
    return {
        "id": "ses_1", "name": "fix-the-login", "project": "prj", "project_name": "shop", "agent": "claude",
        "mode": "autonomous", "executor": "local", "status": "running",
        "status_reason": {"signal": "runner", "text": "Attempt 1 was started.", "at": at(-600)},
        "activity": {"state": "working", "tool": "Bash", "argument": "pytest -q", "at": at(-3)},
        "branch": "qd/fix-the-login", "worktree": "/w/fix", "base_commit": "0" * 40,
        "work": {"argv": [], "prompt": "Fix the login."}, "exit_code": None, "created_at": at(-620),
        "started_at": at(-600), "ended_at": None, "last_output_at": at(-3),
        "last_heartbeat_at": None, "resume_at": None,
        "attempts": 1, "turns": 2, "messages": 9, "tokens": {"input": 1, "output": 1, "cached": 0}, "cost_usd": 0.42,
        "budget_usd": 5.0, "errors": {}, **more,
    }  # fmt: skip


def event(seq: int, kind: str, **payload: Any) -> dict[str, Any]:
    return {"seq": seq, "time": at(seq - 600), "type": kind, "session": "ses_1", "attempt": "a", "payload": payload}


LOG = [
    event(1, "status_changed", to="running", reason="Attempt 1 was started."),
    event(2, "message", text="I look at the login first.\nThen I fix it."),
    event(3, "tool_use", id="1", tool="Bash", argument="grep -rn login src"),
    event(4, "tool_result", id="1", text="\n".join(f"src/login.py:{n}: login()" for n in range(9))),
    event(
        5,
        "tool_use",
        id="2",
        tool="Edit",
        argument="src/login.py",
        input={"old_string": "a = 1", "new_string": "a = 2"},
    ),
    event(6, "tool_result", id="2", is_error=True, text="The file was changed meanwhile."),
    event(7, "message_delivered", text="Look at the tests too."),
    event(8, "message", text=HOSTILE),
    event(9, "turn_ended", is_error=False, process_cost_usd=0.42),
]

DIFF = f"""\
diff --git a/src/login.py b/src/login.py
--- a/src/login.py
+++ b/src/login.py
@@ -10,5 +10,6 @@ def login(user):
     # look the user up
-    found = table[user]
+    found = table.get(user)
+    {HOSTILE.replace(chr(13), "")}
     if found is None:
         return "nobody"  # {"long " * 60}
     return found
\\ No newline at end of file
diff --git a/logo.png b/logo.png
new file mode 100644
Binary files /dev/null and b/logo.png differ
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
"""

BUSY: dict[str, Any] = {
    "/events": {"events": LOG},
    "/sessions/ses_1/logs": {
        "lines": [
            {"time": at(n), "stream": "stderr" if n % 5 == 4 else "stdout", "text": text}
            for n, text in enumerate(["collecting", HOSTILE, "x" * 1_000_000, "3 passed", "warning: slow"])
        ],
        "partial": {"tty": "12 %\r13 %"}, "offset": 0, "next_offset": 99, "size": 99,
    },
    "/sessions/ses_1/diff": {"diff": DIFF},
    "/sessions/ses_1/files": {
        "files": [
            {"path": "src/login.py", "status": "modified", "before": None},
            {"path": "src/old.py", "status": "unchanged", "before": None},
            {"path": "docs/index.md", "status": "unchanged", "before": None},
            {"path": "logo.png", "status": "added", "before": None},
            {"path": HOSTILE.replace("/", "|"), "status": "renamed", "before": "plain.txt"},
        ],
        "truncated": False,
    },
    "/events?type=status_changed": {
        "events": [
            event(0, "status_changed", to="queued", reason="It waits for its turn.", signal="person"),
            event(20, "status_changed", to="running", reason="Started.", signal="runner"),
            event(300, "status_changed", to="waiting", reason=HOSTILE, signal="stream"),
        ]
    },
    "/sessions/ses_1/attempts": {
        "attempts": [
            {"number": 1, "executor": "local", "status": "running", "pid": 4711, "exit_code": None, "reason": None,
             "last_error": None, "claimed_at": at(-600), "started_at": at(-599), "ended_at": None},
        ]
    },
    "/sessions/ses_1/explain": {
        "signals": [
            {"time": at(-300), "signal": "stream", "text": "running -> waiting: it asks", "decided": True},
            {"time": at(-580), "signal": "runner", "text": "queued -> running", "decided": False},
        ]
    },
    "/events?type=turn_ended": {
        "events": [
            event(n * 50, "turn_ended", is_error=n == 3, process_cost_usd=n * n / 10,
                  tokens={"input": 4_000 * n, "output": 90 * n, "cached": 1_000 * n})
            for n in range(1, 7)
        ]
    },
}  # fmt: skip

EMPTY: dict[str, Any] = {
    "/events": {"events": []},
    "/sessions/ses_1/logs": {"lines": [], "partial": {}, "offset": 0, "next_offset": 0, "size": 0},
    "/sessions/ses_1/diff": {"diff": ""},
    "/sessions/ses_1/files": {"files": [], "truncated": False},
    "/sessions/ses_1/attempts": {"attempts": []},
    "/sessions/ses_1/explain": {"signals": []},
}
FAILING: dict[str, Any] = {}
STATES = {"busy": BUSY, "empty": EMPTY, "failing": FAILING}
TABS = ("log", "raw", "diff", "files", "timeline", "cost")


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same time of day on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for module in ("panels.widgets.head", "panels.widgets.timeline", "panels.screens.fleet", "panels.widgets.peek"):
        monkeypatch.setattr(f"{module}.now_ms", lambda: NOW)
    yield
    monkeypatch.undo()
    time.tzset()


def opened(tab: str, *keys: str) -> Callable[[Pilot[Any]], Any]:
    async def before(pilot: Pilot[Any]) -> None:
        app: Any = pilot.app
        app.open_session("ses_1", tab)
        await pilot.pause()
        await until(lambda: not app.workers or all(worker.is_finished for worker in app.workers))
        await until(lambda: app.screen.focused is not None and app.screen.focused.size.width)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()

    return before


def still_app(folder: Path, answers: dict[str, Any], **more: Any) -> StillApp:
    return StillApp(Paths(state=folder, config_file=folder / "c.yaml", run=folder), [session(**more)], answers)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("tab", TABS)
def test_a_tab(snap_compare: Any, tmp_path: Path, tab: str, state: str, size: tuple[int, int]) -> None:
    assert snap_compare(still_app(tmp_path, STATES[state]), terminal_size=size, run_before=opened(tab))


def test_a_diff_side_by_side_with_a_reviewed_file(snap_compare: Any, tmp_path: Path) -> None:
    keys = ("s", "right_curly_bracket", "space", "home", "j", "j", "j")
    assert snap_compare(still_app(tmp_path, BUSY), terminal_size=(160, 48), run_before=opened("diff", *keys))


def test_a_search_in_the_log(snap_compare: Any, tmp_path: Path) -> None:
    keys = ("slash", "l", "o", "g", "i", "n")
    assert snap_compare(still_app(tmp_path, BUSY), terminal_size=(80, 24), run_before=opened("log", *keys))


def test_it_waits_for_a_decision(snap_compare: Any, tmp_path: Path) -> None:
    app = still_app(tmp_path, BUSY, status="waiting")
    app.view.take_approvals([approval_json("ses_1", f"May I run rm -r build? {HOSTILE}")])
    assert snap_compare(app, terminal_size=(80, 24), run_before=opened("log"))


def test_it_has_failed(snap_compare: Any, tmp_path: Path) -> None:
    reason = {"signal": "exit", "text": "It ended with exit code 3.", "at": at(-30)}
    app = still_app(tmp_path, BUSY, status="failed", exit_code=3, ended_at=at(-30), status_reason=reason)
    assert snap_compare(app, terminal_size=(80, 24), run_before=opened("log"))
