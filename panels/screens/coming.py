"""Panels that later work fills: what will be here, and what can be done today."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from panels.panel import Panel
from panels.view.costs import cost_rows
from panels.view.model import Topic
from panels.widgets.rows import RowsView

PLANS: Final = """\
Plans are kept, and do not run yet.

A plan will break one goal into tasks that depend on each other, and give each to an agent. You will see it as a \
drawing, a tree and a chart of time, and approve its gates here.

Today, start the tasks yourself: each session has a worktree of its own, so many can run at once. What there is no \
room for waits in the queue, the most urgent first.

  1  n   start a session
  3      the queue: what runs, what waits

From a shell: an order of your own, or a plan file that is checked and kept:

  quarterdeck run --priority 1 --agent claude --prompt "First this"
  quarterdeck plan create plan.yaml\
"""

INSIGHTS: Final = """\
Insights are not here yet, but costs are.

Quarterdeck will find patterns in what failed and what you decided, and propose what to do about them, with evidence. \
It will remember what was learned, and let you search it.

Today: 5 f shows the sessions that failed, 7 ] ] ] the rules that it proposes from your decisions. What the sessions \
in the fleet cost:"""


class PlansPanel(Panel):
    """Says what plans will be."""

    def compose(self) -> ComposeResult:
        """Put in the text."""
        # It takes the keys, so that none acts on a panel that nobody sees.
        with VerticalScroll():
            yield Static(PLANS, classes="note", markup=False)

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Nothing in it changes."""


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
