"""The view model: what events change in it, and what they leave to be read again."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from panels.view.fleet import Heading, columns, fitted, glyph, line, rows, title
from panels.view.head import head
from panels.view.model import Snapshot, ViewModel
from panels.view.sessions import SessionView, session_view
from panels.widgets.lines import width_of
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
TIME = "2026-11-21T09:05:00.000Z"
numbers = count(1)


def session(name: str = "fix", **changes: Any) -> Json:
    """A session as the API gives it."""
    found: Json = {
        "id": f"ses_{name}", "name": name, "project": "prj_1", "project_name": "shop", "task": None, "parent": None,
        "mode": "autonomous", "agent": "claude", "executor": "local",
        "work": {"argv": [], "prompt": "Fix the failing test"}, "status": "running",
        "status_reason": {"signal": "runner", "text": "Attempt 1 was started.", "at": TIME},
        "activity": {"state": "working", "tool": "Bash", "argument": "pytest -q", "at": TIME},
        "branch": f"quarterdeck/{name}", "worktree": f"/work/{name}", "base_commit": "abc", "exit_code": None,
        "priority": 0, "created_at": TIME, "started_at": TIME, "ended_at": None, "resume_at": None,
        "last_output_at": TIME, "last_heartbeat_at": None, "attempts": 1,
        "tokens": {"input": 1000, "output": 200, "cached": 0}, "cost_usd": 0.25, "budget_usd": None, "tools_used": {},
        "messages": 1, "turns": 1, "errors": {}, "image": None,
    }  # fmt: skip
    return found | changes


def event(kind: str, of: str | None = "ses_fix", **payload: Any) -> Json:
    """An event as the stream has it."""
    return {
        "seq": next(numbers),
        "type": kind,
        "session": of,
        "time": TIME,
        "payload": payload,
        "phase": "tool",
        "severity": "info",
    }


def model(*sessions: Json, **more: Any) -> ViewModel:
    """A view model that has just connected."""
    view = ViewModel()
    view.load(Snapshot(0, list(sessions), [], {"health": "healthy"}, [], {}, []))
    view.take_changes()
    return view


def test_a_tool_call_is_what_a_session_does_now() -> None:
    view = model(session())
    view.apply(event("tool_use", tool="Edit", argument="shop.py"))
    assert view.sessions["ses_fix"].doing == "Edit shop.py"
    view.apply(event("tool_result"))
    assert view.sessions["ses_fix"].doing == "working"
    assert not view.stale
    assert view.take_changes() == {"events", "fleet"}
    assert view.take_changes() == frozenset()


def test_a_command_shows_its_last_line_and_an_agent_does_not() -> None:
    view = model(session(), session("build", work={"argv": ["make"], "prompt": None}))
    view.apply(event("output", "ses_build", text="compiling\n"))
    view.apply(event("output", "ses_fix", text="noise"))
    assert view.sessions["ses_build"].doing == "compiling"
    assert view.sessions["ses_fix"].doing == "Bash pytest -q"


@pytest.mark.parametrize("kind", ["turn_ended", "attempt_ended", "approval_registered", "worktree_ready"])
def test_what_an_event_does_not_say_is_read_again(kind: str) -> None:
    view = model(session())
    view.apply(event(kind))
    assert view.stale.sessions == {"ses_fix"}


def test_a_status_shows_at_once_and_is_read_again() -> None:
    view = model(session())
    view.apply(event("status_changed", to="waiting", reason="It asks: Deploy?"))
    known = view.sessions["ses_fix"]
    assert (known.status, known.reason, known.group) == ("waiting", "It asks: Deploy?", "needs")
    assert view.stale.sessions == {"ses_fix"}


def test_a_new_session_is_read_and_others_events_are_nothing() -> None:
    view = model()
    view.apply(event("message", "ses_new", text="hello"))
    assert not view.stale
    view.apply(event("session_created", "ses_new"))
    assert view.stale.sessions == {"ses_new"}


def test_an_archived_session_leaves_the_fleet_and_keeps_nothing() -> None:
    view = model(session())
    view.take_sessions([session(status="archived")])
    assert view.sessions == {}


def test_the_size_of_a_diff_outlives_a_reread_and_a_reconnect() -> None:
    view = model(session())
    view.measured("ses_fix", 12, 3)
    view.take_sessions([session()])
    view.load(Snapshot(9, [session()], [], {}, [], {}, []))
    assert (view.sessions["ses_fix"].added, view.sessions["ses_fix"].removed) == (12, 3)


def test_approvals_and_limits_are_read_again() -> None:
    view = model(session())
    view.apply(event("approval_decided", None))
    assert view.stale.approvals
    view.apply(event("queue_paused", None))
    assert view.stale.supervisor


def test_who_needs_the_person_comes_first_and_the_longest_waiting_of_them() -> None:
    late = {"signal": "hook", "text": "asks", "at": "2026-11-21T10:00:00.000Z"}
    view = model(
        session("done", status="completed", ended_at=TIME),
        session("asks-late", status="waiting", status_reason=late),
        session("works"),
        session("asks", status="waiting"),
        session("queued", status="queued"),
    )
    shown = [row.group if isinstance(row, Heading) else row.name for row in rows(view.sessions.values())]
    assert shown == ["needs", "asks", "asks-late", "working", "works", "queued", "queued", "done", "done"]
    assert [each.name for each in view.waiting()] == ["asks", "asks-late"]


def test_a_terminal_that_is_idle_waits_for_its_person() -> None:
    activity = {"state": "idle", "tool": None, "argument": None, "at": TIME}
    assert session_view(session(mode="dispatch", activity=activity)).group == "needs"
    assert session_view(session(activity=activity)).group == "working"


@pytest.mark.parametrize("wanted", ["FIX", "claude shop", "failing", "quarterdeck/fix", "bash"])
def test_a_search_finds_by_what_is_known(wanted: str) -> None:
    view = model(session(), session("other", agent="codex", work={"argv": ["x"], "prompt": None}, activity={
        "state": "idle", "tool": None, "argument": None, "at": TIME}, project_name="site", branch=None))  # fmt: skip
    found = [row.name for row in rows(view.sessions.values(), wanted) if isinstance(row, SessionView)]
    assert found == ["fix"]


@pytest.mark.parametrize("width", [36, 40, 56, 60, 80, 120, 200])
@pytest.mark.parametrize("name", ["fix", "名前名前名前名前名前名前名前", "e\u0301" * 40, "a\x1b[31m\u202eb" * 20])
def test_a_line_has_exactly_its_width(width: int, name: str) -> None:
    rows_shown = [session_view(session(name, status="waiting")), session_view(session("other", cost_usd=0))]
    rows_shown[0].added = 1200
    fitting = columns(rows_shown, width)
    for row in rows_shown:
        drawn = line(row, width, 1_800_000_000_000, fitting)
        assert width_of(drawn) == width
        assert all(letter.isprintable() for text, _ in drawn for letter in text)


def test_a_column_that_says_nothing_takes_no_room() -> None:
    quiet = session_view(session(cost_usd=0, branch="qd/ses_fix"))
    assert (columns([quiet], 200).lines, columns([quiet], 200).cost, columns([quiet], 200).branch) == (0, 0, 0)
    spending = session_view(session(cost_usd=1))
    assert columns([quiet, spending], 200).cost == 7
    assert columns([spending], 200).branch
    assert columns([spending], 40).cost == 0


def test_what_nobody_named_is_called_by_what_it_does() -> None:
    unnamed = session("claude-a1b2c3", work={"argv": [], "prompt": "Fix the\nfailing test"})
    assert title(session_view(unnamed)) == "Fix the failing test"
    command = session("command-a1b2c3", agent="command", work={"argv": ["make", "test"], "prompt": None})
    assert title(session_view(command)) == "make test"
    assert title(session_view(session("claude-fixes"))) == "claude-fixes"


def test_how_it_ended_is_told_without_a_colour() -> None:
    ends = ("completed", "failed", "cancelled")
    signs = [glyph(session_view(session(status=status, ended_at=TIME)))[0] for status in ends]
    assert signs == ["✓", "✕", "■"]


MERGED = {"into": "main", "commit": "abc", "at": "2026-11-21T09:06:00.000Z"}


def test_that_its_branch_was_merged_is_said_in_the_list_and_the_head() -> None:
    merged = session_view(session(status="completed", ended_at=TIME, merged=MERGED))
    drawn = "".join(text for text, _ in line(merged, 80, 1_800_000_000_000, columns([merged], 80)))
    assert "merged into main" in drawn
    _, second = head(merged, 80, 1_800_000_000_000)
    assert "completed, merged into main: " in "".join(text for text, _ in second)
    assert [row.name for row in rows([merged], "merged") if isinstance(row, SessionView)] == ["fix"]


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "running", "ended_at": None}, {"ended_at": "2026-11-21T09:07:00.000Z"}, {"merged": None},
    ],
)  # fmt: skip
def test_what_works_or_has_worked_since_is_not_merged(changed: Json) -> None:
    found = session(status="completed", ended_at=TIME, merged=MERGED) | changed
    assert session_view(found).merged == ""


def test_a_merge_is_read_again() -> None:
    view = model(session())
    view.apply(event("branch_merged", into="main"))
    assert view.stale.sessions == {"ses_fix"}


def test_what_is_cut_off_is_marked() -> None:
    assert fitted("abcdef", 4) == "abc…"
    assert fitted("abc", 4) == "abc "
    assert fitted("日本語", 4) == "日 …"
    assert fitted("x" * 1_000_000, 5) == "xxxx…"
    assert fitted("anything", 0) == ""


def test_a_supervisor_that_starts_again_gives_no_sign_of_life() -> None:
    """Ages go on: what was stored before counts, not that sessions were found again or that their runners beat."""
    view = model(session())
    heard = view.sessions["ses_fix"].seen_at
    view.apply({**event("recovered"), "time": "2026-11-21T13:00:00.000Z"})
    assert view.sessions["ses_fix"].seen_at == heard
    view.take_sessions([session(last_heartbeat_at="2026-11-21T13:00:00.000Z")])
    assert view.sessions["ses_fix"].seen_at == heard
    view.apply({**event("output", text="on"), "time": "2026-11-21T13:00:00.000Z"})
    assert view.sessions["ses_fix"].seen_at == from_rfc3339("2026-11-21T13:00:00.000Z")
