"""One plan: how it stands, drawn in one of several ways, and the task that is looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.message import Message
from textual.timer import Timer
from textual.widgets import ContentSwitcher

from panels.shell import Json, shell
from panels.view import opened as opening
from panels.view.opened import Opened
from panels.view.plan import PlanView, TaskView, absorb
from panels.widgets.lines import LineView
from panels.widgets.plandrawing import DrawingView
from panels.widgets.planlists import GanttView, OutlineView
from panels.widgets.planparts import PlanHead, TaskDetail
from panels.widgets.planrevisions import RevisionsView
from panels.widgets.tabline import Tabline

VIEWS: Final = ("drawing", "tree", "gantt", "revisions")

REST_S: Final = 0.12
"""A plan is read when the cursor has rested this long: keys that are held down only move it."""

LINES: Final = 20
"""Lines that are read of what each command of a task put out."""

Standing = tuple[str, str, int, int | None]
"""A plan, a task, its attempt, and since when it stands as it does."""

FRAME_S: Final = 1 / 15
REREAD_S: Final = 0.5
"""A plan that changes is read again this often at most; one that takes long to read less often."""

SHARE: Final = 10
"""Reading again takes at most one part in so many of the time."""

TICK_S: Final = 1.0


class PlanPane(Vertical):
    """Reads the plan that is chosen, keeps it up to date, and shows it."""

    DEFAULT_CSS = """
    PlanPane { width: 1fr; height: 1fr; }
    PlanPane #plan-body { height: 1fr; layout: vertical; }
    PlanPane #plan-views { height: 1fr; width: 1fr; }
    PlanPane #plan-views > * { height: 1fr; }
    PlanPane #task { display: none; height: 45%; width: 1fr; border-top: tall $panel; }
    PlanPane #task:focus { border-top: tall $primary; }
    PlanPane.-opened #task { display: block; }
    PlanPane.-asked #task { height: 65%; }
    PlanPane.-revisions #task { display: none; }
    """

    @dataclass
    class Looked(Message):
        """Another task is looked at, or it stands otherwise: other keys may work."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.plan_id: str | None = None
        self.opened: Opened | None = None
        self.task_id: str | None = None
        self._wanted_task: str | None = None
        self._resting: Timer | None = None
        self._rereading: Timer | None = None
        self._drawing: Timer | None = None
        self._steps: tuple[Standing, Sequence[Json]] = (("", "", 0, None), ())
        self._going_in: Timer | None = None
        self._missed = False
        self._took_s = 0.0
        self._read_at = 0.0

    def compose(self) -> ComposeResult:
        """Put in the head, the tabs, the views and the task."""
        yield PlanHead()
        yield Tabline(VIEWS, VIEWS[0], id="plan-tabs")
        with Container(id="plan-body"):
            with ContentSwitcher(initial="view-drawing", id="plan-views"):
                yield DrawingView(id="view-drawing")
                yield OutlineView(id="view-tree")
                yield GanttView(id="view-gantt")
                yield RevisionsView(id="view-revisions")
            yield TaskDetail(id="task")

    def on_mount(self) -> None:
        """Let time go on."""
        self.set_interval(TICK_S, self._tick)

    # What is shown.

    @property
    def view(self) -> str:
        """The name of the view that is shown."""
        return self.query_one("#plan-tabs", Tabline).current

    @property
    def task_view(self) -> TaskView | None:
        """The task that is looked at; none where revisions are shown."""
        if self.opened is None or self.view == "revisions":
            return None
        return self.opened.plan.tasks.get(self.task_id or "")

    @property
    def lines(self) -> LineView:
        """The list or drawing that has the keys in the view that is shown."""
        if self.view == "gantt":
            return self.query_one(GanttView).bars
        if self.view == "revisions":
            return self.query_one(RevisionsView).listed
        return self.query_one(f"#view-{self.view}", LineView)

    def show(self, plan: Json | None) -> None:
        """Show a plan as the list has it, and read it when the cursor has come to rest."""
        identifier = plan["id"] if plan is not None else None
        if identifier == self.plan_id:
            self._draw_head(plan)
            return
        self.plan_id, self.opened, self.task_id = identifier, None, None
        self._draw_head(plan)
        self.query_one(DrawingView).clear_plan(is_reading=identifier is not None)
        self.query_one(OutlineView).show(None, ())
        self.query_one(GanttView).bars.show(None)
        self.query_one(RevisionsView).show(None)
        self._draw_task()
        if self._resting is not None:
            self._resting.stop()
        if identifier is not None:
            self._resting = self.set_timer(REST_S, self.read)

    def _draw_head(self, plan: Json | None) -> None:
        self.query_one(PlanHead).show(plan)

    def turn(self, by: int) -> None:
        """Show the view so many to the right."""
        self.show_view(VIEWS[(VIEWS.index(self.view) + by) % len(VIEWS)])

    def show_view(self, name: str) -> None:
        """Show a view, and give it the keys if another had them."""
        had_keys = self.query_one("#plan-views").has_focus_within
        self.query_one("#plan-tabs", Tabline).current = name
        self.query_one("#plan-views", ContentSwitcher).current = f"view-{name}"
        self.set_class(name == "revisions", "-revisions")
        if name == "revisions":
            self.query_one(RevisionsView).look()
        else:
            self._choose_in_view()
        if had_keys or self.app.focused is None or self.query_one("#task").has_focus:
            self.call_after_refresh(self.lines.focus)
        self._draw_task()

    def choose(self, task: str | None) -> None:
        """Look at a task, as soon as the plan was read."""
        if task is not None and self.opened is not None and task in self.opened.plan.tasks:
            self.task_id, self._wanted_task = task, None
            self._choose_in_view()
            self._draw_task()
        else:
            self._wanted_task = task

    def find(self, wanted: str) -> tuple[int, int]:
        """Look at the next task that has all these words; return which of how many that have them it is."""
        words = wanted.casefold().split()
        tasks = self.opened.plan.tasks if self.opened is not None and words else {}
        found = [task.id for task in tasks.values() if all(word in _known_by(task) for word in words)]
        if not found:
            return 0, 0
        if self.task_id not in found:
            place = list(tasks).index(self.task_id) if self.task_id in tasks else 0
            later = frozenset(list(tasks)[place:])
            self.choose(next((task for task in found if task in later), found[0]))
        return found.index(self.task_id or "") + 1, len(found)

    def _choose_in_view(self) -> None:
        view: Any = self.lines
        if self.view != "revisions" and view.chosen_task != self.task_id:
            view.choose(self.task_id)

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Look at the task that the cursor came to."""
        chosen = getattr(event.view, "chosen_task", None)
        if event.view is self.lines and chosen is not None and chosen != self.task_id:
            self.task_id = chosen
            self._draw_task()

    def on_tabline_chosen(self, event: Tabline.Chosen) -> None:
        """Show the view whose name was clicked."""
        self.show_view(event.tab)

    # Reading.

    @property
    def is_seen(self) -> bool:
        """Whether it can be seen: what nobody sees is not read."""
        return all(node.display for node in self.ancestors_with_self) and self.screen.is_current

    def on_show(self, _: events.Show) -> None:
        """Read what was missed while it was hidden."""
        if self._missed:
            self.read()

    def read(self) -> None:
        """Read the plan, and its document when it has another revision than is known."""
        plan, before = self.plan_id, self.opened
        if plan is None or not self.is_seen:
            self._missed = True
            return
        self._missed = False
        self._read_at, begun = monotonic(), monotonic()

        async def read() -> Opened:
            from supervisor.api.client import at

            client = shell(self).client
            answer = (await client.get(at("plan", plan)))["plan"]
            if before is not None and before.is_of(plan, answer["revision"]):
                return await asyncio.to_thread(opening.as_it_stands, before, answer)
            where = at("plan", plan, "document")
            found = await client.get(where, form="json", revision=answer["revision"])
            return await asyncio.to_thread(opening.opened, answer, found["document"])

        def take(found: Opened) -> None:
            self._took_s = monotonic() - begun
            if plan == self.plan_id:
                self.take(found)

        shell(self).perform(read, take, group="plan")

    def read_all(self) -> None:
        """Read the plan again, and what the commands of the task put out."""
        self._steps = ("", "", 0, None), ()
        self.read()

    def take(self, found: Opened) -> None:
        """Show a plan that was read."""
        before, self.opened = self.opened, found
        tasks = found.plan.tasks
        same = before is not None and before.drawing is found.drawing
        wanted = self._wanted_task if self._wanted_task in tasks else self.task_id
        self.task_id = wanted if wanted in tasks else _first(found.plan)
        self._wanted_task = None
        drawing = self.query_one(DrawingView)
        if same:
            drawing.retake(found.plan)
        else:
            drawing.show(found.plan, found.drawing, self.task_id)
        self.query_one(OutlineView).show(found.plan, found.branches)
        self.query_one(GanttView).bars.show(found.plan)
        if before is None or before.plan.raw["revisions"] != found.plan.raw["revisions"]:
            self.query_one(RevisionsView).show(found.plan.raw)
        self._choose_in_view()
        self._draw_all()

    def heard(self, event: Json) -> None:
        """Take an event of the plan: what it says is drawn soon, what it leaves open is read again."""
        if self.opened is None or event["plan"] != self.plan_id:
            return
        absorb(self.opened.plan, event)
        if not self.is_seen:
            self._missed = True
            return
        if self._drawing is None:
            self._drawing = self.set_timer(FRAME_S, self._draw_all)
        if self._rereading is None:
            wait = max(REREAD_S, SHARE * self._took_s) - (monotonic() - self._read_at)
            self._rereading = self.set_timer(max(FRAME_S, wait), self._reread)

    def _reread(self) -> None:
        self._rereading = None
        self.read()

    # Drawing.

    def _draw_all(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()
            self._drawing = None
        if self.opened is None:
            return
        self._draw_head(self.opened.plan.raw)
        if self.view == "gantt":
            self.query_one(GanttView).redraw()
        elif self.view != "revisions":
            view: Any = self.lines
            view.redraw()
        self._draw_task()

    def _draw_task(self) -> None:
        if self.opened is not None:
            task = self.task_view
            known = self._steps[1] if task is not None and self._steps[0][1] == task.id else ()
            asked = self.asked()
            # What is to be decided has to be read: the drawing gives way to it.
            self.set_class(asked is not None, "-asked")
            self.query_one(TaskDetail).show(self.opened.plan, task, asked, known)
            if (
                task is not None
                and task.attempts
                and self.has_class("-opened")
                and self._standing(task) != self._steps[0]
            ):
                if self._going_in is not None:
                    self._going_in.stop()
                self._going_in = self.set_timer(REST_S, self._read_steps)
        self.post_message(self.Looked())

    def _standing(self, task: TaskView) -> Standing:
        return self.plan_id or "", task.id, task.attempts, task.reason_at

    def _read_steps(self) -> None:
        """Read what the commands of the task put out, once for each way that it stands."""
        task, plan = self.task_view, self.plan_id
        if task is None or plan is None or not self.is_seen or self._standing(task) == self._steps[0]:
            return
        standing = self._standing(task)
        self._steps = standing, self._steps[1] if self._steps[0][:2] == standing[:2] else ()

        async def read() -> Json:
            from supervisor.api.client import at, of_task

            where = at("plan", plan, of_task(task.id))
            return await shell(self).client.get(where, lines=LINES)

        def take(answer: Json) -> None:
            if self._steps[0] == standing:
                self._steps = standing, answer["task"]["steps"]
                self._draw_task()

        shell(self).perform(read, take, group="plan task")

    def approvals_changed(self) -> None:
        """Draw what is asked by now."""
        self.query_one(PlanHead).refresh()
        self._draw_task()

    def asked(self) -> Json | None:
        """Return the question about the task that is looked at, if one waits."""
        task = self.task_view
        if task is None:
            return None
        waiting = shell(self).view.approvals.values()
        return next((each for each in waiting if (each.get("plan"), each.get("task")) == (self.plan_id, task.id)), None)

    def _tick(self) -> None:
        if self._missed and self.is_seen:
            self.read()
        if self.opened is None or not self.is_seen:
            return
        self.query_one(PlanHead).refresh()
        if any(task.status == "running" for task in self.opened.plan.tasks.values()):
            if self.view == "gantt":
                self.query_one(GanttView).redraw()
            elif self.view == "tree":
                self.query_one(OutlineView).redraw()


def _known_by(task: TaskView) -> str:
    labels = task.said.get("labels") or ()
    return " ".join((task.id, task.title, task.kind, task.status.replace("_", " "), *labels)).casefold()


def _first(plan: PlanView) -> str | None:
    """Return the task that is looked at first: what asks, else what has failed, runs or comes next."""
    for status in ("waiting_approval", "blocked", "failed", "running", "ready"):
        found = next((task.id for task in plan.tasks.values() if task.status == status), None)
        if found is not None:
            return found
    return next(iter(plan.tasks), None)
