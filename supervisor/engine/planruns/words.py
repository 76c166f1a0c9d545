"""What a command put out, as far as a person wants to see it with one glance."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from supervisor.engine.spool import SpoolReader, StreamName
from supervisor.model.plain import one_line

TAIL: Final = 65_536
"""Bytes at the end of a log that are looked at."""

LONGEST: Final = 200


def last_lines(log: Path, count: int) -> list[tuple[StreamName, str]]:
    """Return the last lines of a command's log, each with its stream; none when it put nothing out. Blocks."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - TAIL))
            data = file.read(TAIL)
    except FileNotFoundError:
        return []
    if size > TAIL:
        data = data.partition(b"\n")[2]
    records = SpoolReader().read(data[: data.rfind(b"\n") + 1], 0)
    return [(record.stream, record.data.decode(errors="replace")) for record in records if record.stream][-count:]


def last_words(log: Path) -> str:
    """Return the last line that says something, of what a command complained about if it did. Blocks."""
    lines = [(stream, one_line(text).strip()) for stream, text in last_lines(log, 100)]
    said = [text for stream, text in lines if stream == "stderr" and text] or [text for _, text in lines if text]
    return said[-1][:LONGEST] if said else ""
