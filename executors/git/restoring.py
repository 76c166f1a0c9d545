"""A worktree made again what a checkpoint has of it.

First the present is kept as a checkpoint of its own; nothing is changed or removed that is not in it. A restore that
was killed is finished by the next one. HEAD and branches stay where they are unless they are asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from executors.git import checkpoints, exact, heads, stamps
from executors.git.checkpoints import Made, State
from executors.git.placing import Placer, ancestors
from executors.git.run import ask, git
from executors.git.snapshot import git_dir, temporary_index
from supervisor.engine.failpoints import hit
from supervisor.engine.ports.workspaces import CheckpointRequest, MadeCheckpoint, Restored
from supervisor.model.errors import QuarterdeckError, Refused

AT_ONCE: Final = 32 * 1024 * 1024
"""Bytes of content that are held in memory; a larger file is written by git itself."""

UNFINISHED: Final = {"rebase-merge": "rebase", "rebase-apply": "rebase", "sequencer": "series of commits"}
"""Folders of git of what is done in several commits, in the middle of which nothing is gone back to."""

Kept = Callable[[MadeCheckpoint], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be there: files, the lines of the index, and the rest."""

    files: exact.Files
    state: State
    index: bytes | None
    index_time: int


async def restore(worktree: Path, ref: str, safety: CheckpointRequest, kept: Kept, *, head: bool) -> Restored:
    """Make the files and the index of a worktree what a checkpoint has; with ``head`` also HEAD and its branch.

    ``kept`` is called with the checkpoint of the present before anything is changed. Refused when something stands
    in the way that no checkpoint can keep, or when a file changes meanwhile.
    """
    try:
        return await _restore(worktree, ref, safety, kept, head=head)
    except OSError as error:
        raise QuarterdeckError(
            f"{error.filename} cannot be restored: {error.strerror}.",
            hint="Put that right, then restore once more: that finishes it.",
            kept=f"What was there before is kept as {safety.ref}.",
        ) from error


async def _restore(worktree: Path, ref: str, safety: CheckpointRequest, kept: Kept, *, head: bool) -> Restored:
    own = await git_dir(worktree)
    target = await _target(worktree, ref)
    await asyncio.to_thread(_refuse_unfinished, worktree, own)
    if head:
        await heads.check(worktree, target.state)
    wanted = {path for path, (mode, _) in target.files.items() if mode != exact.SUBMODULE}
    above = {parent for path in target.files for parent in ancestors(path)}
    ignored = tuple(sorted({*safety.ignored, *target.state.ignored}))
    made = await checkpoints.make(replace(safety, ignored=ignored, unless_like=None), wanted | above | {*target.files})
    if made is None:
        raise AssertionError("unreachable: only one that may be left out is None")
    placer = Placer(worktree, made.look)
    await asyncio.to_thread(placer.check, target.files)
    await kept(made.kept)
    hit("restore.kept")
    written = await _write(worktree, placer, target, made.look.files)
    hit("restore.written")
    safe, removed, left = await _remove_what_came_later(worktree, own, placer, target, made, safety)
    hit("restore.removed")
    await asyncio.to_thread(placer.permit, target.files, target.state)
    await asyncio.to_thread(heads.put_operation, own, target.state)
    await _put_index(own, target)
    if head:
        await heads.move(worktree, target.state, safety.message)
    left += await _other_commits(worktree, target)
    return Restored(safe, written, removed, target.state.head, target.state.branch, tuple(left))


async def _target(worktree: Path, ref: str) -> Target:
    commit, rest, state = await checkpoints.read(worktree, ref)
    listing = await git(worktree, "ls-tree", "-r", "-z", "--full-tree", commit, reads=True)
    files = {}
    for line in filter(None, listing.split("\0")):
        what, path = line.split("\t", 1)
        mode, _, oid = what.split(" ")
        files[path] = (mode, oid)
    index = await ask(worktree, "cat-file", "blob", f"{rest}:index", reads=True)
    if index.code != 0:
        return Target(files, state, None, 0)
    time = int(await git(worktree, "cat-file", "blob", f"{rest}:index-time", reads=True))
    return Target(files, state, index.out, time)


def _refuse_unfinished(worktree: Path, own: Path) -> None:
    for name, word in UNFINISHED.items():
        if (own / name).exists():
            raise Refused(
                f"A {word} is under way in {worktree}.",
                hint=f"Finish it or give it up first: `git -C '{worktree}' status` says how.",
            )


async def _write(worktree: Path, placer: Placer, target: Target, before: exact.Files) -> int:
    """Write what is different; returns how many files that were."""
    changed = {path: entry for path, entry in target.files.items() if before.get(path) != entry}
    await asyncio.to_thread(placer.folders, [path for path, (mode, _) in changed.items() if mode == exact.SUBMODULE])
    changed = {path: entry for path, entry in changed.items() if entry[0] != exact.SUBMODULE}
    sizes = await _sizes(worktree, [oid for _, oid in changed.values()])
    batch: list[str] = []
    held = 0
    for path, (mode, oid) in changed.items():
        if sizes[oid] > AT_ONCE and mode != exact.LINK:
            with placer.opened(path, mode) as file:
                await _stream(worktree, oid, file)
            continue
        batch.append(path)
        held += sizes[oid]
        if held > AT_ONCE:
            await _write_batch(worktree, placer, changed, batch)
            batch, held = [], 0
    await _write_batch(worktree, placer, changed, batch)
    return len(changed)


async def _sizes(worktree: Path, oids: list[str]) -> dict[str, int]:
    """Return the size of objects, in bytes."""
    wanted = list(dict.fromkeys(oids))
    stdin = "".join(f"{oid}\n" for oid in wanted).encode()
    said = (await git(worktree, "cat-file", "--batch-check", stdin=stdin, reads=True)).splitlines() if wanted else []
    found = {}
    for oid, line in zip(wanted, said, strict=True):
        if line.endswith(" missing"):
            raise QuarterdeckError(
                f"The checkpoint is not whole: {oid} is missing. Nothing was changed.",
                hint=f"`git -C '{worktree}' fsck` says what else is.",
            )
        found[oid] = int(line.split(" ")[2])
    return found


async def _stream(worktree: Path, oid: str, file: int) -> None:
    answer = await ask(worktree, "cat-file", "blob", oid, reads=True, out=file)
    if answer.code != 0:
        raise QuarterdeckError(f"git cat-file failed: {answer.complaint}.", hint="Restore once more.")


async def _write_batch(worktree: Path, placer: Placer, files: exact.Files, batch: list[str]) -> None:
    if not batch:
        return
    stdin = "".join(f"{files[path][1]}\n" for path in batch).encode()
    answer = await ask(worktree, "cat-file", "--batch", stdin=stdin, reads=True)

    def write() -> None:
        position = 0
        for path in batch:
            end = answer.out.index(b"\n", position)
            size = int(answer.out[position:end].split(b" ")[2])
            placer.write(path, files[path][0], answer.out[end + 1 : end + 1 + size])
            position = end + 1 + size + 1

    await asyncio.to_thread(write)


async def _remove_what_came_later(
    worktree: Path, own: Path, placer: Placer, target: Target, made: Made, safety: CheckpointRequest
) -> tuple[MadeCheckpoint, int, list[str]]:
    """Remove what the checkpoint does not have and, by its own rules of what is ignored, would have had.

    Returns the checkpoint of the present, with whatever the rules of today hid from it, and what was left.
    """
    async with temporary_index() as index:
        if target.index is not None:
            await asyncio.to_thread(index.write_bytes, target.index)
        others = await exact.others(worktree, index, target.state.ignored)
        had = {each.path for each in await exact.entries_of(worktree, index)}
    left = sorted(name for name in others if name.endswith("/") and name[:-1] not in target.files)
    late = sorted({name for name in others | had if not name.endswith("/")} - {*target.files})
    found = await asyncio.to_thread(exact.stamps_of, worktree, late)
    late = [path for path, stamp in found.items() if not stamps.is_folder(stamp)]
    left += [path for path, stamp in found.items() if stamps.is_folder(stamp)]
    safe = made.kept
    unkept = {path: found[path] for path in late if path not in made.look.files and stamps.is_file(found[path])}
    if unkept:
        safe = await _kept_too(worktree, made, unkept, safety)
        placer.saw(unkept)
    await asyncio.to_thread(placer.remove, late)
    return safe, len(late), [f"{name} was not there, is a repository of its own, and was left alone." for name in left]


async def _kept_too(
    worktree: Path, made: Made, files: dict[str, stamps.Stamp], safety: CheckpointRequest
) -> MadeCheckpoint:
    """Put further files into the checkpoint of the present."""
    oids = await exact.store(worktree, files)
    lines = "".join(f"{exact.mode_of(stamp)} {oids[path]}\t{path}\0" for path, stamp in files.items())
    async with temporary_index() as index:
        env = {"GIT_INDEX_FILE": str(index)}
        await git(worktree, "read-tree", made.kept.commit, env=env)
        await git(
            worktree, "update-index", "-z", "--replace", "--index-info", stdin=os.fsencode(lines), env=env,
            config=checkpoints.UNFILTERED,
        )  # fmt: skip
        tree = (await git(worktree, "write-tree", env=env)).strip()
    commit = await checkpoints.commit_of(worktree, made.state, tree, made.rest, safety.message)
    await git(worktree, "update-ref", made.kept.ref, commit, made.kept.commit)
    size = made.kept.size + sum(stamp[3] for stamp in files.values())
    return replace(made.kept, commit=commit, files=made.kept.files + len(files), size=size)


async def _put_index(own: Path, target: Target) -> None:
    """Put the index back, with its time."""
    await heads.locked_write(own / "index", target.index, target.index_time)


async def _other_commits(worktree: Path, target: Target) -> list[str]:
    """Say which submodules have another commit checked out than they had."""
    wanted = {path: oid for path, (mode, oid) in target.files.items() if mode == exact.SUBMODULE}
    here = [path for path in wanted if await asyncio.to_thread((worktree / path / ".git").exists)]
    if not here:
        return []
    now = await checkpoints.checked_out(worktree, here)
    return [
        f"The submodule {path} is at {now[path][:12]} and was at {wanted[path][:12]}: "
        f"git -C '{worktree / path}' checkout {wanted[path]}"
        for path in here
        if now[path] != wanted[path]
    ]
