"""How the demonstration is seen while it goes on: a live picture on a terminal, else one line per fact."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from supervisor.cli.demonstration.witness import Json, Seen
from supervisor.cli.output import GLYPHS
from supervisor.model.plain import clean

FRAMES_PER_S: Final = 12
FEED_LINES: Final = 9
READING_S: Final = 1.2
NAME_WIDTH: Final = 12
_STATUS_WIDTH = 11


class Show:
    """Prints each fact as a line."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what was printed stays."""

    async def act(self, text: str) -> None:
        """Begin another part of the story."""
        self._line(Text(f"▸ {text}", style="bold"))

    def told(self, event: Json, seen: Seen | None) -> None:
        """Show an event, when it says something to people."""
        what = describe(event)
        if what is None or seen is None:
            return
        moment = datetime.fromisoformat(event["time"])
        self._began = self._began or moment
        elapsed = (moment - self._began).total_seconds()
        self._line(Text.assemble((f"{elapsed:5.1f}s  ", "dim"), f"{clean(seen.name):{NAME_WIDTH}}  ", what))

    def _line(self, line: Text) -> None:
        line.truncate(self.console.width, overflow="ellipsis")
        self.console.print(line, soft_wrap=True)


class LiveShow(Show):
    """Draws the sessions, and below them the last facts."""

    def __init__(self, console: Console, sessions: Mapping[str, Seen]) -> None:
        super().__init__(console)
        self._sessions = sessions
        self._act = Text("")
        self._feed: deque[Text] = deque(maxlen=FEED_LINES)
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=FRAMES_PER_S, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    async def act(self, text: str) -> None:
        """Begin another part of the story, and leave it time to be read."""
        self._act = Text(f"▸ {text}", style="bold")
        await asyncio.sleep(READING_S)

    def _line(self, line: Text) -> None:
        self._feed.append(line)

    def _draw(self) -> RenderableType:
        feed = [*self._feed, *[Text("")] * (FEED_LINES - len(self._feed))]
        for line in feed:
            line.truncate(self.console.width - 1, overflow="ellipsis")
        return Group(Text(""), self._act, Text(""), _overview(self._sessions.values()), Text(""), *feed)


def _overview(sessions: Any) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=True)
    table.add_column("session", width=NAME_WIDTH)
    table.add_column("status", width=_STATUS_WIDTH)
    table.add_column("runs in", width=7)
    table.add_column("now", ratio=1, no_wrap=True, overflow="ellipsis")
    for seen in sessions:
        now = f"{seen.tool} {seen.argument}" if seen.status in ("running", "waiting") else seen.reason
        table.add_row(clean(seen.name), status_text(seen.status), seen.executor or "-", _one_line(now))
    return table


def status_text(status: str) -> Text:
    """Return a status with its glyph, coloured."""
    glyph, colour = GLYPHS.get(status, ("·", "white"))
    return Text(f"{glyph} {status}", style=colour)


def describe(event: Json) -> Text | None:
    """Return what an event says to people, or None when it says nothing to them."""
    say = _SAY.get(event["type"])
    return say(event["payload"]) if say is not None else None


def _one_line(text: object) -> Text:
    return Text(" ".join(clean(text).split()))


def _plain(verb: str, style: str, key: str) -> Callable[[Json], Text]:
    return lambda payload: Text.assemble((f"{verb:9}", style), _one_line(payload[key]))


def _status(payload: Json) -> Text:
    glyph, colour = GLYPHS.get(payload["to"], ("·", "white"))
    return Text.assemble((f"{glyph} {payload['to']}", colour), "  ", (_one_line(payload["reason"]).plain, "dim"))


def _ruled(verb: str, style: str, payload: Json) -> Text:
    argument, rule = _one_line(payload["argument"]), f"  by rule {clean(payload.get('rule') or '')}"
    return Text.assemble((f"{verb:9}", style), argument, (rule, "dim"))


def _decided(payload: Json) -> Text:
    style = "green" if payload["status"] == "approved" else "red"
    by = f"by {clean(payload['decided_by'])}"
    return Text.assemble(
        (f"{clean(payload['status']):9}", style), by, (f"  {clean(payload['rationale'] or '')}", "dim")
    )


_SAY: Final[dict[str, Callable[[Json], Text]]] = {
    "status_changed": _status,
    "recovered": lambda payload: Text.assemble(("found again  ", "magenta"), payload["found"]),
    "tool_use": lambda payload: Text.assemble((f"{clean(payload['tool']):9}", "cyan"), _one_line(payload["argument"])),
    "thinking": _plain("thinks", "dim", "text"),
    "message": _plain("says", "dim", "text"),
    "retry": _plain("retries", "yellow", "error"),
    "permission_asked": _plain("asks", "yellow", "argument"),
    "permission_granted": lambda payload: _ruled("allowed", "green", payload),
    "permission_refused": lambda payload: _ruled("refused", "red", payload),
    "approval_decided": lambda payload: _decided(payload),
}
