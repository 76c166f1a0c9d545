from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.eventlines import alert_line, event_line
from panels.view.limits import bar
from panels.view.model import Snapshot, ViewModel
from panels.view.monitor import PER_PHASE, SECONDS, Monitor, Wanted, sparkline, wanted
from panels.view.summaries import summary
from panels.widgets.lines import width_of
from supervisor.api.protocol import alert_json
from supervisor.model.alerts import Alert
from supervisor.model.events import PHASES, EventType
from supervisor.model.plain import clean
from supervisor.model.times import from_rfc3339, now_ms, to_rfc3339

Json = dict[str, Any]
NOW = 1_780_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 500_000

    def __call__(self) -> int:
        return self.now


def event(seq: int, phase: str = "tool", kind: str = "output", at: int = NOW, **more: Any) -> Json:
    return {
        "seq": seq, "time": to_rfc3339(at), "type": kind, "severity": "info", "phase": phase, "session": "ses_1",
        "project": None, "plan": None, "task": None, "attempt": None, "source": "stream", "payload": {}, **more,
    }  # fmt: skip


def seqs(found: list[Json]) -> list[int]:
    return [each["seq"] for each in found]


def test_the_last_hundred_of_each_phase_are_in_view_in_their_order() -> None:
    monitor = Monitor()
    for seq in range(1, 1_201):
        monitor.take(event(seq, PHASES[seq % 6] if seq <= 600 else "tool"))
    assert set(monitor.counts().values()) == {PER_PHASE}
    assert seqs(monitor.events("tool")) == list(range(1_101, 1_201))
    assert seqs(monitor.events("plan")) == [seq for seq in range(1, 601) if PHASES[seq % 6] == "plan"]
    assert seqs(monitor.events()) == sorted(seqs(monitor.events()))
    assert len(monitor.events()) == 6 * PER_PHASE


def test_an_unknown_phase_is_shown_with_telemetry() -> None:
    monitor = Monitor()
    monitor.take(event(1, "dreaming"))
    assert seqs(monitor.events("telemetry")) == [1]


def test_clearing_a_phase_all_and_what_is_older() -> None:
    monitor = Monitor()
    for seq, phase in enumerate(PHASES, 1):
        monitor.take(event(seq, phase, at=NOW + seq))
    monitor.clear("batch")
    assert seqs(monitor.events()) == [1, 3, 4, 5, 6]
    monitor.clear_older(NOW + 4)
    assert seqs(monitor.events()) == [4, 5, 6]
    for seq in range(10, 10 + 2 * PER_PHASE):
        monitor.take(event(seq))
    assert monitor.counts()["tool"] == PER_PHASE
    monitor.clear()
    assert monitor.events() == []


def test_what_was_cleared_does_not_come_back_with_a_new_connection() -> None:
    monitor = Monitor()
    monitor.load([event(1), event(2)], 2)
    assert seqs(monitor.events()) == [1, 2]
    monitor.clear()
    monitor.load([event(1), event(2), event(3)], 3)
    assert seqs(monitor.events()) == [3]
    monitor.load([event(1)], 1)
    assert seqs(monitor.events()) == [1], "another history begins anew"


def test_activity_is_counted_by_the_second_for_two_minutes() -> None:
    clock = Clock()
    monitor = Monitor(clock)
    for second in range(300):
        clock.now = 1_000_000 + second * 1000
        for number in range(second % 3):
            monitor.take(event(1, session=f"ses_{number}"))
    assert monitor.activity() == [second % 3 for second in range(180, 300)]
    assert len(monitor.activity()) == SECONDS
    assert monitor.rate() == sum(second % 3 for second in range(289, 299)) / 10
    assert monitor.rates() == [("ses_0", 0.7), ("ses_1", 0.3)]
    clock.now += 60_000
    assert monitor.activity()[-60:] == [0] * 60
    assert (monitor.rate(), monitor.rates()) == (0, [])
    clock.now += SECONDS * 1000
    assert monitor.activity() == [0] * SECONDS


def test_ten_seconds_of_two_thousand_events_a_second_take_less_than_one() -> None:
    view = ViewModel()
    events = [event(seq, session=f"ses_{seq % 200}") for seq in range(1, 20_001)]
    began = time.process_time()
    for each in events:
        view.apply(each)
    assert time.process_time() - began < 1.0


@given(st.lists(st.integers(0, 10_000), max_size=SECONDS), st.integers(0, 200))
def test_the_sparkline_fits_and_shows_the_most_as_the_highest(activity: list[int], width: int) -> None:
    drawn = sparkline(activity, width)
    assert len(drawn) <= width
    if activity and width:
        assert ("█" in drawn) == (max(activity) > 0)
        assert (set(drawn) == {"▁"}) == (max(activity) == 0)


def test_one_event_is_seen_beside_many() -> None:
    assert sparkline([0, 1, 1000], 3) == "▁▂█"


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ("agent:cla", True),
        ("agent:codex", False),
        ("agent:claude severity:warning", True),
        ("severity:error", True),
        ("severity:critical", False),
        ("severity:warn", True),
        ("severity:", True),
        ("session:fix", True),
        ("session:other", False),
        ("type:err", True),
        ("type:out", False),
        ("phase:tool", True),
        ("phase:plan", False),
        ("CONNECTION lost", True),
        ("connection found", False),
        ("http://x", False),
        ("confidence:0.5", True),
        ("confidence:0.9", False),
        ("confidence:x", True),
    ],
)
def test_filters(text: str, passes: bool) -> None:
    made = event(1, kind="error", severity="error", payload={"text": "Connection lost", "confidence": 0.7})
    assert wanted(text).lets(made, "fix-it", "claude") is passes
    assert bool(wanted(text)) is (text not in ("", "severity:", "confidence:x"))


def test_a_confidence_that_is_none_does_not_pass() -> None:
    assert not wanted("confidence:0.1").lets(event(1), "", "")
    assert not wanted("confidence:0.1").lets(event(1, payload={"confidence": "1"}), "", "")
    assert wanted("x:y") == Wanted(words=("x:y",))


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        ("status_changed", {"from": "running", "to": "failed", "reason": "exit 1"}, "running → failed: exit 1"),
        ("tool_use", {"tool": "Bash", "argument": "ls -l"}, "Bash ls -l"),
        ("tool_result", {"is_error": True, "text": "no"}, "failed: no"),
        ("attempt_ended", {"status": "failed", "exit_code": 0, "reason": "r"}, "failed (exit 0) r"),
        ("usage", {"tokens": {"input": 5, "output": 0}}, "5 input"),
        ("usage", {"tokens": "many"}, '{"tokens": "many"}'),
        ("progress", {"done": 3, "of": 10}, "3 of 10"),
        ("progress", {"status": "compacting"}, "compacting"),
        ("approval_registered", {"question": "rm?", "risk": "high"}, "rm? (risk high)"),
        ("approval_ended", {"status": "expired", "reason": "late"}, "expired late"),
        ("test_alert", {"severity": "low"}, "low"),
        ("of_a_tool", {"a": 1}, '{"a": 1}'),
        ("of_a_tool", {}, ""),
        ("output", {"text": "a\x1b[31mb\x1b]0;x\x07\n c"}, "ab c"),
    ],
)
def test_summaries(kind: str, payload: Json, said: str) -> None:
    assert summary(event(1, kind=kind, payload=payload)) == said


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_NAMES = [
    "text", "reason", "tool", "argument", "tokens", "severity", "question", "risk", "to", "status", "phase", "done",
    "of", "exit_code", "confidence", "resets_at", "approval", "agent", "before",
]  # fmt: skip


@given(
    st.sampled_from([*EventType, "test_alert", "\x1b]0;x\x07"]),
    st.dictionaries(st.sampled_from(_NAMES), _JSON),
    st.integers(60, 200),
)
def test_no_payload_breaks_or_leaves_the_line(kind: str, payload: Json, width: int) -> None:
    view = ViewModel()
    made = event(1, kind=kind, severity="error", payload=payload, session=None)
    view.apply(made)
    wanted("a confidence:0.5").lets(made, "n", "a")
    lines = [event_line(made, {}, width)]
    lines += [alert_line(alert, {}, width, view.alerts.clock(), lit=True) for alert in view.alerts.visible()]
    for line in lines:
        assert all(clean(text) == text and len(text.splitlines()) < 2 for text, _ in line)
        assert width_of(line) == width


def test_a_bar_is_full_only_when_all_is_used_and_never_empty_when_something_is() -> None:
    assert bar(0) == "░" * 10
    assert bar(0.0001) == "▏" + "░" * 9
    assert bar(0.5) == "█" * 5 + "░" * 5
    assert bar(1) == bar(7) == "█" * 10


def load(view: ViewModel, seq: int, *events: Json, alerts: Json | None = None) -> None:
    known = alerts or {"seq": seq, "alerts": []}
    view.load(Snapshot(seq, [], [], {}, [], {}, list(events), known))


def alert(text: str, seq: int, **more: Any) -> Json:
    made = Alert("failed", None, text, "high", None, now_ms() - 60_000, now_ms() - 5_000, seq)
    return {**alert_json(made), **more}


def test_alerts_that_were_there_are_no_news_but_those_that_were_missed_are() -> None:
    view = ViewModel()
    failed = event(1, kind="status_changed", session=None, severity="error", payload={"to": "failed", "reason": "old"})
    load(view, 1, failed, alerts={"seq": 1, "alerts": [alert("failed: old", 1)]})
    [old] = view.alerts.visible()
    assert (old.text, old.count, view.alerts.raised) == ("failed: old", 1, [])
    assert 59_000 < view.alerts.clock() - old.raised_at < 62_000, "it is in the time of the app's own clock"
    view.apply(event(2))
    view.take_changes()
    missed = event(3, kind="status_changed", session=None, severity="error", payload={"to": "failed", "reason": "new"})
    answer = {"seq": 3, "alerts": [alert("failed: old", 1, acknowledged_by="person"), alert("failed: new", 3)]}
    load(view, 3, failed, event(2), missed, alerts=answer)
    assert [each.text for each in view.alerts.visible()] == ["failed: new", "failed: old"]
    assert [each.text for each in view.alerts.raised] == ["failed: new"]
    assert "alerts" in view.take_changes()
    assert seqs(view.monitor.events()) == [1, 2, 3]
    assert from_rfc3339(view.monitor.events()[0]["time"]) == NOW


def test_an_event_that_the_alerts_have_already_is_not_counted_again() -> None:
    view = ViewModel()
    load(view, 1, event(1), alerts={"seq": 3, "alerts": [alert("failed: new", 3)]})
    for seq in (2, 3, 4):
        payload = {"to": "failed", "reason": "new"}
        view.apply(event(seq, kind="status_changed", session=None, severity="error", payload=payload))
    assert [each.count for each in view.alerts.visible()] == [2]


def test_what_was_dismissed_elsewhere_stays_away_here() -> None:
    view = ViewModel()
    gone = alert("failed: new", 1, ended="dismissed", ended_by="person", ended_at=to_rfc3339(now_ms()))
    load(view, 1, alerts={"seq": 1, "alerts": [gone]})
    payload = {"to": "failed", "reason": "new"}
    view.apply(event(2, kind="status_changed", session=None, severity="error", payload=payload))
    assert view.alerts.visible() == []
    assert view.alerts.suppressed == 1


@pytest.mark.parametrize("width", [26, 38, 54])
def test_with_little_room_an_alert_says_who_and_what(width: int) -> None:
    view = ViewModel()
    view.alerts.raise_("asked", "asks: May it run?", "medium", phase="policy")
    view.alerts.raise_("usage", "limit", "medium", phase="telemetry")
    for alert in view.alerts.all():
        line = alert_line(alert, {}, width, view.alerts.clock(), lit=True)
        said = "".join(text for text, _ in line)
        assert said.startswith(f"△ {alert.text[:20]}")
        assert len(said) <= width
        assert ("█" in said) is (alert.lifetime is not None)


def test_a_view_that_was_cleared_elsewhere_is_empty_here() -> None:
    monitor = Monitor()
    monitor.take(event(1, phase="tool"))
    monitor.take(event(2, phase="plan"))
    moment = str(to_rfc3339(from_rfc3339(event(1)["time"])))
    of_a_phase = event(3, kind="view_cleared", phase="telemetry", payload={"phase": "tool", "before": moment})
    monitor.take(of_a_phase)
    assert [each["seq"] for each in monitor.events()] == [2, 3]
    early = {"phase": None, "before": "2000-01-01T00:00:00.000Z"}
    monitor.take(event(4, kind="view_cleared", phase="telemetry", payload=early))
    assert [each["seq"] for each in monitor.events()] == [2, 3, 4]
    fresh = Monitor()
    cleared = event(5, kind="view_cleared", phase="telemetry", payload={"phase": None, "before": moment})
    fresh.load([event(1), event(2), cleared], 5)
    assert [each["seq"] for each in fresh.events()] == [5]
