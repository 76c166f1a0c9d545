"""Comments on lines of a diff, and the message they are sent as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from panels.view.diff import DiffLine, FileDiff
from supervisor.model.plain import clean

Side = Literal["old", "new"]

QUOTED = 500
"""Characters of a line that are quoted."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What a person says about a line. ``number`` is the line's before (``old``) or after the change (``new``)."""

    path: str
    side: Side
    number: int
    quoted: str
    text: str

    @property
    def place(self) -> tuple[str, Side, int]:
        """The line that it is about."""
        return self.path, self.side, self.number


def place_of(file: FileDiff, line: DiffLine) -> tuple[str, Side, int]:
    """Return where a comment on a line belongs."""
    return (file.path, "old", line.old or 0) if line.new is None else (file.path, "new", line.new)


def comment_on(file: FileDiff, line: DiffLine, text: str) -> Comment:
    """Return a comment on a line."""
    path, side, number = place_of(file, line)
    return Comment(path, side, number, f"{line.kind}{clean(line.text)[:QUOTED]}", text)


def message(comments: Iterable[Comment]) -> str:
    """Return all comments as one message to the agent: where, the line, what is said; file by file."""
    parts = ["Comments on your changes:"]
    for each in sorted(comments, key=lambda each: each.place):
        where = f"{each.path}:{each.number}" + (" (before your change)" if each.side == "old" else "")
        parts.append(f"{where}\n> {each.quoted}\n{each.text}")
    return "\n\n".join(parts)


def to_json(comment: Comment) -> dict[str, Any]:
    """Return a comment as it is kept."""
    return {
        "path": comment.path,
        "side": comment.side,
        "number": comment.number,
        "quoted": comment.quoted,
        "text": comment.text,
    }


def from_json(found: dict[str, Any]) -> Comment:
    """Return a comment that was kept; KeyError, TypeError or ValueError when it is none."""
    return Comment(
        str(found["path"]),
        "old" if found["side"] == "old" else "new",
        int(found["number"]),
        str(found["quoted"]),
        str(found["text"]),
    )
