"""What a request gives back: the beginning of it on stdout, all of it in a file when one is wanted."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import BinaryIO

from executors.requests.failing import Failed

SHOWN = 1_048_576
"""Bytes on stdout."""


def inside(path: str, what: str) -> str:
    """Return a path below the folder that the task works in, without symbolic links; Failed when it leads elsewhere."""
    folder = os.path.realpath(".")
    found = os.path.realpath(path)
    if not found.startswith(f"{folder}/"):
        raise Failed(f"The {what} {path} leads out of the folder that the task works in. Give a path inside of it.")
    return found


class Output:
    """Takes what comes back. The file appears when everything succeeded, whole or not at all."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else inside(path, "output")
        self._file: BinaryIO | None = None
        self._last = b"\n"
        self.size = 0
        if self._path is not None:
            self._temporary = f"{self._path}.{os.getpid()}.part"
            try:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._file = open(self._temporary, "xb")  # noqa: SIM115 - closed by __exit__
            except OSError as error:
                raise Failed(f"The output {path} cannot be written: {error.strerror}.") from None

    def write(self, data: bytes) -> None:
        """Take some bytes; Failed when the file cannot hold them."""
        if self._file is not None:
            try:
                self._file.write(data)
            except OSError as error:
                raise Failed(f"The output {self._path} cannot be written: {error.strerror}.") from None
        shown = data[: max(0, SHOWN - self.size)]
        self.size += len(data)
        if shown:
            sys.stdout.buffer.write(shown)
            self._last = shown[-1:]

    def left_out(self) -> str:
        """Say what was not shown; empty when everything was."""
        more = self.size - SHOWN
        if more <= 0:
            return ""
        rest = "it is in the output file" if self._path is not None else "name an output to have it in a file"
        return f" {more:,} bytes are not shown: {rest}."

    def __enter__(self) -> Output:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Keep the file, or remove what there is of it when something failed."""
        if self._last != b"\n":
            sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()
        if self._file is not None:
            self._file.close()
            if kind is None:
                os.replace(self._temporary, str(self._path))
            else:
                os.unlink(self._temporary)
