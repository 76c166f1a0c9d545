"""Takes what is to be kept from where it was made: opened without following links, searched for secrets, hashed.

Everything here blocks.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from supervisor.engine.folders import pack
from supervisor.model.artifacts import SIZE_LIMIT, Form
from supervisor.model.errors import InvalidInput, NotFound

CHUNK: Final = 1024 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken: the hash and size in bytes of its content."""

    form: Form
    sha256: str
    size: int


class SecretFinder:
    """Looks for the values of secrets in a stream, whichever way it is cut, also as they look in JSON."""

    def __init__(self, known: Iterable[tuple[str, str]], before: bytes = b"") -> None:
        self._forms = [(form, name) for name, value in known for form in _forms(value)]
        self.reach = max((len(form) for form, _ in self._forms), default=1) - 1
        self._before = before[-self.reach :] if self.reach else b""

    def refuse(self, data: bytes) -> None:
        """Take the next bytes; InvalidInput when they end the value of a secret."""
        if not self._forms:
            return
        text = self._before + data
        for form, name in self._forms:
            if form in text:
                raise InvalidInput(
                    f"It holds the value of the secret {name}, which is never stored.",
                    hint="Take it out, or put something in its place, then try again.",
                    code="secret",
                )
        self._before = text[-self.reach :] if self.reach else b""


def take(source: Path, below: Path | None, writing: BinaryIO, finder: SecretFinder) -> Taken:
    """Copy a file, or a folder as one archive, to an open file.

    A link is not followed, nor is one on the way when it must be ``below`` a folder. NotFound when it is not there;
    InvalidInput when it is neither, too large, or holds a secret.
    """
    digest, size = hashlib.sha256(), 0

    def add(data: bytes) -> None:
        nonlocal size
        size += len(data)
        if size > SIZE_LIMIT:
            raise too_large(source.name)
        finder.refuse(data)
        digest.update(data)
        writing.write(data)

    descriptor = _open(source, below)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        try:
            pack(descriptor, source.name, add)
        finally:
            os.close(descriptor)
        return Taken("folder", digest.hexdigest(), size)
    with open(descriptor, "rb") as reading:
        while data := reading.read(CHUNK):
            add(data)
    return Taken("file", digest.hexdigest(), size)


def too_large(name: str) -> InvalidInput:
    """Return what to say of what is larger than an artifact may be."""
    return InvalidInput(
        f"{name} is larger than {SIZE_LIMIT // 1024**2} MiB.", hint="Split it, or keep it elsewhere.", code="too_large"
    )


def _open(source: Path, below: Path | None) -> int:
    """Open a file or folder without following a link, step by step when it must be below a folder."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    folders: list[int] = []
    try:
        if below is None:
            descriptor = os.open(source, flags)
        else:
            *parents, name = _steps(source, below)
            folders.append(os.open(below, os.O_RDONLY | os.O_DIRECTORY))
            for each in parents:
                folders.append(os.open(each, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folders[-1]))
            descriptor = os.open(name, flags, dir_fd=folders[-1])
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise NotFound(f"There is no file {source}.", hint="Check its name.") from error
        said = "it is a link, or behind one" if error.errno in (errno.ELOOP, errno.ENOTDIR) else error.strerror
        raise InvalidInput(f"{source} cannot be kept: {said}.", hint="Only a file itself can be kept.") from error
    finally:
        for folder in folders:
            os.close(folder)
    kind = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        os.close(descriptor)
        raise InvalidInput(f"{source} cannot be kept: it is no file.", hint="Only files and folders can be kept.")
    return descriptor


def _steps(source: Path, below: Path) -> tuple[str, ...]:
    try:
        steps = source.relative_to(below).parts
    except ValueError:
        steps = ()
    if not steps or ".." in steps:
        raise InvalidInput(f"{source} is not below {below}.", hint="Only what a task made in its folder can be kept.")
    return steps


def _forms(value: str) -> set[bytes]:
    """Return how a secret may look in a file: as it is, and in JSON."""
    texts = {value, value.replace("\n", "\r\n"), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {text.encode(errors="surrogateescape") for text in texts if text}
