"""The supervisor is killed while something is put: it is kept whole, once, and nothing else stays."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from supervisor.api.client import Client, at
from supervisor.cli import putting
from supervisor.cli.putting import put
from tests.chaos.victim import Victim
from tests.support.git import repository
from tests.wait import until


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Victim]:
    home = Path(tempfile.mkdtemp(prefix="qda"))
    paths = Paths.below(home)
    paths.create()
    victim = Victim(paths, "", tmp_path / "failpoints")
    yield victim
    victim.kill()
    shutil.rmtree(home)


def client_of(victim: Victim) -> Client:
    return Client(victim.paths.socket, victim.paths.token_file)


def stored(victim: Victim) -> list[str]:
    return [path.name for path in victim.paths.artifacts.glob("??/*")]


def waiting(victim: Victim) -> list[str]:
    return [path.name for path in (victim.paths.artifacts / "incoming").iterdir()]


async def check(victim: Victim, artifact: dict[str, Any], data: bytes) -> None:
    """What was put is there, whole and once, and nothing is left of it elsewhere."""
    async with client_of(victim) as client:
        assert (await client.get("/artifacts"))["artifacts"] == [artifact]
        found = b"".join([part async for part in client.content(at("artifact", artifact["id"], "content"))])
        assert found == data
    assert stored(victim) == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize("point", ["artifact.placed", "artifact.kept"])
async def test_a_crash_around_the_commit_keeps_it_once(victim: Victim, tmp_path: Path, point: str) -> None:
    data = os.urandom(100_000)
    where = repository(tmp_path / "shop")
    victim.armed = f"{point}@1"
    await victim.start()
    async with client_of(victim) as client:
        body = {"name": "report", "cwd": str(where)}
        going_on = asyncio.create_task(put(client, BytesIO(data), body))
        await until(lambda: not victim.is_running, what=f"it dies at {point}")
        assert victim.died_at_failpoint
        # Whole or not there, whichever moment it was.
        assert stored(victim) == [hashlib.sha256(data).hexdigest()]
        await victim.start()
        artifact = await going_on
    await check(victim, artifact, data)
    # The next start clears away what the crash left in between.
    victim.kill()
    await victim.start()
    await until(lambda: waiting(victim) == [], what="nothing waits")
    await check(victim, artifact, data)


async def test_kills_at_random_moments_lose_nothing_of_what_is_put(
    victim: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(putting, "PIECE", 4096)
    chance = random.Random(7)  # noqa: S311 - kills that can be repeated, not cryptography
    data = os.urandom(2_000_000)
    where = repository(tmp_path / "shop")
    await victim.start()
    async with client_of(victim) as client:
        going_on = asyncio.create_task(put(client, BytesIO(data), {"name": "report", "cwd": str(where)}))
        far, kills = 0, 0
        while kills < 4 and not going_on.done():
            target = far + chance.randint(50_000, 300_000)
            await until(lambda target=target: going_on.done() or _far(victim) >= target)  # type: ignore[misc]
            victim.kill()
            kills += 1
            far = _far(victim)
            await victim.start()
        artifact = await going_on
    assert kills == 4
    await check(victim, artifact, data)


def _far(victim: Victim) -> int:
    """How many bytes of the upload are there."""
    return sum(path.stat().st_size for path in (victim.paths.artifacts / "incoming").glob("upl_*"))
