"""The revisions of a plan: what each changed, why, and who made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from panels import shown
from panels.shell import Json, shell
from panels.view.diff import parse
from panels.view.fleet import fitted
from panels.view.rows import Row
from panels.widgets.diff import DiffView
from panels.widgets.lines import LineView
from panels.widgets.rows import RowsView
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339, now_ms


def revision_rows(revisions: Sequence[Json], in_force: int, width: int, now: int) -> Iterator[Row]:
    """Yield a line for each revision, the newest first."""
    for each in reversed(revisions):
        number = f"{'▸' if each['number'] == in_force else ' '} r{each['number']}"
        age = shown.age(from_rfc3339(each["created_at"]), now).rjust(5)
        why = one_line(each["rationale"]) or ("as it was created" if each["parent"] is None else "")
        author = one_line(each["author"])[:20]
        room = max(8, width - 7 - len(age) - len(author) - 2)
        line = [(number.ljust(7), "bold"), (fitted(why, room), ""), (f" {author} ", "dim"), (age, "dim")]
        yield Row(line, each["number"])


class RevisionsView(Vertical):
    """The list above, and below it what the chosen one changed."""

    DEFAULT_CSS = """
    RevisionsView #revisions { height: 30%; min-height: 3; }
    RevisionsView DiffView { height: 1fr; border-top: tall $panel; }
    RevisionsView DiffView:focus { border-top: tall $primary; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._plan = ""
        self._revisions: Sequence[Json] = ()
        self._in_force = 0
        self._asked_for: tuple[str, int] | None = None

    def compose(self) -> ComposeResult:
        """Put in the list and the diff."""
        yield RowsView(id="revisions")
        yield DiffView(id="revision-diff")

    @property
    def listed(self) -> RowsView:
        """The list."""
        return self.query_one("#revisions", RowsView)

    def show(self, raw: Json | None) -> None:
        """Take the revisions of a plan as the API has it; a new one is looked at."""
        before = self._plan, self._in_force
        self._plan = raw["id"] if raw is not None else ""
        self._revisions = raw["revisions"] if raw is not None else ()
        self._in_force = raw["revision"] if raw is not None else 0
        self.listed.show(lambda width: list(revision_rows(self._revisions, self._in_force, width, now_ms())))
        if before != (self._plan, self._in_force):
            self.listed.action_first()
        self.look()

    def look(self) -> None:
        """Read what the chosen revision changed, once it can be seen."""
        number = self.listed.chosen
        parent = next((each["parent"] for each in self._revisions if each["number"] == number), None)
        if not self.display or not isinstance(number, int) or self._asked_for == (self._plan, number):
            return
        self._asked_for = plan, number = self._plan, number
        if parent is None:
            self.query_one(DiffView).show([])
            return

        async def read() -> Any:
            from supervisor.api.client import at

            return await shell(self).client.get(at("plan", plan, "diff"), before=parent, after=number)

        def take(answer: Any) -> None:
            if self._asked_for == (plan, number):
                self.query_one(DiffView).show(parse(as_of_git(plan, answer["diff"])))

        shell(self).perform(read, take, group="plan diff")

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show what the chosen one changed."""
        if event.view is self.listed:
            self.look()


def as_of_git(plan: str, diff: str) -> str:
    """Return a diff of two revisions as git would say it of a file, with the colours of one."""
    name = f"{plan}.yaml"
    rest = diff.split("\n", 2)[2] if diff.startswith("--- ") else diff
    return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n{rest}\n" if diff else ""
