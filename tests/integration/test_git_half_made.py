"""A worktree that somebody is just adding: git fails at its empty files, for a moment."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from executors.git import run
from executors.git.repository import read_heads
from supervisor.model.errors import QuarterdeckError
from tests.support.git import repository


def half_made(root: Path) -> Path:
    folder = root / ".git/worktrees/half"
    folder.mkdir(parents=True)
    (folder / "gitdir").write_text(f"{root}/half/.git\n")
    (folder / "HEAD").write_text("ref: refs/heads/half\n")
    (folder / "commondir").write_text("")
    return folder


async def test_it_is_waited_for(tmp_path: Path) -> None:
    root = repository(tmp_path / "project")
    folder = half_made(root)
    reading = asyncio.create_task(read_heads(root))
    done, _ = await asyncio.wait({reading}, timeout=0.2)
    assert not done
    await asyncio.to_thread(shutil.rmtree, folder)
    assert "main" in (await reading).branches


async def test_one_that_stays_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LOCK_PATIENCE_S", 0.1)
    root = repository(tmp_path / "project")
    half_made(root)
    with pytest.raises(QuarterdeckError, match="failed to read"):
        await read_heads(root)
