"""What a session changed: a list of files, the diff, and what a person does while reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from panels import shown
from panels.dialogs import AskText, Confirm
from panels.keys import bindings
from panels.reviews import Reviews
from panels.shell import Json, Shell, shell
from panels.view.comments import Comment, comment_on, message, place_of
from panels.view.diff import FileDiff, parse
from panels.widgets.diff import SIDE_WIDTH, DiffView
from panels.widgets.filelist import FileList
from panels.widgets.lines import LineView
from supervisor.model.errors import NotFound, QuarterdeckError

LIST_WIDTH: Final = 100
"""Cells from which the list of files is beside the diff."""

EMPTY: Final = """\
Nothing was changed yet.

Everything that differs from where the session began is shown here, committed or not. F5 reads it again.

  c   comment on a line      S   send all comments to the agent, if one works here
  ␣   mark a file as read    C   commit, M merge when you are content"""

OUT_OF_DATE: Final = "A turn has ended since this was read. F5 reads it again."


class DiffPane(Vertical, can_focus=True):
    """Reads the diff when it is first shown, and again on F5."""

    DEFAULT_CSS = """
    DiffPane #notes { height: auto; max-height: 2; padding: 0 1; background: $surface; color: $text-muted; }
    DiffPane #files { width: 30%; max-width: 50; display: none; border-right: tall $panel; }
    DiffPane.-listed #files { display: block; }
    DiffPane #diff-view { width: 1fr; }
    DiffPane #none { display: none; }
    DiffPane.-none #none { display: block; }
    DiffPane.-none Horizontal { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "comment", "send_comments", "mark", "edit", "side", "fold", "next_file", "previous_file", "undo", "refresh"
        )
    ]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session = session
        self.reviews: Reviews | None = None
        self.out_of_date = False
        self._before: list[list[Comment]] = []
        self._deaf: Callable[[], None] | None = None
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Put in a line about it, the files and the diff."""
        yield Static("Reading what was changed…", id="notes", markup=False)
        with Horizontal():
            yield FileList(id="files")
            yield DiffView(id="diff-view")
        yield Static(EMPTY, id="none", classes="note", markup=False)

    def on_mount(self) -> None:
        """Read it, and hear when it is out of date."""
        self.reviews = Reviews(self.shell.paths.state / "app-reviews.json", self.session)
        self.view.comments = self.reviews.comments
        self._deaf = self.shell.listen(self._heard)
        self.action_refresh()

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    @property
    def shell(self) -> Shell:
        """The app."""
        return shell(self)

    @property
    def view(self) -> DiffView:
        """The diff."""
        return self.query_one("#diff-view", DiffView)

    @property
    def file_list(self) -> FileList:
        """The list of files."""
        return self.query_one("#files", FileList)

    def focus_first(self) -> None:
        """Put the keys into the diff; without one they work here."""
        (self if self.has_class("-none") else self.view).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Show the list where there is room."""
        self.set_class(event.size.width >= LIST_WIDTH, "-listed")

    def _heard(self, event: Json) -> None:
        if event["session"] == self.session and event["type"] in ("turn_ended", "attempt_ended"):
            self.out_of_date = True
            self._say()

    # Reading it.

    def action_refresh(self) -> None:
        """Read it again."""
        self.shell.perform(self._read, group=f"diff {self.session}")

    async def _read(self) -> None:
        from supervisor.api.client import at

        try:
            self.out_of_date = False
            answer = await self.shell.client.get(at("session", self.session, "diff"))
        except QuarterdeckError as error:
            self._problem = str(error)
            self.view.show([])
            self._show_files()
            return
        self._problem = ""
        # A large one takes a while to take apart; keys are answered meanwhile.
        self._take(await asyncio.to_thread(parse, answer["diff"]))

    def _take(self, files: list[FileDiff]) -> None:
        view, reviews = self.view, self.reviews
        view.reviewed = {f.path for f in files if reviews is not None and reviews.is_reviewed(f.path, f.digest)}
        view.folded = set(view.reviewed)
        view.show(files)
        self._show_files()
        self.shell.view.measured(self.session, sum(f.added for f in files), sum(f.removed for f in files))
        self.shell.perform(self.shell.refresh_view)

    def _show_files(self) -> None:
        view = self.view
        focused = self.screen.focused
        had_keys = focused is None or focused is self or self in focused.ancestors
        self.set_class(not view.files, "-none")
        if not view.files:
            self.query_one("#none", Static).update(f"{self._problem} F5 tries again." if self._problem else EMPTY)
        self.file_list.show(view.files, view.reviewed)
        self._say()
        if had_keys and self.display:
            self.focus_first()

    def _say(self) -> None:
        files, view = self.view.files, self.view
        parts = []
        if files:
            size = shown.lines(sum(f.added for f in files), sum(f.removed for f in files)) or "no lines"
            parts.append(
                f"{len(files)} {'file' if len(files) == 1 else 'files'}, {size}, {len(view.reviewed)} reviewed"
            )
        if view.comments:
            count = len(view.comments)
            parts.append(f"{count} {'comment' if count == 1 else 'comments'}, S sends")
        if self.out_of_date:
            parts.append(OUT_OF_DATE)
        self.query_one("#notes", Static).update(" · ".join(parts))
        self.refresh_bindings()

    # Moving.

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Keep the list of files and the diff at the same file."""
        if event.view is self.view:
            row = self.view.row
            if row is not None and self.file_list.cursor != row.file:
                self.file_list.cursor = row.file
        elif self.file_list.has_focus and self.view.row is not None and self.view.row.file != event.index:
            self._go_to(event.index)
        self.refresh_bindings()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """From the list go into the file; in the diff open the file in the editor, or unfold it."""
        if event.view is self.file_list:
            self._go_to(event.index)
            self.view.focus()
        elif self.view.row is not None and self.view.row.kind == "file":
            self.action_fold()

    def _go_to(self, file: int) -> None:
        view = self.view
        view.cursor = view.start_of(file)
        view.scroll_at(view.cursor)

    def action_next_file(self) -> None:
        """Go to the next file."""
        self._turn(1)

    def action_previous_file(self) -> None:
        """Go to the file before."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        if (row := self.view.row) is not None and 0 <= row.file + by < len(self.view.files):
            self._go_to(row.file + by)

    # What a person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the line under the cursor."""
        if not self.is_mounted or action not in _NEEDS_FILES:
            return True
        view = self.view
        if action == "send_comments":
            return bool(view.comments)
        if action == "undo":
            return bool(self._before)
        if action == "comment":
            session = self.shell.view.sessions.get(self.session)
            if session is not None and not session.has_listener:
                return False
            return view.row is not None and (view.row.line is not None or view.row.comment is not None)
        return view.file is not None

    def action_mark(self) -> None:
        """Note that the file was read, close it and go to the next; or that it was not."""
        file, row, view = self.view.file, self.view.row, self.view
        if file is None or row is None or self.reviews is None:
            return
        try:
            is_read = self.reviews.toggle(file.path, file.digest)
        except QuarterdeckError as error:
            self.shell.say(str(error), severity="error")
            return
        (view.reviewed.add if is_read else view.reviewed.discard)(file.path)
        (view.folded.add if is_read else view.folded.discard)(file.path)
        view.make_rows()
        following = min(row.file + 1, len(view.files) - 1) if is_read else row.file
        self._go_to(following)
        self.file_list.refresh()
        self._say()

    def action_fold(self) -> None:
        """Open or close the file under the cursor."""
        if (file := self.view.file) is not None and (row := self.view.row) is not None:
            self.view.folded ^= {file.path}
            self.view.make_rows()
            self.view.cursor = self.view.start_of(row.file)

    def action_side(self) -> None:
        """Show both sides beside each other, or in one column."""
        view = self.view
        view.side_by_side = not view.side_by_side
        if view.side_by_side and not view.is_side_by_side:
            self.shell.say(f"There is no room for two columns: {SIDE_WIDTH} cells are needed.", severity="warning")
            view.side_by_side = False
            return
        view.make_rows()

    def action_comment(self) -> None:
        """Write a comment on the line under the cursor, or change the one that is there."""
        view, row, file = self.view, self.view.row, self.view.file
        if row is None or file is None:
            return
        if row.comment is not None:
            held, place = row.comment, row.comment.place
        elif row.line is not None:
            place = place_of(file, row.line)
            held = next((each for each in view.comments if each.place == place), comment_on(file, row.line, ""))
        else:
            return
        body = f"{held.path}:{held.number}\n{held.quoted[:200]}"
        self.app.push_screen(
            AskText("A comment", body, value=held.text, does="Note it"), partial(self._commented, held)
        )

    def _commented(self, held: Comment, text: str | None) -> None:
        if text is not None:
            new = Comment(held.path, held.side, held.number, held.quoted, text)
            self._change_comments([*(each for each in self.view.comments if each.place != held.place), new])

    def _change_comments(self, comments: list[Comment], *, remember: bool = True) -> None:
        if remember:
            self._before.append(self.view.comments)
        self.view.comments = comments
        try:
            if self.reviews is not None:
                self.reviews.keep_comments(comments)
        except QuarterdeckError as error:
            self.shell.say(str(error), severity="error")
        self.view.make_rows()
        self._say()

    def action_undo(self) -> None:
        """Take the last change of the comments back."""
        if self._before:
            self._change_comments(self._before.pop(), remember=False)

    def action_send_comments(self) -> None:
        """Show the message, then send it; a session that has ended goes on with it."""
        session = self.shell.view.sessions.get(self.session)
        if not self.view.comments or session is None:
            return
        text = message(self.view.comments)
        verb = "continue" if session.is_ended else "send"
        does = "goes on with it" if session.is_ended else "hears it now"

        async def send() -> Json:
            from supervisor.api.client import at

            return await self.shell.client.post(at("session", self.session, verb), {"text": text})

        def sent(_: Json) -> None:
            self._before.clear()
            self._change_comments([], remember=False)
            self.shell.say(f"{session.name}: comments sent.")

        self.app.push_screen(
            Confirm(f"Send to {session.name}? It {does}.", text, yes="Send"),
            lambda yes: self.shell.perform(send, sent) if yes else None,
        )

    def action_edit(self) -> None:
        """Open the file at the line in the editor, then read the diff again."""
        from panels.editing import editor_at, inside

        row, file, session = self.view.row, self.view.file, self.shell.view.sessions.get(self.session)
        if row is None or file is None or session is None:
            return
        line = row.line
        number = line.new or line.old or 1 if line is not None else row.hunk.new_start if row.hunk is not None else 1
        try:
            if session.worktree is None:
                raise NotFound("It has no worktree.", hint="Wait until it runs.")
            command = editor_at(inside(session.worktree, file.path), number)
        except QuarterdeckError as error:
            self.shell.say(str(error), severity="error")
            return
        self.shell.suspend_for(command)
        self.action_refresh()


_NEEDS_FILES: Final = frozenset(
    {"comment", "send_comments", "mark", "edit", "side", "fold", "next_file", "previous_file", "undo"}
)
