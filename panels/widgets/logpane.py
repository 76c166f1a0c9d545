"""A session's log for reading, with search, a filter, and a replay."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from panels.keys import bindings
from panels.replaying import last_before
from panels.shell import Json, shell
from panels.view import finding
from panels.view.transcript import FILTERS
from panels.widgets.slider import Slider
from panels.widgets.transcript import TranscriptView
from supervisor.model.times import from_rfc3339

HINT: Final = "enter next, ↑ before (reads older ones), esc ends"
KEYS: Final = "enter next, ↑ before, esc ends"

RECOUNT_S: Final = 0.2
"""Matches in what comes meanwhile, in what is read by scrolling, and of long logs are counted on this often."""


class SearchInput(Input):
    """Asks for what is searched; some keys go to matches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+enter", "find(-1)", "Match before", show=False),
        Binding("down", "find(1)", "Next match", show=False),
    ]

    def action_find(self, direction: int) -> None:
        """Ask for another match."""
        pane = self.query_ancestor(LogPane)
        pane.find(direction)


class LogPane(Vertical):
    """The transcript of a session, and what narrows it."""

    DEFAULT_CSS = """
    LogPane #searching { height: 1; display: none; background: $surface; }
    LogPane.-searching #searching { display: block; }
    LogPane SearchInput { width: 1fr; height: 1; padding: 0 1; background: $surface; }
    LogPane SearchInput, LogPane SearchInput:focus { border: none; }
    LogPane #found { width: auto; max-width: 60%; height: 1; padding: 0 1; color: $text-muted; }
    LogPane Slider { display: none; }
    LogPane.-replaying Slider { display: block; }
    LogPane #only { height: 1; display: none; padding: 0 1; color: $text-muted; }
    LogPane.-filtered #only { display: block; }
    LogPane TranscriptView { padding: 0 0 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("search", "filter", "replay", "back")]

    def __init__(self, session: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session = session
        self._ending: str | None = None

    def compose(self) -> ComposeResult:
        """Put in the bar of the replay, the search, the filter and the log."""
        yield Slider(id="slider")
        with Horizontal(id="searching"):
            yield SearchInput(placeholder="Search the log", id="wanted", select_on_focus=False)
            yield Static(HINT, id="found", markup=False)
        yield Static(id="only", markup=False)
        yield TranscriptView(id="log")

    def on_mount(self) -> None:
        """Read the newest page."""
        self.log_view.follow(self.session)
        self._recounts = self.set_interval(RECOUNT_S, self._recount, pause=True)

    @property
    def log_view(self) -> TranscriptView:
        """The log itself."""
        return self.query_one("#log", TranscriptView)

    def focus_first(self) -> None:
        """Put the keys into the log."""
        self.log_view.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape ends what is open here first; it leaves the screen when nothing is."""
        return action != "back" or self.has_class("-searching") or self.has_class("-replaying")

    # Searching.

    def action_search(self) -> None:
        """Ask for what is searched."""
        self.add_class("-searching")
        self._recounts.resume()
        self.query_one(SearchInput).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Make matches visible while the person types, and go to the nearest that is there, the newest first."""
        log = self.log_view
        log.highlight(finding.pattern(event.value))
        if not event.value:
            self._say(HINT)
        elif log.is_at_match() or log.find(-1) or log.find(1):
            self._say_standing(KEYS)
        else:
            self._say_standing("" if log.complete else "enter looks in older ones")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next match."""
        self.find(1)

    def find(self, direction: int) -> None:
        """Go to another match; back from the first one older pages are read."""
        log = self.log_view
        if log.wanted is None:
            self._say(HINT)
        elif log.find(direction):
            self._say_standing(KEYS)
        elif direction > 0 and log.is_at_match():
            self._say_standing("that was the last match; ↑ goes back")
        else:
            shell(self).perform(self._find_back, self._found, group="log search")

    async def _find_back(self) -> bool:
        return await self.log_view.find_back(lambda read: self._say(f"searching… {read:,} events further back"))

    def _found(self, found: bool) -> None:
        self._say_standing(KEYS if found else "no match before this" if self.log_view.is_at_match() else "")

    def _say_standing(self, ending: str) -> None:
        """Say at which match of how many the cursor is, and something more."""
        found, more = self.log_view.found(), not self.log_view.complete
        words = "counting…" if found is None else finding.standing_words(*found, more=more)
        self._say("  ".join(filter(None, (words, ending))))
        self._ending = ending

    def _recount(self) -> None:
        if self._ending is not None:
            self._say_standing(self._ending)

    def _say(self, text: str) -> None:
        self._ending = None
        self.query_one("#found", Static).update(text)

    def action_back(self) -> None:
        """End the search, or else the replay."""
        if self.has_class("-searching"):
            self.remove_class("-searching")
            self._recounts.pause()
            self.query_one(SearchInput).value = ""
            self.log_view.highlight(None)
            self.log_view.focus()
        else:
            self._live()

    # The filter.

    def action_filter(self) -> None:
        """Show the next kind only."""
        log = self.log_view
        wanted = FILTERS[(FILTERS.index(log.filter) + 1) % len(FILTERS)]
        log.show_only(wanted)
        self.set_class(wanted != "everything", "-filtered")
        self.query_one("#only", Static).update(f"only {wanted}; f shows the next kind")

    # The replay.

    def action_replay(self) -> None:
        """Show the bar of the replay, or go back to what happens now."""
        if self.has_class("-replaying"):
            self._live()
        else:
            shell(self).perform(self._ends, self._replay, group="replay")

    async def _ends(self) -> tuple[int, int] | None:
        """Return the times of the session's first event and of the last."""
        get = shell(self).client.get
        first = (await get("/events", session=self.session, after=0, limit=1))["events"]
        last = (await get("/events", session=self.session, limit=1))["events"]
        return (from_rfc3339(first[0]["time"]), from_rfc3339(last[0]["time"])) if first and last else None

    def _replay(self, ends: tuple[int, int] | None) -> None:
        if ends is None:
            shell(self).say("Nothing has happened in it yet.")
            return
        self.add_class("-replaying")
        slider = self.query_one(Slider)
        slider.span(*ends)
        slider.focus()

    def _live(self) -> None:
        self.remove_class("-replaying")
        self.log_view.follow(self.session)
        self.log_view.focus()

    def on_slider_slid(self, event: Slider.Slid) -> None:
        """Show the log as it was at that moment. Of many moments on the way only the last is read."""
        shell(self).perform(lambda: self._seq_at(event.moment), self._show_until, group="replay")

    async def _seq_at(self, moment: int) -> int:
        async def newest(before: int) -> Json | None:
            found = (await shell(self).client.get("/events", session=self.session, before=before, limit=1))["events"]
            return found[0] if found else None

        return await last_before(newest, moment, shell(self).view.seq)

    def _show_until(self, seq: int) -> None:
        if self.has_class("-replaying"):
            self.log_view.follow(self.session, until=seq)
