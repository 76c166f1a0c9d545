"""Merging a session's branch: what comes in is shown first, and what is not committed is offered to be committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from panels.dialogs import AskLine, Confirm, Dialog
from panels.keys import bindings
from panels.shell import Json, Shell
from panels.view.sessions import SessionView
from supervisor.model.plain import clean


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a merge would bring: a summary of the diff, and how many files are not committed and would be left out."""

    into: str
    stat: str
    uncommitted: int


class CommitFirst(Dialog[bool]):
    """Says before a merge that it cannot be done yet, and offers what can: to commit first."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("commit")]

    def __init__(self, title: str, body: str) -> None:
        super().__init__()
        self._title, self._body = title, body

    def compose(self) -> ComposeResult:
        """Put in what stands in the way, and the keys."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-body", can_focus=False):
                yield Static(clean(self._body), markup=False)
            yield Static("[@click=screen.commit]C  Commit, then merge[/]    esc  Cancel", classes="dialog-keys")

    def action_commit(self) -> None:
        """Close it with the wish to commit."""
        self.dismiss(True)


def merge(app: App[Any], shell: Shell, session: SessionView) -> None:
    """Ask whether to merge, and do it; with work that is not committed that is said, and offered, first."""
    shell.perform(lambda: _incoming(shell, session), lambda found: _ask(app, shell, session, found))


async def _incoming(shell: Shell, session: SessionView) -> Incoming:
    from supervisor.api.client import at

    diff = await shell.client.get(at("session", session.id, "diff"), stat=True)
    left = await shell.client.get(at("session", session.id, "uncommitted"))
    projects = (await shell.client.get("/projects"))["projects"]
    into = next(project["default_branch"] for project in projects if project["id"] == session.project)
    return Incoming(into, str(diff["diff"]).rstrip() or "It changed nothing.", left["files"])


def _ask(app: App[Any], shell: Shell, session: SessionView, found: Incoming) -> None:
    body = f"{session.branch}\ninto {found.into}\n\n{found.stat}\n\n"
    if not found.uncommitted:
        app.push_screen(
            Confirm(f"Merge {session.name}?", f"{body}A conflict changes nothing and says where.", yes="Merge"),
            lambda yes: _post(shell, session, "merge", None, lambda _: _say(shell, session, "merged")) if yes else None,
        )
        return
    files = f"{found.uncommitted} files are" if found.uncommitted > 1 else "1 file is"
    app.push_screen(
        CommitFirst(
            f"Merge {session.name}? Commit its work first",
            f"{files} changed or new and not committed. Only commits are merged.\n\n{body.rstrip()}",
        ),
        lambda yes: _commit(app, shell, session) if yes else None,
    )


def _commit(app: App[Any], shell: Shell, session: SessionView) -> None:
    def done(_: Json) -> None:
        _say(shell, session, "committed")
        merge(app, shell, session)

    app.push_screen(
        AskLine(f"Commit everything in {session.name}", hint="What was changed, and why", does="Commit"),
        lambda message: _post(shell, session, "commit", {"message": message}, done) if message else None,
    )


def _say(shell: Shell, session: SessionView, done: str) -> None:
    shell.say(f"{session.name}: {done}.")


def _post(shell: Shell, session: SessionView, verb: str, body: Json | None, done: Any) -> None:
    from supervisor.api.client import at

    shell.perform(lambda: shell.client.post(at("session", session.id, verb), body), done)
