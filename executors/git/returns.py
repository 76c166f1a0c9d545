"""What comes back from a container's clone: commits by fast-forward, then files that were not committed.

Whatever cannot be brought in without losing something is kept under `refs/quarterdeck/returned/`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from executors.git import quarantine
from executors.git.changes import identity
from executors.git.clones import Origin, mark_returned, read_origin, state_ref
from executors.git.convention import reference_name
from executors.git.merging import merge_trees
from executors.git.quarantine import Tips
from executors.git.repository import HEADS, common_dir
from executors.git.run import ask, git
from executors.git.snapshot import snapshot_index, snapshot_of_clone
from supervisor.model.errors import Refused
from supervisor.model.times import now_ms


@dataclass(frozen=True, slots=True)
class Return:
    """One return: where to, and where what cannot be brought in is kept."""

    workspace: Path
    clone: Path
    branch: str
    kept: str
    env: dict[str, str]


async def bring_back(clone: Path, workspace: Path, branch: str) -> str:
    """Bring everything back that the clone has and the worktree has not; says what came and what is kept."""
    origin = await asyncio.to_thread(read_origin, clone)
    if origin is None:
        raise Refused(f"{clone} is no clone of a worktree.", hint="There is nothing to bring back.")
    if origin.returned:
        return "Everything was brought back before."
    await asyncio.to_thread(quarantine.remove_pipes, clone)
    kept = f"refs/quarterdeck/returned/{reference_name(workspace)}/{now_ms()}"
    back = Return(workspace, clone, branch, kept, await identity(workspace))
    tips = await asyncio.to_thread(quarantine.read_tips, clone)
    missing = await _fetch(back, tips, origin)
    readable = tips.head is not None and tips.head not in missing
    said = [await _bring_in(back, origin, tips.head if tips.head and readable else origin.head)]
    said += [f"{ref} keeps what is on no branch here." for ref in await _drop_what_arrived(back)]
    if missing or not readable:
        said.append(f"Some commits of the clone cannot be read; {clone} is kept.")
        return " ".join(said)
    await git(workspace, "update-ref", "-d", state_ref(workspace))
    await asyncio.to_thread(mark_returned, clone, origin)
    return " ".join(said)


async def _fetch(back: Return, tips: Tips, origin: Origin) -> set[str]:
    """Fetch every commit that the clone's references name; returns those that are not whole."""
    wanted = {commit: f"branch-{number}" for number, commit in enumerate(sorted(tips.branches.values()), 1)}
    wanted |= {tips.head: "head"} if tips.head else {}
    wanted.pop(origin.head, None)
    if not wanted:
        return set()
    form = (await git(back.workspace, "rev-parse", "--show-object-format", reads=True)).strip()
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="quarterdeck-return-"))
    try:
        store = folder / "store.git"
        await quarantine.copy_objects(back.clone, store, origin.objects, form)
        await asyncio.to_thread(_copy_shallow, back.workspace, store)
        arrived = {commit for commit, name in wanted.items() if await _fetch_one(back, store, commit, name)}
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    return wanted.keys() - arrived


async def _fetch_one(back: Return, store: Path, commit: str, name: str) -> bool:
    ref = f"refs/heads/{name}"
    if (await ask(store, "update-ref", ref, commit)).code != 0:
        return False
    quiet = ("-q", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    checked = ("protocol.file.allow=always", "fetch.fsckObjects=true")
    answer = await ask(back.workspace, "fetch", *quiet, store, f"{ref}:{back.kept}/{name}", config=checked)
    return answer.code == 0


async def _bring_in(back: Return, origin: Origin, head: str) -> str:
    """Move the worktree to the clone's commit and files, when that loses nothing; says what happened."""
    where = back.workspace
    tree = await snapshot_of_clone(where, back.clone, head)
    files = await _commit(back, "Files of the container that were not committed", tree, head)
    await git(where, "update-ref", f"{back.kept}/files", files)
    current = await ask(where, "symbolic-ref", "-q", "HEAD", reads=True)
    if current.text.strip() != f"{HEADS}{back.branch}":
        return f"The worktree is not on {back.branch}, so nothing was brought into it."
    mine = (await git(where, "rev-parse", "HEAD", reads=True)).strip()
    if await _has(where, head, mine):
        target = head
    elif await _has(where, mine, head):
        target = mine
    else:
        return f"{back.branch} and the container's commits went different ways, so nothing was brought in."
    async with snapshot_index(where) as (ours, env):
        merged = await _merged(back, origin, ours, tree)
        if merged is None:
            return "The worktree and the container changed the same lines, so nothing was brought in."
        if (ours, mine) != (merged, target):
            await git(where, "read-tree", "-m", "-u", ours, merged, env=env)
            await git(where, "update-ref", "-m", "work of the container", f"{HEADS}{back.branch}", target, mine)
            await git(where, "reset", "-q")
    await git(where, "update-ref", "-d", f"{back.kept}/files")
    commits = await git(where, "rev-list", "--count", f"{mine}..{target}", reads=True)
    names = await git(where, "diff", "-z", "--name-only", "--no-renames", target, merged, reads=True)
    return f"Brought back: {int(commits)} commits; {names.count(chr(0))} files are not committed."


async def _merged(back: Return, origin: Origin, ours: str, theirs: str) -> str | None:
    """Return the tree of both sides' files; None when they conflict."""
    before = (await git(back.workspace, "rev-parse", f"{origin.state}^{{tree}}", reads=True)).strip()
    if ours == before:
        return theirs
    sides = [await _commit(back, "side", tree, origin.state) for tree in (ours, theirs)]
    merged = await merge_trees(back.workspace, *sides)
    return None if merged.conflicts else merged.tree


async def _drop_what_arrived(back: Return) -> list[str]:
    """Remove references to what the worktree's branch has now; returns the others."""
    listing = await git(back.workspace, "for-each-ref", "--format=%(refname)", f"{back.kept}/", reads=True)
    left = []
    for ref in listing.splitlines():
        if await _has(back.workspace, "HEAD", ref):
            await git(back.workspace, "update-ref", "-d", ref)
        else:
            left.append(ref)
    return left


async def _has(where: Path, descendant: str, commit: str) -> bool:
    return (await ask(where, "merge-base", "--is-ancestor", commit, descendant, reads=True)).code == 0


async def _commit(back: Return, message: str, tree: str, parent: str) -> str:
    made = await git(back.workspace, "commit-tree", "-p", parent, "-m", message, tree, env=back.env)
    return made.strip()


def _copy_shallow(workspace: Path, store: Path) -> None:
    shallow = common_dir(workspace) / "shallow"
    if shallow.exists():
        shutil.copyfile(shallow, store / "shallow")
