"""Plans: all of them in one list, and one of them as a drawing, a tree, bars in time, and its revisions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from time import monotonic
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from panels.deciding import DECISIONS, Deciding
from panels.keys import bindings
from panels.panel import Panel
from panels.planacting import PlanActing
from panels.shell import Json
from panels.view.model import Topic
from panels.view.plan import TaskView
from panels.view.plans import rows
from panels.widgets.lines import LineView
from panels.widgets.note import Note
from panels.widgets.planpane import PlanPane
from panels.widgets.planparts import TaskDetail
from panels.widgets.planslist import PlansList
from panels.widgets.search import SearchBox

EMPTY: Final = """\
No plans yet.

A plan breaks one goal into tasks that depend on each other: commands,
agents, and gates where you decide. You see it here as a drawing, a tree
and bars in time. Nothing of it runs before you start it with b.

Write one in a file, then keep it:

  quarterdeck plan create plan.yaml        z shows what runs by itself

  id: plan-hello
  tasks:
    - {id: test, command: make test}
    - {id: ok, kind: gate, needs: [test], approval: true}
    - {id: fix, needs: [ok], agent: claude, prompt: "Fix what is slow"}

quarterdeck plan schema tells your editor what can stand in it."""

NOT_FOUND: Final = "No plan matches. Empty the search with esc."
AWAY: Final = "The supervisor does not answer."

TICK_S: Final = 1.0
GRACE_S: Final = 0.4
"""A question that has just come under the cursor cannot be decided before: nobody can have read it."""


class PlansPanel(Panel, PlanActing, Deciding):
    """The list, with the plan under the cursor beside it where there is room; an opened plan has the whole panel."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"plans", "approvals", "connection"})
    SCOPED_CSS = False
    DEFAULT_CSS = """
    PlansPanel #plans-body { height: 1fr; }
    PlansPanel #plans-left { width: 1fr; height: 1fr; }
    PlansPanel PlansList { height: 1fr; }
    PlansPanel PlanPane { display: none; border-left: none; }
    PlansPanel Note { display: none; }
    PlansPanel.-empty Note { display: block; }
    PlansPanel.-empty PlansList { display: none; }
    .-roomy PlansPanel #plans-left { width: 42%; }
    .-roomy PlansPanel PlanPane { display: block; border-left: tall $panel; }
    .-roomy PlansPanel PlanPane:focus-within { border-left: tall $primary; }
    PlansPanel.-empty #plans-left { width: 1fr; }
    PlansPanel.-empty PlanPane { display: none; }
    PlansPanel.-opened #plans-left { display: none; }
    PlansPanel.-opened PlanPane, PlansPanel.-opened PlanPane:focus-within { display: block; border-left: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("previous_pane", "next_pane", "search", "view", "diff", "schedules", "back", "refresh")
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._deciding: set[str] = set()
        self._asked: str | None = None
        self._asked_since = 0.0
        self._going_to: tuple[str, str | None] | None = None
        """The plan, and the task of it, that is to be opened as soon as it is in the list."""
        self._filter = ""
        """What the list is narrowed to while a plan is opened, whose tasks are searched then."""

    def compose(self) -> ComposeResult:
        """Put in the search, the list, what stands in its place, and the plan."""
        yield SearchBox("Search titles, ids, statuses")
        with Horizontal(id="plans-body"):
            with Vertical(id="plans-left"):
                yield PlansList(id="plans-list")
                yield Note("", classes="note", markup=False)
            yield PlanPane(id="plan")

    def on_mount(self) -> None:
        """Ask for the plans, hear of events, and count ages on."""
        self.add_class("-empty")
        self._end_listening = self.shell.listen(self._happened)
        self.set_interval(TICK_S, self._tick)

    def on_unmount(self) -> None:
        """Hear of events no more."""
        self._end_listening()

    @property
    def is_composed(self) -> bool:
        """Whether its parts are there yet: keys may come before."""
        return bool(self.query(PlansList)) and bool(self.query(TaskDetail))

    @property
    def listed(self) -> PlansList:
        """The list."""
        return self.query_one(PlansList)

    @property
    def pane(self) -> PlanPane:
        """The plan that is shown."""
        return self.query_one(PlanPane)

    @property
    def is_opened(self) -> bool:
        """Whether a plan has the whole panel."""
        return self.has_class("-opened")

    # Drawing.

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Put the plans in order and draw them; ask for them when nobody has yet."""
        view = self.shell.view
        if view.plans is None and view.connection.state == "live":
            self._ask()
        if self.is_opened and view.plans is not None and self.pane.plan_id not in view.plans:
            self._close()  # It was deleted: another one must not take its place under the person's hands.
        wanted = self._filter if self.is_opened else self.query_one(SearchBox).value
        self.listed.show(rows((view.plans or {}).values(), view.approvals.values(), wanted))
        self._say_standing()
        self._say_why_empty(wanted)
        self._look()
        known = view.plans or {}
        if self._going_to is not None and (self._going_to[0] in known or (known and "plans" in topics)):
            self._arrive(*self._going_to)
        if "connection" in topics and view.connection.state == "live":
            self.pane.read()
        if "approvals" in topics:
            self.pane.approvals_changed()

    def _ask(self) -> None:
        self.shell.view.stale.plans = True
        self.shell.perform(self.shell.refresh_view, group="plans")

    def _say_standing(self) -> None:
        search = self.query_one(SearchBox)
        search.say(self.pane.find(search.value) if self.is_opened else self.listed.standing())

    def _say_why_empty(self, wanted: str) -> None:
        view, note = self.shell.view, self.query_one(Note)
        empty = not self.listed.rows
        if empty:
            connection = view.connection
            live = "" if view.plans is None else NOT_FOUND if wanted else EMPTY
            note.update({"connecting": "", "away": connection.problem or AWAY, "live": live}[connection.state])
            self.remove_class("-opened")
            self.pane.remove_class("-opened")
        if empty is not self.has_class("-empty"):
            moves = self.has_focus_within and not self.query_one(SearchBox).has_focus
            self.set_class(empty, "-empty")
            if moves or self.app.focused is None:
                self.focus_first()

    def _look(self) -> None:
        """Show the plan under the cursor."""
        self.pane.show(self.listed.plan)
        self.refresh_bindings()

    def _tick(self) -> None:
        if self.is_on_screen:
            self.listed.lines_changed(all_of_them=False)

    def _happened(self, event: Json) -> None:
        if event["phase"] == "plan" and self.is_composed:
            self.pane.heard(event)

    def on_plan_pane_looked(self, _: PlanPane.Looked) -> None:
        """Other keys may work for the task that is looked at now; a question that came by itself has to be read."""
        asked = self.pane.asked()
        identifier = asked["id"] if asked is not None else None
        if identifier != self._asked:
            self._asked = identifier
            self._asked_since = monotonic()
        self.refresh_bindings()

    def focus_first(self) -> None:
        """Put the keys into the list, the opened plan, or what stands in their place."""
        if not self.is_composed:
            self.call_after_refresh(self.focus_first)
        elif self.has_class("-empty"):
            self.query_one(Note).focus()
        elif self.is_opened:
            self.pane.lines.focus()
        else:
            self.listed.focus()

    # What `PlanActing` and `Deciding` ask for.

    @property
    def plan(self) -> Json | None:
        """The plan under the cursor of the list, which is the one that is opened."""
        return self.listed.plan if self.is_composed else None

    @property
    def task_view(self) -> TaskView | None:
        """The task that is looked at, where the keys are in the plan."""
        return self.pane.task_view if self.is_composed and (self.is_opened or self.pane.has_focus_within) else None

    def acted(self, plan: Json) -> None:
        """Draw at once how the plan stands after an action."""
        view = self.shell.view
        if view.plans is not None:
            listed = {name: value for name, value in plan.items() if name not in ("tasks", "revisions", "next_task")}
            kept = {**view.plans, plan["id"]: listed}
            if plan["archived_at"] is not None:
                del kept[plan["id"]]
            view.take_plans(kept.values())
            # What was answered may be older than events that came meanwhile.
            view.stale.plans = True
            self.shell.perform(self.shell.refresh_view, group="plans anew")
        self.view_changed(frozenset({"plans"}))
        self.pane.read()

    def chosen(self) -> Sequence[Json]:
        """Return the question about the task that is looked at, as long as it waits."""
        asked = self.pane.asked() if self.task_view is not None else None
        return [asked] if asked is not None and asked["id"] not in self._deciding else []

    def are_marked(self) -> bool:
        """Nothing is marked here."""
        return False

    def was_seen(self) -> bool:
        """Whether all of the question is here, and long enough to be read; one that does not fit is shown elsewhere."""
        detail = self.query_one(TaskDetail)
        for asked in self.chosen():
            if not detail.shows_whole(asked):
                self.shell.show_approval(asked["id"])
                return False
        # One that came in this instant has not been heard of yet: the time is that of the one before.
        known = all(asked["id"] == self._asked for asked in self.chosen())
        if known and monotonic() - self._asked_since >= GRACE_S:
            return True
        self.shell.say("A question has just come. Look at it first.", severity="warning")
        return False

    def sent(self, ids: Collection[str]) -> None:
        """Offer no second decision meanwhile."""
        self._deciding.update(ids)
        self.refresh_bindings()

    def settled(self, ids: Collection[str], *, decided: bool) -> None:
        """Ask again what could not be decided."""
        if not decided:
            self._deciding.difference_update(ids)
        self.refresh_bindings()

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done here and now."""
        if not self.is_composed:
            return action == "back"
        if action in DECISIONS:
            if self.task_view is None:
                return action in ("approve", "reject") and self._asking_task() is not None
            return Deciding.check_action(self, action, parameters)
        if action in ("view", "diff"):
            return self.task_view is not None and self.task_view.session is not None
        if action in ("previous_pane", "next_pane"):
            return self.pane.display and self.pane.plan_id is not None
        return PlanActing.check_action(self, action, parameters)

    def _asking_task(self) -> str | None:
        """Return a task of the plan under the cursor about which something is asked."""
        plan = self.plan
        asked = (each for each in self.shell.view.approvals.values() if plan and each.get("plan") == plan["id"])
        return next((each["task"] for each in asked if each.get("task")), None)

    def action_approve(self) -> None:
        """Allow what is asked about the task; from the list, first go and look at it."""
        if self.task_view is None:
            self._open_asking()
        else:
            Deciding.action_approve(self)

    def action_reject(self) -> None:
        """Refuse what is asked about the task; from the list, first go and look at it."""
        if self.task_view is None:
            self._open_asking()
        else:
            Deciding.action_reject(self)

    def _open_asking(self) -> None:
        if (task := self._asking_task()) is not None:
            self.open()
            if self.pane.view == "revisions":
                self.pane.show_view("drawing")
            self.pane.choose(task)

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show the plan that the cursor came to."""
        if event.view is self.listed:
            self._say_standing()
            self._look()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Give the panel to the plan; from a task go to its session, or into what is known of it."""
        if event.view is self.listed:
            self.open()
        elif (task := self.pane.task_view) is not None and not isinstance(event.view, TaskDetail):
            if not self.is_opened:
                self.open()
            elif task.session is not None:
                self.shell.open_session(task.session)
            else:
                self.query_one(TaskDetail).focus()

    def open(self) -> None:
        """Give the whole panel to the plan."""
        search = self.query_one(SearchBox)
        if self.plan is not None and not self.is_opened:
            self._filter = search.value
            self.add_class("-opened")
            search.close()
            self.pane.add_class("-opened")
            self.pane.read()
            self.pane.lines.focus()
            self.refresh_bindings()

    def go_to(self, plan: str, task: str | None) -> None:
        """Open a plan, and look at a task of it, as soon as it is in the list."""
        self._going_to = plan, task
        if self.is_composed:
            self._ask()

    def _arrive(self, plan: str, task: str | None) -> None:
        self._going_to = None
        if self.is_opened:
            self._close()
        self.query_one(SearchBox).close()
        self.view_changed(frozenset())
        index = self.listed.index_of(plan)
        if index is None:
            self.shell.say(
                f"{plan} is in the list no more; `quarterdeck plan show {plan}` shows it.", severity="warning"
            )
            return
        self.listed.cursor = index
        self._look()
        self.open()
        if self.pane.view == "revisions":
            self.pane.show_view("drawing")
        self.pane.choose(task)

    def _close(self) -> None:
        search = self.query_one(SearchBox)
        self.remove_class("-opened")
        self.pane.remove_class("-opened")
        search.value = self._filter
        search.set_class(bool(self._filter), "-open")
        self.listed.focus()
        self.refresh_bindings()

    def action_view(self) -> None:
        """Open the session that worked on the task."""
        if (task := self.task_view) is not None and task.session is not None:
            self.shell.open_session(task.session)

    def action_diff(self) -> None:
        """Open what the session of the task changed."""
        if (task := self.task_view) is not None and task.session is not None:
            self.shell.open_session(task.session, "diff")

    def action_schedules(self) -> None:
        """Show what runs by itself."""
        from panels.screens.schedules import SchedulesScreen

        self.app.push_screen(SchedulesScreen())

    def action_next_pane(self) -> None:
        """Show the view to the right."""
        self.pane.turn(1)

    def action_previous_pane(self) -> None:
        """Show the view to the left."""
        self.pane.turn(-1)

    def action_search(self) -> None:
        """Search the list; in an opened plan, its tasks."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the search; leave what is known of the task; close the plan."""
        search = self.query_one(SearchBox)
        if search.is_open:
            search.close()
            self.focus_first()
        elif self.is_opened and self.query_one(TaskDetail).has_focus:
            self.pane.lines.focus()
        elif self.is_opened:
            self._close()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the person types; in an opened plan go to what is found."""
        if self.is_opened:
            self._say_standing()
        else:
            self.view_changed(frozenset())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the list of what was found."""
        self.query_one(SearchBox).done()
        self.focus_first()

    def action_refresh(self) -> None:
        """Read the plans again."""
        self._ask()
        self.pane.read_all()

    def on_show(self, event: Any) -> None:
        """Catch up on what happened while it was hidden."""
        super().on_show(event)
        if self.is_composed:
            self.pane.read()
