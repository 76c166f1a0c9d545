"""The main screen: a line with the panels and how things stand, one panel, and the keys that work in it."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from panels.focus import LOOK_S, keys_are_lost
from panels.keys import bindings
from panels.panel import Panel
from panels.screens.fleet import FleetPanel
from panels.widgets.away import AwayLine
from panels.widgets.keyline import Keyline
from panels.widgets.strip import AlertStrip
from panels.widgets.topline import Topline

PANELS: Final[dict[str, tuple[str, str]]] = {
    "fleet": ("panels.screens.fleet", "FleetPanel"),
    "approvals": ("panels.screens.approvals", "ApprovalsPanel"),
    "monitor": ("panels.screens.monitor", "MonitorPanel"),
    "plans": ("panels.screens.plans", "PlansPanel"),
    "history": ("panels.screens.history", "HistoryPanel"),
    "insights": ("panels.screens.insights", "InsightsPanel"),
    "settings": ("panels.screens.settings", "SettingsPanel"),
}
"""Where each panel is: they are loaded when they are first shown."""


class MainScreen(Screen[None]):
    """Holds the panels."""

    AUTO_FOCUS = "FleetList"

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("next_waiting"),
    ]

    def compose(self) -> ComposeResult:
        """Put in the top line, the most severe alert, the first panel and the keys."""
        yield Topline(list(PANELS), id="topline")
        yield AwayLine()
        yield AlertStrip()
        with ContentSwitcher(initial="fleet", id="panels"):
            yield FleetPanel(id="fleet")
        yield Keyline()

    def on_mount(self) -> None:
        """See to it that keys always go somewhere, and that nothing that changed is missed."""
        self.set_interval(LOOK_S, self._keep_keys)

    def _keep_keys(self) -> None:
        if keys_are_lost(self):
            self.panel.focus_first()
        if self.is_current:
            self.panel.catch_up()

    @property
    def panel(self) -> Panel:
        """The panel that is shown."""
        name = self.query_one("#panels", ContentSwitcher).current
        return self.query_one(f"#{name}", Panel)

    def show(self, name: str) -> None:
        """Show a panel, and put the keys into it."""
        switcher = self.query_one("#panels", ContentSwitcher)
        if not switcher.query(f"#{name}"):
            module, kind = PANELS[name]
            switcher.mount(getattr(import_module(module), kind)(id=name))
        # Keys that come before the panel has them must not go to the one that is left.
        self.set_focus(None)
        switcher.current = name
        self.query_one(Topline).current = name
        self.query_one(AlertStrip).hushed = name == "monitor"
        # Asked of the panel itself: one that was just put in has its widgets before it hears of this.
        self.panel.call_after_refresh(self.panel.catch_up)
        self.panel.call_after_refresh(self.panel.focus_first)

    def on_topline_chosen(self, event: Topline.Chosen) -> None:
        """Show the panel whose name was clicked."""
        self.show(event.panel)

    def action_next_waiting(self) -> None:
        """Go to the next session that waits for the person, in the fleet."""
        self.show("fleet")
        self.query_one("#fleet", FleetPanel).to_next_waiting()

    def show_approval(self, approval: str) -> None:
        """Show the approvals, with one of them chosen."""
        from panels.screens.approvals import ApprovalsPanel

        self.show("approvals")
        panel = self.query_one("#approvals", ApprovalsPanel)
        panel.comes_up()
        panel.call_after_refresh(panel.choose, approval)

    def show_plan(self, plan: str, task: str | None) -> None:
        """Show the plans, with one of them opened at a task."""
        from panels.screens.plans import PlansPanel

        self.show("plans")
        panel = self.query_one("#plans", PlansPanel)
        panel.call_after_refresh(panel.go_to, plan, task)
