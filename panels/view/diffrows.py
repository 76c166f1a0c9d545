"""The rows of a diff as it is drawn: headings, lines in one column or two, comments below their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from panels.view.comments import Comment, place_of
from panels.view.diff import DiffLine, FileDiff, Hunk
from panels.view.wrapping import wrap
from supervisor.model.plain import clean

RowKind = Literal["file", "note", "hunk", "line", "comment", "blank"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``left`` and ``right`` are the lines before and after; in one column only one is given.

    ``file`` is the index of the file. ``text`` is what a note or a comment says.
    """

    kind: RowKind
    file: int
    left: DiffLine | None = None
    right: DiffLine | None = None
    hunk: Hunk | None = None
    text: str = ""
    comment: Comment | None = None

    @property
    def line(self) -> DiffLine | None:
        """The line that is meant where there are two: the one after the change."""
        return self.right or self.left


def rows(
    files: list[FileDiff], *, folded: Iterable[str], comments: Iterable[Comment], side_by_side: bool, width: int
) -> list[Row]:
    """Return all rows; files whose path is ``folded`` are only a heading."""
    closed, by_place = frozenset(folded), dict[tuple[str, str, int], list[Comment]]()
    for comment in comments:
        by_place.setdefault(comment.place, []).append(comment)
    found: list[Row] = []
    for index, file in enumerate(files):
        if index:
            found.append(Row("blank", index))
        found.append(Row("file", index))
        if file.path in closed:
            continue
        found += [Row("note", index, text=note) for note in notes(file)]
        for hunk in file.hunks:
            found.append(Row("hunk", index, hunk=hunk))
            pairs = _side_by_side(hunk) if side_by_side else _one_column(hunk)
            for left, right in pairs:
                found.append(Row("line", index, left, right, hunk))
                if by_place:
                    for line in {id(each): each for each in (left, right) if each is not None}.values():
                        for comment in by_place.pop(place_of(file, line), ()):
                            found += _comment_rows(index, comment, width)
        # Comments on lines that the diff does not show any more.
        for place in [place for place in by_place if place[0] == file.path]:
            for comment in by_place.pop(place):
                found.append(Row("note", index, text=f"On a line that is not here any more: {comment.quoted}"))
                found += _comment_rows(index, comment, width)
    return found


def _comment_rows(file: int, comment: Comment, width: int) -> list[Row]:
    return [Row("comment", file, text=line, comment=comment) for line in wrap(clean(comment.text), max(20, width - 10))]


def _one_column(hunk: Hunk) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    for line in hunk.lines:
        yield (line, None) if line.kind == "-" else (None, line)


def _side_by_side(hunk: Hunk) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    """Yield lines with what they became: of lines taken out and put in at one place the first with the first."""
    before: list[DiffLine] = []
    after: list[DiffLine] = []
    for line in hunk.lines:
        if line.kind == "-" and not after:
            before.append(line)
        elif line.kind == "+":
            after.append(line)
        else:
            yield from _paired(before, after)
            before, after = ([line], []) if line.kind == "-" else ([], [])
            if line.kind == " ":
                yield line, line
    yield from _paired(before, after)


def _paired(before: list[DiffLine], after: list[DiffLine]) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
    for index in range(max(len(before), len(after))):
        yield (
            before[index] if index < len(before) else None,
            after[index] if index < len(after) else None,
        )


_WORDS: Mapping[str, str] = {"added": "new file", "deleted": "deleted", "renamed": "renamed", "copied": "copied"}


def notes(file: FileDiff) -> list[str]:
    """Return what is to be said of a file beside its lines."""
    found = []
    if file.status in ("renamed", "copied"):
        alike = f", {file.similarity} % the same" if file.similarity is not None else ""
        found.append(f"{_WORDS[file.status]} from {clean(file.old_path)}{alike}")
    elif file.status in _WORDS:
        mode = file.new_mode if file.status == "added" else file.old_mode
        found.append(_WORDS[file.status] + (" (may be run)" if mode == "100755" else _kind(mode)))
    elif file.old_mode and file.new_mode:
        found.append(f"mode {file.old_mode} -> {file.new_mode}{_meaning(file.old_mode, file.new_mode)}")
    if file.is_binary:
        found.append("a binary file: its content is not shown")
    return found


def _kind(mode: str | None) -> str:
    return {"120000": " (a symbolic link)", "160000": " (a submodule)"}.get(mode or "", "")


def _meaning(old: str, new: str) -> str:
    if {old, new} == {"100644", "100755"}:
        return ": may be run now" if new == "100755" else ": may not be run any more"
    return ""
