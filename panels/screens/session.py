"""A session's own screen: its log, its raw output, what it changed, its files, its statuses and its cost."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from panels.acting import Acting
from panels.focus import LOOK_S, keys_are_lost
from panels.keys import bindings
from panels.screens.main import PANELS
from panels.shell import Json, Shell, shell
from panels.view.model import Topic
from panels.view.sessions import SessionView, session_view
from panels.widgets.away import AwayLine
from panels.widgets.head import Head
from panels.widgets.keyline import Keyline
from panels.widgets.strip import AlertStrip
from panels.widgets.tabline import Tabline
from panels.widgets.topline import Topline
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plain import one_line

TABS: Final[dict[str, tuple[str, str]]] = {
    "log": ("panels.widgets.logpane", "LogPane"),
    "raw": ("panels.widgets.rawlog", "RawLog"),
    "diff": ("panels.widgets.diffpane", "DiffPane"),
    "files": ("panels.widgets.filespane", "FilesPane"),
    "timeline": ("panels.widgets.timeline", "TimelinePane"),
    "cost": ("panels.widgets.cost", "CostPane"),
}
"""Where each tab is: they are loaded when they are first shown."""


class SessionScreen(Screen[None], Acting):
    """Everything about one session, and everything that can be done to it."""

    AUTO_FOCUS = None
    DEFAULT_CSS = """
    SessionScreen #asked { height: auto; max-height: 3; padding: 0 1; display: none; background: $warning 20%; }
    SessionScreen.-asked #asked { display: block; }
    SessionScreen ContentSwitcher { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("previous_pane", "next_pane", "diff", "approve", "next_waiting"),
    ]

    def __init__(self, session_id: str, tab: str = "log") -> None:
        super().__init__()
        self.session_id = session_id
        self._tab = tab if tab in TABS else "log"
        self._fetched: SessionView | None = None
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Put in what it is, the tabs, and the keys."""
        yield Topline(list(PANELS), "", id="topline")
        yield AwayLine(tells=False)
        yield AlertStrip(id="alert")
        yield Head(id="head")
        yield Static(id="asked")
        yield Tabline(tuple(TABS), self._tab, id="tabs")
        yield ContentSwitcher(id="panes")
        yield Keyline()

    @property
    def shell(self) -> Shell:
        """The app."""
        return shell(self)

    @property
    def session(self) -> SessionView | None:
        """The session; None before the app has heard of it."""
        return self.shell.view.sessions.get(self.session_id) or self._fetched

    def on_mount(self) -> None:
        """Draw, hear of changes, and count the age on."""
        self.shell.changes.subscribe(self, self._heard)
        self.set_interval(LOOK_S, self._tick)
        self._draw()
        self.show(self._tab)
        if self.session is None:
            self.shell.perform(self._fetch)

    def _tick(self) -> None:
        self.query_one(Head).refresh()
        if keys_are_lost(self):
            self._focus_pane()

    async def _fetch(self) -> None:
        """Read a session that the fleet does not show: an archived one."""
        from supervisor.api.client import at

        try:
            found = await self.shell.client.get(at("session", self.session_id))
        except QuarterdeckError as error:
            self._problem = str(error)
            self._draw()
            return
        self._problem = ""
        self._fetched = session_view(found["session"])
        self._draw()

    def _heard(self, topics: frozenset[Topic]) -> None:
        if topics & {"fleet", "approvals", "connection"}:
            # Asked again after each connecting only: it may exist no more, and the fleet changes all the time.
            if "connection" in topics and self.session is None and self.shell.view.connection.state == "live":
                self.shell.perform(self._fetch, group="session")
            self._draw()

    def _draw(self) -> None:
        self.query_one(Head).show(self.session, self._problem or "…")
        asked = self._asked()
        self.set_class(asked is not None, "-asked")
        if asked is not None:
            keys = Content.from_markup("  [b]a[/b] show it exactly and decide")
            self.query_one("#asked", Static).update(Content(f"◐ {one_line(asked['question'])}").append(keys))
        self.refresh_bindings()

    def _asked(self) -> Json | None:
        approvals = self.shell.view.approvals.values()
        return next((each for each in approvals if each["session"] == self.session_id), None)

    # Tabs.

    @property
    def tab(self) -> str:
        """The tab that is shown."""
        return self._tab

    def show(self, tab: str) -> None:
        """Show a tab, and put the keys into it."""
        switcher = self.query_one(ContentSwitcher)
        if not switcher.query(f"#pane-{tab}"):
            module, kind = TABS[tab]
            switcher.mount(getattr(import_module(module), kind)(self.session_id, id=f"pane-{tab}"))
        switcher.current = f"pane-{tab}"
        self._tab = self.query_one(Tabline).current = tab
        # Asked of the pane: one that was just put in has its widgets before it hears of this.
        self.query_one(f"#pane-{tab}").call_after_refresh(self._focus_pane)

    def _focus_pane(self) -> None:
        pane: Any = self.query_one(f"#pane-{self._tab}", Widget)
        pane.focus_first()
        self.refresh_bindings()

    def _turn(self, by: int) -> None:
        tabs = list(TABS)
        self.show(tabs[(tabs.index(self._tab) + by) % len(tabs)])

    def action_next_pane(self) -> None:
        """Show the tab to the right."""
        self._turn(1)

    def action_previous_pane(self) -> None:
        """Show the tab to the left."""
        self._turn(-1)

    def on_topline_chosen(self, event: Topline.Chosen) -> None:
        """Go to the panel whose name was clicked."""
        self.shell.show_panel(event.panel)

    def on_tabline_chosen(self, event: Tabline.Chosen) -> None:
        """Show the tab that was clicked."""
        self.show(event.tab)

    # What the person does.

    def targets(self) -> Sequence[SessionView]:
        """Return the session."""
        return [session] if (session := self.session) is not None else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done to it now."""
        if action == "approve":
            return self.is_mounted and self._asked() is not None
        if action == "diff":
            return self._tab != "diff"
        return Acting.check_action(self, action, parameters)

    def action_approve(self) -> None:
        """Show what is asked exactly, where it can be decided."""
        if (asked := self._asked()) is not None:
            self.shell.show_approval(asked["id"])

    def on_click(self, event: Click) -> None:
        """Go to the approval when its line is clicked."""
        if event.widget is not None and event.widget.id == "asked":
            self.action_approve()

    def action_diff(self) -> None:
        """Show what it changed."""
        self.show("diff")

    def action_next_waiting(self) -> None:
        """Go to the next session that waits for the person."""
        waiting = [session.id for session in self.shell.view.waiting()]
        if not [each for each in waiting if each != self.session_id]:
            self.shell.say("Nothing else waits for you.")
            return
        at = waiting.index(self.session_id) + 1 if self.session_id in waiting else 0
        self.app.pop_screen()
        self.shell.open_session(waiting[at % len(waiting)])
