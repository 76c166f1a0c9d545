"""What events add up to: any way of cutting them into batches gives the same session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.figures import UNKNOWN_LIMIT_MS, fold, new_process
from supervisor.model.entities import Session, Work
from supervisor.model.events import EventType as T
from supervisor.model.events import NewEvent, Severity
from supervisor.model.statuses import SessionStatus
from tests.support.stores import NOON, a_session

RUNNING = a_session(status=SessionStatus.RUNNING)
TERMINAL = replace(RUNNING, mode="dispatch")


def event(
    kind: str, *, at: int = NOON, severity: Severity = "info", source: str = "stream", **payload: Any
) -> NewEvent:
    return NewEvent(kind, "tool", at, severity, source, payload)


def turn(spent: float | None = None, **fields: Any) -> NewEvent:
    return event(T.TURN_ENDED, process_cost_usd=spent, **fields)


events = st.lists(
    st.one_of(
        st.builds(
            event,
            st.sampled_from([T.MESSAGE, T.THINKING, T.TOOL_RESULT, T.OUTPUT, T.IDLE, T.PERMISSION_REFUSED, "other"]),
        ),
        st.builds(event, st.just(T.TOOL_USE), tool=st.sampled_from(["Bash", "Edit"]), argument=st.just("x")),
        st.builds(event, st.just(T.AGENT_SESSION), id=st.sampled_from(["a", "b"])),
        st.builds(event, st.just(T.PERMISSION_ASKED), tool=st.just("Bash")),
        st.builds(event, st.just(T.RETRY), severity=st.sampled_from(["warning", "error"]), error=st.just("busy")),
        st.builds(
            event,
            st.just(T.USAGE_LIMIT),
            at=st.integers(NOON, NOON + 5),
            status=st.sampled_from(["warning", "rejected"]),
            resets_at=st.sampled_from([None, NOON + 3, NOON + 9]),
        ),
        st.builds(
            turn,
            st.one_of(st.none(), st.floats(0, 10)),
            is_error=st.booleans(),
            tokens=st.fixed_dictionaries({"input": st.integers(0, 99), "output": st.integers(0, 99)}),
            tokens_of=st.sampled_from(["conversation", "turn"]),
            denials=st.lists(st.just({"tool": "Bash"}), max_size=2),
        ),
        st.builds(event, st.just(T.SCREEN_READ), state=st.sampled_from(["asking", "idle"]), pattern=st.just("p")),
    ),
    max_size=12,
)


@given(events, st.integers(0, 12), st.sampled_from([RUNNING, TERMINAL]))
def test_folding_in_batches_is_folding_at_once(given_events: list[NewEvent], cut: int, session: Session) -> None:
    assert fold(fold(session, given_events[:cut]), given_events[cut:]) == fold(session, given_events)


def test_the_cost_of_a_process_is_cumulative_and_restarts_with_the_process() -> None:
    session = fold(RUNNING, [turn(0.1), turn(0.3)])
    assert session.stats.cost_usd == pytest.approx(0.3)
    session = fold(new_process(session), [turn(0.2), turn(None)])
    assert session.stats.cost_usd == pytest.approx(0.5)


def test_tokens_of_a_whole_conversation_are_counted_once_also_after_a_resume() -> None:
    first = turn(tokens={"input": 100, "output": 10, "cached": 5}, tokens_of="conversation")
    second = turn(tokens={"input": 250, "output": 30, "cached": 5}, tokens_of="conversation")
    other = turn(tokens={"input": 7, "output": 1}, tokens_of="conversation")
    session = fold(RUNNING, [event(T.AGENT_SESSION, id="a"), first])
    session = fold(new_process(session), [event(T.AGENT_SESSION, id="a"), second])
    assert (session.stats.tokens_input, session.stats.tokens_output, session.stats.tokens_cached) == (250, 30, 5)
    session = fold(session, [event(T.AGENT_SESSION, id="b"), other])
    assert session.stats.tokens_input == 257


def test_a_denial_that_was_never_asked_counts_as_refused_and_one_that_was_counts_once() -> None:
    denials = [{"tool": "Bash"}, {"tool": "Edit"}]
    assert fold(RUNNING, [turn(denials=denials)]).stats.permissions_refused == 2
    asked = fold(RUNNING, [event(T.PERMISSION_REFUSED), turn(denials=denials), turn(denials=[])])
    assert asked.stats.permissions_refused == 2


def test_a_limit_without_its_end_does_not_hide_an_end_that_is_known() -> None:
    rejected = event(T.USAGE_LIMIT, status="rejected", resets_at=NOON + 1000)
    again = event(T.USAGE_LIMIT, status="rejected", resets_at=None)
    assert fold(RUNNING, [rejected, again]).resume_at == NOON + 1000
    assert fold(RUNNING, [again]).resume_at == NOON + UNKNOWN_LIMIT_MS
    assert fold(RUNNING, [event(T.USAGE_LIMIT, status="warning", resets_at=5)]).resume_at is None


def test_an_agent_that_got_over_its_limit_is_not_limited_any_more() -> None:
    rejected = event(T.USAGE_LIMIT, status="rejected", resets_at=NOON + 1000)
    assert fold(RUNNING, [rejected, turn(is_error=True, text="limit")]).resume_at == NOON + 1000
    assert fold(RUNNING, [rejected, turn()]).resume_at is None


def test_a_terminal_waits_while_it_asks_and_runs_when_it_works_again() -> None:
    asks = fold(TERMINAL, [event(T.PERMISSION_ASKED, tool="Bash", argument="ls", source="hook")])
    assert (asks.status, asks.reason.signal) == (SessionStatus.WAITING, "hook")
    assert "Bash ls" in asks.reason.text
    assert fold(asks, [event(T.TOOL_RESULT)]).status is SessionStatus.RUNNING
    assert fold(RUNNING, [event(T.PERMISSION_ASKED, tool="Bash")]).status is SessionStatus.RUNNING


@pytest.mark.parametrize(
    ("state", "status"),
    [("asking", SessionStatus.WAITING), ("idle", SessionStatus.RUNNING), ("working", SessionStatus.RUNNING)],
)
def test_a_screen_says_what_a_terminal_does(state: str, status: SessionStatus) -> None:
    seen = fold(TERMINAL, [event(T.SCREEN_READ, source="screen", state=state, pattern="permission dialog")])
    assert (seen.activity.state, seen.status) == (state, status)
    if status is SessionStatus.WAITING:
        assert (seen.reason.signal, "permission dialog" in seen.reason.text) == ("screen", True)


def test_what_an_agent_does_now_is_its_last_event() -> None:
    session = fold(RUNNING, [event(T.TOOL_USE, tool="Bash", argument="make test")])
    assert (session.activity.state, session.activity.tool, session.activity.argument) == (
        "working",
        "Bash",
        "make test",
    )
    assert fold(session, [event(T.RETRY, error="busy")]).activity.state == "retrying"
    assert fold(session, [event(T.IDLE)]).activity.state == "idle"
    assert fold(session, [event(T.STALLED, text="silent", severity="warning")]).activity.state == "stalled"
    assert fold(session, [event("odd", severity="error")]).stats.errors == {"error": 1}


def test_a_command_does_what_its_last_line_says() -> None:
    lines = [event(T.OUTPUT, text=text, stream="stdout") for text in ("one", "two", "three ")]
    command = replace(a_session(), work=Work(argv=("make",)))
    assert fold(command, lines).activity.argument == "three"
    agent = replace(a_session(), work=Work(prompt="Do it"))
    assert fold(agent, lines).activity == agent.activity
