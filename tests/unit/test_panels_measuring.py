"""Sizes of diffs for the fleet: read from what git says, few at a time, once for many changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from panels.measuring import AT_ONCE, FIRST, Measuring, size_of
from panels.view.model import ViewModel
from panels.view.sessions import SessionView
from supervisor.api.client import Client
from supervisor.model.errors import NotFound
from tests.support.git import git, repository
from tests.wait import until


def test_the_size_is_what_git_says_last(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repository")
    (repo / "a.txt").write_text("one\n2 insertions(+)\n")
    assert size_of(git(repo, "diff", "--stat", "HEAD")) == (1, 2)
    (repo / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    assert size_of(git(repo, "diff", "--stat", "HEAD")) == (1, 0)
    assert size_of("") == (0, 0)


class Slow:
    """A client that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = self.most = 0
        self.let = asyncio.Event()
        self.gone: set[str] = set()

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        session = path.split("/")[2]
        assert query == {"stat": True}
        self.asked.append(session)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.let.wait()
        self.now -= 1
        if session in self.gone:
            raise NotFound("its worktree is gone")
        return {"diff": f" 1 file changed, {len(session)} insertions(+), 1 deletion(-)"}


def view_of(*sessions: tuple[str, str, int]) -> ViewModel:
    view = ViewModel()
    for name, status, ended in sessions:
        fields = dict.fromkeys(SessionView.__dataclass_fields__)
        view.sessions[name] = SessionView(
            **{**fields, "id": name, "status": status, "ended_at": ended, "worktree": "/w"}  # type: ignore[arg-type]
        )
    return view


async def drawn() -> None:
    """Draw nothing."""


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def test_never_more_than_two_and_each_session_once(slow: Slow) -> None:
    view = view_of(*((f"s{n}", "running", 0) for n in range(6)))
    measuring = Measuring(cast("Client", slow), view, drawn)
    work = asyncio.create_task(measuring.run())
    for n in range(6):
        for _ in range(3):
            measuring.heard({"session": f"s{n}", "type": "turn_ended", "payload": {}})
    await until(lambda: slow.now == AT_ONCE)
    measuring.heard({"session": "s0", "type": "turn_ended", "payload": {}})
    slow.let.set()
    await until(lambda: len(slow.asked) == 7)
    await until(lambda: all(session.added == 2 for session in view.sessions.values()))
    assert slow.most == AT_ONCE
    assert slow.asked.count("s0") == 2, "what changed while it was measured is measured again"
    work.cancel()


async def test_only_what_changes_a_diff_is_measured_and_a_lost_worktree_stops_nothing(slow: Slow) -> None:
    view = view_of(("a", "running", 0), ("b", "running", 0))
    measuring = Measuring(cast("Client", slow), view, drawn)
    slow.let.set()
    slow.gone = {"a"}
    work = asyncio.create_task(measuring.run())
    measuring.heard({"session": "b", "type": "output", "payload": {}})
    measuring.heard({"session": None, "type": "turn_ended", "payload": {}})
    measuring.heard({"session": "b", "type": "status_changed", "payload": {"to": "running"}})
    measuring.heard({"session": "a", "type": "status_changed", "payload": {"to": "failed"}})
    measuring.heard({"session": "b", "type": "turn_ended", "payload": {}})
    await until(lambda: view.sessions["b"].added == 1)
    assert slow.asked == ["a", "b"]
    assert view.sessions["a"].added is None
    work.cancel()


async def test_after_connecting_the_newest_that_have_ended_are_measured_once(slow: Slow) -> None:
    view = view_of(*((f"s{n}", "completed", n) for n in range(FIRST + 5)), ("r", "running", 0))
    measuring = Measuring(cast("Client", slow), view, drawn)
    slow.let.set()
    measuring.connected()
    measuring.connected()
    work = asyncio.create_task(measuring.run())
    await until(lambda: len(slow.asked) == FIRST and not slow.now)
    assert slow.asked[0] == f"s{FIRST + 4}"
    assert set(slow.asked) == {f"s{n}" for n in range(5, FIRST + 5)}
    work.cancel()
