"""Folders as one content: a tar archive that is the same for the same files. Everything here blocks."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, cast

from supervisor.model.errors import InvalidInput

FILES_LIMIT: Final = 100_000
"""Files and folders in one."""


class _Written(io.RawIOBase):
    """Hands what is written to a function."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, data: object) -> int:
        """Take bytes."""
        taken = bytes(cast("bytes", data))
        self._take(taken)
        return len(taken)


def pack(descriptor: int, name: str, take: Callable[[bytes], None]) -> None:
    """Hand the folder that is open as ``descriptor`` to ``take``, as an archive without times and owners.

    Links in it are kept as links. InvalidInput when one leads out of it, something is no file, or it holds too much.
    """
    written = cast("BinaryIO", _Written(take))
    with tarfile.open(fileobj=written, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        count = 0
        for folder, folders, files, here in os.fwalk(".", dir_fd=descriptor, onerror=_fail):
            folders.sort()
            for each in sorted((*folders, *files)):
                count += 1
                if count > FILES_LIMIT:
                    raise InvalidInput(f"{name} holds more than {FILES_LIMIT} files.", hint="Keep it in parts.")
                _add(archive, os.path.normpath(os.path.join(folder, each)), each, here)  # noqa: PTH118 - a text


def unpack(archive: BinaryIO, into: Path) -> None:
    """Write the files of an archive below a new folder, read-only; nothing is written outside of it."""
    into.mkdir()
    with tarfile.open(fileobj=archive, mode="r:") as packed:
        packed.extractall(into, filter="data")
    for path in into.rglob("*"):
        if not path.is_symlink() and path.is_file():
            path.chmod(0o555 if path.stat().st_mode & stat.S_IXUSR else 0o444)


def _fail(error: OSError) -> None:
    """Leave nothing out: a folder that cannot be read is not kept in part."""
    raise error


def _add(archive: tarfile.TarFile, path: str, name: str, here: int) -> None:
    """Add one file, folder or link; its content is read from what was opened, so that it cannot be exchanged."""
    entry = tarfile.TarInfo(path)
    kind = os.stat(name, dir_fd=here, follow_symlinks=False).st_mode
    if stat.S_ISLNK(kind):
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, os.readlink(name, dir_fd=here), 0o777
        leads = os.path.normpath(os.path.join(os.path.dirname(path), entry.linkname))  # noqa: PTH118, PTH120 - texts
        if leads.startswith(("/", "../")) or leads == "..":
            raise InvalidInput(
                f"The link {path} leads out of the folder.", hint="Take it out, or the file in its place."
            )
        archive.addfile(entry)
        return
    if stat.S_ISDIR(kind):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
        return
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{path} cannot be kept: it is no file.", hint="Only files and folders can be kept.")
        entry.size, entry.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
        archive.addfile(entry, file)
