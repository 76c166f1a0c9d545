"""Why nothing is live, in words."""

from __future__ import annotations

from panels.view.connecting import AGAIN, CRASHED, STARTING, STOPPED, why_away, why_not_started
from supervisor.model.errors import Forbidden, SupervisorUnreachable

GONE = SupervisorUnreachable("No supervisor answers.", hint="Start one with `quarterdeck serve`.")


def test_the_app_says_that_it_starts_one_itself() -> None:
    assert why_away(GONE, was_live=False, crashed=False) == STARTING
    assert why_away(GONE, was_live=False, crashed=True) == STARTING
    assert "quarterdeck serve" not in STARTING


def test_one_that_is_gone_is_started_and_one_that_was_stopped_is_not() -> None:
    assert why_away(GONE, was_live=True, crashed=True) == CRASHED
    assert why_away(GONE, was_live=True, crashed=False) == STOPPED


def test_what_else_is_wrong_is_said_as_it_is() -> None:
    slow = SupervisorUnreachable("It did not answer in time.", code="no_answer")
    assert why_away(slow, was_live=False, crashed=False) == "It did not answer in time."
    assert why_away(Forbidden("No.", hint="Ask."), was_live=True, crashed=True) == "No. Ask."
    assert why_not_started(SupervisorUnreachable("It did not start.")) == f"It did not start. {AGAIN}"
