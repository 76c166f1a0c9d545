"""The fleet: every session in one list, those that need the person first, and what the chosen one is about."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input

from panels.acting import Acting
from panels.deciding import DECISIONS, Deciding
from panels.keys import bindings
from panels.panel import Panel
from panels.shell import Json
from panels.view.fleet import Columns, Heading, Row, columns, line, rows
from panels.view.model import Topic
from panels.view.sessions import GROUPS, SessionView
from panels.widgets.lines import Line, LineView
from panels.widgets.note import Note
from panels.widgets.peek import Peek
from panels.widgets.search import SearchBox
from supervisor.model.times import now_ms

EMPTY: Final = """\
No sessions yet.

A session is one agent or command at work in a git worktree of its own: it cannot disturb your files or the others.

  n   start one here
  N   write the prompt in your editor first
  ?   all keys

Or from a shell:  quarterdeck run --agent claude --prompt "Fix the failing test"
To see it all with scripted agents and no key:  quarterdeck demo --keep"""

NOT_FOUND: Final = "No session matches. Empty the search with esc."

AWAY: Final = "The supervisor does not answer."

TICK_S: Final = 1.0
"""Ages are counted on this often."""


class FleetList(LineView):
    """The sessions, grouped."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("mark")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.marked: set[str] = set()
        self._columns: tuple[int, Columns] | None = None

    def show(self, found: list[Row]) -> None:
        """Take the lines; the cursor stays on its session, wherever that is now."""
        held = self.session
        self.rows, self._columns = found, None
        self.marked &= {row.id for row in found if isinstance(row, SessionView)}
        self.lines_changed(self.index_of(held.id) if held is not None else None, all_of_them=False)

    def index_of(self, session: str) -> int | None:
        """Return the line of a session, None when it is not in the list."""
        return next((i for i, row in enumerate(self.rows) if isinstance(row, SessionView) and row.id == session), None)

    @property
    def session(self) -> SessionView | None:
        """The session under the cursor."""
        row = self.rows[self.cursor] if self.cursor < len(self.rows) else None
        return row if isinstance(row, SessionView) else None

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.rows)

    def can_choose(self, index: int) -> bool:
        """Headings are passed over."""
        return isinstance(self.rows[index], SessionView)

    def is_marked(self, index: int) -> bool:
        """Whether a session is marked."""
        row = self.rows[index]
        return isinstance(row, SessionView) and row.id in self.marked

    def line(self, index: int, width: int) -> Line:
        """Return a heading or a session."""
        row = self.rows[index]
        if isinstance(row, Heading):
            style = "waiting-bold" if row.group == "needs" else "title"
            return [(f"{GROUPS[row.group]} ", style), (f"{row.count} ", "dim"), ("─" * width, "dim")]
        spans = line(row, width, now_ms(), self._fitted(width))
        return [("✔ ", "accent-bold"), *spans[1:]] if row.id in self.marked else spans

    def _fitted(self, width: int) -> Columns:
        if self._columns is None or self._columns[0] != width:
            self._columns = (width, columns(self.rows, width))
        return self._columns[1]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there is no session there is nothing to open."""
        return self.session is not None if action in ("open", "mark") else True

    def action_mark(self) -> None:
        """Mark the session under the cursor, or take the mark off, and go to the next."""
        if (session := self.session) is not None:
            self.marked ^= {session.id}
            self.move(1)
            self.refresh()


class FleetPanel(Panel, Acting, Deciding):
    """The list with a preview beside it, below it, or none where there is no room."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"fleet", "approvals", "connection"})
    DEFAULT_CSS = """
    FleetPanel { layout: horizontal; }
    FleetPanel #left { width: 55%; height: 1fr; }
    FleetPanel #empty { display: none; }
    FleetPanel.-empty #empty { display: block; }
    FleetPanel.-empty FleetList { display: none; }
    FleetPanel.-empty Peek { display: none; }
    FleetPanel.-empty #left { width: 100%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("new", "new_prompt", "diff", "view", "search", "back", "refresh")
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._deciding: set[str] = set()
        """Questions whose decision was sent, until they wait no more."""

    def compose(self) -> ComposeResult:
        """Put in the search, the list and the preview."""
        with Vertical(id="left"):
            yield SearchBox("Search names, agents, branches, prompts")
            yield FleetList(id="sessions")
            yield Note(id="empty", classes="note", markup=False)
        yield Peek(id="peek", classes="pane")

    def on_mount(self) -> None:
        """Count ages on."""
        self.set_interval(TICK_S, self._tick)
        self.add_class("-empty")

    @property
    def sessions(self) -> FleetList:
        """The list."""
        return self.query_one("#sessions", FleetList)

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Put the sessions in order and draw them."""
        view = self.shell.view
        self._deciding.intersection_update(view.approvals)
        wanted = self.query_one(SearchBox).value
        had_session = self.sessions.session
        self.sessions.show(rows(view.sessions.values(), wanted))
        self._say_standing()
        self._say_why_empty(wanted)
        shown = self.sessions.session
        if shown is not None and (had_session is None or had_session.id != shown.id):
            self._peek()
        if had_session is not shown:
            self.refresh_bindings()
        if "approvals" in topics or "fleet" in topics:
            self.query_one(Peek).facts_changed()

    def _say_why_empty(self, wanted: str) -> None:
        view, note = self.shell.view, self.query_one("#empty", Note)
        empty = not self.sessions.rows
        if empty:
            connection = view.connection
            text = {"connecting": "", "away": connection.problem or AWAY, "live": NOT_FOUND if wanted else EMPTY}
            note.update(text[connection.state])
        if empty is not self.has_class("-empty"):
            had_keys = note.has_focus or self.sessions.has_focus
            self.set_class(empty, "-empty")
            if had_keys or self.app.focused is None:
                self.focus_first()

    def _say_standing(self) -> None:
        self.query_one(SearchBox).say(self.sessions.standing())

    def _tick(self) -> None:
        if self.is_on_screen:
            self.sessions.lines_changed(all_of_them=False)
            self.query_one(Peek).facts_changed()

    def _peek(self) -> None:
        self.query_one(Peek).show(self.sessions.session)

    def focus_first(self) -> None:
        """Put the keys into the list, or into what stands for it."""
        (self.sessions if self.sessions.rows else self.query_one("#empty", Note)).focus()

    def to_next_waiting(self) -> None:
        """Move to the next session that needs the person, around the end."""
        found = self.sessions.rows
        needs = [i for i, row in enumerate(found) if isinstance(row, SessionView) and row.group == "needs"]
        if not needs:
            self.shell.say("Nothing waits for you.")
            return
        self.sessions.focus()
        self.sessions.cursor = next((i for i in needs if i > self.sessions.cursor), needs[0])

    # What the person does.

    def targets(self) -> Sequence[SessionView]:
        """Return the marked sessions, or the one under the cursor."""
        view, marked = self.shell.view, self.sessions.marked
        if marked:
            return [view.sessions[each] for each in sorted(marked) if each in view.sessions]
        return [session] if (session := self.sessions.session) is not None else []

    def acted(self) -> None:
        """Take the marks off."""
        self.sessions.marked.clear()
        self.sessions.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done here and now."""
        if action in DECISIONS:
            return self.is_mounted and Deciding.check_action(self, action, parameters)
        if action in ("diff", "view"):
            return self.is_mounted and self.sessions.session is not None
        return Acting.check_action(self, action, parameters)

    # What the person decides: here when all of the only question can be read beside the list, else where it can.

    def chosen(self) -> Sequence[Json]:
        """Return the oldest question of the session under the cursor, unless its decision is on its way."""
        session = self.sessions.session
        if session is None:
            return []
        found = [each for each in self.shell.view.approvals.values() if each["session"] == session.id]
        found.sort(key=lambda each: (each["created_at"], each["id"]))
        return [each for each in found[:1] if each["id"] not in self._deciding]

    def are_marked(self) -> bool:
        """Whether several are meant: marks here are on sessions, which are not decided about."""
        return False

    def was_seen(self) -> bool:
        """Whether the person can have read all of it here; else it is shown where they can."""
        peek = self.query_one(Peek)
        for asked in self.chosen():
            if self.sessions.marked or not peek.shows_whole(asked):
                self.shell.show_approval(asked["id"])
            elif not peek.was_read():
                self.shell.say("This question has only just come. Look at it first.", severity="warning")
            else:
                return True
        return False

    def sent(self, ids: Collection[str]) -> None:
        """Offer no second decision."""
        self._deciding.update(ids)
        self.refresh_bindings()

    def settled(self, ids: Collection[str], *, decided: bool) -> None:
        """Offer it again when it could not be made; one that was made leaves the fleet by itself."""
        if not decided:
            self._deciding.difference_update(ids)
        self.refresh_bindings()

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show what the session is about that the cursor came to."""
        if event.view is self.sessions:
            self._say_standing()
            self._peek()
            self.refresh_bindings()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Attach to a live terminal; open everything else."""
        session = self.sessions.session
        if event.view is not self.sessions or session is None:
            return
        if session.mode == "dispatch" and not session.is_ended and session.status != "queued":
            self._enter(session)
        else:
            self.shell.open_session(session.id)

    def _enter(self, session: SessionView) -> None:
        async def command() -> Json:
            from supervisor.api.client import at

            return await self.shell.client.get(at("session", session.id, "attach"))

        self.shell.perform(command, lambda answer: self.shell.suspend_for(answer["command"]))

    def action_view(self) -> None:
        """Open the session's log, also where it could be attached to."""
        if (session := self.sessions.session) is not None:
            self.shell.open_session(session.id)

    def action_diff(self) -> None:
        """Open what the session changed."""
        if (session := self.sessions.session) is not None:
            self.shell.open_session(session.id, "diff")

    def action_new(self) -> None:
        """Start an agent or a command."""
        self._new("")

    def action_new_prompt(self) -> None:
        """Write the prompt in the editor, then start."""
        if (prompt := self.shell.edit("")) is not None and prompt.strip():
            self._new(prompt.strip())

    def _new(self, prompt: str) -> None:
        from panels.screens.new import NewSession

        self.app.push_screen(NewSession(prompt), lambda session: self.select(session) if session else None)

    def select(self, session: str) -> None:
        """Put the cursor on a session that the view model knows; a search that hides it is ended."""
        if self.sessions.index_of(session) is None:
            self.query_one(SearchBox).value = ""
        self.view_changed(self.TOPICS)
        if (index := self.sessions.index_of(session)) is not None:
            self.sessions.cursor = index
        self.sessions.focus()

    def action_search(self) -> None:
        """Search the list."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the search; without one take the marks off."""
        search = self.query_one(SearchBox)
        if not search.is_open:
            self.acted()
            return
        search.close()
        self.sessions.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the person types."""
        self.view_changed(frozenset())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the list of what was found."""
        self.query_one(SearchBox).done()
        self.sessions.focus()

    def action_refresh(self) -> None:
        """Read everything again."""
        self.shell.perform(self._read_all)

    async def _read_all(self) -> Any:
        view = self.shell.view
        view.stale.sessions.update(view.sessions)
        view.stale.approvals = view.stale.supervisor = True
        await self.shell.refresh_view()
