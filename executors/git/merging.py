"""Merges that change nothing when they conflict."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from executors.git.changes import identity
from executors.git.repository import HEADS, Heads, read_heads
from executors.git.run import ask, failure, git
from supervisor.engine.ports.workspaces import MergeResult
from supervisor.model.errors import NotFound, QuarterdeckError, Refused

_USAGE = 129
"""The exit code of a git that does not know an option: `merge-tree --write-tree` came with 2.38."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The tree of a merge, or the paths that conflict."""

    tree: str
    conflicts: tuple[str, ...] = ()


async def merge(root: Path, branch: str, into: str, message: str) -> MergeResult:
    """Merge a branch into another, which may be checked out somewhere or nowhere.

    Raises NotFound for a missing branch, and Refused when the worktree that has ``into`` checked out
    holds changes to files that the merge touches.
    """
    heads = await read_heads(root)
    theirs, ours = _commit_of(heads, branch), _commit_of(heads, into)
    if (await ask(root, "merge-base", "--is-ancestor", theirs, ours, reads=True)).code == 0:
        return MergeResult(merged=True, commit=ours, detail=f"{into} already has everything of {branch}.")
    merged = await merge_trees(root, ours, theirs)
    if merged.conflicts:
        return MergeResult(
            merged=False,
            conflicts=merged.conflicts,
            detail=f"{branch} and {into} changed the same lines; nothing was changed.",
        )
    parents = ("-p", ours, "-p", theirs)
    env = await identity(root)
    commit = (await git(root, "commit-tree", *parents, "-m", message, merged.tree, env=env)).strip()
    where = heads.branches[into].worktree
    if where is None:
        await git(root, "update-ref", "-m", f"merge {branch}", f"{HEADS}{into}", commit, ours)
    else:
        await _advance(where, into, commit)
    return MergeResult(merged=True, commit=commit, detail=f"{branch} was merged into {into}.")


async def merge_trees(root: Path, ours: str, theirs: str) -> Merged:
    """Merge two commits without a worktree."""
    answer = await ask(root, "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    if answer.code == _USAGE:
        return await merge_in_worktree(root, ours, theirs)
    tree, *paths = answer.text.split("\0")
    if answer.code == 0:
        return Merged(tree)
    if answer.code == 1:
        return Merged(tree, tuple(sorted({path for path in paths if path})))
    raise failure(root, "merge-tree", answer)


async def merge_in_worktree(root: Path, ours: str, theirs: str) -> Merged:
    """Merge two commits in a temporary worktree, as git before 2.38 needs it."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="quarterdeck-merge-"))
    place = folder / "merge"
    try:
        await git(root, "worktree", "add", "-q", "--detach", place, ours)
        answer = await ask(place, "merge", "-q", "--no-commit", "--no-ff", theirs, env=await identity(root))
        conflicts = await git(place, "diff", "-z", "--name-only", "--diff-filter=U", reads=True)
        if conflicts:
            return Merged("", tuple(path for path in conflicts.split("\0") if path))
        if answer.code != 0:
            raise failure(root, "merge", answer)
        return Merged((await git(place, "write-tree")).strip())
    finally:
        await ask(root, "worktree", "remove", "--force", place)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _advance(where: Path, branch: str, commit: str) -> None:
    """Move a branch and the files of the worktree that has it checked out, as far as that is safe."""
    answer = await ask(where, "merge", "-q", "--ff-only", "--no-verify-signatures", commit)
    if answer.code == 0:
        return
    touched = [line.strip() for line in answer.err.splitlines() if line.startswith("\t")]
    if touched:
        raise Refused(
            f"{branch} is checked out in {where}, which has changes to files of this merge: {', '.join(touched)}.",
            hint="Commit them or put them aside, then merge again. Nothing was changed.",
        )
    raise QuarterdeckError(
        f"{branch} is checked out in {where} and cannot move: {answer.complaint.rstrip('.')}.",
        hint=f"`git -C '{where}' status` says what is going on there. Nothing was changed.",
    )


def _commit_of(heads: Heads, branch: str) -> str:
    if branch not in heads.branches:
        raise NotFound(f"There is no branch {branch}.", hint="`git branch --list` shows those there are.")
    return heads.branches[branch].commit
