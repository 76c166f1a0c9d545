"""Sessions from request to end: what is stored of them, on a real supervisor."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.model.statuses import AttemptStatus, SessionStatus
from tests.support.supervised import Supervised

pytestmark = pytest.mark.timeout(60)

S = SessionStatus


async def test_a_command_completes_with_its_output_and_exit_code(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("sh", "-c", "echo hi; touch made"))
    (attempt,) = await supervised.attempts(session)
    assert (session.status, session.exit_code, attempt.status) == (S.COMPLETED, 0, AttemptStatus.COMPLETED)
    assert [payload["text"] for payload in await supervised.payloads(session, "output")] == ["hi"]
    assert session.worktree is not None
    assert (Path(session.worktree) / "made").exists()
    moves = [payload["to"] for payload in await supervised.payloads(session, "status_changed")]
    assert moves == ["preparing", "running", "completed"]


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("exit 90", 90)])
async def test_a_command_fails_with_its_exact_exit_code(supervised: Supervised, script: str, code: int) -> None:
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    assert (session.status, session.exit_code, session.reason.signal) == (S.FAILED, code, "exit")


@pytest.mark.tmux
async def test_a_terminal_session_completes_and_its_output_is_kept(supervised: Supervised) -> None:
    session = await supervised.run("sh", "-c", "test -t 1 && echo terminal", mode="dispatch")
    assert session.status is S.PREPARING
    session = await supervised.ended(session)
    assert (session.status, session.exit_code) == (S.COMPLETED, 0)
    assert "terminal" in [payload["text"] for payload in await supervised.payloads(session, "output")]


async def test_a_hard_timeout_is_named(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("sleep", "60", timeout_s=0.2))
    (attempt,) = await supervised.attempts(session)
    assert (attempt.status, session.reason.signal) == (AttemptStatus.FAILED_TIMEOUT, "watchdog")
    assert "start_to_close" in session.reason.text


async def test_what_cannot_be_started_fails_with_its_reason(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("./made-by-nobody"))
    (attempt,) = await supervised.attempts(session)
    assert (session.status, attempt.status) == (S.FAILED, AttemptStatus.FAILED)
    assert "made-by-nobody" in session.reason.text


async def test_an_agent_that_exits_without_ending_a_turn_is_not_completed(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "Hm."}, {"exit": 0}))
    assert (session.status, session.exit_code) == (S.FAILED, 0)
    assert "without having ended a turn" in session.reason.text


async def test_an_agents_figures_are_kept(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"run": "true"}, {"say": "Done."}))
    assert (session.status, session.stats.turns, session.stats.messages) == (S.COMPLETED, 1, 1)
    assert sum(session.stats.tools_used.values()) == 1
    assert len(session.agent_session_ids) == 1


async def test_a_session_over_its_budget_is_stopped_with_that_reason(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "Dear."}, budget_usd=0.0000001))
    assert session.stats.cost_usd > 0
    assert (session.status, session.reason.signal) == (S.FAILED, "limit")
    assert "budget" in session.reason.text
