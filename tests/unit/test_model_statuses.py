"""Which status may follow which."""

from __future__ import annotations

from itertools import product

import pytest

from supervisor.model.errors import IllegalMove
from supervisor.model.statuses import (
    ATTEMPT_ENDED,
    ATTEMPT_MOVES,
    SESSION_ENDED,
    SESSION_LIVE,
    SESSION_MOVES,
    AttemptStatus,
    SessionStatus,
    check_attempt_move,
    check_session_move,
)


def test_every_session_status_says_where_it_leads() -> None:
    assert set(SESSION_MOVES) == set(SessionStatus)


def test_every_attempt_status_says_where_it_leads() -> None:
    assert set(ATTEMPT_MOVES) == set(AttemptStatus)


@pytest.mark.parametrize(("old", "new"), list(product(SessionStatus, repeat=2)))
def test_session_moves_are_exactly_those_of_the_table(old: SessionStatus, new: SessionStatus) -> None:
    if new in SESSION_MOVES[old]:
        check_session_move(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} cannot become {new}"):
            check_session_move(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(AttemptStatus, repeat=2)))
def test_attempt_moves_are_exactly_those_of_the_table(old: AttemptStatus, new: AttemptStatus) -> None:
    if new in ATTEMPT_MOVES[old]:
        check_attempt_move(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} cannot become {new}"):
            check_attempt_move(old, new)


def test_nothing_becomes_what_it_is() -> None:
    assert not [status for status in SessionStatus if status in SESSION_MOVES[status]]
    assert not [attempt for attempt in AttemptStatus if attempt in ATTEMPT_MOVES[attempt]]


def test_every_status_is_reached_from_queued() -> None:
    reached = {SessionStatus.QUEUED}
    while more := {new for old in reached for new in SESSION_MOVES[old]} - reached:
        reached |= more
    assert reached == set(SessionStatus)
    attempts = {AttemptStatus.QUEUED}
    while fresh := {new for old in attempts for new in ATTEMPT_MOVES[old]} - attempts:
        attempts |= fresh
    assert attempts == set(AttemptStatus)


def test_an_ended_attempt_stays_as_it_is() -> None:
    assert all(not ATTEMPT_MOVES[status] for status in ATTEMPT_ENDED)


def test_an_ended_session_lives_again_only_by_a_new_attempt() -> None:
    again = {new for old in SESSION_ENDED for new in SESSION_MOVES[old]}
    assert again <= {SessionStatus.QUEUED, SessionStatus.PREPARING, SessionStatus.ARCHIVED}


def test_every_live_session_can_be_cancelled_and_can_fail() -> None:
    for status in SESSION_LIVE | {SessionStatus.QUEUED}:
        assert {SessionStatus.CANCELLED, SessionStatus.FAILED} <= SESSION_MOVES[status]


def test_a_session_is_queued_live_or_ended_and_never_two_of_them() -> None:
    assert not SESSION_LIVE & SESSION_ENDED
    assert SESSION_LIVE | SESSION_ENDED | {SessionStatus.QUEUED} == set(SessionStatus)


def test_an_archived_session_stays_archived() -> None:
    assert not SESSION_MOVES[SessionStatus.ARCHIVED]
