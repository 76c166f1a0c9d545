"""A taste of `make chaos`: the supervisor dies where it hurts most, and nothing is lost or done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.round import Plan, play
from tests.chaos.work import jobs


@pytest.mark.tmux
@pytest.mark.timeout(150)
@pytest.mark.parametrize("failpoint", ["claim.after", "start.after", "recovery.adopted"])
async def test_a_supervisor_that_is_killed_loses_nothing_and_starts_nothing_twice(
    failpoint: str, tmp_path: Path
) -> None:
    work = jobs(["local", "tmux"], 4)
    # Where the other kill comes before it gets to its failpoint, which a busy machine decides, it is played again.
    for seed in (1, 2, 3):
        result = await play(Plan(failpoint, work, 1, "", "", seed=seed), tmp_path / f"failpoints-{seed}")
        assert result.verdict.violations == ()
        if result.died_at_failpoint:
            break
    assert result.died_at_failpoint
    assert result.kills >= 1
