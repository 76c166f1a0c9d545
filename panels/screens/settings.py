"""What is installed, which agents there are, what is set, and which rules decide."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from panels.dialogs import Confirm
from panels.keys import bindings
from panels.panel import Panel
from panels.shell import Json
from panels.view import records
from panels.view.model import Topic
from panels.view.rows import Row
from panels.widgets.lines import LineView
from panels.widgets.rows import RowsView
from panels.widgets.search import SearchBox
from panels.widgets.tabline import Tabline
from supervisor.model.times import now_ms

TABS: Final = ("doctor", "agents", "settings", "policy")

SEARCHES: Final = {
    "doctor": "Search what was checked",
    "agents": "Search agents",
    "settings": "Search keys, values, sources",
    "policy": "A command: what would be decided about it, by which rule",
}

ABOUT: Final = {
    "doctor": "What is installed, and whether it works. F5 looks again, at isolation too.",
    "agents": "The agents that can be started. F5 reads again.",
    "settings": "What is set, and where. Change it in the configuration file: `quarterdeck config path` names it.",
    "policy": "What is decided without you. / tries a command, enter opens a rule or applies a proposed one.",
}

AWAY: Final = "The supervisor does not answer. `quarterdeck doctor` in a shell looks without one."
NOT_FOUND: Final = "Nothing matches. Empty the search with esc."


class SettingsPanel(Panel):
    """Four tabs over one list."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"connection"})
    DEFAULT_CSS = """
    SettingsPanel #about { height: 2; padding: 0 1; color: $text-muted; }
    SettingsPanel #found { height: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("previous_pane", "next_pane", "search", "refresh", "fold", "back")
    ]  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.tab = TABS[0]
        self._found: dict[str, Json] = {}
        self._problem: dict[str, str] = {}
        self._verdict: Json | None = None
        self._opened: set[object] = set()
        self._wanted = dict.fromkeys(TABS, "")

    def compose(self) -> ComposeResult:
        """Put in the tabs, what they are for, the search and the list."""
        yield Tabline(TABS, self.tab, id="tabs")
        yield Static(id="about", markup=False)
        yield SearchBox()
        yield RowsView(id="found")

    @property
    def listed(self) -> RowsView:
        """The list."""
        return self.query_one("#found", RowsView)

    def focus_first(self) -> None:
        """Put the keys into the list, as soon as it is there."""
        if self.is_mounted:
            self.listed.focus()
        else:
            self.call_after_refresh(self.focus_first)

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Read what is shown once there is a supervisor."""
        if self.shell.view.connection.state == "live":
            self._read(self.tab)
        self._draw()

    # Reading.

    def _read(self, tab: str, *, security: bool = False) -> None:
        async def read() -> Json:
            get = self.shell.client.get
            if tab == "doctor":
                return await get("/doctor", security=security)
            if tab == "policy":
                policy, versions, suggestions = await asyncio.gather(
                    get("/policy"), get("/policy/versions"), get("/policy/suggestions")
                )
                return {"policy": policy, **versions, **{**suggestions, "base": suggestions["version"]}}
            return await get("/config" if tab == "settings" else "/agents")

        def take(found: Json) -> None:
            self._found[tab] = found
            if tab == self.tab:
                self._draw()

        self.shell.perform(read, take, group=f"settings: {tab}")

    def action_refresh(self) -> None:
        """Look again; of the doctor also how far sessions are isolated."""
        self._found.pop(self.tab, None)
        self._draw()
        self._read(self.tab, security=self.tab == "doctor")

    # Drawing.

    def _draw(self) -> None:
        found, wanted = self._found.get(self.tab), self._wanted[self.tab]
        about = ABOUT[self.tab]
        if found is not None and self.tab == "doctor":
            about = f"{records.counted(found['checks'])}   {about}"
        self.query_one("#about", Static).update(about)
        self.query_one(SearchBox).placeholder = SEARCHES[self.tab]
        if found is None:
            connection = self.shell.view.connection
            text = "Looking …" if connection.state != "away" else f"{connection.problem}\n\n{AWAY}"
            self.listed.show(lambda width: [Row([(line, "dim")]) for line in text.split("\n")])
        else:
            self.listed.show(lambda width: self._rows(found, wanted, width) or [Row([(NOT_FOUND, "dim")])])
        self._say_standing()
        self.refresh_bindings()

    def _say_standing(self) -> None:
        """Say how many match; among the rules a command is tried, and nothing is searched."""
        search = self.query_one(SearchBox)
        search.say(self.listed.standing())
        if self.tab == "policy":
            search.found = ""

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Say which match the cursor came to."""
        self._say_standing()

    def _rows(self, found: Json, wanted: str, width: int) -> list[Row]:
        if self.tab == "doctor":
            return records.doctor_rows(found["checks"], wanted, width)
        if self.tab == "agents":
            return records.agent_rows(found["agents"], wanted, width, now_ms())
        if self.tab == "settings":
            return records.setting_rows(found["settings"], found["problem"], wanted, width)
        return records.policy_rows(found, self._verdict, self._opened, width)

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer folding where something can be folded."""
        return action != "fold" or (self.is_mounted and self.tab == "policy")

    def show(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        self.query_one(Tabline).current = tab
        search = self.query_one(SearchBox)
        with search.prevent(Input.Changed):
            search.value = self._wanted[tab]
        search.set_class(bool(search.value), "-open")
        self._draw()
        self.listed.action_first()
        if tab not in self._found:
            self._read(tab)
        self.listed.focus()

    def on_tabline_chosen(self, event: Tabline.Chosen) -> None:
        """Show the tab that was clicked."""
        self.show(event.tab)

    def action_next_pane(self) -> None:
        """Show the tab to the right."""
        self.show(TABS[(TABS.index(self.tab) + 1) % len(TABS)])

    def action_previous_pane(self) -> None:
        """Show the tab to the left."""
        self.show(TABS[(TABS.index(self.tab) - 1) % len(TABS)])

    def action_search(self) -> None:
        """Search the list; among the rules, try a command."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the search, or take away what was tried."""
        self.query_one(SearchBox).close()
        self._verdict = None if self.tab == "policy" else self._verdict
        self._draw()
        self.listed.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the person types."""
        self._wanted[self.tab] = event.value
        if self.tab != "policy":
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the list; among the rules, try the command first."""
        if self.tab == "policy" and event.value.strip():
            self._try(event.value)
        self.query_one(SearchBox).done()
        self.listed.focus()

    def _try(self, command: str) -> None:
        async def ask() -> Json:
            return await self.shell.client.post("/policy/test", {"command": command, "cwd": str(Path.cwd())})

        def show(answer: Json) -> None:
            self._verdict = {**answer, "asked": command}
            self._draw()
            self.listed.scroll_home(animate=False)

        self.shell.perform(ask, show, group="settings: try")

    def action_fold(self) -> None:
        """Open or close the rule or version under the cursor."""
        key: Any = self.listed.chosen
        if key is not None and key[0] in ("rule", "version"):
            self._opened ^= {key}
            self._draw()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open a rule or a version; apply a proposed rule after a question."""
        key: Any = self.listed.chosen
        if key is not None and key[0] == "suggestion":
            self._propose(key[1])
        else:
            self.action_fold()

    def _propose(self, identifier: str) -> None:
        found = self._found["policy"]
        proposal = next((each for each in found["suggestions"] if each["id"] == identifier), None)
        if proposal is None:
            return
        self.app.push_screen(
            Confirm("Apply this rule?", records.proposal_words(proposal), yes="Apply"),
            lambda yes: self._apply(proposal, found["base"]) if yes else None,
        )

    def _apply(self, proposal: Json, base: int) -> None:
        async def post() -> Json:
            body = {"rule": proposal["rule"], "base": base, "rationale": proposal["reason"]}
            return await self.shell.client.post("/policy/apply", body)

        def done(answer: Json) -> None:
            self.shell.say(f"Version {answer['version']['version']} is in force. u in the history takes it back.")
            self._read("policy")

        self.shell.perform(post, done)
