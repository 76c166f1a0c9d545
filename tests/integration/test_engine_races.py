"""What is asked of a session in the moment in which something else happens to it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from supervisor.model.errors import InvalidInput
from supervisor.model.statuses import SessionStatus as S
from tests.support.supervised import PERSON, Home, Supervised
from tests.wait import until


async def test_a_session_that_was_cancelled_while_it_was_prepared_can_be_continued_at_once(home: Home) -> None:
    (home.repository / "quarterdeck.yaml").write_text("worktrees: {setup: 'trap : TERM; sleep 1; sleep 1'}\n")
    async with home.supervised() as supervised:
        session = await supervised.script({"say": "hi"})
        await supervised.reaches(session, S.PREPARING)
        await supervised.engine.control.cancel(session.id, PERSON)
        (home.repository / "quarterdeck.yaml").unlink()
        await supervised.engine.control.continue_(session.id, "words", PERSON)
        assert (await supervised.ended(session)).status is S.COMPLETED
        health, checks = await supervised.engine.health()
        assert health == "healthy", checks


@pytest.mark.parametrize("field", ["name", "task", "branch", "base"])
async def test_a_secret_is_refused_wherever_it_would_be_stored(home: Home, field: str) -> None:
    home.configure(secrets=["SECRET"])
    async with home.supervised() as supervised:
        with pytest.raises(InvalidInput, match="SECRET"):
            await supervised.run("true", environment={"SECRET": "abcdef123456"}, **{field: "x-abcdef123456"})
    assert b"abcdef123456" not in home.paths.database.read_bytes()


async def test_the_disk_is_looked_at_when_health_is_asked_for(supervised: Supervised) -> None:
    assert (await supervised.engine.health())[0] == "healthy"
    supervised.paths.config_file.write_text('{"storage": {"free_disk_floor_mb": 1000000000}}')
    health, checks = await supervised.engine.health()
    assert health == "degraded"
    assert "MiB of disk are free" in checks["disk"]


@pytest.mark.tmux
async def test_when_everything_is_stopped_no_terminal_stays(home: Home) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sleep", "60", executor="tmux")
        await supervised.reaches(session, S.RUNNING)
        await supervised.client.post("/stop", {"all": True})
    await until(lambda: not answers(home.paths.run / "tmux.sock"), what="the end of the tmux server")
    assert not list(home.paths.run.glob("att_*"))


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
