"""The files of a session's worktree, and what is in one of them."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from panels.keys import bindings
from panels.shell import Shell, shell
from panels.view.filetree import SIGNS, Entry, FileTree
from panels.widgets.content import ContentView, about, coloured_content
from panels.widgets.lines import Line, LineView, noted
from supervisor.model.errors import NotFound, QuarterdeckError
from supervisor.model.plain import clean

BESIDE_WIDTH: Final = 100
"""Cells from which a file is shown beside the list; below it is shown over it."""

EMPTY: Final = "No files. They appear here when its worktree is made; F5 reads them again."


class FileTreeView(LineView):
    """The tree; enter opens a folder, or shows a file."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.files = FileTree(())
        self.rows: list[Entry] = []
        self.note = "…"
        """What is said where there are no files."""

    def show(self, files: FileTree, note: str = "") -> None:
        """Take the files; the cursor stays on its own, and open folders stay open."""
        held = self.entry
        files.keep_open(self.files.opened)
        self.files, self.note = files, note
        self._arrange_rows(held.path if held is not None else None)

    def _arrange_rows(self, path: str | None) -> None:
        self.rows = self.files.rows()
        first_changed = next((i for i, row in enumerate(self.rows) if row.status != "unchanged"), 0)
        self.lines_changed(next((i for i, row in enumerate(self.rows) if row.path == path), first_changed))

    @property
    def entry(self) -> Entry | None:
        """What is under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def toggle(self, folder: str) -> None:
        """Open a folder, or close it."""
        self.files.toggle(folder)
        self._arrange_rows(folder)

    def count(self) -> int:
        """Return the number of rows."""
        return len(self.rows) or len(noted(self.note, self.room.width))

    def line(self, index: int, width: int) -> Line:
        """Return a folder or a file."""
        if not self.rows:
            return noted(self.note, width)[index]
        entry = self.rows[index]
        indent = "  " * entry.depth
        name = clean(entry.name).replace("\n", " ")
        if entry.is_folder:
            sign = "▾" if self.files.is_open(entry.path) else "▸"
            figures = f"{entry.changed} of {entry.files}" if entry.changed else str(entry.files)
            return [(f"{indent}{sign} ", "accent"), (f"{name}/ ", "bold"), (figures, "dim")]
        sign, style = SIGNS.get(entry.status, ("?", "dim"))
        before = f"  was {clean(entry.before)}" if entry.before else ""
        word = "  deleted" if entry.status == "deleted" else ""
        return [(f"{indent}{sign} ", style), (name, "" if entry.status != "deleted" else "dim"), (before + word, "dim")]


class FilesPane(Horizontal):
    """Reads the files when it is first shown, and again on F5."""

    DEFAULT_CSS = """
    FilesPane #tree { width: 1fr; padding: 0 0 0 1; }
    FilesPane #content { width: 1fr; display: none; padding: 0 0 0 1; }
    FilesPane.-beside #tree { width: 35%; border-right: tall $panel; }
    FilesPane.-beside #content { display: block; }
    FilesPane.-open #content { display: block; }
    FilesPane.-open #tree { display: none; }
    FilesPane.-open.-beside #tree { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("refresh", "back", "edit", "fold")]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session = session

    def compose(self) -> ComposeResult:
        """Put in the tree and what is in a file."""
        yield FileTreeView(id="tree")
        yield ContentView(id="content")

    def on_mount(self) -> None:
        """Read the files."""
        self.content.note = "enter shows what is in a file"
        self.action_refresh()

    @property
    def shell(self) -> Shell:
        """The app."""
        return shell(self)

    @property
    def files(self) -> FileTreeView:
        """The tree."""
        return self.query_one("#tree", FileTreeView)

    @property
    def content(self) -> ContentView:
        """What is in a file."""
        return self.query_one("#content", ContentView)

    def focus_first(self) -> None:
        """Put the keys into the tree, or into the file over it."""
        (self.content if self.has_class("-open") else self.files).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Show files beside the tree where there is room."""
        self.set_class(event.size.width >= BESIDE_WIDTH, "-beside")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape closes the file first; it leaves the screen when none is open."""
        if action == "back":
            return self.has_class("-open")
        if action in ("edit", "fold"):
            return self.is_mounted and self.files.entry is not None
        return True

    def action_refresh(self) -> None:
        """Read the files again."""
        self.shell.perform(self._read, group=f"files {self.session}")

    async def _read(self) -> None:
        from supervisor.api.client import at

        try:
            answer = await self.shell.client.get(at("session", self.session, "files"))
        except QuarterdeckError as error:
            self.files.show(FileTree(()), f"{error} F5 tries again.")
            return
        note = "" if answer["files"] else EMPTY
        self.files.show(FileTree(answer["files"]), note)
        if answer["truncated"]:
            self.shell.say(f"Only {len(answer['files']):,} files are listed, changed ones first.", severity="warning")
        self.refresh_bindings()

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Offer what can be done with what is under the cursor."""
        self.refresh_bindings()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open a folder, or show what is in a file."""
        entry = self.files.entry
        if event.view is not self.files or entry is None:
            return
        if entry.is_folder:
            self.files.toggle(entry.path)
        elif entry.status == "deleted":
            self.shell.say(f"{entry.path} was deleted. The diff shows what was in it.")
        else:
            self.shell.perform(lambda: self._content(entry.path), group=f"content {self.session}")

    async def _content(self, path: str) -> None:
        from supervisor.api.client import at

        found = await self.shell.client.get(at("session", self.session, "files/content"), path=path)
        lines = await asyncio.to_thread(coloured_content, found)
        self.content.show(path, lines, about(found))
        self.add_class("-open")
        self.content.focus()

    def action_fold(self) -> None:
        """Open or close the folder under the cursor."""
        if (entry := self.files.entry) is not None and entry.is_folder:
            self.files.toggle(entry.path)

    def action_back(self) -> None:
        """Close the file."""
        self.remove_class("-open")
        self.files.focus()

    def action_edit(self) -> None:
        """Open the file in the editor."""
        from panels.editing import editor_at, inside

        entry, session = self.files.entry, self.shell.view.sessions.get(self.session)
        if entry is None or entry.is_folder:
            return
        try:
            if session is None or session.worktree is None:
                raise NotFound("It has no worktree.", hint="Wait until it runs.")
            line = self.content.cursor if self.has_class("-open") and self.content.path == entry.path else 1
            command = editor_at(inside(session.worktree, entry.path), max(1, line))
        except QuarterdeckError as error:
            self.shell.say(str(error), severity="error")
            return
        self.shell.suspend_for(command)
        self.action_refresh()
