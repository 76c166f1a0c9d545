"""Shows how a session came to its status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.timer import Timer

from panels.keys import bindings
from panels.shell import Json, shell
from panels.view.timeline import timeline
from panels.widgets.lines import Line, LineView, noted
from supervisor.model.errors import QuarterdeckError
from supervisor.model.times import now_ms

STATUSES: Final = 500
"""Changes of the status that are read."""

REREAD_S: Final = 0.5
"""Events that come within this time are answered by one reading."""

TICK_S: Final = 1.0


class TimelinePane(LineView):
    """Reads it when it is first shown, and again when the status changes."""

    DEFAULT_CSS = """
    TimelinePane { padding: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("refresh")]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session = session
        self.rows: Sequence[Line] = []
        self._known: tuple[list[Json], list[Json], list[Json]] | None = None
        self._timer: Timer | None = None
        self._deaf: Callable[[], None] | None = None

    def on_mount(self) -> None:
        """Read it, hear of changes, and count the present status on."""
        self._deaf = shell(self).listen(self._heard)
        self.set_interval(TICK_S, self._tick)
        self.action_refresh()

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    def focus_first(self) -> None:
        """Put the keys here."""
        self.focus()

    def _heard(self, event: Json) -> None:
        concerns = event["type"] in ("status_changed", "attempt_started", "attempt_ended", "recovered", "stalled")
        if event["session"] == self.session and concerns and self._timer is None:
            self._timer = self.set_timer(REREAD_S, self.action_refresh)

    def action_refresh(self) -> None:
        """Read it again."""
        self._timer = None
        shell(self).perform(self._read, group=f"timeline {self.session}")

    async def _read(self) -> None:
        from supervisor.api.client import at

        get = shell(self).client.get
        try:
            statuses, attempts, explained = await asyncio.gather(
                get("/events", session=self.session, type="status_changed", limit=STATUSES),
                get(at("session", self.session, "attempts")),
                get(at("session", self.session, "explain")),
            )
        except QuarterdeckError as error:
            self.rows = noted(f"{error} F5 reads it again.", self.room.width, "failed")
            self._known = None
            self.lines_changed()
            return
        self._known = (statuses["events"], attempts["attempts"], explained["signals"])
        self._lay_out()

    def _lay_out(self) -> None:
        if self._known is not None:
            self.rows = timeline(*self._known, max(40, self.room.width), now_ms())
            self.lines_changed()

    def _tick(self) -> None:
        if self.is_on_screen and self.display:
            self._lay_out()

    def fit(self) -> None:
        """Fit it into another width."""
        self._lay_out()

    def count(self) -> int:
        """Return the number of rows, one where there is nothing."""
        return len(self.rows) or 1

    def line(self, index: int, width: int) -> Line:
        """Return a row."""
        return self.rows[index] if self.rows else [("…", "dim")]
