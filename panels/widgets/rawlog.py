"""The raw log of a session: what its processes wrote, line by line, live."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.timer import Timer

from panels.keys import bindings
from panels.shell import Json, shell
from panels.view.rawlog import RawLog as Lines
from panels.widgets.lines import Line, noted
from panels.widgets.wide import WideView
from supervisor.model.errors import QuarterdeckError

PAGE: Final = 262_144
"""Bytes that are read at once."""

END: Final = 2**53
"""An offset past the end of every log."""

REREAD_S: Final = 0.25
"""Lines that come within this time are read together."""

EMPTY: Final = "Nothing was written yet. Everything its processes print appears here, as they print it."


class RawLog(WideView):
    """The log of one session; older pages are read when they are scrolled to."""

    DEFAULT_CSS = """
    RawLog { padding: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("refresh")]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(follow=True, id=id)
        self.session = session
        self.log_lines = Lines()
        self.problem = ""
        self._reading = False
        self._timer: Timer | None = None
        self._deaf: Callable[[], None] | None = None

    def on_mount(self) -> None:
        """Read the newest page, and hear when there is more."""
        self._deaf = shell(self).listen(self._heard)
        self.action_refresh()

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    def focus_first(self) -> None:
        """Put the keys here."""
        self.focus()

    # What is read.

    async def _read_page(self, **where: int) -> Json | None:
        from supervisor.api.client import at

        try:
            page = await shell(self).client.get(at("session", self.session, "logs"), limit=PAGE, **where)
        except QuarterdeckError as error:
            self.problem = str(error)
            page = None
        return page

    def action_refresh(self) -> None:
        """Read it again from its end."""
        self.problem, self._reading = "", True
        self.refresh()
        self._perform(self._newest)

    def _perform(self, work: Callable[[], Awaitable[None]]) -> None:
        async def doing() -> None:
            try:
                await work()
            finally:
                self._reading = False
                self.lines_changed()

        shell(self).perform(doing, group=f"raw log {self.session}")

    async def _newest(self) -> None:
        if (page := await self._read_page(end=END)) is not None:
            self.log_lines = Lines()
            self.log_lines.take_newest(page)
            self.following = True
            self.lines_changed()
            # Few long lines may fill a page.
            while len(self.log_lines.lines) < self.size.height and self.log_lines.has_older and not self.problem:
                await self._older()

    async def _older(self) -> None:
        if (page := await self._read_page(end=self.log_lines.offset)) is not None:
            more = self.log_lines.take_older(page)
            self.lines_before(more)

    async def _newer(self) -> None:
        more = True
        while more and (page := await self._read_page(offset=self.log_lines.next_offset)) is not None:
            more = self.log_lines.take_newer(page)
            self.lines_changed()

    def _heard(self, event: Json) -> None:
        if event["session"] == self.session and self._timer is None:
            self._timer = self.set_timer(REREAD_S, self._read_on)

    def _read_on(self) -> None:
        self._timer = None
        if self._reading:
            self._timer = self.set_timer(REREAD_S, self._read_on)
            return
        self._reading, self.problem = True, ""
        self._perform(self._newer)

    def near_first(self) -> None:
        """Read what is older."""
        if self.log_lines.has_older and not self._reading and not self.problem:
            self._reading = True
            self._perform(self._older)

    # What is drawn.

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.log_lines.lines) + len(self.log_lines.open_lines) or len(self._note())

    def _note(self) -> list[Line]:
        text = f"{self.problem} F5 reads it again." if self.problem else "…" if self._reading else EMPTY
        return noted(text, self.room.width, "failed" if self.problem else "dim")

    def line(self, index: int, width: int) -> Line:
        """Return a line with its time and its stream."""
        if self.problem and index == 0:
            return self._note()[0]
        lines = self.log_lines.lines
        if index < len(lines):
            return lines[index].spans(self.shift, width)
        rest = self.log_lines.open_lines
        if index - len(lines) < len(rest):
            return rest[index - len(lines)].spans(self.shift, width)
        return self._note()[index]
