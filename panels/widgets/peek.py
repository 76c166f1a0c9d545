"""What a session is about, without opening it: what it is asked, what it says and does, its figures."""

from __future__ import annotations

from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from panels import shown
from panels.shell import shell
from panels.view.sessions import SessionView
from panels.widgets.transcript import TranscriptView
from supervisor.model.plain import clean, one_line
from supervisor.model.times import now_ms

REST_S: Final = 0.08
"""A transcript is read when the cursor has rested this long: keys that are held down only move it."""


class Peek(Vertical):
    """The preview beside a list: facts above, the live transcript below."""

    DEFAULT_CSS = """
    Peek { width: 1fr; height: 1fr; }
    Peek #facts { height: 6; padding: 0 1; background: $surface; }
    Peek #asked { height: 3; padding: 0 1; display: none; background: $warning 20%; }
    Peek.-asked #asked { display: block; }
    Peek TranscriptView { height: 1fr; padding: 0 0 0 1; }
    """

    def compose(self) -> ComposeResult:
        """Put in the facts, the question and the transcript."""
        yield Static(id="facts")
        yield Static(id="asked")
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
        asked = next((each for each in view.approvals.values() if each["session"] == self._session), None)
        self.set_class(session is not None and asked is not None, "-asked")
        facts = _facts(session) if session is not None else Content("")
        if facts != self._facts:
            self._facts = facts
            self.query_one("#facts", Static).update(facts, layout=False)
        if asked is not None:
            keys = Content.from_markup("  [b]a[/b] show it exactly and decide")
            question = Content(f"◐ {one_line(asked['question'])}").append(keys)
            self.query_one("#asked", Static).update(question, layout=False)


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
