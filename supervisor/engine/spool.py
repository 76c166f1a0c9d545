"""Reads spool records (docs/architecture.md, "The spool") into whole lines.

Pure: bytes and the unfinished lines go in, lines and the new unfinished lines come out. Times come from the
records, so a supervisor that was away does not change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal, cast

import msgspec

from supervisor.store.spools import Partial

StreamName = Literal["stdout", "stderr", "tty"]
STREAMS: Final = (b"stdout", b"stderr", b"tty")

LINE_LIMIT: Final = 1024 * 1024
"""Bytes of one line that are kept for parsing; the whole line stays in the spool."""

_STAMP_LENGTH: Final = len("2026-01-31T12:00:00.123456Z")


class Record(msgspec.Struct, frozen=True, gc=False):
    """A whole line, or a record that could not be read (``stream`` is None).

    ``offset`` is where the record that ended the line begins; ``size`` the line's full length, which
    exceeds ``len(data)`` when the line was longer than `LINE_LIMIT`.
    """

    offset: int
    time: int
    stream: StreamName | None
    data: bytes
    size: int


@dataclass(slots=True)
class SpoolReader:
    """Turns chunks that end at record borders into lines, across any chunk border."""

    partials: dict[str, Partial] = field(default_factory=dict)

    def read(self, chunk: bytes, offset: int) -> Iterator[Record]:
        """Yield the lines that ``chunk`` ends; it starts at ``offset`` and ends with a newline."""
        for raw in chunk.split(b"\n")[:-1]:
            if (record := self._record(raw, offset)) is not None:
                yield record
            offset += len(raw) + 1

    def _record(self, raw: bytes, offset: int) -> Record | None:
        """Return the line that a record ends; None when it is only a part of one."""
        head = raw[: _STAMP_LENGTH + 10].split(b" ", 3)
        time = _milliseconds(head[0]) if len(head) >= 3 else None
        if time is None or head[1] not in STREAMS or head[2] not in (b"F", b"P"):
            return Record(offset, 0, None, raw[:LINE_LIMIT], len(raw))
        data = raw[len(head[0]) + len(head[1]) + 4 :]
        stream = cast("StreamName", head[1].decode())
        if head[2] == b"P":
            partial = self.partials.setdefault(stream, Partial())
            partial.size += len(data)
            partial.data += data[: max(0, LINE_LIMIT - len(partial.data))]
            return None
        size = len(data)
        if self.partials and (partial_line := self.partials.pop(stream, None)) is not None:
            size += partial_line.size
            data = partial_line.data + data
        return Record(offset, time, stream, data[:LINE_LIMIT], size)

    def flush(self, offset: int, time: int) -> Iterator[Record]:
        """Yield what never got its newline: the child is gone."""
        for stream, partial in sorted(self.partials.items()):
            yield Record(offset, time, cast("StreamName", stream), partial.data, partial.size)
        self.partials.clear()


@lru_cache(maxsize=64)
def _second(text: bytes) -> int | None:
    """Return the milliseconds of ``2026-01-31T12:00:00``; lines of one second share it."""
    try:
        return int(datetime.fromisoformat(text.decode() + "+00:00").timestamp()) * 1000
    except (ValueError, UnicodeDecodeError):
        return None


def _milliseconds(stamp: bytes) -> int | None:
    if len(stamp) != _STAMP_LENGTH or not stamp.endswith(b"Z") or not stamp[20:26].isdigit():
        return None
    second = _second(stamp[:19])
    return None if second is None else second + int(stamp[20:23])
