"""Tokens and cost of a session, turn by turn: a drawing and a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static
from textual_plotext import PlotextPlot

from panels import shown
from panels.keys import bindings
from panels.shell import Json, shell
from panels.view.cost import Turn, reports_nothing, turns
from panels.widgets.lines import Line, LineView
from supervisor.model.errors import QuarterdeckError

TURNS: Final = 1_000
"""Turns that are read, the newest."""

MANY: Final = 3
"""Turns from which a line is drawn; fewer are bars."""

EMPTY: Final = """\
No turn has ended yet.

When one ends, its tokens and its cost appear here, as the agent reports them."""

SILENT: Final = """\
This agent reports neither tokens nor cost, so there is nothing to add up.

Commands never do. Claude Code, Codex and others that speak a protocol do so at the end of each turn."""


class TurnTable(LineView):
    """The turns, newest first."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.turns: list[Turn] = []

    def count(self) -> int:
        """Return the number of turns and the heading."""
        return len(self.turns) + 1

    def can_choose(self, index: int) -> bool:
        """The heading is passed over."""
        return index > 0 or not self.turns

    def line(self, index: int, width: int) -> Line:
        """Return the heading or a turn."""
        if index == 0:
            return [(" turn      time    input   output   cached     cost    in all", "title")]
        turn = self.turns[-index]
        cost = "-" if turn.cost_usd is None else f"${turn.cost_usd:.3f}"
        total = f"${turn.total_usd:.3f}" if turn.total_usd else "-"
        numbers = (f"{shown.count(number):>9}" for number in (turn.input, turn.output, turn.cached))
        return [
            (f" {'✕' if turn.is_error else ' '}{turn.number:>3}", "failed" if turn.is_error else "bold"),
            (f"  {shown.clock(turn.time)}", "dim"),
            ("".join(numbers), ""),
            (f"{cost:>9}{total:>10}", "accent"),
        ]


class CostPane(Vertical, can_focus=True):
    """Reads the turns when it is first shown, and again when one ends."""

    DEFAULT_CSS = """
    CostPane PlotextPlot { height: 45%; min-height: 8; }
    CostPane #turns { height: 1fr; padding: 0 0 0 1; }
    CostPane #sum { height: 1; padding: 0 1; color: $text-muted; background: $surface; }
    CostPane #silent { display: none; }
    CostPane.-silent #silent { display: block; }
    CostPane.-silent PlotextPlot { display: none; }
    CostPane.-silent #turns { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("refresh")]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session = session
        self._deaf: Callable[[], None] | None = None

    def compose(self) -> ComposeResult:
        """Put in the sum, the drawing and the table."""
        yield Static("…", id="sum", markup=False)
        yield PlotextPlot(id="plot")
        yield TurnTable(id="turns")
        yield Static(EMPTY, id="silent", classes="note", markup=False)

    def on_mount(self) -> None:
        """Read the turns, and hear when one ends."""
        self._deaf = shell(self).listen(self._heard)
        self.action_refresh()

    def on_unmount(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    def focus_first(self) -> None:
        """Put the keys into the table; without one they work here."""
        (self if self.has_class("-silent") else self.query_one(TurnTable)).focus()

    def _heard(self, event: Json) -> None:
        if event["session"] == self.session and event["type"] == "turn_ended":
            self.action_refresh()

    def action_refresh(self) -> None:
        """Read it again."""
        shell(self).perform(self._read, group=f"cost {self.session}")

    async def _read(self) -> None:
        try:
            answer = await shell(self).client.get("/events", session=self.session, type="turn_ended", limit=TURNS)
        except QuarterdeckError as error:
            self._without_turns(f"{error} F5 reads it again.")
            return
        found = turns(answer["events"])
        if not found:
            session = shell(self).view.sessions.get(self.session)
            self._without_turns(SILENT if session is not None and session.prompt is None else EMPTY)
        elif reports_nothing(found):
            self._without_turns(SILENT)
        else:
            self._show(found)

    def _without_turns(self, why: str) -> None:
        had_keys = self.query_one(TurnTable).has_focus
        self.add_class("-silent")
        if had_keys:
            self.focus_first()
        self.query_one("#silent", Static).update(why)
        self.query_one("#sum", Static).update("")

    def _show(self, found: list[Turn]) -> None:
        self.remove_class("-silent")
        if self.has_focus:
            self.focus_first()
        table = self.query_one(TurnTable)
        table.turns = found
        table.lines_changed()
        tokens = f"{shown.count(sum(t.input for t in found))} in, {shown.count(sum(t.output for t in found))} out"
        total = found[-1].total_usd
        money = f"${total:.{2 if total >= 1 else 3}f}" if total else "the agent does not say what it costs"
        count = f"{len(found)} {'turn' if len(found) == 1 else 'turns'}"
        self.query_one("#sum", Static).update(f"{count} · {tokens} · {money}")
        self._plot(found)

    def _plot(self, found: list[Turn]) -> None:
        widget = self.query_one(PlotextPlot)
        plot, numbers = widget.plt, [turn.number for turn in found]
        plot.clear_data()
        if found[-1].total_usd:
            plot.title("Cost in all, in dollars, by turn")
            totals = [turn.total_usd for turn in found]
            if len(found) >= MANY:
                plot.plot(numbers, totals, marker="braille")
            else:
                plot.bar(numbers, totals)
        else:
            plot.title("Tokens by turn")
            plot.bar(numbers, [turn.input + turn.output for turn in found])
        plot.xticks(_ticks(numbers))
        widget.refresh()


def _ticks(numbers: list[int]) -> list[float]:
    step = max(1, len(numbers) // 8)
    return [float(number) for number in numbers[::step]]
