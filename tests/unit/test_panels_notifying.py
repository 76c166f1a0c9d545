from __future__ import annotations

import re
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.settings import Notifications
from panels.notifying import EVERY_MS, GATHER_MS, TEXT_LIMIT, Gathering, is_quiet, plain, sequences, tell
from panels.view.model import ViewModel
from supervisor.model.alerts import Alerts
from tests.support.sessions import session_json
from tests.wait import wait_until

NOON = time(12, 0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


class Watched:
    """A view model, and what is gathered from it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.view = ViewModel()
        self.view.alerts = Alerts(self.clock)
        self.view.connected("live")
        self.gathering = Gathering(Notifications(**settings), self.clock)
        self.gathering.look(self.view)

    def wait(self, *names: str, status: str = "waiting") -> None:
        self.view.take_sessions([session_json(name, status=status) for name in names])
        self.gathering.look(self.view)

    def alert(self, text: str, severity: Any = "high", **more: Any) -> None:
        self.view.alerts.raise_(more.pop("kind", "x"), text, severity, **more)
        self.gathering.look(self.view)

    def told(self, moment: time = NOON) -> str | None:
        return self.gathering.take(self.view, moment)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_one_that_waits_and_several(watched: Watched) -> None:
    watched.wait("fix")
    assert watched.told() == "fix waits for you"
    watched.wait("a", "b", "c")
    assert watched.told() == "3 sessions wait for you"
    assert watched.told() is None


def test_what_waited_when_the_app_was_opened_is_no_news() -> None:
    watched = Watched()
    fresh = Gathering(Notifications(), watched.clock)
    watched.view.take_sessions([session_json("old", status="waiting")])
    fresh.look(watched.view)
    assert not fresh
    watched.view.take_sessions([session_json("new", status="waiting")])
    fresh.look(watched.view)
    assert fresh.take(watched.view, NOON) == "new waits for you"


def test_who_waits_again_is_told_again_and_who_was_answered_is_not_told(watched: Watched) -> None:
    watched.wait("a", "b")
    watched.wait("a", status="running")
    assert watched.told() == "b waits for you"
    watched.wait("b", status="running")
    watched.wait("b")
    assert watched.told() == "b waits for you"
    watched.wait("a")
    watched.wait("a", status="running")
    assert watched.gathering.due_in() is None


def test_alerts_are_summed_up_under_the_most_severe(watched: Watched) -> None:
    watched.wait("fix", status="running")
    watched.alert("low is not told", "low")
    assert not watched.gathering
    watched.alert("slow", "medium")
    assert watched.told() == "slow"
    watched.alert("slow again", "medium")
    watched.alert("broken", "high", session=watched.view.sessions["ses_fix"].id)
    watched.alert("broken", "high", session="ses_fix")
    watched.wait("fix")
    assert watched.told() == "fix waits for you. 2 alerts, among them: fix broken"


def test_a_question_of_a_session_is_told_once(watched: Watched) -> None:
    watched.alert("asks: rm?", "high", kind="asked", session="ses_fix")
    watched.wait("fix")
    assert watched.told() == "fix waits for you"
    watched.alert("asks: merge?", "high", kind="asked")
    assert watched.told() == "asks: merge?"


@pytest.mark.parametrize(("least", "told"), [("low", "a"), ("medium", None), ("high", None)])
def test_the_least_severity_that_is_told(least: str, told: str | None) -> None:
    watched = Watched(min_severity=least)
    watched.alert("a", "low")
    assert watched.told() == told


def test_at_most_one_in_five_seconds(watched: Watched) -> None:
    watched.alert("first")
    assert watched.gathering.due_in() == GATHER_MS
    watched.clock.now += 200
    watched.alert("at once")
    assert watched.gathering.due_in() == GATHER_MS - 200
    watched.clock.now += GATHER_MS
    assert watched.gathering.due_in() == 0
    assert watched.told() == "2 alerts, among them: first"
    assert watched.gathering.due_in() is None
    watched.clock.now += 1_000
    watched.alert("second")
    assert watched.gathering.due_in() == EVERY_MS - 1_000
    watched.clock.now += EVERY_MS
    watched.wait("fix")
    assert watched.gathering.due_in() == 0
    assert watched.told() == "fix waits for you. second"


def test_in_quiet_hours_nothing_is_told_and_nothing_later() -> None:
    watched = Watched(quiet="22:00-07:00")
    watched.alert("a")
    assert watched.told(time(23, 30)) is None
    assert watched.gathering.due_in() is None
    watched.alert("b")
    assert watched.told(time(7, 0)) == "b"


@pytest.mark.parametrize(
    ("quiet", "moment", "expected"),
    [
        (None, time(3), False),
        ("22:00-07:00", time(21, 59, 59), False),
        ("22:00-07:00", time(22), True),
        ("22:00-07:00", time(0), True),
        ("22:00-07:00", time(6, 59, 59), True),
        ("22:00-07:00", time(7), False),
        ("12:00-13:30", time(13), True),
        ("12:00-13:30", time(13, 30), False),
        ("12:00-13:30", time(1), False),
    ],
)
def test_quiet_hours_also_over_midnight(quiet: str | None, moment: time, expected: bool) -> None:
    assert is_quiet(quiet, moment) is expected


@pytest.mark.parametrize("quiet", ["22-7", "24:00-07:00", "22:60-07:00", "22:00", "07:00-07:00", "22:00-07:00\n", ""])
def test_quiet_hours_that_are_none_are_refused(quiet: str) -> None:
    with pytest.raises(ValidationError, match="quiet hours"):
        Notifications(quiet=quiet)


def test_what_the_terminal_is_sent() -> None:
    sent: list[str] = []
    tell("3 wait", Notifications(desktop=False), sent.append, {})
    assert sent == ["\x07\x1b]9;Quarterdeck: 3 wait\x07\x1b]777;notify;Quarterdeck;3 wait\x07"]


def test_inside_tmux_it_is_wrapped() -> None:
    sent: list[str] = []
    tell("x", Notifications(bell=False, desktop=False), sent.append, {"TMUX": "/tmp/tmux-0/default,1,0"})
    assert sent == [
        "\x1bPtmux;\x1b\x1b]9;Quarterdeck: x\x07\x1b\\\x1bPtmux;\x1b\x1b]777;notify;Quarterdeck;x\x07\x1b\\"
    ]


def test_each_door_can_be_closed() -> None:
    sent: list[str] = []
    tell("x", Notifications(terminal=False, desktop=False), sent.append, {})
    assert sent == ["\x07"]
    tell("x", Notifications(terminal=False, bell=False, desktop=False), sent.append, {})
    assert sent == ["\x07"]


@given(st.text(max_size=600))
def test_no_text_gets_out_of_its_control_string(text: str) -> None:
    said = re.escape(plain(text))
    assert len(plain(text)) <= TEXT_LIMIT
    assert re.fullmatch(
        rf"\x1b\]9;Quarterdeck: {said}\x07\x1b\]777;notify;Quarterdeck;{said}\x07", sequences(text, in_tmux=False)
    )
    assert not set(plain(text)) & {";", "\x07", "\x1b", "\x9c", "\n"}


def test_a_text_with_control_characters() -> None:
    assert plain("a;b\x07c\x1b]0;evil\x07\x9cd\u202e\n\x1b\\e") == "a,bcd e"


def notify_send(folder: Path) -> tuple[Path, dict[str, str]]:
    """A notify-send that writes down what it was given."""
    out = folder / "told"
    program = folder / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {out}.new && mv {out}.new {out}\n')
    program.chmod(0o755)
    return out, {"PATH": f"{folder}:/usr/bin:/bin", "DISPLAY": ":0"}


def test_the_desktop_shows_it_without_its_markup(tmp_path: Path) -> None:
    out, environ = notify_send(tmp_path)
    tell("--icon=x <b>a</b> & $(touch x)", Notifications(bell=False, terminal=False), print, environ)
    wait_until(out.exists)
    assert out.read_text().splitlines() == [
        "--app-name=Quarterdeck", "--", "Quarterdeck", "--icon=x &lt;b&gt;a&lt;/b&gt; &amp; $(touch x)",
    ]  # fmt: skip


def test_without_a_desktop_or_the_program_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, environ = notify_send(tmp_path)
    started: list[Any] = []
    monkeypatch.setattr("panels.notifying.subprocess.run", lambda *given, **_: started.append(given))
    tell("x", Notifications(bell=False, terminal=False), print, {"PATH": environ["PATH"]})
    tell("x", Notifications(bell=False, terminal=False), print, {"PATH": "/nowhere", "DISPLAY": ":0"})
    tell("x", Notifications(bell=False, terminal=False, desktop=False), print, environ)
    assert not started
    tell("x", Notifications(bell=False, terminal=False), print, environ)
    assert len(started) == 1
