"""A container's own clone of a worktree.

It holds the files as they are, also those that are not committed or ignored, and its own small `.git`. The
objects of the host's repository are borrowed: their folders are mounted read-only at the same paths, and
`objects/info/alternates` is the only place that names a path of the host.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from executors.git.changes import identity
from executors.git.convention import reference_name
from executors.git.repository import HEADS, common_dir
from executors.git.run import ask, environment, git
from executors.git.snapshot import git_dir, snapshot
from executors.git.submodules import listed
from supervisor.model.errors import QuarterdeckError, Refused


@dataclass(frozen=True, slots=True)
class Origin:
    """What a clone began with: kept beside it, where its container cannot write.

    ``state`` is a commit of all files as they were, on top of ``head``. A clone that was ``returned``
    holds nothing that the host does not have.
    """

    branch: str
    head: str
    state: str
    objects: tuple[str, ...]
    returned: bool = False


async def make(workspace: Path, into: Path, *, uid: int, gid: int) -> tuple[Path, ...]:
    """Make a clone for a container's user, or return to one whose work was not brought back yet.

    Raises Refused when this process cannot give files to that user.
    """
    _check_owner(uid, gid)
    origin = await asyncio.to_thread(read_origin, into)
    if await asyncio.to_thread(into.exists):
        if origin is None:
            raise Refused(
                f"There is already a folder {into}, and it is no clone of a worktree.",
                hint="Look at what it holds, and move it away.",
            )
        if not origin.returned:
            return tuple(map(Path, origin.objects))
    objects = tuple(await asyncio.to_thread(lambda: list(_object_folders(common_dir(workspace) / "objects"))))
    origin = await _origin(workspace, objects)
    building = into.with_name(f"{into.name}.new")
    await asyncio.to_thread(_make_room, building)
    await _run("cp", "-a", "--reflink=auto", f"{workspace}/.", str(building))
    inner = [module.path for module in await listed(workspace)]
    await asyncio.to_thread(_drop_git_files, building, inner)
    await _fill_git_folder(workspace, building, origin)
    if os.geteuid() == 0:
        await _run("chown", "-R", "-h", f"{uid}:{gid}", str(building))
    await asyncio.to_thread(_install, building, into, origin)
    return objects


def read_origin(clone: Path) -> Origin | None:
    """Return what a clone began with; None when it was not made here."""
    try:
        return msgspec.json.decode(_note(clone).read_bytes(), type=Origin)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def mark_returned(clone: Path, origin: Origin) -> None:
    """Note that the host has everything of a clone."""
    _write_note(clone, replace(origin, returned=True))


async def _origin(workspace: Path, objects: tuple[Path, ...]) -> Origin:
    head = (await git(workspace, "rev-parse", "HEAD", reads=True)).strip()
    branch = await ask(workspace, "symbolic-ref", "-q", "--short", "HEAD", reads=True)
    tree = await snapshot(workspace)
    env = await identity(workspace)
    state = await git(workspace, "commit-tree", "-p", head, "-m", "State before the container", tree, env=env)
    # A reference keeps the state from being collected while the container works.
    await git(workspace, "update-ref", state_ref(workspace), state.strip())
    return Origin(branch.text.strip() or "detached", head, state.strip(), tuple(map(str, objects)))


def state_ref(workspace: Path) -> str:
    """Return the reference that holds a worktree's state while its container works."""
    return f"refs/quarterdeck/cloned/{reference_name(workspace)}"


async def _fill_git_folder(workspace: Path, clone: Path, origin: Origin) -> None:
    form = (await git(workspace, "rev-parse", "--show-object-format", reads=True)).strip()
    await git(clone, "init", "-q", "--template=", f"--object-format={form}", f"--initial-branch={origin.branch}")
    await asyncio.to_thread(_copy_private_files, workspace, await git_dir(workspace), clone / ".git", origin)
    refs = await git(workspace, "for-each-ref", "--format=%(objectname) %(refname)", HEADS, "refs/tags/", reads=True)
    await git(clone, "update-ref", "--stdin", stdin="".join(_ref_commands(refs, origin)).encode())
    for key in ("user.name", "user.email"):
        known = await ask(workspace, "config", key, reads=True)
        if known.code == 0:
            await git(clone, "config", key, known.text.strip())


def _ref_commands(refs: str, origin: Origin) -> Iterator[str]:
    """Yield the branches of the host as those of a remote, so that they can be compared with; tags as they are."""
    yield f"create {HEADS}{origin.branch} {origin.head}\n"
    for line in refs.splitlines():
        commit, _, ref = line.partition(" ")
        yield f"create {ref.replace(HEADS, 'refs/remotes/origin/', 1)} {commit}\n"


def _copy_private_files(workspace: Path, own: Path, target: Path, origin: Origin) -> None:
    common = common_dir(workspace)
    for source in (own / "index", *own.glob("sharedindex.*"), common / "shallow"):
        if source.exists():
            shutil.copyfile(source, target / source.name)
    (target / "info").mkdir(exist_ok=True)
    if (common / "info" / "exclude").exists():
        shutil.copyfile(common / "info" / "exclude", target / "info" / "exclude")
    alternates = target / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text("".join(f"{folder}\n" for folder in origin.objects))


def _object_folders(folder: Path) -> Iterator[Path]:
    """Yield a folder of objects and those that it borrows from itself (gitrepository-layout(5))."""
    folder = folder.resolve()
    yield folder
    borrowed = folder / "info" / "alternates"
    if borrowed.exists():
        for line in borrowed.read_text().splitlines():
            if line and not line.startswith("#"):
                yield from _object_folders(folder / line)


def _check_owner(uid: int, gid: int) -> None:
    if os.geteuid() not in (0, uid):
        raise Refused(
            f"A clone for the user {uid}:{gid} of a container cannot be made: only root gives files away.",
            hint=f'Set `user: "{os.geteuid()}:{os.getegid()}"` in the container profile.',
        )


def _make_room(building: Path) -> None:
    if building.exists():
        shutil.rmtree(building)
    building.mkdir(parents=True)


def _drop_git_files(clone: Path, inner: list[str]) -> None:
    """Remove the files that lead from a worktree, and from its submodules, to repositories of the host."""
    (clone / ".git").unlink()
    for path in inner:
        (clone / path / ".git").unlink(missing_ok=True)


def _install(building: Path, into: Path, origin: Origin) -> None:
    if into.exists():
        shutil.rmtree(into)
    _write_note(into, origin)
    building.rename(into)


def _note(clone: Path) -> Path:
    return clone.with_name(f"{clone.name}.json")


def _write_note(clone: Path, origin: Origin) -> None:
    fresh = clone.with_name(f"{clone.name}.json.new")
    fresh.write_bytes(msgspec.json.encode(origin))
    fresh.replace(_note(clone))


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise QuarterdeckError(
            f"A clone could not be made: {complaint.decode(errors='replace').strip().splitlines()[0]}.",
            hint="Is the disk full, or was a file removed while it was copied? Try again.",
        )
