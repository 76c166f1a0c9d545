"""Shows what a session said, did and was told, live; older parts are read when they are scrolled to."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import BindingType

from panels.keys import bindings
from panels.shell import Json, shell
from panels.view.transcript import Block, Transcript
from panels.widgets.lines import Line, LineView

PAGE: Final = 1_000
"""Events that are read at once."""

EMPTY: Final = "Nothing yet. What it says and does appears here."


class TranscriptView(LineView):
    """The transcript of the session it was told to `follow`."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("fold")]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(follow=True, id=id, classes=classes)
        self.session: str | None = None
        self.transcript = Transcript()
        self.problem = ""
        self._rows: list[tuple[int, Line]] = []
        self._starts: list[int] = []
        self._width = 0
        self._complete = False
        self._reading = False
        self._early: list[Json] = []
        self._deaf: Callable[[], None] | None = None
        self._dirty_from: int | None = None

    def on_mount(self) -> None:
        """Hear events from now on."""
        self._deaf = shell(self).listen(self._heard)

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    def follow(self, session: str | None) -> None:
        """Show another session from its end."""
        if session == self.session:
            return
        self.session, self.transcript = session, Transcript()
        self._rows, self._starts, self._early = [], [], []
        self._complete, self._reading, self.following = False, session is not None, True
        self.lines_changed(0)
        if session is not None:
            shell(self).perform(self._newest, group=f"transcript {self.id}")

    async def _newest(self) -> None:
        session = self.session
        found = (await shell(self).client.get("/events", session=session, limit=PAGE))["events"]
        if session != self.session:
            return
        for event in found:
            self.transcript.add(event)
        self._complete = len(found) < PAGE
        self._reading = False
        for event in self._early:
            self.transcript.add(event)
        self._early = []
        self._render_from(0)

    async def _older(self) -> None:
        session, first = self.session, self.transcript.first_seq
        found = (await shell(self).client.get("/events", session=session, limit=PAGE, before=first))["events"]
        if session != self.session:
            return
        self._complete = len(found) < PAGE
        before = len(self._rows)
        self.transcript.prepend(found)
        self._render_from(0, draw=False)
        more = len(self._rows) - before
        self._reading = False
        self.lines_changed(self.cursor + more)
        self.scroll_to(y=self.scroll_offset.y + more, animate=False)

    def _heard(self, event: Json) -> None:
        if event["session"] != self.session:
            return
        if self._reading:
            self._early.append(event)
            return
        block = self.transcript.add(event)
        if block is None:
            return
        # Many may come between two frames: they are laid out together.
        index = self._index_of(block)
        if self._dirty_from is None:
            self._dirty_from = index
            self.call_later(self._catch_up)
        else:
            self._dirty_from = min(self._dirty_from, index)

    def _catch_up(self) -> None:
        index, self._dirty_from = self._dirty_from, None
        if index is not None:
            self._render_from(index)

    def _index_of(self, block: Block) -> int:
        blocks = self.transcript.blocks
        for index in range(len(blocks) - 1, -1, -1):
            if blocks[index] is block:
                return index
        return 0

    def _render_from(self, index: int, *, draw: bool = True) -> None:
        """Lay out the blocks from one on."""
        width = self._width = max(20, self.scrollable_content_region.width)
        start = self._starts[index] if index < len(self._starts) else len(self._rows)
        del self._rows[start:]
        del self._starts[index:]
        blocks = self.transcript.blocks
        for number in range(index, len(blocks)):
            self._starts.append(len(self._rows))
            self._rows += [(number, line) for line in blocks[number].lines(width)]
        if draw:
            self.lines_changed()

    def on_resize(self, event: object) -> None:
        """Lay everything out anew when there is another width."""
        if max(20, self.scrollable_content_region.width) != self._width and self.transcript.blocks:
            at = self._rows[self.cursor][0] if self.cursor < len(self._rows) else 0
            self._render_from(0, draw=False)
            self.lines_changed(self._starts[at] if at < len(self._starts) else 0)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Read on where the reader comes near to the beginning of what is there."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < self.size.height and not (self._complete or self._reading) and self._rows:
            self._reading = True
            shell(self).perform(self._older, group=f"transcript {self.id}")

    def count(self) -> int:
        """Return the number of lines, one where there is nothing."""
        return len(self._rows) or 1

    def line(self, index: int, width: int) -> Line:
        """Return a line of the transcript."""
        if not self._rows:
            return [("  …" if self._reading else f"  {EMPTY}" if self.session else "", "dim")]
        return self._rows[index][1]

    def block_at(self, index: int) -> Block | None:
        """Return the block that a line belongs to."""
        return self.transcript.blocks[self._rows[index][0]] if index < len(self._rows) else None

    def action_fold(self) -> None:
        """Open or close the block under the cursor."""
        if self.cursor < len(self._rows):
            number = self._rows[self.cursor][0]
            block = self.transcript.blocks[number]
            block.folded = not block.folded
            self.following = False
            self._render_from(number, draw=False)
            self.lines_changed(self._starts[number])

    def action_open(self) -> None:
        """Open or close the block under the cursor."""
        self.action_fold()
