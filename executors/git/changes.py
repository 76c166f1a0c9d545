"""What a session changed, and its commits."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from executors.git.run import ask, git
from executors.git.snapshot import snapshot
from supervisor.engine.ports.workspaces import Present
from supervisor.model.errors import QuarterdeckError

_STAT_WIDTH = 100
_NOBODY = {"NAME": "Quarterdeck", "EMAIL": "quarterdeck@localhost"}


async def diff(worktree: Path, base_commit: str, *, stat: bool, now: str | None = None) -> str:
    """Return everything since a commit: later commits, staged, unstaged and untracked files; or up to the tree ``now``.

    Text that is not UTF-8 is shown with replacement characters, binary files by name only.
    """
    return await difference(worktree, base_commit, now or await snapshot(worktree), stat=stat)


async def difference(worktree: Path, before: str, after: str, *, stat: bool) -> str:
    """Return what is different between a commit and a commit or tree, as `diff` does."""
    kind = f"--stat={_STAT_WIDTH}" if stat else "--patch"
    shown = await compare(worktree, before, after, kind, "--no-color", "--submodule=short")
    return shown.decode(errors="replace")


async def compare(worktree: Path, base_commit: str, tree: str, *options: str) -> bytes:
    """Return what git says of the differences between a commit and a tree; no program but git is started."""
    answer = await ask(
        worktree,
        *("diff", *options, "--no-ext-diff", "--no-textconv", "--find-renames", "--src-prefix=a/", "--dst-prefix=b/"),
        *(base_commit, tree, "--"),
        reads=True,
    )
    if answer.code != 0:
        raise QuarterdeckError(
            f"The changes since {base_commit[:12]} cannot be shown: {answer.complaint}.",
            hint="Was the history that the session began from removed? `git log` shows what there is.",
        )
    return answer.out


async def present(worktree: Path) -> Present:
    """Return what is in a worktree now."""
    commit = (await git(worktree, "rev-parse", "--verify", "HEAD^{commit}", reads=True)).strip()
    return Present(commit, await snapshot(worktree))


async def changed(worktree: Path, before: str, after: str) -> frozenset[str]:
    """Return the paths that are not the same in two commits or trees; a byte that is not UTF-8 is written as U+FFFD."""
    listing = await ask(
        worktree, "diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after, "--", reads=True
    )
    if listing.code != 0:
        raise QuarterdeckError(f"{before[:12]} and {after[:12]} cannot be compared: {listing.complaint}.")
    return frozenset(path for path in listing.out.decode(errors="replace").split("\0") if path)


async def commit(worktree: Path, message: str) -> str | None:
    """Commit everything that is not ignored; returns the commit, or None when there was nothing."""
    await git(worktree, "add", "--all")
    staged, merging = await asyncio.gather(
        ask(worktree, "diff", "--cached", "--quiet", "--ignore-submodules=dirty", reads=True),
        ask(worktree, "rev-parse", "-q", "--verify", "MERGE_HEAD", reads=True),
    )
    if staged.code == 0 and merging.code != 0:
        return None
    await git(worktree, "commit", "-q", "--no-verify", "-m", message, env=await identity(worktree))
    return (await git(worktree, "rev-parse", "HEAD", reads=True)).strip()


async def identity(where: Path) -> dict[str, str]:
    """Return what names an author where the person configured none; empty where one is."""
    emails = {name: os.environ.get(f"GIT_{name}_EMAIL") for name in ("AUTHOR", "COMMITTER")}
    if all(emails.values()):
        return {}
    known = await asyncio.gather(*(ask(where, "config", f"user.{key}", reads=True) for key in ("name", "email")))
    if all(answer.code == 0 and answer.out.strip() for answer in known):
        return {}
    return {f"GIT_{who}_{key}": value for who, email in emails.items() if not email for key, value in _NOBODY.items()}
