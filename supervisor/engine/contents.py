"""What is in artifacts: files that are named by the hash of what they hold, and never change.

A file appears whole or not at all: it is written elsewhere, synced, and gets its name then. Everything here blocks.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

from supervisor.engine.folders import unpack
from supervisor.engine.taking import CHUNK, SecretFinder, Taken, take
from supervisor.model.artifacts import Artifact, is_sha256
from supervisor.model.errors import NotFound, QuarterdeckError, Refused, StoreError, Unavailable

FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

IN_THE_WAY: Final = {errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR}

_FICLONE: Final = 0x40049409
"""The request of ioctl(2) that shares a file's blocks (linux/fs.h)."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files below ``folder``: `<aa>/<sha256>`, and in `incoming/` what is not whole yet."""

    folder: Path
    own: str = field(default_factory=lambda: secrets.token_hex(4))
    """How names in `incoming/` begin that this supervisor made; those of an earlier one are what a crash left."""

    @property
    def incoming(self) -> Path:
        """Where contents are before they are whole."""
        return self.folder / "incoming"

    def path(self, sha256: str) -> Path:
        """Return where a content is."""
        if not is_sha256(sha256):
            raise NotFound("That is no SHA-256.", hint="It has 64 hexadecimal digits.")
        return self.folder / sha256[:2] / sha256

    def prepare(self) -> None:
        """Make the folders."""
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, source: Path, below: Path | None, finder: SecretFinder) -> tuple[Path, Taken]:
        """Copy a file or folder to where it waits for its place; returns that, and what it is (see `taking`)."""
        temporary = self.incoming / f"{self.own}-{secrets.token_hex(16)}"
        try:
            with temporary.open("xb") as writing:
                taken = take(source, below, writing, finder)
                sync(writing)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise unwritable(error) from error
            raise
        return temporary, taken

    def place(self, temporary: Path, sha256: str) -> None:
        """Give a content its name. ``temporary`` stays, as a second name of it, until it is dropped."""
        target = self.path(sha256)
        if self.is_sound(sha256):
            return
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.chmod(0o400)
            # A name of its own first: one whose content was damaged is replaced, in one step.
            link = target.with_name(f".{secrets.token_hex(8)}")
            link.hardlink_to(temporary)
            link.replace(target)
            sync_folder(target.parent)
            sync_folder(self.folder)
        except OSError as error:
            raise unwritable(error) from error

    def has(self, sha256: str) -> bool:
        """Whether a content is there, sound or not."""
        return self.path(sha256).exists()

    def is_sound(self, sha256: str) -> bool:
        """Whether a content is there and is what its name says."""
        try:
            with self.path(sha256).open("rb") as file:
                return hash_of(file) == sha256
        except OSError:
            return False

    def open(self, artifact: Artifact) -> BufferedReader:
        """Return what is in an artifact, for reading from its beginning, once it was found to be what it should be.

        NotFound when it is kept no longer, StoreError when it is damaged.
        """
        if artifact.removed_at is not None:
            raise NotFound(
                f"{artifact.name} is kept no longer: its retention was {artifact.retention}.",
                hint="Its record stays; what made it may make it again.",
                code="removed",
            )
        try:
            file = self.path(artifact.sha256).open("rb")
        except OSError as error:
            raise _damaged(artifact, f"it cannot be read ({error.strerror})") from error
        try:
            if os.fstat(file.fileno()).st_size != artifact.size or hash_of(file) != artifact.sha256:
                raise _damaged(artifact, "it is not what was put there")
            file.seek(0)
        except OSError as error:
            file.close()
            raise _damaged(artifact, f"it cannot be read ({error.strerror})") from error
        except BaseException:
            file.close()
            raise
        return file

    def copy(self, artifact: Artifact, target: Path) -> None:
        """Write what is in an artifact to a file or folder of its own, read-only, which appears whole.

        A file takes the place of one that is there; a folder is refused when something is there. It shares nothing
        with the store that a change could reach: at most its blocks, which a change would copy.
        """
        temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with closing(self.open(artifact)) as reading:
                target.parent.mkdir(parents=True, exist_ok=True)
                if artifact.form == "folder":
                    unpack(reading, temporary)
                else:
                    _clone(reading, temporary)
            temporary.rename(target)
        except OSError as error:
            raise (_taken_place(target) if error.errno in IN_THE_WAY else unwritable(error)) from error
        finally:
            if temporary.is_dir():
                shutil.rmtree(temporary)
            temporary.unlink(missing_ok=True)

    def every(self) -> Iterator[str]:
        """Yield the hashes of all contents."""
        for path in self.folder.glob("??/*"):
            if is_sha256(path.name):
                yield path.name

    def clear(self, going_on: Collection[str]) -> None:
        """Remove what a crash left: names that were not given yet, and what waits for its place but ``going_on``.

        Nothing may be placed meanwhile.
        """
        for path in self.folder.glob("??/.*"):
            path.unlink(missing_ok=True)
        for path in self.incoming.iterdir():
            if path.name not in going_on and not path.name.startswith(self.own):
                path.unlink(missing_ok=True)

    def drop(self, sha256: str) -> None:
        """Remove a content."""
        self.path(sha256).unlink(missing_ok=True)


def hash_of(file: BufferedReader) -> str:
    """Return the SHA-256 of what is left of a file."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def sync(file: BinaryIO) -> None:
    """Have everything that was written on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(error: OSError) -> QuarterdeckError:
    """Return what to say when files of artifacts cannot be read or written."""
    if error.errno in FULL:
        return Unavailable(
            f"The artifact cannot be written: {error.strerror}.",
            hint="Free some space, then try again: what has arrived is kept.",
            code="disk_full",
        )
    return StoreError(f"The artifact cannot be kept: {error.strerror}.", hint="Check the folder `artifacts`.")


def _clone(reading: BufferedReader, target: Path) -> None:
    with target.open("xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:  # The file system does not share blocks, or is another one.
            shutil.copyfileobj(reading, writing, CHUNK)
        sync(writing)
    target.chmod(0o444)


def _taken_place(target: Path) -> Refused:
    return Refused(f"There is something at {target} already.", hint="Remove it first, or name another place.")


def _damaged(artifact: Artifact, problem: str) -> StoreError:
    return StoreError(
        f"The content of {artifact.id} ({artifact.name}) is damaged: {problem}.",
        hint="Put the same file again: it takes the place of what is damaged.",
        code="artifact_damaged",
    )


def discard(path: Path) -> None:
    """Remove a file that waits for its place, if it is there."""
    with suppress(OSError):
        path.unlink()
