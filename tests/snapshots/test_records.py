"""How history, settings, and settings look: empty, busy, and when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from panels.panel import Panel
from panels.screens.history import HistoryPanel
from panels.screens.settings import SettingsPanel
from tests.support.app import Json, StillApp, becomes, shows, snapshot

SIZES = [(80, 24), (160, 48)]
NOW = 1_764_000_000_000
HOSTILE = "[red]not markup[/red] \x1b[31mno colour\x1b]0;no title\x07 \u202eno turn"
AWAY = "The supervisor does not answer."

Compare = Callable[..., bool]

sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time of day, in one time zone."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for module in ("history", "settings"):
        monkeypatch.setattr(f"panels.screens.{module}.now_ms", lambda: NOW)
    yield
    monkeypatch.undo()
    time.tzset()


def entry(
    seq: int, actor: str, action: str, subject: str, before: Json | None = None, after: Json | None = None
) -> Json:
    return {
        "seq": seq, "time": f"2025-11-24T{10 + seq // 60:02}:{seq % 60:02}:07Z", "actor": actor, "action": action,
        "subject": subject, "before": before, "after": after, "prev_hash": f"{seq - 1:064x}", "hash": f"{seq:064x}",
    }  # fmt: skip


ENTRIES = [
    entry(1, "person:ada", "project.add", "prj_1", None, {"root": "/src/lighthouse"}),
    entry(2, "person:ada", "session.create", "ses_1", None, {"name": "fix-lamp", "agent": "claude", "argv": []}),
    entry(3, "policy", "permission.allow", "ses_1", None, {"tool": "Bash", "rule": "tests", "session": "ses_1"}),
    entry(4, "session:ses_1", "approval.request", "app_1", None, {"digest": "d1", "session": "ses_1"}),
    entry(5, "person:ada", "approval.reject", "app_1", None, {"decision": None, "rationale": HOSTILE, "digest": "d1"}),
    entry(6, f"person:{HOSTILE}", "session.cancel", "ses_1", {"status": "running"}),
    entry(7, "person:ada", "session.commit", "ses_1", None, {"commit": "0f3a"}),
    entry(
        8, "person:ada", "policy.apply", "policy version 2", {"version": 1},
        {"version": 2, "rationale": "Pushes are asked about", "document": "version: 1\nrules:\n  - name: push\n"},
    ),
]  # fmt: skip

CHECKS = [
    {"name": "git", "status": "ok", "detail": "2.43.0", "hint": ""},
    {"name": "tmux", "status": "warning", "detail": "It is not installed.", "hint": "sudo apt install tmux"},
    {"name": "disk", "status": "error", "detail": f"Only 12 MB are free. {HOSTILE}", "hint": "Make room."},
]


def agent(name: str, path: str | None, until: str | None = None) -> Json:
    return {
        "name": name, "adapter": name, "description": "Writes code.", "executor": "local", "installed": bool(path),
        "path": path, "install_hint": "npm install -g it", "paused_until": until,
        "pause_reason": "The limit is reached." if until else None,
    }  # fmt: skip


AGENTS = [
    agent("claude", "/usr/bin/claude"),
    agent("codex", "/usr/bin/codex", "2025-11-24T18:00:00Z"),
    agent("opencode", None),
]

CONFIG = {
    "project": None,
    "problem": None,
    "settings": [
        {"key": "queue.concurrent", "value": 4, "source": "built-in"},
        {"key": "secrets", "value": ["GITHUB_TOKEN"], "source": "/etc/quarterdeck/config.yaml:3"},
        {"key": "default_agent", "value": HOSTILE, "source": "QUARTERDECK_DEFAULT_AGENT"},
        {"key": "docker.host", "value": None, "source": "built-in"},
    ],
}


def rule(name: str, effect: str, *patterns: str, layer: str = "shipped") -> Json:
    return {
        "name": name, "effect": effect, "risk": "low", "reason": f"Because of {name}.", "matches": "command",
        "patterns": list(patterns), "conditions": {}, "layer": layer, "source": f"{layer}.yaml:7",
    }  # fmt: skip


POLICY: Json = {
    "/policy": {
        "version": 1,
        "rules": [
            rule("mine", "deny", HOSTILE, layer="applied"),
            rule("tests", "allow", "make test", "pytest *"),
            rule("push", "ask", "git push *"),
        ],
        "problems": [f"config.yaml:9: the rule {HOSTILE} cannot be read."],
    },
    "/policy/versions": {
        "versions": [
            {"version": 1, "created_at": "2025-11-24T09:00:00Z", "author": "ada", "rationale": "Mine", "document": ""}
        ]
    },
    "/policy/suggestions": {
        "version": 1,
        "suggestions": [
            {"id": "sug_1", "rule": {"name": "build"}, "text": "name: build\n", "reason": "Allowed 3 times.",
             "would_allow": ["make build"], "would_ask": []}
        ],
    },
}  # fmt: skip


def session(name: str, agent: str, cost: float, status: str = "completed") -> Json:
    return {
        "id": f"ses_{name}", "name": name, "project": "prj_1", "project_name": "lighthouse", "agent": agent,
        "mode": "autonomous", "executor": "local", "status": status, "branch": None, "worktree": None,
        "status_reason": {"text": "", "at": "2025-11-24T09:00:00Z"}, "base_commit": None, "exit_code": 0,
        "activity": {"state": "idle", "tool": None, "argument": None}, "work": {"prompt": None, "argv": ["true"]},
        "created_at": "2025-11-24T09:00:00Z", "started_at": "2025-11-24T09:00:01Z", "ended_at": "2025-11-24T10:00:00Z",
        "last_output_at": None, "last_heartbeat_at": None, "resume_at": None, "attempts": 1, "turns": 1, "messages": 1,
        "tokens": {"input": 120_000, "output": 900, "cached": 0}, "cost_usd": cost, "budget_usd": None, "errors": {},
    }  # fmt: skip


SESSIONS = [
    session("fix-lamp", "claude", 1.25),
    session("fog-horn", "codex", 0.4, "failed"),
    session("count-stars", "command", 0),
]


async def panel(pilot: Pilot[Any], key: str, kind: type[Panel]) -> Any:
    """The panel, once it has the keys."""
    await pilot.press(key)
    await becomes(pilot, lambda: pilot.app.screen.query(kind), "it is there")
    shown = pilot.app.screen.query_one(kind)
    await becomes(pilot, lambda: shown.has_focus_within, "it has the keys")
    return shown


async def history(pilot: Pilot[Any]) -> None:
    await panel(pilot, "5", HistoryPanel)


async def settings(pilot: Pilot[Any], tab: str) -> None:
    shown = await panel(pilot, "7", SettingsPanel)
    while shown.tab != tab:
        await pilot.press("right_square_bracket")
    await becomes(pilot, lambda: tab in shown._found and shown.listed.has_focus, f"{tab} was read")
    await pilot.pause()


ANSWERS: dict[str, Json] = {
    "/audit": {"entries": ENTRIES},
    "/sessions": {"sessions": []},
    "/doctor": {"checks": CHECKS},
    "/agents": {"agents": AGENTS},
    "/config": CONFIG,
    "/audit/verify": {"valid": False, "entries": 8, "first_bad": 5, "detail": "the entry was changed"},
    "/policy/test": {
        "decision": "ask", "rule": "push", "reason": "Because of push.", "risk": "high",
        "commands": [{"command": "git push", "decision": "ask", "rule": "push", "reason": "Because of push."}],
    },
    **POLICY,
}  # fmt: skip


@sizes
def test_history_busy(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await history(pilot)
        await shows(pilot, "changed the rules", "hash")

    assert snap_compare(StillApp(snapshot(), ANSWERS), terminal_size=size, run_before=run)


@sizes
def test_history_empty(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await history(pilot)
        await shows(pilot, "Nothing was done yet.")

    answers = {**ANSWERS, "/audit": {"entries": []}}
    assert snap_compare(StillApp(snapshot(), answers), terminal_size=size, run_before=run)


@sizes
def test_history_away(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await history(pilot)
        await shows(pilot, AWAY)

    assert snap_compare(StillApp(None, problem=AWAY), terminal_size=size, run_before=run)


@sizes
def test_history_that_was_changed(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await history(pilot)
        await pilot.press("down", "down", "i")
        await shows(pilot, "does not hold from entry 5 on")
        pilot.app.clear_notifications()
        await pilot.pause()

    assert snap_compare(StillApp(snapshot(), ANSWERS), terminal_size=size, run_before=run)


@sizes
@pytest.mark.parametrize("tab", ["doctor", "agents", "settings", "policy"])
def test_settings_busy(snap_compare: Compare, size: tuple[int, int], tab: str) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await settings(pilot, tab)

    assert snap_compare(StillApp(snapshot(), ANSWERS), terminal_size=size, run_before=run)


@sizes
def test_policy_that_was_tried(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await settings(pilot, "policy")
        await pilot.press("slash", *"git push", "enter")
        await shows(pilot, "ask  by push")

    assert snap_compare(StillApp(snapshot(), ANSWERS), terminal_size=size, run_before=run)


@sizes
def test_settings_empty(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await settings(pilot, "agents")
        await pilot.press("slash", *"nothing")
        await shows(pilot, "Nothing matches.")

    assert snap_compare(StillApp(snapshot(), ANSWERS), terminal_size=size, run_before=run)


@sizes
def test_settings_away(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def run(pilot: Pilot[Any]) -> None:
        await panel(pilot, "7", SettingsPanel)
        await shows(pilot, AWAY)

    assert snap_compare(StillApp(None, problem=AWAY), terminal_size=size, run_before=run)
