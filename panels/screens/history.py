"""The history: who did what, newest first, with what changed; and whether the audit log is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from panels import shown
from panels.dialogs import Choose, Confirm
from panels.keys import bindings
from panels.panel import Panel
from panels.shell import Json
from panels.view.history import (
    KINDS,
    Kind,
    Record,
    chosen,
    details,
    failure,
    policy_change,
    record,
    rows,
    sessions_in,
    verdict_words,
)
from panels.view.model import Topic
from panels.widgets.lines import LineView
from panels.widgets.rows import RowsView
from panels.widgets.search import SearchBox
from supervisor.model.errors import NotFound
from supervisor.model.times import now_ms

PAGE: Final = 500
NEWEST: Final = 2**53
"""Above every number."""

AHEAD: Final = 50
"""So many lines before the end older ones are read."""

AT_ONCE: Final = 10
"""Pages that are looked through for one key, where little is found."""

REREAD_S: Final = 0.4
IDS: Final = 200

EMPTY: Final = """\
Nothing was done yet.

Everything that people, agents, rules and the supervisor do to sessions, approvals and rules is noted here,
each entry chained to the one before by its hash.

  1  n   start a session: its start is the first entry
  i      check that no entry was changed, removed or added"""

NOT_FOUND: Final = "Nothing matches. Empty the search with esc; f shows other kinds."
NO_FAILURES: Final = "No session has failed. f shows the other kinds."
AWAY: Final = "The supervisor does not answer: the history is read when it is back."


@dataclass(slots=True)
class Pages:
    """What was read so far, oldest first: from the number ``first`` to ``last``. ``whole`` when nothing is older."""

    records: list[Record] = field(default_factory=list)
    first: int = NEWEST
    last: int = 0
    whole: bool = False


class HistoryPanel(Panel):
    """A list with details beside or below it."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"connection"})
    # Rules with a scope match nothing outside of the panel, and how wide the screen is stands on the screen.
    SCOPED_CSS = False
    DEFAULT_CSS = """
    HistoryPanel #bar { height: 1; padding: 0 1; background: $surface; }
    HistoryPanel #body { layout: vertical; height: 1fr; }
    HistoryPanel #records { height: 1fr; width: 1fr; }
    HistoryPanel #details { height: 40%; width: 1fr; border-top: tall $panel; }
    HistoryPanel #details:focus { border-top: tall $primary; }
    HistoryPanel #empty { display: none; height: 1fr; }
    HistoryPanel.-empty #empty { display: block; }
    /* As high as there is room: Textual sometimes draws a text that grows as high as it was. */
    HistoryPanel #note { min-height: 100%; }
    HistoryPanel.-empty #body { display: none; }
    .-roomy HistoryPanel #body { layout: horizontal; }
    .-roomy HistoryPanel #records { width: 58%; height: 1fr; }
    .-roomy HistoryPanel #details { height: 1fr; border-top: none; border-left: tall $panel; padding: 0 1; }
    .-roomy HistoryPanel #details:focus { border-top: none; border-left: tall $primary; }
    .-narrow HistoryPanel #details { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("filter", "search", "explain", "undo", "refresh", "back")
    ]  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.kind: Kind = "all"
        self._pages = {"entries": Pages(), "failures": Pages()}
        self._reading = False
        self._news = False
        self._names: dict[str, str] = {}
        self._asked_in: dict[str, str] = {}
        self._records: list[Record] = []
        self._verdict: tuple[str, str] = ("i checks the chain of hashes.", "dim")
        self._begun = False

    def compose(self) -> ComposeResult:
        """Put in what is shown, the search, the list and the details."""
        yield Static(id="bar")
        yield SearchBox("Search who, what, and what changed")
        with VerticalScroll(id="empty"):
            yield Static(id="note", classes="note", markup=False)
        with Horizontal(id="body"):
            yield RowsView(id="records")
            yield RowsView(id="details")

    def on_mount(self) -> None:
        """Hear of events, and read the newest entries."""
        self._end_listening = self.shell.listen(self._happened)
        self.add_class("-empty")

    def on_unmount(self) -> None:
        """Hear of events no more."""
        self._end_listening()

    @property
    def listed(self) -> RowsView:
        """The list."""
        return self.query_one("#records", RowsView)

    @property
    def chosen(self) -> Record | None:
        """The record under the cursor."""
        key = self.listed.chosen
        return next((each for each in self._records if each.key == key), None)

    def focus_first(self) -> None:
        """Put the keys into the list, as soon as it is there."""
        if self.is_mounted:
            (self.query_one("#empty") if self.has_class("-empty") else self.listed).focus()
        else:
            self.call_after_refresh(self.focus_first)

    # Reading.

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Read once there is a supervisor; say so while there is none."""
        live = self.shell.view.connection.state == "live"
        if live and not self._begun:
            self._begun = True
            self._read_older()
        elif live:
            self._read_newer()
        self._draw()

    def on_show(self, event: Any) -> None:
        """Catch up on what happened while it was hidden."""
        super().on_show(event)
        if self._begun and self._news:
            self._read_newer()

    def _happened(self, event: Json) -> None:
        """Note that entries may have been added; what tools and agents say of themselves adds none."""
        if event["phase"] not in ("autonomy", "policy") or self._news:
            return
        self._news = True
        if self._begun and self.is_on_screen:
            self.set_timer(REREAD_S, self._read_newer)

    @property
    def _source(self) -> str:
        return "failures" if self.kind == "failures" else "entries"

    def _read_older(self, pages: int = AT_ONCE) -> None:
        """Read a page of older ones, and more as long as too few of them are shown, at most so many."""
        source, known = self._source, self._pages[self._source]
        if self._reading or known.whole or not pages:
            return
        self._reading = True

        async def read() -> list[Json]:
            try:
                return await self._page(source, {"before": known.first, "limit": PAGE})
            finally:
                self._reading = False

        def take(page: list[Json]) -> None:
            known.records[:0] = self._records_of(source, page)
            known.whole = len(page) < PAGE
            if page:
                known.first, known.last = page[0]["seq"], max(known.last, page[-1]["seq"])
            self._name_decisions()
            self._draw()
            if self._news:
                self._read_newer()
            if not self._fills():
                self._read_older(pages - 1)

        self.shell.perform(read, take)

    def _fills(self) -> bool:
        """Whether there is as much as can be seen at once."""
        return len(self._records) > max(AHEAD, self.listed.size.height)

    def _read_newer(self) -> None:
        """Read what has happened after the last one."""
        source, known = self._source, self._pages[self._source]
        if self._reading or not (known.last or known.whole):
            return  # What is being read now goes on from the newest one afterwards.
        self._news = False

        async def read() -> list[Json]:
            found: list[Json] = []
            page = await self._page(source, {"after": known.last, "limit": PAGE})
            while page:
                found += page
                page = await self._page(source, {"after": page[-1]["seq"], "limit": PAGE}) if len(page) == PAGE else []
            return found

        def take(found: list[Json]) -> None:
            fresh = [each for each in found if each["seq"] > known.last]
            if fresh:
                known.records += self._records_of(source, fresh)
                known.last = fresh[-1]["seq"]
                self._draw()

        self.shell.perform(read, take, group="history: newer")

    def _records_of(self, source: str, page: list[Json]) -> list[Record]:
        if source == "failures":
            return [each for event in page if (each := failure(event, self._names)) is not None]
        return [record(entry, self._names, self._asked_in) for entry in page]

    def _name_decisions(self) -> None:
        """Name the sessions of decisions whose questions were on an older page."""
        known = self._pages["entries"].records
        for index, each in enumerate(known):
            if each.session is None and each.entry["subject"] in self._asked_in:
                known[index] = record(each.entry, self._names, self._asked_in)

    async def _page(self, source: str, query: Json) -> list[Json]:
        client = self.shell.client
        if source == "failures":
            found: list[Json] = (await client.get("/events", type="status_changed", **query))["events"]
            return found
        entries: list[Json] = (await client.get("/audit", **query))["entries"]
        self._asked_in |= {
            each["subject"]: each["after"]["session"]
            for each in entries
            if each["action"] == "approval.request" and (each["after"] or {}).get("session")
        }
        self._names |= {
            each["subject"]: each["after"]["name"]
            for each in entries
            if each["action"] == "session.create" and (each["after"] or {}).get("name")
        }
        sessions = self.shell.view.sessions
        unknown = sorted(sessions_in(entries) - self._names.keys() - sessions.keys())
        for start in range(0, len(unknown), IDS):
            try:
                answer: Any = await client.get("/sessions", id=unknown[start : start + IDS])
            except NotFound:
                continue
            self._names |= {each["id"]: each["name"] for each in answer["sessions"]}
        self._names |= {each: sessions[each].name for each in sessions_in(entries) & sessions.keys()}
        return entries

    # Drawing.

    def _draw(self) -> None:
        wanted = self.query_one(SearchBox).value
        known = self._pages[self._source]
        self._records = chosen(reversed(known.records), self.kind, wanted)
        at_first = self.listed.cursor == 0
        more = "" if known.whole or not known.last else "… G looks further back"
        now = now_ms()
        self.listed.show(lambda width: rows(self._records, width, now, more))
        if at_first:
            self.listed.cursor = 0
        self._say_standing()
        self._say_how_it_is(wanted)
        self._draw_details()
        self.refresh_bindings()

    def _say_standing(self) -> None:
        self.query_one(SearchBox).say(self.listed.standing(), more=not self._pages[self._source].whole)

    def _say_how_it_is(self, wanted: str) -> None:
        empty = not self._records
        if empty != self.has_class("-empty"):
            # What is hidden must not have the keys, unless the person writes.
            moves = self.has_focus_within and not self.query_one(SearchBox).has_focus
            self.set_class(empty, "-empty")
            if moves:
                self.focus_first()
        if empty:
            connection = self.shell.view.connection
            if connection.state == "away":
                text = connection.problem or AWAY
            elif not self._begun or self._reading:
                text = "Reading …"
            else:
                text = NOT_FOUND if wanted or self._pages[self._source].records else EMPTY
                text = NO_FAILURES if self.kind == "failures" and not wanted else text
            self.query_one("#note", Static).update(text)
        bar = Content.assemble((KINDS[self.kind], "bold"), f"  {len(self._records)}  ")
        self.query_one("#bar", Static).update(bar.append(Content.styled(*self._bar_verdict())))

    def _bar_verdict(self) -> tuple[str, str]:
        text, style = self._verdict
        return text, {"ok": "$qd-ok", "failed-bold": "bold $qd-failed"}.get(style, "dim")

    def _draw_details(self) -> None:
        record, view = self.chosen, self.query_one("#details", RowsView)
        if record is None:
            view.show(lambda _: ())
        else:
            view.show(lambda width: details(record, width, self._verdict[0]))

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show what the cursor came to; near the end read on."""
        if event.view is not self.listed:
            return
        self._say_standing()
        self._draw_details()
        self.query_one("#details", RowsView).action_first()
        self.refresh_bindings()
        if event.index >= self.listed.count() - AHEAD:
            self._read_older()

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to take back only what can be taken back."""
        if action == "undo":
            return self.is_mounted and (record := self.chosen) is not None and record.replaced is not None
        return True

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open the session that an entry is about."""
        if event.view is not self.listed or (record := self.chosen) is None:
            return
        if record.session is not None:
            self.shell.open_session(record.session)

    def action_filter(self) -> None:
        """Choose which kinds are shown."""

        def choose(kind: str | None) -> None:
            if kind in KINDS:
                self._show_kind(kind)

        self.app.push_screen(Choose("Show", list(KINDS.items())), choose)

    def _show_kind(self, kind: Kind) -> None:
        self.kind = kind
        self._draw()
        self.listed.action_first()
        self._read_newer()
        if not self._fills():
            self._read_older()
        self.focus_first()

    def action_explain(self) -> None:
        """Check that the chain of hashes holds."""

        async def verify() -> Json:
            return await self.shell.client.get("/audit/verify")

        def said(answer: Json) -> None:
            self._verdict = verdict_words(answer, shown.clock(now_ms()))
            self.shell.say(self._verdict[0], severity="information" if answer["valid"] else "error")
            self._draw()

        self.shell.perform(verify, said)

    def action_undo(self) -> None:
        """Go back to the rules before the entry under the cursor, after a question that shows what changes."""
        if (record := self.chosen) is None or (replaced := record.replaced) is None:
            return

        async def look() -> list[Json]:
            versions: list[Json] = (await self.shell.client.get("/policy/versions"))["versions"]
            return versions

        def ask(versions: list[Json]) -> None:
            documents = {0: "", **{each["version"]: each["document"] for each in versions}}
            if replaced not in documents:
                self.shell.say(f"Version {replaced} of the rules is not known any more.", severity="error")
                return
            body = policy_change(versions[0] if versions else None, documents[replaced], replaced)
            self.app.push_screen(
                Confirm(f"Go back to version {replaced} of the rules?", body, yes="Go back", danger=True),
                lambda yes: self._roll_back(replaced) if yes else None,
            )

        self.shell.perform(look, ask)

    def _roll_back(self, version: int) -> None:
        async def post() -> Json:
            body = {"version": version, "rationale": "Taken back in the history."}
            return await self.shell.client.post("/policy/rollback", body)

        def done(answer: Json) -> None:
            self.shell.say(f"Version {answer['version']['version']} is in force.")
            self._read_newer()

        self.shell.perform(post, done)

    def action_refresh(self) -> None:
        """Read what is new."""
        self._read_newer()

    def action_search(self) -> None:
        """Search the history."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the search."""
        self.query_one(SearchBox).close()
        self.focus_first()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the person types; read on where little is left."""
        self._draw()
        if not self._fills():
            self._read_older()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the list of what was found."""
        self.query_one(SearchBox).done()
        self.focus_first()
