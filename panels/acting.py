"""What a person can do to sessions, from the fleet as from a session's own screen."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.dom import DOMNode
from textual.screen import Screen

from panels.keys import bindings
from panels.shell import Json, Shell, shell
from panels.view.sessions import SessionView
from supervisor.api.environment import passed_on

ACTIONS: list[BindingType] = [
    *bindings(
        "message", "stop", "pause", "restart", "archive", "commit", "merge", "push", "bundle"
    )
]  # fmt: skip
"""What `Acting` binds."""


class Acting(DOMNode):
    """Mixed into what knows which sessions a key is meant for (`targets`)."""

    BINDINGS: ClassVar[list[BindingType]] = ACTIONS

    def targets(self) -> Sequence[SessionView]:
        """Return the sessions that an action is done to: the marked ones, or the one under the cursor."""
        raise NotImplementedError

    def acted(self) -> None:
        """Called when an action was started for all targets: marks are taken off."""

    @property
    def _shell(self) -> Shell:
        return shell(self)

    def _push(self, dialog: Screen[Any], done: Callable[[Any], None]) -> None:
        self.app.push_screen(dialog, lambda answer: done(answer) if answer is not None else None)

    def _each(self, chosen: Sequence[SessionView], verb: str, body: Json | None = None, said: str = "") -> None:
        """Do the same to several sessions; each failure is shown, none stops the others."""
        from supervisor.api.client import at

        def posting(session: SessionView) -> Callable[[], Awaitable[Json]]:
            return lambda: self._shell.client.post(at("session", session.id, verb), body)

        for session in chosen:
            done = (lambda _, name=session.name: self._shell.say(f"{name}: {said}.")) if said else None
            self._shell.perform(posting(session), done)
        self.acted()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done to the session under the cursor."""
        if action not in _POSSIBLE:
            return True
        chosen = self.targets() if self.is_running else ()
        if action == "message":
            # Where somebody could hear one at another time, why not now is said when it is tried.
            return any(session.has_listener for session in chosen)
        return any(map(_POSSIBLE[action], chosen))

    def _possible(self, action: str) -> list[SessionView]:
        return [session for session in self.targets() if _POSSIBLE[action](session)]

    def _first(self, action: str) -> SessionView | None:
        return next(iter(self._possible(action)), None)

    def action_message(self) -> None:
        """Send a message to live ones; ended ones go on with it."""
        from panels.dialogs import AskText

        chosen = self._possible("message")
        if not chosen:
            for session in self.targets()[:1]:
                self._shell.say(f"{session.name} {_why_deaf(session)}")
            return
        ended = all(session.is_ended for session in chosen)
        title = f"{'Another prompt' if ended else 'A message'} for {_names(chosen)}"
        body = "It goes on in the same conversation and worktree." if ended else ""

        def send(text: str) -> None:
            self._each([each for each in chosen if each.is_ended], "continue", {"text": text}, "goes on")
            self._each([each for each in chosen if not each.is_ended], "send", {"text": text}, "message sent")

        self._push(AskText(title, body), send)

    def action_stop(self) -> None:
        """Stop live ones, after a question that says what ends and what stays."""
        from panels.dialogs import Confirm

        chosen = self._possible("stop")
        if not chosen:
            return
        what = "\n".join(f"  {session.name}: {session.doing or session.status}" for session in chosen)
        body = f"{what}\n\nIts processes end now. Worktree, branch and log stay; "
        body += "m lets an agent go on later, ^r starts the same work once more."
        self._push(
            Confirm(f"Stop {_names(chosen)}?", body, yes="Stop", danger=True),
            lambda yes: self._each(chosen, "cancel", said="stopped") if yes else None,
        )

    def action_pause(self) -> None:
        """Freeze running ones, or let paused ones go on."""
        chosen = self._possible("pause")
        paused = [session for session in chosen if session.status == "paused"]
        if paused:
            self._each(paused, "resume", said="goes on")
        else:
            self._each(chosen, "pause", said="paused")

    def action_restart(self) -> None:
        """Start ended ones once more: the same work as a new session."""
        for session in self._possible("restart"):
            self._shell.perform(partial(self._again, session), self._started)
        self.acted()

    async def _again(self, session: SessionView) -> Json:
        work, raw = session.raw["work"], session.raw
        projects = (await self._shell.client.get("/projects"))["projects"]
        root = next(project["root"] for project in projects if project["id"] == session.project)
        body = {
            "cwd": root,
            "argv": work["argv"],
            "prompt": work["prompt"],
            "agent": raw["agent"],
            "mode": raw["mode"],
            "executor": raw["executor"],
            "image": raw["image"],
            "priority": raw["priority"],
            "budget_usd": raw["budget_usd"],
            "environment": passed_on(os.environ),
        }
        return await self._shell.client.post("/sessions", {key: value for key, value in body.items() if value})

    def _started(self, answer: Json) -> None:
        self._shell.say(f"{answer['session']['name']}: started.")

    def action_archive(self) -> None:
        """Put ended ones away; a worktree that holds work is kept."""
        from panels.dialogs import Confirm

        chosen = self._possible("archive")
        if not chosen:
            return
        body = "They leave the fleet. A worktree that holds uncommitted or unmerged work is kept, and you are told."
        self._push(
            Confirm(f"Archive {_names(chosen)}?", body, yes="Archive"),
            lambda yes: self._each(chosen, "archive", said="archived") if yes else None,
        )

    def action_commit(self) -> None:
        """Commit everything in the worktree."""
        from panels.dialogs import AskLine

        chosen = self._possible("commit")
        if chosen:
            self._push(
                AskLine(f"Commit everything in {_names(chosen)}", hint="What was changed, and why", does="Commit"),
                lambda message: self._each(chosen, "commit", {"message": message}, "committed"),
            )

    def action_merge(self) -> None:
        """Merge the branch, after a question that shows what comes in."""
        if (session := self._first("merge")) is not None:
            self._shell.perform(lambda: self._diff_stat(session), lambda found: self._merge(session, *found))

    async def _diff_stat(self, session: SessionView) -> tuple[str, int]:
        """Return what comes in, and how many files of it are in no commit yet."""
        from supervisor.api.client import at

        answer = await self._shell.client.get(at("session", session.id, "diff"), stat=True)
        projects = (await self._shell.client.get("/projects"))["projects"]
        into = next(project["default_branch"] for project in projects if project["id"] == session.project)
        stat = f"{session.branch}\ninto {into}\n\n{str(answer['diff']).rstrip() or 'It changed nothing.'}"
        return stat, int(answer.get("uncommitted", 0))

    def _merge(self, session: SessionView, stat: str, uncommitted: int) -> None:
        from panels.dialogs import AskLine, Confirm

        body = f"{stat}\n\nA conflict changes nothing and says where."
        if uncommitted:
            files = "1 file is" if uncommitted == 1 else f"{uncommitted} files are"
            first = f"{files} in no commit yet. A merge takes commits: say what was changed, and both is done."
            self._push(
                AskLine(
                    f"Commit, then merge {session.name}?",
                    f"{first}\n\n{body}",
                    hint="What was changed, and why",
                    does="Commit and merge",
                ),
                lambda message: self._shell.perform(
                    lambda: self._commit_and_merge(session, message),
                    lambda _: self._shell.say(f"{session.name}: committed and merged."),
                ),
            )
            return
        self._push(
            Confirm(f"Merge {session.name}?", body, yes="Merge"),
            lambda yes: self._each([session], "merge", said="merged") if yes else None,
        )

    async def _commit_and_merge(self, session: SessionView, message: str) -> Json:
        from supervisor.api.client import at

        await self._shell.client.post(at("session", session.id, "commit"), {"message": message})
        return await self._shell.client.post(at("session", session.id, "merge"), {})

    def action_push(self) -> None:
        """Push the branch to its remote."""
        from panels.dialogs import Confirm

        if (session := self._first("push")) is not None:
            body = f"The branch {session.branch} goes to the remote. Others can see it then. Nothing is forced."
            self._push(
                Confirm(f"Push {session.name}?", body, yes="Push"),
                lambda yes: self._each([session], "push", said="pushed") if yes else None,
            )

    def action_bundle(self) -> None:
        """Write the branch to a file that git can fetch from."""
        from panels.dialogs import AskLine

        if (session := self._first("bundle")) is not None:
            self._push(
                AskLine(f"Write {session.name} to a git bundle", hint="/absolute/path/to/file.bundle"),
                lambda path: self._each([session], "bundle", {"path": path}, f"written to {path}"),
            )


_POSSIBLE: dict[str, Callable[[SessionView], bool]] = {
    "message": lambda session: _hears(session),
    "stop": lambda session: not session.is_ended,
    "pause": lambda session: session.status in ("queued", "running", "waiting", "paused"),
    "restart": lambda session: session.is_ended,
    "archive": lambda session: session.is_ended,
    "commit": lambda session: session.worktree is not None,
    "merge": lambda session: session.branch is not None and session.worktree is not None,
    "push": lambda session: session.branch is not None and session.worktree is not None,
    "bundle": lambda session: session.branch is not None and session.worktree is not None,
}


def _hears(session: SessionView) -> bool:
    """Whether a message means anything to it: an agent, or a terminal that a person could type into."""
    if session.is_ended:
        return session.prompt is not None
    return session.status in ("running", "waiting") and session.has_listener


def _why_deaf(session: SessionView) -> str:
    if not session.has_listener:
        return "runs a command, which hears no messages; ^r starts one that has ended once more."
    return f"is {session.status}: it hears no message now."


def _names(chosen: Sequence[SessionView]) -> str:
    return chosen[0].name if len(chosen) == 1 else f"{len(chosen)} sessions"
