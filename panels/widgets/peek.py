"""What a session is about, without opening it: what it is asked, what it says and does, its figures."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from panels import shown
from panels.shell import shell
from panels.view.sessions import SessionView
from panels.widgets.transcript import TranscriptView
from supervisor.model.plain import clean, one_line
from supervisor.model.times import now_ms


class Peek(Vertical):
    """The preview beside a list: facts above, the live transcript below."""

    DEFAULT_CSS = """
    Peek { width: 1fr; height: 1fr; }
    Peek #facts { height: auto; max-height: 9; padding: 0 1; background: $surface; }
    Peek #asked { height: auto; max-height: 6; padding: 0 1; display: none; background: $warning 20%; }
    Peek.-asked #asked { display: block; }
    Peek TranscriptView { height: 1fr; padding: 0 0 0 1; }
    """

    def compose(self) -> ComposeResult:
        """Put in the facts, the question and the transcript."""
        yield Static(id="facts")
        yield Static(id="asked")
        yield TranscriptView(id="peek-log")

    def on_mount(self) -> None:
        """Start with nothing."""
        self._session: SessionView | None = None

    def show(self, session: SessionView | None) -> None:
        """Show another session."""
        self._session = session
        self.query_one(TranscriptView).follow(session.id if session is not None else None)
        self.facts_changed()

    def facts_changed(self) -> None:
        """Draw the facts and the question anew."""
        held = getattr(self, "_session", None)
        session = shell(self).view.sessions.get(held.id) if held is not None else None
        self.set_class(False, "-asked")
        if session is None:
            self.query_one("#facts", Static).update("")
            return
        self.query_one("#facts", Static).update(_facts(session))
        view = shell(self).view
        asked = next((each for each in view.approvals.values() if each["session"] == session.id), None)
        if asked is not None:
            self.set_class(True, "-asked")
            question = one_line(asked["question"])
            keys = Content.from_markup("  [b]a[/b] show it exactly and decide")
            self.query_one("#asked", Static).update(Content(f"◐ {question}").append(keys))


def _facts(session: SessionView) -> Content:
    """Return the name, why it stands where it stands, and the figures."""
    now = now_ms()
    figures = [
        session.agent,
        session.executor,
        f"{session.attempts} attempts" if session.attempts > 1 else "",
        shown.money(session.cost_usd) + (f" of {shown.money(session.budget_usd)}" if session.budget_usd else ""),
        f"{shown.count(session.tokens_input + session.tokens_output)} tokens" if session.tokens_output else "",
        f"{session.errors} errors" if session.errors else "",
    ]
    lines = [
        Content.styled(session.name, "bold").append(Content.styled(f"  {session.project_name}", "dim")),
        Content(f"{session.status}: {one_line(session.reason)} ").append(
            Content.styled(f"({shown.age(session.reason_at, now)} ago)", "dim")
        ),
        Content.styled(" · ".join(filter(None, figures)), "dim"),
    ]
    work = clean(session.prompt or f"$ {session.command}").strip().splitlines()
    lines += [Content.styled(line, "italic") for line in work[:3]]
    return Content("\n").join(lines)
