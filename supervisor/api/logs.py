"""Reads a session's log for people: whole lines with their time and stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from supervisor.engine.spool import SpoolReader
from supervisor.model.times import to_rfc3339


async def read_log(path: Path, offset: int, limit: int) -> dict[str, Any]:
    """Return the lines between ``offset`` and about ``limit`` bytes on, and where to read on."""
    return await asyncio.to_thread(_read, path, max(0, offset), max(4096, min(limit, 8_000_000)))


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
    # A prompt without a newline is part of what is on the screen: it is shown, and read again later.
    end = offset + len(chunk)
    lines = [
        {
            "time": to_rfc3339(record.time or None),
            "stream": record.stream or "spool",
            "text": record.data.decode(errors="replace"),
        }
        for record in records
    ]
    partial = {stream: part.data.decode(errors="replace") for stream, part in reader.partials.items()}
    return {"lines": lines, "partial": partial, "next_offset": end}
