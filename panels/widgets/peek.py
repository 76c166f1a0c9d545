"""What a session is about, without opening it: what it is asked, what it says and does, its figures."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from panels import shown
from panels.shell import Json, shell
from panels.view.sessions import SessionView
from panels.widgets.asked import Asked
from panels.widgets.transcript import TranscriptView
from supervisor.model.plain import clean, one_line
from supervisor.model.times import now_ms

FACTS: Final = 6
FEW_FACTS: Final = 2
"""Lines of the facts, and where a question needs the room."""

LOG: Final = 3
"""Lines of the transcript that a question leaves where the preview is high enough."""

REST_S: Final = 0.08
"""A transcript is read when the cursor has rested this long: keys that are held down only move it."""


class Peek(Vertical):
    """The preview beside a list: facts above, the live transcript below."""

    DEFAULT_CSS = """
    Peek { width: 1fr; height: 1fr; }
    Peek #facts { height: 6; padding: 0 1; background: $surface; }
    Peek.-little #facts { height: 2; }
    Peek TranscriptView { height: 1fr; padding: 0 0 0 1; }
    """

    def compose(self) -> ComposeResult:
        """Put in the facts, the question and the transcript."""
        yield Static(id="facts")
        yield Asked(id="asked")
        yield TranscriptView(id="peek-log")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._session: str | None = None
        self._settling: Timer | None = None
        self._facts = Content("")

    def show(self, session: SessionView | None) -> None:
        """Show another session: its facts at once, its transcript when the cursor has come to rest."""
        self._session = session.id if session is not None else None
        self.facts_changed()
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(REST_S, self._follow)

    def _follow(self) -> None:
        self.query_one(TranscriptView).follow(self._session)

    def facts_changed(self) -> None:
        """Draw the facts and the question anew."""
        view = shell(self).view
        session = view.sessions.get(self._session or "")
        self._show_asked([each for each in view.approvals.values() if each["session"] == self._session])
        facts = _facts(session) if session is not None else Content("")
        if facts != self._facts:
            self._facts = facts
            self.query_one("#facts", Static).update(facts, layout=False)

    def _show_asked(self, waiting: list[Json]) -> None:
        """Show the oldest question of the session; with little room the facts give way to it."""
        asked = min(waiting, key=lambda each: (each["created_at"], each["id"])) if self._session and waiting else None
        height = self.size.height
        is_low = asked is not None and height < FACTS + LOG + 9
        self.set_class(is_low, "-little")
        room = max(2, height - (FEW_FACTS if is_low else FACTS) - (LOG if height > 12 else 0))
        self.query_one(Asked).show(asked, len(waiting) - 1, room)

    def on_resize(self, _: events.Resize) -> None:
        """Give the question another room."""
        self.facts_changed()

    def shows_whole(self, approval: Json) -> bool:
        """Whether all of a question can be read here."""
        return self.display and self.query_one(Asked).is_seen_whole(approval)

    def was_read(self) -> bool:
        """Whether the question has been here long enough to be read."""
        return self.query_one(Asked).was_read()


def _facts(session: SessionView) -> Content:
    """Return the name, why it stands where it stands, and the figures."""
    now = now_ms()
    figures = [
        session.agent,
        session.executor,
        f"{session.attempts} attempts" if session.attempts > 1 else "",
        shown.spent(session.cost_usd, session.budget_usd),
        f"{shown.count(session.tokens_input + session.tokens_output)} tokens" if session.tokens_output else "",
        f"{session.errors} errors" if session.errors else "",
    ]
    lines = [
        Content.styled(session.name, "bold").append(Content.styled(f"  {session.project_name}", "dim")),
        Content(f"{session.status}: {session.doing if session.merged else one_line(session.reason)} ").append(
            Content.styled(f"({shown.age(session.reason_at, now)} ago)", "dim")
        ),
        Content.styled(" · ".join(filter(None, figures)), "dim"),
    ]
    work = clean(session.prompt or f"$ {session.command}").strip().splitlines()
    lines += [Content.styled(line, "italic") for line in work[:2]]
    return Content("\n").join(lines)
