"""What a new worktree is given beyond what git has: ignored files, ports and names."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from zlib import crc32

from config.settings import Provisioning
from executors.git.records import Record
from executors.git.run import git
from supervisor.model.errors import Refused

_FICLONE = 0x40049409
"""ioctl_ficlone(2): share the blocks of a file on a file system that can."""


def variables(settings: Provisioning, record: Record, project: str) -> dict[str, str]:
    """Return what provisioning adds to a session's environment."""
    known = {"session": record.session, "branch": record.branch, "project": project}
    names = {name: template.format(**known) for name, template in settings.names.items()}
    return names | {name: str(record.ports[name]) for name in settings.ports if name in record.ports}


def allocate(settings: Provisioning, session: str, held: Mapping[str, int], taken: Collection[int]) -> dict[str, int]:
    """Return a port for each name: the one it holds, else one that nobody has and nothing listens on.

    The search begins at a place that depends on the session, so that other projects rarely meet it.
    """
    ports = {name: held[name] for name in settings.ports if name in held}
    first, last = settings.port_range
    span = last - first + 1
    start = crc32(session.encode()) % span
    candidates = (first + (start + step) % span for step in range(span))
    unused = (port for port in candidates if port not in taken and port not in ports.values() and _is_free(port))
    for name in settings.ports:
        if name not in ports:
            port = next(unused, None)
            if port is None:
                raise Refused(
                    f"All ports from {first} to {last} are taken.",
                    hint="Widen worktrees.port_range, or archive sessions that are done.",
                )
            ports[name] = port
    return ports


async def copy_ignored(root: Path, worktree: Path, patterns: Collection[str]) -> list[str]:
    """Copy ignored files of the main worktree that match; returns a warning for each that was left out.

    Files that are already there stay as they are, so a second call finishes what a first one began.
    """
    if not patterns:
        return []
    listing = await git(
        root,
        *("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--"),
        *(f":(glob){pattern}" for pattern in patterns),
        reads=True,
    )
    return await asyncio.to_thread(_copy_all, root, worktree, [name for name in listing.split("\0") if name])


def _copy_all(root: Path, worktree: Path, names: list[str]) -> list[str]:
    inside = worktree.resolve()
    warnings = []
    for name in names:
        source, target = root / name, worktree / name
        if name.endswith("/") or ".git" in Path(name).parts or os.path.lexists(target):
            continue
        if not target.parent.resolve().is_relative_to(inside):
            warnings.append(f"{name} was not copied: a link would lead it out of the worktree.")
        elif source.is_symlink():
            if source.resolve().is_relative_to(root.resolve()) and not source.readlink().is_absolute():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source.readlink())
            else:
                warnings.append(f"{name} was not copied: it is a link out of the repository.")
        elif stat.S_ISREG(source.lstat().st_mode):
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, target)
    return warnings


def _copy(source: Path, target: Path) -> None:
    """Copy content, mode and times; the name appears when the file is whole."""
    fresh = target.with_name(f".{target.name}.quarterdeck")
    with source.open("rb") as original, fresh.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        except OSError:
            shutil.copyfileobj(original, copy, 1 << 20)
    shutil.copystat(source, fresh, follow_symlinks=False)
    fresh.rename(target)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
