from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from supervisor.model.errors import Refused
from tests.support.git import git, repository


async def test_a_merge_says_what_is_not_committed_yet_and_changes_nothing(tmp_path: Path) -> None:
    root, paths = repository(tmp_path / "shop"), Paths.below(tmp_path / "home")
    before = git(root, "rev-parse", "main")
    async with Daemon(paths), Client(paths.socket, paths.token_file) as client:
        body = {
            "cwd": str(root),
            "name": "note",
            "argv": ["sh", "-c", "echo new > new.txt; echo more >> a.txt"],
            "environment": {"PATH": os.environ["PATH"]},
        }
        await client.post("/sessions", body)
        await client.wait_until_ended("note")
        with pytest.raises(Refused, match="note has uncommitted changes: 1 modified and 1 new files"):
            await client.post("/sessions/note/merge")
        assert git(root, "rev-parse", "main") == before
        await client.post("/sessions/note/commit", {"message": "Note"})
        merged = await client.post("/sessions/note/merge")
    assert git(root, "rev-parse", "main") == merged["commit"]
