"""Throw-away repositories, and the git of a person who works in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import Worktrees
from executors.git.workspaces import GitWorkspaces
from supervisor.engine.ports.workspaces import Workspace, WorkspaceRequest

PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(where: Path, *arguments: str | Path, check: bool = True) -> str:
    """Run git as a person would and return its output without the last newline."""
    done = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=where,
        env=os.environ | PERSON,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def commit(where: Path, files: dict[str, str], message: str = "change") -> str:
    """Write files, commit them, return the commit."""
    for name, text in files.items():
        write(where / name, text)
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", message)
    return git(where, "rev-parse", "HEAD")


def repository(path: Path, branch: str = "main") -> Path:
    """Make a repository with one commit."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", branch)
    commit(path, {"a.txt": "one\ntwo\nthree\n", "folder/b.txt": "b\n", ".gitignore": ".env*\n*.log\n"}, "first")
    return path


@dataclass
class Place:
    """A repository, its folder of worktrees, and the workspaces under test."""

    root: Path
    worktrees: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings_for: Callable[[Path], Worktrees] = lambda _: Worktrees(**self.settings)  # noqa: E731
        self.workspaces = GitWorkspaces(settings_for)

    @property
    def log(self) -> Path:
        return self.worktrees.parent / "setup.log"

    def request(self, session: str = "ses_1", **more: Any) -> WorkspaceRequest:
        return WorkspaceRequest(
            session=session, project="prj", root=self.root, worktrees=self.worktrees, log=self.log, **more
        )

    async def prepare(self, session: str = "ses_1", **more: Any) -> Workspace:
        return await self.workspaces.prepare(self.request(session, **more))
