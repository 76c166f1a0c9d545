"""Finds, going backwards through a spool, how a line began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from supervisor.engine.spool import LINE_LIMIT, SpoolReader
from supervisor.store.spools import Partial

LOOK_BACK: Final = 16 * 1024 * 1024
"""Bytes in which the beginning of a line is looked for."""

_BLOCK: Final = 256 * 1024


def beginning(file: BinaryIO, stream: str, before: int) -> tuple[Partial | None, bool]:
    """Return the parts of a line of ``stream`` that goes on at ``before`` (where a record begins), and whether
    these are all.

    None when no line goes on there. They are not all when the line has more than `LINE_LIMIT` bytes there, or when
    `LOOK_BACK` bytes do not tell.
    """
    parts: list[bytes] = []
    kept = 0
    floor = max(0, before - LOOK_BACK)
    for raw in _backwards(file, floor, before):
        reader = SpoolReader()
        ended = list(reader.read(raw + b"\n", 0))
        if ended and ended[0].stream == stream:
            return _joined(parts), True
        if part := reader.partials.get(stream):
            parts.append(part.data)
            kept += len(part.data)
            if kept >= LINE_LIMIT:
                return _joined(parts), False
    return _joined(parts), floor == 0


def _joined(parts: list[bytes]) -> Partial | None:
    data = b"".join(reversed(parts))
    return Partial(data, len(data)) if parts else None


def _backwards(file: BinaryIO, floor: int, before: int) -> Iterator[bytes]:
    """Yield the records between two offsets, the last one first, without their newlines."""
    end, rest = before, b""
    while end > floor:
        start = max(floor, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start) + rest
        # What comes before the first newline may have begun in an earlier block.
        cut = 0 if start == 0 else block.find(b"\n") + 1 or len(block)
        rest = block[:cut]
        yield from reversed(block[cut:].split(b"\n")[:-1])
        end = start
