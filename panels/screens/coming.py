"""Panels that later work fills: what will be here, and what can be done today."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.widgets import Static

from panels.panel import Panel
from panels.view.costs import cost_rows
from panels.view.model import Topic
from panels.widgets.rows import RowsView

INSIGHTS: Final = """\
Insights are not here yet, but costs are.

Quarterdeck will find patterns in what failed and what you decided, and propose what to do about them, with evidence. \
It will remember what was learned, and let you search it.

Today: 5 f shows the sessions that failed, 7 ] ] ] the rules that it proposes from your decisions. What the sessions \
in the fleet cost:"""


class InsightsPanel(Panel):
    """Says what insights will be, and counts what sessions cost."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"fleet", "connection"})
    DEFAULT_CSS = """
    InsightsPanel #costs { height: 1fr; padding: 0 2; }
    """

    def compose(self) -> ComposeResult:
        """Put in the text and the tables."""
        yield Static(INSIGHTS, classes="note", markup=False)
        yield RowsView(id="costs")

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Count anew."""
        view = self.shell.view
        sessions = list(view.sessions.values())
        if view.connection.state == "live" or sessions:
            self.query_one("#costs", RowsView).show(lambda width: cost_rows(sessions, width))
