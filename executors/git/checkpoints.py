"""Checkpoints: what lies in a worktree, its index and where HEAD is, kept under a private ref.

A checkpoint is a commit of the files as they are, byte for byte. Its parents are HEAD, which it keeps from being
collected, and a commit of the rest::

    state.json      where HEAD is, which ignored files were named, permissions, an unfinished merge
    index           the index as it was, byte for byte
    index-time      the time of the index in ns: git needs it to know which files it must read (racy-git.txt)
    entries/STAGE/  what the index has, so that it is not collected

Nothing of the person's is touched: not the index, not HEAD or a branch, not the stash, and no hook runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from executors.git import changes, exact, stamps
from executors.git.run import ask, git
from executors.git.snapshot import copy_index, git_dir, temporary_index
from supervisor.engine.ports.workspaces import CheckpointRequest, KeptCheckpoint, MadeCheckpoint
from supervisor.model.errors import NotFound, QuarterdeckError, Refused

PREFIX: Final = "refs/quarterdeck/checkpoints/"
FORMAT: Final = 1

OPERATION: Final = ("MERGE_HEAD", "MERGE_MODE", "MERGE_MSG", "CHERRY_PICK_HEAD", "REVERT_HEAD", "SQUASH_MSG")
"""Files of git by which it knows that a merge, a cherry-pick or a revert is not finished."""

_NOBODY: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Quarterdeck"), ("EMAIL", "quarterdeck@localhost"))
}
UNFILTERED: Final = ("core.protectNTFS=false", "core.protectHFS=false")
"""A name that another system could not have is a name here."""


@dataclass(frozen=True, slots=True)
class State:
    """What a checkpoint knows beside files and index.

    ``branch`` is None where no branch was checked out, ``head`` where it had no commit. ``permissions`` are the bits
    of plain and of executable files, ``other`` those of files that have others, by path.
    """

    head: str | None
    branch: str | None
    ignored: tuple[str, ...] = ()
    permissions: tuple[int, int] = (0o644, 0o755)
    other: Mapping[str, int] = field(default_factory=dict)
    operation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """A checkpoint that was just made, with what was found. ``rest`` is the tree of its state."""

    kept: MadeCheckpoint
    state: State
    rest: str
    look: exact.Look


async def make(request: CheckpointRequest, also: Iterable[str] = ()) -> Made | None:
    """Make a checkpoint; None when nothing is different from the checkpoint ``request.unless_like``.

    ``also`` are paths of files that are in it whether they are ignored or not.
    """
    try:
        return await _make(request, set(also))
    except QuarterdeckError as error:
        if "invalid object" not in error.message:
            raise
        # What was known of the files was stored, and collected since: read them again.
        await asyncio.to_thread(stamps.forget, await git_dir(request.worktree))
        return await _make(request, set(also))


async def _make(request: CheckpointRequest, also: set[str]) -> Made | None:
    worktree = request.worktree
    own = await git_dir(worktree)
    async with temporary_index() as index:
        time = await _index_as_it_is(worktree, own, index)
        entries = await exact.entries_of(worktree, index)
        found = await exact.look(worktree, own, index, entries, request.ignored, also)
        content = await asyncio.to_thread(index.read_bytes) if time is not None else None
    state = await _state(worktree, own, found, request.ignored)
    rest = {"state.json": json.dumps({"format": FORMAT, **asdict(state)}, sort_keys=True).encode()}
    if content is not None:
        rest |= {"index": content, "index-time": str(time).encode()}
    stored = await exact.store_bytes(worktree, rest)
    tree, more = await _trees(worktree, found, entries, stored)
    if request.unless_like and await _same(worktree, request.unless_like, tree, more):
        return None
    commit = await commit_of(worktree, state, tree, more, request.message)
    await git(worktree, "update-ref", request.ref, commit, "")
    kept = MadeCheckpoint(request.ref, commit, state.head, state.branch, len(found.files), found.size)
    return Made(kept, state, more, found)


async def compare(worktree: Path, ref: str, other: str | None, *, stat: bool) -> str:
    """Return what is different since a checkpoint: in its worktree now, or in another checkpoint."""
    commit, _, state = await read(worktree, ref)
    if other is None:
        other = await _present(worktree, state.ignored)
    else:
        other, _, _ = await read(worktree, other)
    return await changes.difference(worktree, commit, other, stat=stat)


async def _present(worktree: Path, ignored: Iterable[str]) -> str:
    """Return the files of a worktree as a tree that no ref keeps."""
    own = await git_dir(worktree)
    async with temporary_index() as index:
        await _index_as_it_is(worktree, own, index)
        entries = await exact.entries_of(worktree, index)
        found = await exact.look(worktree, own, index, entries, tuple(ignored), set())
    return (await _trees(worktree, found, (), {}))[0]


async def every(root: Path) -> list[KeptCheckpoint]:
    """Return the checkpoints that a repository has, in the order of their refs."""
    listing = await git(root, "for-each-ref", "--format=%(refname) %(objectname)", PREFIX, reads=True)
    return [KeptCheckpoint(*line.split(" ")) for line in listing.splitlines()]


async def drop(root: Path, ref: str) -> None:
    """Let git collect a checkpoint; one that is gone already is none."""
    if not ref.startswith(PREFIX):
        raise Refused(f"{ref} is no checkpoint.")
    await git(root, "update-ref", "-d", ref)


async def read(worktree: Path, ref: str) -> tuple[str, str, State]:
    """Return a checkpoint's commit, the commit of its state, and its state; NotFound when it is none or is gone."""
    parents = await ask(worktree, "rev-list", "--parents", "--max-count=1", ref, "--", reads=True)
    commits = parents.text.split()
    if parents.code != 0 or len(commits) < 2:
        raise NotFound(f"The checkpoint {ref} is gone.", hint="`quarterdeck checkpoint list` shows what there is.")
    said: dict[str, Any] = json.loads(await git(worktree, "cat-file", "blob", f"{commits[-1]}:state.json", reads=True))
    if (form := said.pop("format")) != FORMAT:
        raise Refused(
            f"The checkpoint {ref} has format {form}, and this version knows {FORMAT}.",
            hint="Use the version of Quarterdeck that made it, or a newer one.",
        )
    state = State(**{**said, "ignored": tuple(said["ignored"]), "permissions": tuple(said["permissions"])})
    return commits[0], commits[-1], state


async def commit_of(worktree: Path, state: State, tree: str, more: str, message: str) -> str:
    """Commit a tree of files and the tree of the rest."""
    merged = [each for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
              for each in state.operation.get(name, "").split()]  # fmt: skip
    rest = await _commit(worktree, more, merged, "state")
    return await _commit(worktree, tree, [each for each in (state.head, rest) if each], message)


async def _commit(worktree: Path, tree: str, parents: Iterable[str], message: str) -> str:
    lines = [part for parent in dict.fromkeys(parents) for part in ("-p", parent)]
    return (await git(worktree, "commit-tree", tree, *lines, "-m", message, env=_NOBODY)).strip()


async def _index_as_it_is(worktree: Path, own: Path, index: Path) -> int | None:
    """Copy the person's index, whole; returns its time in ns, or None when there is no index."""
    await asyncio.to_thread(copy_index, own, index)
    found = await asyncio.to_thread(stamps.stamp_of, index)
    if found is None:
        return None
    if any(await asyncio.to_thread(lambda: [*index.parent.glob("sharedindex.*")])):
        # Half of it lies in a file that git may remove.
        env = {"GIT_INDEX_FILE": str(index)}
        await git(worktree, "update-index", "--no-split-index", env=env, config=("core.splitIndex=false",))
        await asyncio.to_thread(os.utime, index, ns=(found[0], found[0]))
    return found[0]


async def _state(worktree: Path, own: Path, found: exact.Look, ignored: Iterable[str]) -> State:
    head = await ask(worktree, "rev-parse", "-q", "--verify", "HEAD^{commit}", reads=True)
    branch = await ask(worktree, "symbolic-ref", "-q", "HEAD", reads=True)
    usual, other = _permissions(found)
    return State(
        head=head.text.strip() or None,
        branch=branch.text.strip() or None,
        ignored=tuple(sorted(ignored)),
        permissions=usual,
        other=other,
        operation=await asyncio.to_thread(operation, own),
    )


def operation(own: Path) -> dict[str, str]:
    """Return what git keeps of a merge, a cherry-pick or a revert that is not finished, by file. Blocks."""
    return {name: os.fsdecode((own / name).read_bytes()) for name in OPERATION if (own / name).is_file()}


def _permissions(found: exact.Look) -> tuple[tuple[int, int], dict[str, int]]:
    """Return the usual permissions of plain and of executable files, and the others by path."""
    bits = {path: stat.S_IMODE(stamp[4]) for path, stamp in found.stamps.items() if found.files[path][0] != exact.LINK}
    kinds = (exact.PLAIN, exact.EXECUTABLE)
    counts = [Counter(each for path, each in bits.items() if found.files[path][0] == kind) for kind in kinds]
    plain, executable = (
        count.most_common(1)[0][0] if count else usual for count, usual in zip(counts, (0o644, 0o755), strict=True)
    )
    usual = {exact.PLAIN: plain, exact.EXECUTABLE: executable}
    other = {path: each for path, each in sorted(bits.items()) if each != usual[found.files[path][0]]}
    return (plain, executable), other


async def _trees(
    worktree: Path, found: exact.Look, entries: Iterable[exact.IndexEntry], stored: Mapping[str, str]
) -> tuple[str, str]:
    """Write the tree of the files, and that of the rest."""
    files = [f"{mode} {oid}\t{path}" for path, (mode, oid) in found.files.items()]
    if found.submodules:
        commits = await checked_out(worktree, found.submodules)
        files += [f"{exact.SUBMODULE} {oid}\t{path}" for path, oid in commits.items()]
    rest = [f"{each.mode} {each.oid}\tentries/{each.stage}/{each.path}" for each in entries]
    rest += [f"{exact.PLAIN} {oid}\t{name}" for name, oid in stored.items()]
    # What the index has and git does not, as in a partial clone, was not there to be kept.
    return await _written(worktree, files), await _written(worktree, rest, "--missing-ok")


async def checked_out(worktree: Path, submodules: Iterable[str]) -> dict[str, str]:
    """Return the commits that are checked out in submodules, by path, without starting git inside of them."""
    async with temporary_index() as index:
        env = {"GIT_INDEX_FILE": str(index)}
        listing = os.fsencode("".join(f"{path}\0" for path in submodules))
        await git(worktree, "update-index", "--add", "-z", "--stdin", stdin=listing, env=env)
        return {each.path: each.oid for each in await exact.entries_of(worktree, index)}


async def _written(worktree: Path, lines: Iterable[str], *options: str) -> str:
    """Write lines of an index as a tree."""
    async with temporary_index() as index:
        env = {"GIT_INDEX_FILE": str(index)}
        if listing := "".join(f"{line}\0" for line in lines):
            await git(
                worktree, "update-index", "-z", "--index-info", stdin=os.fsencode(listing), env=env, config=UNFILTERED
            )
        return (await git(worktree, "write-tree", *options, env=env, config=UNFILTERED)).strip()


async def _same(worktree: Path, ref: str, tree: str, more: str) -> bool:
    """Whether a checkpoint holds these trees; the bytes of the index differ with every look of git's."""
    try:
        commit, rest, _ = await read(worktree, ref)
    except NotFound:
        return False
    before = (await git(worktree, "rev-parse", f"{commit}^{{tree}}", reads=True)).strip()
    return before == tree and await _meaning(worktree, rest) == await _meaning(worktree, more)


async def _meaning(worktree: Path, rest: str) -> list[str]:
    listing = await git(worktree, "ls-tree", "-z", rest, reads=True)
    return [line for line in listing.split("\0") if not line.endswith(("\tindex", "\tindex-time"))]
