"""Shows what a session said, did and was told, live; older parts are read when they are scrolled to."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import monotonic
from typing import ClassVar, Final

from textual.binding import BindingType

from panels.keys import bindings
from panels.shell import Json, shell
from panels.view.finding import highlighted, text_of
from panels.view.model import Topic
from panels.view.transcript import RESULT_LINES, Block, Filter, Transcript, passes
from panels.widgets.lines import Line, LineView, noted
from supervisor.model.errors import QuarterdeckError

FIRST: Final = 300
"""Events that are read first: enough for any screen, and quickly there."""

PAGE: Final = 1_000
"""Events that are read at once after that."""

FILLING: Final = 10
"""Pages that are read at most by themselves to fill the screen with what passes a filter."""

SEARCH_PAGE: Final = 2_000
"""Events that are read at once where older ones are searched."""

COUNT_S: Final = 0.02
"""Matches are counted for so long at once: a key is not kept waiting."""

EMPTY: Final = "Nothing yet. What it says and does appears here."
NOTHING_PASSES: Final = "Nothing of this kind. f shows another, going up reads older ones."


class TranscriptView(LineView):
    """The transcript of the session it was told to `follow`.

    Rows are laid out once; those of an older page are put before the others, which stay as they are.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("fold", "refresh")]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(follow=True, id=id, classes=classes)
        self.session: str | None = None
        self.transcript = Transcript()
        self.problem = ""
        self.wanted: re.Pattern[str] | None = None
        """What is searched for; its matches are made visible."""
        self.filter: Filter = "everything"
        self.until: int | None = None
        """The event after which nothing is shown, None while it is live."""
        self.complete = False
        """Whether the oldest event is there."""
        self._rows: list[tuple[Block, Line]] = []
        self._width = 0
        self._reading = False
        self._early: list[Json] = []
        self._deaf: Callable[[], None] | None = None
        self._dirty_from: int | None = None
        self._was_away = False
        self._stops: dict[int, tuple[tuple[int, int], tuple[int, ...]]] = {}

    def on_mount(self) -> None:
        """Hear events from now on, and when the stream was broken."""
        self._deaf = shell(self).listen(self._heard)
        shell(self).changes.subscribe(self, self._connection_changed)

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    # What is read.

    def follow(self, session: str | None, *, until: int | None = None) -> None:
        """Show another session from its end, or up to an event."""
        if session == self.session and until == self.until and not self.problem:
            return
        if session != self.session:
            self._rows = []
        self.session, self.until = session, until
        self._start()

    def action_refresh(self) -> None:
        """Read it again."""
        self._start()

    def _start(self) -> None:
        """Read from the end; what was shown of this session stays until that is there."""
        self.transcript, self.problem = Transcript(), ""
        self._early, self._dirty_from = [], None
        self.complete, self._reading, self.following = False, self.session is not None, True
        self.lines_changed(0)
        if self.session is not None:
            shell(self).perform(self._newest, group=f"transcript {self.id}")

    async def _events(self, **query: object) -> list[Json] | None:
        """Read events of the session; None when another one is shown by now, or they could not be had."""
        asked = self.transcript
        try:
            found = await shell(self).client.get("/events", session=self.session, **query)
        except QuarterdeckError as error:
            if asked is self.transcript:
                self.problem, self._reading = str(error), False
                self.lines_changed()
            return None
        return found["events"] if asked is self.transcript else None

    async def _newest(self) -> None:
        before = None if self.until is None else self.until + 1
        found = await self._events(limit=FIRST, before=before)
        if found is None:
            return
        self.complete = len(found) < FIRST
        self._take(found)
        self._lay_out_from(0)
        await self._fill()

    async def _fill(self) -> None:
        """Read on while a filter leaves so little that the screen is not full."""
        for _ in range(FILLING):
            if self.complete or len(self._rows) >= self.size.height or not await self._older():
                return

    def _take(self, found: Sequence[Json]) -> None:
        """Take events, and those that came meanwhile."""
        for event in (*found, *self._early):
            self.transcript.add(event)
        self._reading, self._early = False, []

    async def _older(self, limit: int = PAGE) -> bool:
        """Read the page before the first; whether it could be had."""
        found = await self._events(limit=limit, before=self.transcript.first_seq)
        if found is None:
            return False
        self.complete = len(found) < limit
        count = self.transcript.prepend(found)
        rows = self._lay_out(self.transcript.blocks[:count])
        self._rows[:0] = rows
        self._reading = False
        early, self._early = self._early, []
        for event in early:
            self._heard(event)
        self.lines_before(len(rows))
        return True

    async def _missed(self) -> None:
        """Read what was said while the stream was broken."""
        while (found := await self._events(after=self.transcript.last_seq, limit=PAGE)) is not None:
            for event in found:
                self.transcript.add(event)
            if len(found) < PAGE:
                self._take(())
                self._lay_out_from(0)
                return

    def _connection_changed(self, topics: frozenset[Topic]) -> None:
        if "connection" not in topics:
            return
        live = shell(self).view.connection.state == "live"
        if live and self._was_away and self.session is not None and self.until is None and not self._reading:
            self._reading = True
            work = self._newest if self.problem or not self.transcript.last_seq else self._missed
            self.problem = ""
            shell(self).perform(work, group=f"transcript {self.id}")
        self._was_away = not live

    def _heard(self, event: Json) -> None:
        if event["session"] != self.session or self.until is not None:
            return
        if self._reading:
            self._early.append(event)
            return
        block = self.transcript.add(event)
        if block is None:
            return
        # Many may come between two frames: they are laid out together.
        if self._dirty_from is None:
            self._dirty_from = block.seq
            self.call_later(self._catch_up)
        else:
            self._dirty_from = min(self._dirty_from, block.seq)

    def _catch_up(self) -> None:
        seq, self._dirty_from = self._dirty_from, None
        if seq is not None:
            self._lay_out_from(seq)

    # How it is laid out.

    def _lay_out(self, blocks: Sequence[Block]) -> list[tuple[Block, Line]]:
        if (width := max(20, self.room.width)) != self._width:
            self._width = width
            self._stops.clear()
        return [(block, line) for block in blocks if passes(block, self.filter) for line in block.lines(self._width)]

    def _lay_out_from(self, seq: int) -> None:
        """Lay out the block with this number and all after it."""
        start = self._row_of(seq)
        blocks = self.transcript.blocks
        first = bisect_left(blocks, seq, key=lambda each: each.seq)
        self._rows[start:] = self._lay_out(blocks[first:])
        self.lines_changed()

    def _row_of(self, seq: int) -> int:
        return bisect_left(self._rows, seq, key=lambda row: row[0].seq)

    def _lay_out_anew(self) -> None:
        """Lay out everything; the cursor stays on its block, and on its line while that is as long as it was."""
        block, following = self.block_at(self.cursor), self.following
        into = self.cursor - self._row_of(block.seq) if block is not None else 0
        self._rows = self._lay_out(self.transcript.blocks)
        self.following = following
        at = self._row_of(block.seq) if block is not None else 0
        self.lines_changed(at + into if self.block_at(at + into) is block else at)
        self.call_after_refresh(self._scroll_to_cursor)

    def fit(self) -> None:
        """Lay everything out anew when there is another width."""
        if max(20, self.room.width) != self._width and self.transcript.blocks:
            self._lay_out_anew()

    def near_first(self) -> None:
        """Read what is older."""
        if not (self.complete or self._reading or self.problem) and self.transcript.first_seq is not None:
            self._reading = True
            shell(self).perform(self._older, group=f"transcript {self.id}")

    def count(self) -> int:
        """Return the number of lines."""
        return len(self._rows) or len(self._note())

    def _note(self) -> list[Line]:
        if self.problem:
            return noted(f"{self.problem} F5 reads it again.", self._note_width(), "failed")
        text = "…" if self._reading else NOTHING_PASSES if self.transcript.blocks else EMPTY if self.session else ""
        return noted(text, self._note_width())

    def _note_width(self) -> int:
        return self.room.width - 1

    def line(self, index: int, width: int) -> Line:
        """Return a line of the transcript."""
        if not self._rows or (self.problem and index == 0):
            return self._note()[index]
        return highlighted(self._rows[index][1], self.wanted)

    def block_at(self, index: int) -> Block | None:
        """Return the block that a line belongs to."""
        return self._rows[index][0] if index < len(self._rows) else None

    # What a person does.

    def show_only(self, wanted: Filter) -> None:
        """Show only blocks that pass a filter."""
        self.filter = wanted
        self._lay_out_anew()
        if len(self._rows) < self.size.height and not (self.complete or self._reading or self.problem):
            shell(self).perform(self._fill, group=f"transcript {self.id}")

    def highlight(self, wanted: re.Pattern[str] | None) -> None:
        """Make the matches of another pattern visible."""
        self.wanted = wanted
        self._stops.clear()
        self.refresh()

    def found(self) -> tuple[int, int] | None:
        """Return which match of what is read the cursor is at, 0 for none of them, and how many there are.

        None while they are still being counted: a long log takes several calls, none of which is long.
        """
        here, place, total, end = self.block_at(self.cursor), 0, 0, monotonic() + COUNT_S
        if self.wanted is None or here is None:
            return 0, 0
        into = self.cursor - self._row_of(here.seq)
        for block in self.transcript.blocks:
            if not passes(block, self.filter):
                continue
            known, size = self._stops.get(block.seq), (len(block.text), len(block.detail))
            if known is None or known[0] != size:  # It may have grown.
                if monotonic() > end:
                    return None
                known = self._stops[block.seq] = (size, block.stops(self.wanted, self._width))
            if block is here and into in known[1]:
                place = total + known[1].index(into) + 1
            total += len(known[1])
        return place, total

    def is_at_match(self) -> bool:
        """Whether the line of the cursor has a match."""
        at = self.cursor
        return self.wanted is not None and at < len(self._rows) and bool(self.wanted.search(text_of(self._rows[at][1])))

    def find(self, direction: int) -> bool:
        """Go to the next match (``direction`` 1) or the one before (-1) in what is there; whether there is one."""
        block = self.block_at(self.cursor)
        if block is None or self.wanted is None:
            return False
        row = self.cursor + direction
        if self._find_in(block, row, direction):
            return True
        if direction > 0 and self._unfold(block) and self._find_in(block, row, 1):
            return True
        return self._find_from(self._index_of(block) + direction, direction)

    def _find_from(self, index: int, direction: int) -> bool:
        """Go to the first match in the blocks from one on; what they say is searched, not how it is laid out."""
        blocks, wanted = self.transcript.blocks, self.wanted
        for number in range(index, len(blocks) if direction > 0 else -1, direction):
            block = blocks[number]
            if wanted is None or not block.matches(wanted) or not passes(block, self.filter):
                continue
            self._unfold(block)
            first, last = self._row_of(block.seq), self._row_of(block.seq + 1) - 1
            if not self._find_in(block, first if direction > 0 else last, direction):
                self._go_to(first)  # It is broken over lines.
            return True
        return False

    def _unfold(self, block: Block) -> bool:
        """Unfold a block when a match is in what is folded; whether it was."""
        hidden = block.detail[RESULT_LINES:] if block.folded else []
        if self.wanted is None or not any(self.wanted.search(text) for text, _ in hidden):
            return False
        block.folded = False
        self._lay_out_from(block.seq)
        return True

    def _find_in(self, block: Block, row: int, direction: int) -> bool:
        """Go to the first row of a block, from one on, that shows a match."""
        while self.wanted is not None and 0 <= row < len(self._rows) and self._rows[row][0] is block:
            if self.wanted.search(text_of(self._rows[row][1])):
                self._go_to(row)
                return True
            row += direction
        return False

    def _index_of(self, block: Block) -> int:
        return bisect_left(self.transcript.blocks, block.seq, key=lambda each: each.seq)

    def _go_to(self, index: int) -> None:
        self.following = False
        self.cursor = index

    async def find_back(self, progress: Callable[[int], None]) -> bool:
        """Go to the match before, reading older pages; ``progress`` hears how many events were read in all."""
        read, transcript = 0, self.transcript
        if self.find(-1):
            return True
        while not self.complete and transcript is self.transcript:
            blocks = len(self.transcript.blocks)
            self._reading = True
            if not await self._older(SEARCH_PAGE):
                return False
            read += SEARCH_PAGE
            progress(read)
            if self._find_from(len(self.transcript.blocks) - blocks - 1, -1):
                return True
        return False

    def action_fold(self) -> None:
        """Open or close the block under the cursor."""
        block = self.block_at(self.cursor)
        if block is not None:
            block.folded = not block.folded
            self.following = False
            self._lay_out_from(block.seq)
            self.cursor = self._row_of(block.seq)

    def action_open(self) -> None:
        """Open or close the block under the cursor."""
        self.action_fold()
