"""Why a session has its status."""

from __future__ import annotations

from typing import Any

import msgspec

from supervisor.engine.explain import EXPLAINING_TYPES, explain
from supervisor.model.entities import Reason
from supervisor.model.events import Event, EventType
from supervisor.model.statuses import SessionStatus
from tests.support.stores import NOON, a_session


def stored(seq: int, kind: str, source: str = "supervisor", **payload: Any) -> Event:
    text = msgspec.json.encode(payload).decode()
    return Event(seq, NOON + seq, None, None, None, "ses_1", None, "autonomy", kind, "info", source, text)


def moved(seq: int, old: str, new: str, signal: str, reason: str) -> Event:
    return stored(seq, EventType.STATUS_CHANGED, **{"from": old, "to": new, "signal": signal, "reason": reason})


def test_the_newest_signal_comes_first_and_the_one_that_decided_is_marked() -> None:
    session = a_session(status=SessionStatus.WAITING, reason=Reason("screen", "It asks.", NOON + 4))
    history = [
        moved(1, "queued", "preparing", "queue", "Its turn."),
        moved(2, "preparing", "running", "runner", "Started."),
        stored(3, EventType.SCREEN_READ, "screen", state="asking", pattern="permission dialog"),
        moved(4, "running", "waiting", "screen", "It asks."),
        stored(5, EventType.ERROR, "stream", text="x" * 500),
    ]
    found = explain(session, None, history)
    assert [signal.time - NOON for signal in found.signals] == [5, 4, 3, 2, 1]
    assert [signal.time - NOON for signal in found.signals if signal.decided] == [4]
    assert "permission dialog" in found.signals[2].text
    assert found.signals[2].signal == "screen"
    assert len(found.signals[0].text) == 200


def test_what_the_screen_and_the_watchdog_say_bears_on_a_status() -> None:
    assert {EventType.SCREEN_READ, EventType.STALLED, EventType.STATUS_CHANGED} <= set(EXPLAINING_TYPES)
