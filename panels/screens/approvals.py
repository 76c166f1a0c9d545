"""Approvals: what waits for the person's decision, and exactly what would happen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from time import monotonic
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType

from panels.deciding import Deciding
from panels.keys import bindings
from panels.panel import Panel
from panels.shell import Json
from panels.view.approvals import rows
from panels.view.model import Topic
from panels.widgets.approvals import ApprovalDetail, ApprovalsList
from panels.widgets.lines import LineView
from panels.widgets.note import Note

EMPTY: Final = """\
Nothing waits for you.

An approval is a question that only you may answer. It comes from

  an agent   that wants to do what the rules in force leave to you
  a tool     that emits approval_needed or exits to ask
  a script   that asks:  quarterdeck ask "Deploy?" --option yes --option no

Who asks stands still until you decide. Here you see exactly what would run,
and the rule that asked.

  f   what was decided before
  7   the rules in force, in the settings"""

NEVER: Final = "Nothing was ever asked. f shows only what waits."
AWAY: Final = "The supervisor does not answer."

TICK_S: Final = 1.0
"""Ages and countdowns are drawn this often."""

HISTORY: Final = 500
"""Decided ones that are listed."""

GRACE_S: Final = 0.4
"""A question that came under the cursor by itself cannot be decided before: nobody can have read it."""


class ApprovalsPanel(Panel, Deciding):
    """The list, with the detail of the chosen one beside it, or below it where there is no room."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"approvals", "connection"})
    DEFAULT_CSS = """
    ApprovalsPanel { layout: horizontal; }
    ApprovalsPanel ApprovalsList { width: 50%; height: 1fr; }
    ApprovalsPanel ApprovalDetail { width: 1fr; height: 1fr; padding: 0 0 0 1; }
    ApprovalsPanel Note { display: none; }
    ApprovalsPanel.-empty Note { display: block; }
    ApprovalsPanel.-empty ApprovalsList { display: none; }
    ApprovalsPanel.-empty ApprovalDetail { display: none; }
    ApprovalsPanel.-opened ApprovalsList { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("filter", "back", "refresh")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._decided: set[str] = set()
        self._history: list[Json] | None = None
        self._wanted: str | None = None
        self._jumped = 0.0

    def compose(self) -> ComposeResult:
        """Put in the list, the detail, and what stands in their place when there is nothing."""
        yield ApprovalsList(id="approvals-list")
        yield ApprovalDetail(id="approval", classes="pane")
        yield Note("", classes="note", markup=False)

    def on_mount(self) -> None:
        """Draw what is known, take the keys, and count ages on."""
        self.set_interval(TICK_S, self._tick)
        self.view_changed(frozenset())
        self.focus_first()

    @property
    def is_composed(self) -> bool:
        """Whether its parts are there yet: keys and calls may come before."""
        return bool(self.query(ApprovalsList))

    @property
    def listed(self) -> ApprovalsList:
        """The list."""
        return self.query_one(ApprovalsList)

    @property
    def detail(self) -> ApprovalDetail:
        """The detail."""
        return self.query_one(ApprovalDetail)

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Put the questions in order and draw them."""
        before = self.listed.approval
        pending = [each for each in self.shell.view.approvals.values() if each["id"] not in self._decided]
        waiting = {each["id"] for each in pending}
        decided = [each for each in self._history or () if each["id"] not in waiting]
        self.listed.show(rows(pending, decided))
        self._say_why_empty()
        self._seek()
        after = self.listed.approval
        if before is not None and after is not None and before["id"] != after["id"]:
            self._jumped = monotonic()
        if "approvals" in topics and self._history is not None:
            self._read_history()
        self._look()

    def _say_why_empty(self) -> None:
        empty, had = not self.listed.rows, self.has_class("-empty")
        note = self.query_one(Note)
        here = self.has_focus_within
        self.set_class(empty, "-empty")
        if empty:
            connection = self.shell.view.connection
            live = EMPTY if self._history is None else NEVER
            note.update({"connecting": "", "away": connection.problem or AWAY, "live": live}[connection.state])
            self.remove_class("-opened")
        if empty != had and here and self.is_on_screen:
            self.focus_first()

    def _look(self) -> None:
        self.detail.show(self._with_session(self.listed.approval))
        self.refresh_bindings()

    def _with_session(self, approval: Json | None) -> Json | None:
        """Return a question with the agent that asks it and the folder that this works in."""
        session = self.shell.view.sessions.get(approval["session"] or "") if approval is not None else None
        if approval is None or session is None:
            return approval
        return {**approval, "agent": session.agent, "worktree": session.worktree}

    def _tick(self) -> None:
        if self.is_on_screen:
            self.listed.refresh()
            self.detail.tick()

    def focus_first(self) -> None:
        """Put the keys into the list, the opened detail, or what stands in their place."""
        if not self.is_composed:
            return
        if self.has_class("-empty"):
            self.query_one(Note).focus()
        elif self.has_class("-opened"):
            self.detail.focus()
        else:
            self.listed.focus()

    def comes_up(self) -> None:
        """Take note that a key brings it up: the same key again was not meant for what will stand here."""
        self._jumped = monotonic()

    def choose(self, approval: str) -> None:
        """Select a question; one that was decided already is shown among those."""
        self._wanted = approval
        if self.is_composed:
            self._seek()
            self._look()
        if self._wanted is not None:
            self._read_history()

    def _seek(self) -> None:
        """Go to the question that is wanted, once it is in the list."""
        if self._wanted is not None and (index := self.listed.index_of(self._wanted)) is not None:
            self.listed.cursor, self._wanted = index, None
            self._jumped = monotonic()

    # What `Deciding` asks for.

    def chosen(self) -> Sequence[Json]:
        """Return the marked questions, or the one under the cursor, as long as they wait and are not being decided."""
        if not self.is_composed:
            return []
        listed = self.listed
        found = [each for each in self.shell.view.approvals.values() if each["id"] in listed.marked]
        if not found and (approval := listed.approval) is not None:
            found = [approval]
        return [each for each in found if each["status"] == "pending" and each["id"] not in listed.busy]

    def are_marked(self) -> bool:
        """Whether there are marks."""
        return self.is_composed and bool(self.listed.marked)

    def was_seen(self) -> bool:
        """Whether the question under the cursor has been there long enough to be read; says so when not."""
        if self.are_marked() or monotonic() - self._jumped >= GRACE_S:
            return True
        self.shell.say("Another question has come under the cursor. Look at it first.", severity="warning")
        return False

    def sent(self, ids: Collection[str]) -> None:
        """Draw them as being decided."""
        self.listed.busy.update(ids)
        self.listed.refresh()
        self.refresh_bindings()

    def settled(self, ids: Collection[str], *, decided: bool) -> None:
        """Take those that were decided out of the list, and the marks off."""
        self.listed.busy.difference_update(ids)
        if decided:
            self._decided.update(ids)
            self.listed.marked.difference_update(ids)
            if not self.listed.marked and self.has_class("-opened"):
                self._close()
        self.view_changed(self.TOPICS)

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done here and now."""
        return Deciding.check_action(self, action, parameters)

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show the question that the cursor came to."""
        if event.view is self.listed:
            self._look()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Give the whole panel to the detail."""
        if event.view is self.listed:
            self.add_class("-opened")
            self.detail.focus()

    def action_back(self) -> None:
        """Close the detail, else take the marks off."""
        if self.has_class("-opened"):
            self._close()
        elif self.listed.marked:
            self.listed.marked.clear()
            self.listed.refresh()
            self.refresh_bindings()

    def _close(self) -> None:
        self.remove_class("-opened")
        self.listed.focus()

    def action_filter(self) -> None:
        """Show also what was decided before, or only what waits."""
        if self._history is None:
            self._read_history()
        else:
            self._history = None
            self.view_changed(frozenset())

    def _read_history(self) -> None:
        async def read() -> Json:
            return await self.shell.client.get("/approvals", all=True, limit=HISTORY)

        self.shell.perform(read, self._take_history, group="decided approvals")

    def _take_history(self, found: Json) -> None:
        decided = [each for each in found["approvals"] if each["status"] != "pending"]
        if self._wanted is not None and all(each["id"] != self._wanted for each in decided):
            return  # It waits, and will be in the list when the app has read it.
        self._history = decided
        self.view_changed(frozenset())

    def action_refresh(self) -> None:
        """Read what waits again, and what was decided, when that is shown."""
        self.shell.perform(self._reread)
        if self._history is not None:
            self._read_history()
