"""The files of a diff, one line each."""

from __future__ import annotations

from rich.cells import cell_len

from panels import shown
from panels.view.diff import FileDiff
from panels.view.fleet import fitted
from panels.widgets.diff import SIGNS
from panels.widgets.lines import Line, LineView
from supervisor.model.plain import clean


class FileList(LineView):
    """The files that were changed."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.files: list[FileDiff] = []
        self.reviewed: set[str] = set()

    def show(self, files: list[FileDiff], reviewed: set[str]) -> None:
        """Take the files, and which of them were read."""
        self.files, self.reviewed = files, reviewed
        self.lines_changed()

    def count(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def line(self, index: int, width: int) -> Line:
        """Return a file: whether it was read, its name, how much was changed. The end of a name says more."""
        file = self.files[index]
        figures = shown.lines(file.added, file.removed)
        room = max(4, width - len(figures) - 4)
        name = clean(file.path).replace("\n", " ")
        if cell_len(name) > room:
            name = "…" + name[-(room - 1) :]
        is_read = file.path in self.reviewed
        return [
            ("✔ " if is_read else f"{SIGNS[file.status]} ", "ok" if is_read else "accent"),
            (fitted(name, room) + " ", "dim" if is_read else ""),
            (figures, "dim"),
        ]
