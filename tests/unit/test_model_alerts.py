from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.alerts import countdown_style
from supervisor.model.alerts import HORIZON_MS, KEPT, PHASE_MS, QUIET_MS, RANKS, VISIBLE, Alert, Alerts
from supervisor.model.raising import LOUD, TYPES, meaning, take

Json = dict[str, Any]

SEQ = count(1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alerts(clock: Clock) -> Alerts:
    return Alerts(clock)


def event(
    kind: str, /, severity: str = "info", phase: str = "tool", session: str | None = "ses_1", **payload: Any
) -> Json:
    return {
        "seq": next(SEQ), "time": "2026-01-01T00:00:00.000Z", "type": kind, "severity": severity, "phase": phase,
        "session": session, "payload": payload,
    }  # fmt: skip


def trial(severity: object, **more: object) -> Json:
    return {**event("test_alert", phase="telemetry"), "payload": {"severity": severity, **more}}


def texts(alerts: Alerts) -> list[str]:
    return [alert.text for alert in alerts.visible()]


@pytest.mark.parametrize(
    ("severity", "phase", "lasts"),
    [
        ("low", None, 3_000),
        ("medium", None, 5_000),
        ("high", None, None),
        ("low", "tool", 2_000),
        ("medium", "tool", 2_000),
        ("low", "batch", 4_000),
        ("medium", "batch", 4_000),
        ("low", "autonomy", 8_000),
        ("medium", "autonomy", 8_000),
        ("low", "telemetry", 5_000),
        ("medium", "telemetry", 5_000),
        ("low", "policy", None),
        ("medium", "policy", None),
        ("low", "plan", None),
        ("medium", "plan", None),
        *[("high", phase, None) for phase in PHASE_MS],
    ],
)
def test_an_alert_goes_after_the_time_of_its_phase_else_of_its_severity(
    alerts: Alerts, clock: Clock, severity: Any, phase: str | None, lasts: int | None
) -> None:
    alerts.raise_("x", "text", severity, phase=phase)
    if lasts is None:
        clock.now += HORIZON_MS
        assert texts(alerts) == ["text"]
        assert not alerts.expire()
        return
    clock.now += lasts - 1
    assert texts(alerts) == ["text"]
    clock.now += 1
    assert alerts.expire()
    assert texts(alerts) == []


def test_a_phase_that_is_not_known_leaves_it_to_the_severity(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "text", "low", phase="sleep")
    clock.now += 3_000
    assert texts(alerts) == []


@pytest.mark.parametrize(
    ("left", "style"),
    [(1.0, "ok"), (0.67, "ok"), (2 / 3, "waiting"), (0.34, "waiting"), (1 / 3, "failed"), (0.0, "failed")],
)
def test_the_countdown_turns_yellow_at_two_thirds_and_red_at_one(left: float, style: str) -> None:
    assert countdown_style(left) == style


def test_the_countdown_runs_down_evenly(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "text", "medium")
    [alert] = alerts.visible()
    assert alert.left(clock.now) == 1
    assert alert.left(clock.now + 2_500) == 0.5
    assert alert.left(clock.now + 9_000) == 0
    alerts.raise_("y", "text", "high")
    assert alerts.visible()[0].left(clock.now) is None


def test_the_most_severe_five_are_visible_and_the_newest_of_these_first(alerts: Alerts, clock: Clock) -> None:
    for number, severity in enumerate(("low", "medium", "high", "low", "medium", "high", "medium")):
        clock.now += 1
        alerts.raise_("x", f"{severity} {number}", severity)  # type: ignore[arg-type]
    assert texts(alerts) == ["high 5", "high 2", "medium 6", "medium 4", "medium 1"]
    assert len(alerts.all()) == 7
    alerts.dismiss(alerts.visible()[0])
    assert texts(alerts) == ["high 2", "medium 6", "medium 4", "medium 1", "low 3"]


def test_the_same_is_counted_and_its_time_begins_anew(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "text", "low", session="a")
    clock.now += 2_000
    alerts.raise_("x", "text", "low", session="a")
    clock.now += 2_000
    [alert] = alerts.visible()
    assert alert.count == 2
    alerts.raise_("x", "text", "low", session="b")
    alerts.raise_("y", "text", "low", session="a")
    assert len(alerts.visible()) == 3


def test_the_same_but_worse_is_worse(alerts: Alerts) -> None:
    alerts.raise_("x", "text", "low")
    alerts.acknowledge(alerts.visible()[0])
    alerts.raise_("x", "text", "high")
    [alert] = alerts.visible()
    assert (alert.severity, alert.lifetime, alert.is_urgent, alert.count) == ("high", None, True, 2)


def test_what_was_dismissed_is_suppressed_and_counted_until_it_has_been_quiet(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "text", "high")
    [alert] = alerts.visible()
    alerts.dismiss(alert)
    assert texts(alerts) == []
    for _ in range(3):
        clock.now += QUIET_MS
        alerts.raise_("x", "text", "high")
    assert texts(alerts) == []
    assert (alerts.suppressed, alerts.dismissed(alert.key)) == (3, 4)
    clock.now += QUIET_MS + 1
    alerts.raise_("x", "text", "high")
    assert texts(alerts) == ["text"]
    assert alerts.dismissed(alert.key) == 0


def test_what_went_by_itself_is_no_duplicate(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "text", "low")
    clock.now += 3_000
    alerts.raise_("x", "text", "low")
    assert [alert.count for alert in alerts.visible()] == [1]


def test_an_acknowledged_alert_stays_below_the_others_and_asks_for_nothing(alerts: Alerts, clock: Clock) -> None:
    alerts.raise_("x", "first", "high")
    alerts.raise_("x", "second", "high")
    clock.now += 1
    alerts.raise_("x", "third", "medium", phase="plan")
    top = alerts.top()
    assert top is not None
    assert top.is_urgent
    alerts.acknowledge(top)
    assert alerts.visible()[1] is top
    assert [alert.is_urgent for alert in alerts.visible()] == [True, False, False]
    second = alerts.top()
    assert second is not None
    alerts.acknowledge(second)
    assert texts(alerts)[2] == "third"
    third = alerts.top()
    assert third is not None
    assert third.text == "third"
    alerts.acknowledge(third)
    assert alerts.top() is None
    assert len(alerts.visible()) == 3


@pytest.mark.parametrize(
    ("raised", "severity", "lifetime", "text"),
    [
        # What happens, and the alert that is raised.
        (event("status_changed", "error", "autonomy", to="failed", reason="exit 3"), "high", None, "failed: exit 3"),
        (
            event("approval_registered", "warning", "policy", approval="apr_1", question="rm?", risk="high"),
            "high", None, "asks: rm?",
        ),
        (
            event("approval_registered", "warning", "policy", approval="apr_1", question="ls?", risk="low"),
            "medium", None, "asks: ls?",
        ),
        (
            event("approval_ended", "warning", "policy", approval="apr_1", status="expired", reason="late"),
            "medium", None, "approval expired: late",
        ),
        (
            event("usage_limit", "warning", "telemetry", status="warning", text="near"),
            "medium", 5_000, "usage limit: near",
        ),
        (
            event("usage_limit", "error", "telemetry", status="rejected", text="over"),
            "high", None, "usage limit: over",
        ),
        (
            event("queue_paused", "warning", "batch", agent="claude", reason="limit"),
            "medium", 4_000, "queue paused for claude: limit",
        ),
        (
            event("queue_paused", "critical", "batch", session=None, reason="disk"),
            "high", None, "queue paused: disk",
        ),
        (event("stalled", "warning", "autonomy", text="silent"), "medium", 8_000, "stalled: silent"),
        (event("limit_near", "warning", "plan", text="p/a: nearly"), "medium", None, "p/a: nearly"),
        (event("limit_passed", "warning", "plan", text="p/a: over"), "medium", None, "p/a: over"),
        (event("deadline_passed", "warning", "plan", text="p: over"), "medium", None, "p: over"),
        (event("error", "warning", text="hm"), "medium", 2_000, "hm"),
        (event("error", "critical", text="ouch"), "high", None, "ouch"),
        (event("error", "error"), "high", None, "an error without a text"),
        (
            event("malformed_event", "warning", "telemetry", reason="no type"),
            "medium", 5_000, "malformed event: no type",
        ),
        (trial("low"), "low", 3_000, "test alert, low"),
        (trial("medium"), "medium", 5_000, "test alert, medium"),
        (trial("high"), "high", None, "test alert, high"),
        (trial("error"), "high", None, "test alert, high"),
        (trial(["high"]), "low", 3_000, "test alert, low"),
        (trial("low", text="mine"), "low", 3_000, "mine"),
    ],
)  # fmt: skip
def test_what_events_raise(alerts: Alerts, raised: Json, severity: str, lifetime: int | None, text: str) -> None:
    assert take(alerts, raised)
    [alert] = alerts.visible()
    assert (alert.severity, alert.lifetime, alert.text) == (severity, lifetime, text)
    assert alert.session == raised["session"]


@pytest.mark.parametrize(("phase", "lifetime"), [("tool", 2_000), ("plan", None), ("nonsense", 5_000), (7, 5_000)])
def test_a_test_says_its_phase_itself(alerts: Alerts, phase: object, lifetime: int | None) -> None:
    take(alerts, trial("medium", phase=phase))
    assert [alert.lifetime for alert in alerts.visible()] == [lifetime]


@pytest.mark.parametrize(
    "nothing",
    [
        event("output", text="error"),
        event("status_changed", to="completed"),
        event("error", "info", text="no matter"),
        event("tool_result", "warning", is_error=True),
        event("limit_passed", "warning", "plan", text="p/a: over", action="ask"),
        event("approval_ended", status="cancelled", approval="apr_9"),
        event("my_own", "critical"),
    ],
)
def test_what_raises_nothing(alerts: Alerts, nothing: Json) -> None:
    assert not take(alerts, nothing)
    assert texts(alerts) == []


def test_a_question_that_was_answered_alerts_no_more(alerts: Alerts) -> None:
    take(alerts, event("approval_registered", "warning", "policy", approval="apr_1", question="rm?", risk="high"))
    take(alerts, event("approval_registered", "warning", "policy", approval="apr_2", question="mv?", risk="high"))
    assert take(alerts, event("approval_decided", phase="policy", approval="apr_1", decision="reject"))
    assert texts(alerts) == ["asks: mv?"]


def test_texts_are_one_clean_line(alerts: Alerts) -> None:
    take(alerts, event("error", "error", text="a\x1b]0;title\x07\n\tb\u202e\u200b" + "c" * 100_000))
    [text] = texts(alerts)
    assert text.startswith("a bccc")
    assert len(text) == 300


def test_a_flood_leaves_the_most_severe(alerts: Alerts) -> None:
    alerts.raise_("x", "the one", "high")
    for number in range(3 * KEPT):
        alerts.raise_("x", f"{number}", "medium", phase="plan")
    assert len(alerts.all()) == KEPT
    assert texts(alerts)[0] == "the one"
    for alert in alerts.all():
        alerts.dismiss(alert)
    for number in range(3 * KEPT):
        alerts.raise_("y", f"{number}", "medium", phase="plan")
        alerts.dismiss(alerts.all()[0])
    assert sum(alerts.dismissed(("y", None, f"{number}")) for number in range(3 * KEPT)) == KEPT


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["raise", "wait", "dismiss", "acknowledge"]),
        st.sampled_from(["low", "medium", "high"]),
        st.sampled_from([None, *PHASE_MS]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_happens_five_at_most_in_order_and_high_ones_only_go_when_dismissed(steps: list[Any]) -> None:
    clock = Clock()
    alerts = Alerts(clock)
    high: set[str] = set()
    for what, severity, phase, number in steps:
        text = f"{severity} {phase} {number}"
        if what == "raise":
            alerts.raise_("x", text, severity, phase=phase)
            if severity == "high" and not alerts.dismissed(("x", None, text)):
                high.add(text)
        elif what == "wait":
            clock.now += number * 1_000
        elif found := alerts.visible():
            chosen: Alert = found[number % len(found)]
            if what == "dismiss":
                alerts.dismiss(chosen)
                high.discard(chosen.text)
            else:
                alerts.acknowledge(chosen)
        shown = alerts.visible()
        assert len(shown) <= VISIBLE
        ranks = [RANKS[alert.severity] for alert in shown]
        assert ranks == sorted(ranks, reverse=True)
        assert {alert.text for alert in alerts.all() if alert.severity == "high"} == high


def test_an_id_is_short_and_follows_from_what_it_is_and_what_raised_it(clock: Clock) -> None:
    failed = event("status_changed", "error", "autonomy", to="failed", reason="exit 3")
    here, there = Alerts(clock), Alerts(lambda: clock.now + 77)
    take(here, failed)
    take(there, failed)
    [alert], [same] = here.visible(), there.visible()
    assert alert.id == same.id
    assert re.fullmatch("al_[0-9a-hjkmnp-tv-z]{8}", alert.id)
    assert len({Alert("x", None, "text", "low", None, 0, 0, number).id for number in range(1000)}) == 1000
    assert len({Alert("x", session, "text", "low", None, 0, 0, 1).id for session in (None, "a", "b")}) == 3


def test_a_failure_that_was_looked_after_is_no_alert_any_more(alerts: Alerts) -> None:
    take(alerts, event("status_changed", "error", "autonomy", to="failed", reason="exit 3"))
    assert [alert.text for alert in alerts.visible()] == ["failed: exit 3"]
    take(alerts, {**event("status_changed", "info", "autonomy"), "payload": {"from": "failed", "to": "archived"}})
    assert alerts.visible() == []
    assert [alert.ended for alert in alerts.past()] == ["answered"]


def test_a_plan_that_failed_or_is_blocked_is_an_alert(alerts: Alerts) -> None:
    take(alerts, event("plan_status_changed", "error", "plan", to="failed", reason="Failed: a.", name="Search"))
    take(alerts, event("plan_status_changed", "warning", "plan", to="blocked", reason="Blocked: b.", name="Sort"))
    take(alerts, event("plan_status_changed", "info", "plan", to="completed", reason="Done.", name="Fine"))
    assert [(alert.severity, alert.text) for alert in alerts.visible()] == [
        ("high", "plan Search failed: Failed: a."),
        ("medium", "plan Sort is blocked: Blocked: b."),
    ]


def test_an_event_counts_once(alerts: Alerts) -> None:
    raised = trial("high")
    assert take(alerts, raised)
    assert not take(alerts, raised)
    assert [alert.count for alert in alerts.visible()] == [1]


def test_what_happened_earlier_is_over_by_its_own_time(alerts: Alerts, clock: Clock) -> None:
    take(alerts, trial("medium"), clock.now - 60_000)
    take(alerts, trial("high"), clock.now - HORIZON_MS + 1)
    assert texts(alerts) == ["test alert, high"]
    [over] = alerts.past()
    assert (over.text, over.ended, over.ended_at) == ("test alert, medium", "expired", clock.now - 55_000)
    clock.now += 2
    assert texts(alerts) == [], "nothing is an alert for ever"
    assert [alert.ended for alert in alerts.past()] == ["expired", "expired"]


def test_what_people_did_is_an_event_too(alerts: Alerts, clock: Clock) -> None:
    take(alerts, trial("high", text="one"))
    take(alerts, trial("high", text="two"))
    one, two = sorted(alerts.all(), key=lambda alert: alert.text)
    assert take(alerts, event("alert_acknowledged", **meaning(one, "ann")))
    assert (one.acknowledged_by, one.ended) == ("ann", None)
    assert not take(alerts, event("alert_acknowledged", **meaning(one, "bob")))
    clock.now += 5
    assert take(alerts, event("alert_dismissed", **meaning(two, "bob")))
    assert (two.ended, two.ended_by, two.ended_at) == ("dismissed", "bob", clock.now)
    assert not take(alerts, event("alert_dismissed", **meaning(two, "ann")))
    assert not take(alerts, event("alert_dismissed", session="ses_2", **meaning(one, "ann"))), "another session's"
    assert texts(alerts) == ["one"]
    take(alerts, trial("high", text="two"))
    assert (alerts.suppressed, texts(alerts)) == (1, ["one"])


def test_one_that_has_just_gone_can_be_dismissed_but_not_one_that_was_answered(alerts: Alerts, clock: Clock) -> None:
    take(alerts, trial("low"))
    [alert] = alerts.visible()
    clock.now += 3_001
    assert take(alerts, event("alert_dismissed", **meaning(alert, "ann")))
    assert take(alerts, trial("low"))
    assert (texts(alerts), alert.count) == ([], 2)
    take(alerts, event("approval_registered", "warning", "policy", approval="apr_1", question="rm?", risk="high"))
    [asked] = alerts.visible()
    take(alerts, event("approval_decided", phase="policy", approval="apr_1"))
    assert not take(alerts, event("alert_dismissed", **meaning(asked, "ann")))
    assert asked.ended == "answered"


def test_what_the_supervisor_did_not_take_is_taken_back(alerts: Alerts) -> None:
    take(alerts, trial("high"))
    [alert] = alerts.visible()
    alerts.acknowledge(alert)
    alerts.take_back(alert)
    assert not alert.is_acknowledged
    alerts.acknowledge(alert)
    alerts.dismiss(alert)
    alerts.take_back(alert)
    assert alerts.visible() == [alert]
    assert (alert.ended, alert.is_acknowledged) == (None, True)
    assert alerts.dismissed(alert.key) == 0


@given(_STEPS)
def test_what_was_folded_can_be_loaded_and_goes_on_the_same(steps: list[Any]) -> None:
    clock = Clock()
    folded = Alerts(clock)
    for what, severity, phase, number in steps:
        if what == "raise":
            take(folded, trial(severity, text=f"{number}", phase=phase))
        elif what == "wait":
            clock.now += number * 1_000
        elif found := folded.all():
            kind = "alert_dismissed" if what == "dismiss" else "alert_acknowledged"
            take(folded, event(kind, **meaning(found[number % len(found)], "ann")))
    loaded = Alerts(clock)
    loaded.load([replace(alert) for alert in folded.all() + folded.past()], folded.seq, is_news=False)
    assert loaded.raised == []
    for number in range(10):
        again = trial("low", text=f"{number}")
        take(folded, again)
        take(loaded, again)
        assert loaded.all() == folded.all()


def test_what_is_loud_means_something() -> None:
    assert set(TYPES) > LOUD
