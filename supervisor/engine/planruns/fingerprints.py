"""What is in the files that a task declares, as digests. Everything here blocks.

A pattern is a path below a folder, with wildcards if wanted; it means everything below what it matches. Nothing of git
is looked at. What cannot be looked at for certain is said, never passed over.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Final

FILES_LIMIT: Final = 100_000
"""Files that are looked at for one pattern."""

BYTES_LIMIT: Final = 4 * 1024**3
"""Bytes that are read for one pattern."""

EXECUTABLE: Final = "x"
"""Ends the digest of a file that can be run."""

_WILD: Final = frozenset("*?[")
_GIT: Final = ".git"


class Unknowable(Exception):
    """It cannot be said what is in something; the message is the end of a sentence: why."""


def files(folder: Path, pattern: str) -> dict[str, str]:
    """Return the files that a pattern means, each with its digest, in order. Raises Unknowable."""
    parts = _parts(pattern)
    found: dict[str, str] = {}
    size = 0
    try:
        wild = (number for number, part in enumerate(parts) if _WILD.intersection(part))
        # What is there under the very name is meant, whatever is in it.
        fixed = len(parts) if os.path.lexists(folder.joinpath(*parts)) else next(wild, len(parts))
        base = folder.joinpath(*parts[:fixed])
        whole = folder.resolve()
        if not base.resolve().is_relative_to(whole):
            raise Unknowable(f"{pattern} leads out of its folder")
        for path in _below(base):
            name = path.relative_to(folder)
            if _GIT in name.parts or not _matches(parts[fixed:], name.parts[fixed:]):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(whole):
                raise Unknowable(f"{path.name} leads out of its folder")
            size += path.stat().st_size if path.exists() else 0
            if len(found) >= FILES_LIMIT or size > BYTES_LIMIT:
                raise Unknowable(f"{pattern} is too much to look at")
            if not str(name).isprintable():
                raise Unknowable(f"{pattern} means files whose names cannot be shown")
            found[str(name)] = digest_of(path)
    except RuntimeError as error:  # what `resolve` raises for links that lead in a circle
        raise Unknowable(f"{pattern} leads in a circle") from error
    except OSError as error:
        raise Unknowable(f"{pattern} cannot be read: {error.strerror}") from error
    return dict(sorted(found.items()))


def tree(folder: Path, pattern: str) -> str | None:
    """Return a digest of all that a pattern means; of a single file it is that of what is in it. None for nothing."""
    found = files(folder, pattern)
    if not found:
        return None
    alone = found.get("/".join(_parts(pattern)))
    return alone or joined(found)


def joined(found: dict[str, str]) -> str:
    """Return one digest for files with theirs."""
    whole = hashlib.sha256()
    for name, digest in found.items():
        whole.update(os.fsencode(name) + b"\0" + os.fsencode(digest) + b"\0")
    return whole.hexdigest()


def digest_of(path: Path) -> str:
    """Return the digest of a file: SHA-256 of what is in it, hexadecimal. Raises Unknowable."""
    mode = path.lstat().st_mode
    said = ""
    if stat.S_ISLNK(mode):
        said = f"link {os.readlink(path)} "  # noqa: PTH115 - as it stands there
        if not path.exists():
            return hashlib.sha256(os.fsencode(said)).hexdigest()
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise Unknowable(f"{path.name} is a link to a folder, and what is there may change")
    if not stat.S_ISREG(mode):
        raise Unknowable(f"{path.name} is no file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        digest = hashlib.file_digest(file, partial(hashlib.sha256, os.fsencode(said))).hexdigest()
    return digest + (EXECUTABLE if mode & stat.S_IXUSR else "")


def _below(base: Path) -> Iterator[Path]:
    """Yield the files at and below a path, and the links; nothing of git."""
    if base.is_symlink() or not base.is_dir():
        if base.is_symlink() or base.exists():
            yield base
        return
    for here, folders, names in os.walk(base, onerror=_fail):
        folder = Path(here)
        for name in (*names, *(each for each in folders if (folder / each).is_symlink())):
            if name != _GIT:
                yield folder / name
        folders[:] = [each for each in folders if each != _GIT]


def _fail(error: OSError) -> None:
    raise error


def _parts(pattern: str) -> tuple[str, ...]:
    if pattern.startswith("/"):
        raise Unknowable(f"{pattern} is outside of its folder")
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == "..":
            raise Unknowable(f"{pattern} leads out of its folder")
        if part not in ("", ".") and (part, parts[-1:]) != ("**", ["**"]):
            parts.append(part)
    return tuple(parts)


def _matches(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether a pattern means a path: the whole of it, or something above it."""
    if not pattern:
        return True
    if not path:
        return False
    if pattern[0] == "**":
        return any(_matches(pattern[1:], path[number:]) for number in range(len(path)))
    return fnmatchcase(path[0], pattern[0]) and _matches(pattern[1:], path[1:])
