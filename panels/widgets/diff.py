"""Draws what was changed, in one column or two, with comments; only the rows that can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip

from panels import shown
from panels.view.comments import Comment
from panels.view.diff import DiffLine, FileDiff
from panels.view.diffrows import Row, rows
from panels.view.syntax import coloured
from panels.widgets.lines import Line
from panels.widgets.wide import WIDEST, WideView
from supervisor.model.plain import clean

SIDE_WIDTH: Final = 90
"""Cells below which two columns are too narrow to be read."""

SIGNS: Final = {"modified": "~", "added": "+", "deleted": "-", "renamed": "→", "copied": "="}


class DiffView(WideView):
    """The changes of a session. The pane that holds it says what is reviewed and commented."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"diff--add", "diff--remove"}
    DEFAULT_CSS = """
    DiffView > .diff--add { background: $qd-added; }
    DiffView > .diff--remove { background: $qd-removed; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.files: list[FileDiff] = []
        self.rows: list[Row] = []
        self.folded: set[str] = set()
        self.reviewed: set[str] = set()
        self.comments: list[Comment] = []
        self.side_by_side = False
        self._digits = 1
        self._wide = 0

    def show(self, files: list[FileDiff]) -> None:
        """Take another diff; the cursor stays on its file and line as far as they are there."""
        held = self.row
        path = self.files[held.file].path if held is not None else ""
        number = held.line.new or held.line.old or 0 if held is not None and held.line is not None else 0
        self.files, self.shift = files, 0
        last = max((hunk.lines[-1] for file in files for hunk in file.hunks if hunk.lines), key=_number, default=None)
        self._digits = max(2, len(str(_number(last)))) if last is not None else 2
        self.make_rows()
        self.cursor = self._find(path, number)

    def make_rows(self) -> None:
        """Make the rows anew after what is folded, commented or how it is shown has changed."""
        held = self.row
        width = self._wide = self.room.width
        self.rows = rows(
            self.files,
            folded=self.folded,
            comments=self.comments,
            side_by_side=self.is_side_by_side,
            width=width,
        )
        at = next((i for i, row in enumerate(self.rows) if _same(row, held)), None) if held is not None else 0
        if at is None and held is not None:
            at = self.start_of(held.file)
        self.lines_changed(at)
        self.call_after_refresh(self._scroll_to_cursor)

    @property
    def is_side_by_side(self) -> bool:
        """Whether it is drawn in two columns: when that is wanted, and there is room."""
        return self.side_by_side and self.room.width >= SIDE_WIDTH

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def file(self) -> FileDiff | None:
        """The file under the cursor."""
        return self.files[row.file] if (row := self.row) is not None and row.file < len(self.files) else None

    def start_of(self, file: int) -> int:
        """Return the row of a file's heading."""
        return next((i for i, row in enumerate(self.rows) if row.file == file and row.kind == "file"), 0)

    def _find(self, path: str, number: int) -> int:
        best = 0
        for index, row in enumerate(self.rows):
            if self.files[row.file].path != path:
                continue
            if row.kind == "file" or (row.line is not None and (row.line.new or row.line.old or 0) <= number):
                best = index
        return best

    # What it draws.

    def count(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def can_choose(self, index: int) -> bool:
        """Blank rows are passed over."""
        return self.rows[index].kind != "blank"

    def fit(self) -> None:
        """Comments are wrapped anew, and two columns come and go with the room."""
        if self.room.width != self._wide and self.files:
            self.make_rows()

    def line(self, index: int, width: int) -> Line:
        """Return a row without its background."""
        row = self.rows[index]
        if row.kind == "file":
            return self._heading(self.files[row.file], width)
        if row.kind == "hunk" and row.hunk is not None:
            section = clean(row.hunk.section)[:200]
            return [(f"  @@ -{row.hunk.old_start} +{row.hunk.new_start} ", "hunk"), (section, "dim")]
        if row.kind == "comment":
            return [(" " * self._digits + "  ┃ ", "person-bold"), (row.text, "person")]
        return [(f"    {row.text}" if row.text else "", "dim")]

    def _heading(self, file: FileDiff, width: int) -> Line:
        mark = "✔" if file.path in self.reviewed else "▸" if file.path in self.folded else "▾"
        figures = shown.lines(file.added, file.removed)
        more = "  reviewed" if file.path in self.reviewed else ""
        more += ", o opens it" if more and file.path in self.folded else ""
        return [
            (f"{mark} ", "ok-bold" if file.path in self.reviewed else "accent"),
            (clean(file.path).replace("\n", " "), "title"),
            (f"  {SIGNS[file.status]} " if file.status != "modified" else "  ", "dim"),
            (figures, "bold"),
            (f"{more} ", "ok"),
            ("─" * width, "dim"),
        ]

    def strip(self, index: int, width: int) -> Strip:
        """Return a row with its styles, and lines with the colour of what happened to them."""
        row = self.rows[index]
        if row.kind != "line":
            return super().strip(index, width)
        path = self.files[row.file].path
        if not self.is_side_by_side:
            numbers = (row.line.old, row.line.new) if row.line is not None else ()
            return self._code(path, row.line, width, numbers=numbers, here=index == self.cursor)
        half = (width - 1) // 2
        here = index == self.cursor
        left = self._code(path, row.left, half, numbers=(row.left.old if row.left else None,), here=here)
        right = self._code(
            path, row.right, width - half - 1, numbers=(row.right.new if row.right else None,), here=here
        )
        return Strip.join([left, Strip([Segment("│", self.styles_by_name["dim"])]), right])

    def _code(
        self, path: str, line: DiffLine | None, width: int, *, numbers: Sequence[int | None], here: bool
    ) -> Strip:
        """Draw a line in so many cells: numbers, the sign, and what fits of its text. The cursor is seen through it."""
        if line is None:
            return Strip.blank(width)
        styles = self.styles_by_name
        gutter = "".join(f"{'' if number is None else number:>{self._digits}} " for number in numbers)
        sign_style = {"+": "add-bold", "-": "remove-bold"}.get(line.kind, "dim")
        room = max(1, width - len(gutter) - 2)
        text = clean(line.text[:WIDEST].replace("\r", "")).expandtabs(4)
        spans = [*coloured(path, text)]
        if line.ends_bare:
            spans.append(("  no newline at the end", "dim"))
        if len(line.text) > WIDEST:
            spans.append((f" … {shown.count(len(line.text))} characters", "dim"))
        code = Strip([Segment(part, styles[style]) for part, style in spans])
        code = code.crop(self.shift, self.shift + room).adjust_cell_length(room)
        strip = Strip.join(
            [Strip([Segment(gutter, styles["dim"]), Segment(f"{line.kind} ", styles[sign_style])]), code]
        )
        if line.kind != " " and not here:
            name = "diff--add" if line.kind == "+" else "diff--remove"
            strip = strip.apply_style(self.get_component_rich_style(name, partial=True))
        return strip.adjust_cell_length(width)


def _number(line: DiffLine | None) -> int:
    return max(line.old or 0, line.new or 0) if line is not None else 0


def _same(row: Row, held: Row) -> bool:
    """Whether two rows mean the same thing; rows are made anew, lines are not."""
    if held.kind == "line":
        wanted = held.line
        return row.kind == "line" and (row.right is wanted or row.left is wanted)
    return row.kind == held.kind and row.file == held.file and row.hunk is held.hunk and row.text == held.text
