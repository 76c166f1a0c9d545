"""A small chaos run: the supervisor is killed at failpoints and at random, and nothing is lost or started twice."""

from __future__ import annotations

import random

import pytest

from tests.chaos.rounds import Plan, Round


@pytest.mark.tmux
@pytest.mark.timeout(120)
@pytest.mark.parametrize("failpoint", ["claim.after@2", "start.after@2", "recovery.adopted@1"])
async def test_nothing_is_lost_when_the_supervisor_dies(failpoint: str) -> None:
    chance = random.Random(failpoint)  # noqa: S311 - chaos that can be repeated, not cryptography
    result = await Round(Plan(["local", "tmux"], each=2, agents=1), failpoint, chance).run()
    assert (result.wrong, result.died_there) == ([], True)
