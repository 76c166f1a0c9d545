"""Insights: what work costs, by anything, and how far budgets are used."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from panels.dialogs import Choose
from panels.keys import bindings
from panels.lifting import Lifting
from panels.panel import Panel
from panels.shell import Json
from panels.view import budgets, spending
from panels.view.model import Topic
from panels.view.rows import Row
from panels.view.spending import By, Order, Spent
from panels.view.wrapping import wrap
from panels.widgets.lines import LineView
from panels.widgets.rows import RowsView
from panels.widgets.search import SearchBox
from panels.widgets.tabline import Tabline
from supervisor.model.times import local_day, now_ms

TABS: Final[dict[str, By]] = {
    "days": "day", "projects": "project", "plans": "plan", "tasks": "task", "models": "model", "sessions": "session",
}  # fmt: skip
BUDGETS: Final = "budgets"
OPENS: Final = frozenset({"projects", "plans", "tasks", "sessions"})
"""Tabs in which enter leads somewhere."""

UNKNOWN: Final = "+, unknown: not every agent tells it."

ABOUT: Final = {
    "days": "Money and tokens count for the day on which the agent told them.",
    "projects": "⏎ looks at one project only, here and in all tabs.",
    "plans": "With the commands of its tasks. ⏎ opens the plan.",
    "tasks": "All attempts and agents of a task together. ⏎ opens it in its plan.",
    "models": "Agent and model, as far as the agent says which.",
    "sessions": "⏎ opens the session.",
    BUDGETS: f"What each stops, and how it is lifted.  {UNKNOWN}",
}

NOTHING: Final = """\
Nothing was used {when}.

What sessions and plans cost appears here as soon as an agent tells it: money, tokens, calls, and the time of work; \
by day, project, plan, task, model and session. Budgets limit it.

  1  n   start an agent      4  b   start a plan      f   look further back"""

NOT_FOUND: Final = "No line matches. Empty the search with esc."
READING: Final = "Adding up …"

RELEVANT: Final = frozenset(
    {"turn_ended", "attempt_ended", "budget_warning", "budget_tripped", "budget_resumed", "plan_status_changed"}
)
"""Events after which other figures are to be expected."""

REREAD_S: Final = 3.0


class SpendingView(RowsView):
    """Figures; enter works only where it leads somewhere."""

    opens = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open what can be opened."""
        return action != "open" or self.opens


class InsightsPanel(Panel, Lifting):
    """Tabs over one list of figures; budgets are beside it where there is room, else a tab of their own."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"connection", "fleet"})
    SCOPED_CSS = False
    DEFAULT_CSS = """
    InsightsPanel #about { height: 2; padding: 0 1; color: $text-muted; }
    InsightsPanel #body { height: 1fr; }
    InsightsPanel #spent { width: 1fr; height: 1fr; padding: 0 1; }
    InsightsPanel #budgets { display: none; width: 1fr; height: 1fr; padding: 0 1; }
    InsightsPanel.-budgets #spent { display: none; }
    InsightsPanel.-budgets #budgets { display: block; }
    .-roomy InsightsPanel #spent { display: block; }
    .-roomy InsightsPanel #budgets { display: block; width: 40%; border-left: tall $panel; }
    .-roomy InsightsPanel #budgets:focus { border-left: tall $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("previous_pane", "next_pane", "search", "filter", "order", "refresh", "back")
    ]  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.tab = "days"
        self.order: Order = "cost"
        self.period = "fortnight"
        self.project: tuple[str, str] | None = None
        """The id and the name of the only project that is looked at."""
        self._answers: dict[tuple[str, str, str], Json] = {}
        self._budgets: list[Json] | None = None
        self._held: list[Json] = []
        self._lifted: set[str] = set()
        self._news = False

    def compose(self) -> ComposeResult:
        """Put in the tabs, the sum, the search, the figures and the budgets."""
        yield Tabline((*TABS, BUDGETS), self.tab, id="tabs")
        yield Static(id="about", markup=False)
        yield SearchBox("Search names")
        with Horizontal(id="body"):
            yield SpendingView(id="spent")
            yield RowsView(id="budgets")

    def on_mount(self) -> None:
        """Hear of what is used, and read it again now and then."""
        super().on_mount()
        self._end_listening = self.shell.listen(self._happened)
        self.set_interval(REREAD_S, self._tick)

    def on_unmount(self) -> None:
        """Hear of events no more."""
        self._end_listening()

    @property
    def figures(self) -> SpendingView:
        """The figures."""
        return self.query_one("#spent", SpendingView)

    @property
    def limits(self) -> RowsView:
        """The budgets."""
        return self.query_one("#budgets", RowsView)

    @property
    def shown_view(self) -> RowsView:
        """The list of the tab that is shown."""
        return self.limits if self.tab == BUDGETS else self.figures

    def focus_first(self) -> None:
        """Put the keys into the list, as soon as it is there."""
        if self.is_mounted:
            self.shown_view.focus()
        else:
            self.call_after_refresh(self.focus_first)

    # Reading.

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Read it once there is a supervisor; sessions that were stopped or go on are known without."""
        if "connection" in topics and self.shell.view.connection.state == "live":
            self._read()
        self._draw()

    def _happened(self, event: Json) -> None:
        self._news |= event["type"] in RELEVANT

    def _tick(self) -> None:
        if self._news and self.is_on_screen and self.shell.view.connection.state == "live":
            self._read()

    @property
    def _key(self) -> tuple[str, str, str]:
        return self.tab, self.period, self.project[0] if self.project else ""

    def _read(self) -> None:
        self._news = False
        key = self._key

        async def read() -> tuple[Json | None, list[Json], list[Json]]:
            get, (tab, period, project) = self.shell.client.get, key
            limits, held = await asyncio.gather(get("/budgets"), get("/plans", status="paused"))
            found = None
            if tab != BUDGETS:
                found = await get("/cost", by=TABS[tab], since_s=since_s(period, now_ms()), project=project or None)
            return found, limits["budgets"], held["plans"]

        def take(answer: tuple[Json | None, list[Json], list[Json]]) -> None:
            found, self._budgets, self._held = answer
            if found is not None:
                self._answers[key] = found
            self._lifted &= {str(scope) for _, scope in budgets.ended_by_budget(self.shell.view.sessions.values(), ())}
            self._draw()

        self.shell.perform(read, take, group="insights")

    def action_refresh(self) -> None:
        """Read it again."""
        self._answers.pop(self._key, None)
        self._draw()
        self._read()

    # Drawing.

    def _draw(self) -> None:
        self.set_class(self.tab == BUDGETS, "-budgets")
        found = self._answers.get(self._key)
        self._say_about(found)
        self.figures.opens = self.tab in OPENS
        if self.tab != BUDGETS:
            self.figures.show(lambda width: self._figures(found, width))
        self.limits.show(self._limits)
        self._say_standing()
        self.refresh_bindings()

    def _say_about(self, found: Json | None) -> None:
        when = spending.PERIODS[self.period][1]
        only = f", only {self.project[1]} (esc: all)" if self.project else ""
        first = when + only if self.tab != BUDGETS else budgets.alarm(self._budgets or ()) or "No budget is used up."
        if found is not None and found["rows"] and self.tab != BUDGETS:
            first += f":  {spending.summed(found['total'])}"
        alarm = budgets.alarm(self._budgets or ()) if self.tab != BUDGETS else ""
        unknown = UNKNOWN if found is not None and found["total"]["unknown"] else ""
        second = fitting([f"{alarm}." if alarm else "", unknown, ABOUT[self.tab]], self.size.width - 2)
        self.query_one("#about", Static).update(f"{first}\n{second}")

    def _figures(self, found: Json | None, width: int) -> list[Row]:
        if found is None:
            return self._why_nothing(width, READING)
        lines = self._lines(found)
        if not found["rows"]:
            when = spending.PERIODS[self.period][1].casefold()
            when = {"everything": "yet", "today": "today"}.get(when, f"in {when}")
            return self._why_nothing(width, NOTHING.format(when=when))
        if not lines:
            return [Row([(NOT_FOUND, "dim")])]
        return spending.spending_rows(lines, self.order, width)

    def _lines(self, found: Json) -> Sequence[Spent]:
        by, wanted = TABS[self.tab], self.query_one(SearchBox).value
        lines = spending.spent(found, by)
        if by == "day":
            today = datetime.fromtimestamp(now_ms() / 1000).date()
            return spending.matching(spending.with_quiet_days(lines, spending.PERIODS[self.period][0], today), wanted)
        return spending.in_order(spending.matching(lines, wanted), self.order)

    def _limits(self, width: int) -> list[Row]:
        if self._budgets is None:
            return self._why_nothing(width, READING)
        sessions = self.shell.view.sessions.values()
        return budgets.budget_rows(self._budgets, list(sessions), self._held, self._lifted, width, now_ms())

    def _why_nothing(self, width: int, text: str) -> list[Row]:
        connection = self.shell.view.connection
        said = connection.problem if connection.state == "away" and connection.problem else text
        return [Row([(line, "dim")]) for part in said.split("\n") for line in wrap(part, max(20, width))]

    def _say_standing(self) -> None:
        self.query_one(SearchBox).say(self.shown_view.standing())

    def on_resize(self) -> None:
        """Say as much above the figures as there is room for."""
        if self.is_mounted:
            self._say_about(self._answers.get(self._key))

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Say which match the cursor came to; what can be lifted may be another."""
        self._say_standing()
        self.refresh_bindings()

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with what is shown."""
        if action in ("order", "search", "filter"):
            return self.tab != BUDGETS
        return Lifting.check_action(self, action, parameters)

    @property
    def scope(self) -> str | None:
        """The scope under the cursor that can be let go on."""
        key: Any = self.limits.chosen if self.is_mounted and self.limits.has_focus else None
        if key is None or key[0] == "plan":
            return None if key is None else self._if_tripped(f"plan:{key[1]}")
        if key[0] == "session":
            return None if key[2] in self._lifted else str(key[2])
        return self._if_tripped(key[1])

    def _if_tripped(self, scope: str) -> str | None:
        is_so = any(each["scope"] == scope and each["level"] == "tripped" for each in self._budgets or ())
        return scope if is_so else None

    def lifted(self, scope: str) -> None:
        """Draw at once that it goes on."""
        self._lifted.add(scope)
        self._read()

    def show(self, tab: str) -> None:
        """Show a tab."""
        self.tab = tab
        self.query_one(Tabline).current = tab
        self.query_one(SearchBox).close()
        self._draw()
        self.shown_view.action_first()
        self.shown_view.focus()
        self._read()

    def on_tabline_chosen(self, event: Tabline.Chosen) -> None:
        """Show the tab that was clicked."""
        self.show(event.tab)

    def action_next_pane(self) -> None:
        """Show the tab to the right."""
        self._turn(1)

    def action_previous_pane(self) -> None:
        """Show the tab to the left."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        tabs = (*TABS, BUDGETS)
        self.show(tabs[(tabs.index(self.tab) + by) % len(tabs)])

    def action_order(self) -> None:
        """Put the lines in another order; days stay in theirs, and their bars show the figure."""
        orders = spending.ORDERS if self.tab != "days" else spending.ORDERS[:-1]
        self.order = orders[(orders.index(self.order) + 1) % len(orders)] if self.order in orders else orders[0]
        self._draw()
        self.figures.action_first()

    def action_filter(self) -> None:
        """Choose from when on, and which project."""

        async def read() -> list[Json]:
            return list((await self.shell.client.get("/projects"))["projects"])

        def ask(projects: list[Json]) -> None:
            options = [(f"period:{name}", words) for name, (_, words) in spending.PERIODS.items()]
            options += [("project:", "All projects")] if self.project else []
            options += [(f"project:{each['id']}", f"Only {each['name']}") for each in projects]
            names = {each["id"]: str(each["name"]) for each in projects}
            self.app.push_screen(Choose("Show", options), lambda chosen: self._narrow(chosen, names))

        self.shell.perform(read, ask, group="insights: projects")

    def _narrow(self, chosen: str | None, names: dict[str, str]) -> None:
        if chosen is None:
            return
        kind, _, value = chosen.partition(":")
        if kind == "period":
            self.period = value
        else:
            self.project = (value, names[value]) if value else None
        self._draw()
        self._read()

    def action_search(self) -> None:
        """Search the names."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the search; then look at all projects again."""
        search = self.query_one(SearchBox)
        if search.is_open:
            search.close()
        elif self.project is not None:
            self._narrow("project:", {})
        self.shown_view.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the person types."""
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the list of what was found."""
        self.query_one(SearchBox).done()
        self.shown_view.focus()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open the plan or the session; look at one project only."""
        key: Any = cast("RowsView", event.view).chosen
        if event.view is self.limits:
            if key is not None:
                self._open_subject(key)
        elif not key:
            return
        elif self.tab == "sessions":
            self.shell.open_session(key, "cost")
        elif self.tab == "plans":
            self.shell.show_plan(key)
        elif self.tab == "tasks" and "/" in key:
            plan, _, task = str(key).partition("/")
            self.shell.show_plan(plan, task)
        elif self.tab == "projects":
            names = {row["key"]: str(row.get("name") or row["key"]) for row in self._answers[self._key]["rows"]}
            self._narrow(f"project:{key}", names)

    def _open_subject(self, key: tuple[str, ...]) -> None:
        """Open what a line among the budgets is about."""
        kind, _, name = key[1].partition(":") if key[0] == "budget" else (key[0], ":", key[1])
        if kind == "session":
            self.shell.open_session(name)
        elif kind in ("plan", "task"):
            plan, _, task = name.partition("/")
            self.shell.show_plan(plan, task or None)


def fitting(parts: Sequence[str], width: int) -> str:
    """Return those of some sentences that have room in so many cells, the first ones first."""
    said = ""
    for part in filter(None, parts):
        longer = f"{said}  {part}" if said else part
        said = longer if not said or len(longer) <= width else said
    return said


def since_s(period: str, now: int) -> float | None:
    """Return how long ago a period began, in seconds: its first day began then."""
    days = spending.PERIODS[period][0]
    if days is None:
        return None
    begins = now
    for _ in range(days):
        # Day by day: one of them may have 23 hours or 25.
        begins = local_day(begins - 1)[1]
    return max(0.0, (now - begins) / 1000)
