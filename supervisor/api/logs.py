"""Reads a session's log for people: whole lines with their time and stream, onwards or backwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from supervisor.engine.beginnings import beginning
from supervisor.engine.spool import Record, SpoolReader
from supervisor.model.times import to_rfc3339
from supervisor.store.spools import Partial

PAGE_MIN, PAGE_MAX = 128 * 1024, 8 * 1024 * 1024
"""Bytes of one page. The smallest holds any record, so reading on always gets further."""

Page = dict[str, Any]


async def read_log(path: Path, offset: int, limit: int) -> Page:
    """Return the lines in about ``limit`` bytes from ``offset``, and where to read on.

    ``partial`` is, per stream, the beginning of a line that ends in a later page, or has not ended yet.
    """
    return await asyncio.to_thread(_open, path, lambda file: _onwards(file, offset, _page(limit)))


async def read_log_before(path: Path, end: int, limit: int) -> Page:
    """Return the lines that end in about ``limit`` bytes before ``end``; ``offset`` is where to read on backwards.

    A line that began before the page is in it, whole: it belongs to the page where it ends, and ``partial`` of an
    earlier page has its beginning once more. ``continues`` names the streams whose first line is not whole because it
    began too far back.
    """
    return await asyncio.to_thread(_open, path, lambda file: _before(file, end, _page(limit)))


def _page(limit: int) -> int:
    return max(PAGE_MIN, min(limit, PAGE_MAX))


def _open(path: Path, read: Callable[[BinaryIO], Page]) -> Page:
    try:
        with path.open("rb") as file:
            return read(file)
    except FileNotFoundError:
        with open(os.devnull, "rb") as nothing:
            return read(nothing)


def _onwards(file: BinaryIO, offset: int, limit: int) -> Page:
    file.seek(offset)
    chunk = file.read(limit)
    chunk = chunk[: chunk.rfind(b"\n") + 1]
    reader = SpoolReader()
    return _shown(reader.read(chunk, offset), reader, offset, len(chunk), file)


def _before(file: BinaryIO, end: int, limit: int) -> Page:
    end = min(end, _size(file))
    start = max(0, end - limit)
    # With the byte before it, which tells whether a record begins exactly at the start.
    ahead = min(start, 1)
    file.seek(start - ahead)
    window = file.read(end - start + ahead)
    first = window.find(b"\n") + 1 if ahead else 0
    last = max(window.rfind(b"\n") + 1, first)
    if first == last and start:  # something longer than any record: a damaged log
        return _before(file, end, 2 * limit)
    chunk, offset = window[first:last], start - ahead + first
    begun, continues = _begun(file, chunk, offset)
    reader = SpoolReader(begun)
    return {**_shown(reader.read(chunk, offset), reader, offset, len(chunk), file), "continues": continues}


def _begun(file: BinaryIO, chunk: bytes, offset: int) -> tuple[dict[str, Partial], list[str]]:
    """Return what stands before a page of the lines that go on in it, and the streams of which that is not all."""
    look = SpoolReader()
    seen = {record.stream for record in look.read(chunk, offset) if record.stream} | set(look.partials)
    found = {stream: beginning(file, stream, offset) for stream in sorted(seen)}
    return (
        {stream: partial for stream, (partial, _) in found.items() if partial is not None},
        [stream for stream, (_, whole) in found.items() if not whole],
    )


def _shown(records: Iterable[Record], reader: SpoolReader, offset: int, length: int, file: BinaryIO) -> Page:
    lines = [
        {
            "time": to_rfc3339(record.time or None),
            "stream": record.stream or "spool",
            "text": record.data.decode(errors="replace"),
        }
        for record in records
    ]
    partial = {stream: part.data.decode(errors="replace") for stream, part in reader.partials.items()}
    return {"lines": lines, "partial": partial, "offset": offset, "next_offset": offset + length, "size": _size(file)}


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
