"""Reads a session's log for people: whole lines with their time and stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from supervisor.engine.spool import SpoolReader
from supervisor.model.times import to_rfc3339

PAGE_MIN, PAGE_MAX = 128 * 1024, 8 * 1024 * 1024
"""Bytes of one page. The smallest holds any record, so reading on always gets further."""


async def read_log(path: Path, offset: int, limit: int) -> dict[str, Any]:
    """Return the lines in about ``limit`` bytes from ``offset``, and where to read on.

    ``partial`` is, per stream, the beginning of a line that ends in a later page, or has not ended yet.
    """
    return await asyncio.to_thread(_read, path, offset, max(PAGE_MIN, min(limit, PAGE_MAX)))


def _read(path: Path, offset: int, limit: int) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            chunk = file.read(limit)
    except FileNotFoundError:
        chunk = b""
    chunk = chunk[: chunk.rfind(b"\n") + 1]
    reader = SpoolReader()
    records = list(reader.read(chunk, offset))
    lines = [
        {
            "time": to_rfc3339(record.time or None),
            "stream": record.stream or "spool",
            "text": record.data.decode(errors="replace"),
        }
        for record in records
    ]
    partial = {stream: part.data.decode(errors="replace") for stream, part in reader.partials.items()}
    return {"lines": lines, "partial": partial, "next_offset": offset + len(chunk)}
