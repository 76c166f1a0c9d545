"""Schedules: what runs by itself, when next, and what came of it; over the Plans panel."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Static

from panels.asking import Asking
from panels.focus import LOOK_S, keys_are_lost
from panels.keys import bindings
from panels.screens.main import PANELS
from panels.shell import Json
from panels.view import schedules as view
from panels.view.model import Topic
from panels.view.rows import Row
from panels.view.schedules import Missed
from panels.view.wrapping import wrap
from panels.widgets.away import AwayLine
from panels.widgets.keyline import Keyline
from panels.widgets.lines import LineView
from panels.widgets.rows import RowsView
from panels.widgets.strip import AlertStrip
from panels.widgets.topline import Topline
from supervisor.model.times import now_ms

EVENTS: Final = 200
"""Newest events of missed times that are looked through."""

REST_S: Final = 0.15
REREAD_S: Final = 0.4
AWAY: Final = "The supervisor does not answer."


class SchedulesScreen(Screen[None], Asking):
    """A list, and everything about the schedule under the cursor below it, beside it where there is room."""

    AUTO_FOCUS = "#schedules"
    SCOPED_CSS = False
    DEFAULT_CSS = """
    SchedulesScreen #schedules-title { height: 1; padding: 0 1; background: $panel; color: $text-muted; }
    SchedulesScreen #schedules-body { height: 1fr; layout: vertical; }
    SchedulesScreen #schedules { height: 35%; max-height: 35%; width: 1fr; padding: 0 1; }
    SchedulesScreen #schedule { height: 1fr; width: 1fr; padding: 0 1; border-top: tall $panel; }
    SchedulesScreen #schedule:focus { border-top: tall $primary; }
    SchedulesScreen.-empty #schedules { height: 1fr; max-height: 100%; }
    SchedulesScreen.-empty #schedule { display: none; }
    SchedulesScreen.-roomy #schedules-body { layout: horizontal; }
    SchedulesScreen.-roomy #schedules { width: 50%; height: 1fr; max-height: 100%; }
    SchedulesScreen.-roomy #schedule { height: 1fr; border-top: none; border-left: tall $panel; }
    SchedulesScreen.-roomy #schedule:focus { border-top: none; border-left: tall $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("approve", "begin", "pause", "refresh", "back")]

    def __init__(self) -> None:
        super().__init__()
        self._schedules: list[Json] | None = None
        self._details: dict[str, Json] = {}
        self._missed: dict[str, list[Missed]] = {}
        self._rereads = False

    def compose(self) -> ComposeResult:
        """Put in the list and the details."""
        yield Topline(list(PANELS), "plans", id="topline")
        yield AwayLine(tells=False)
        yield AlertStrip()
        yield Static("Schedules: plans that run by themselves. esc goes back to the plans.", id="schedules-title")
        with Horizontal(id="schedules-body"):
            yield RowsView(id="schedules")
            yield RowsView(id="schedule")
        yield Keyline()

    @property
    def listed(self) -> RowsView:
        """The list."""
        return self.query_one("#schedules", RowsView)

    @property
    def detail(self) -> RowsView:
        """What is known of the schedule under the cursor."""
        return self.query_one("#schedule", RowsView)

    @property
    def schedule(self) -> Json | None:
        """The schedule under the cursor, with its runs as far as they were read."""
        found = self._found()
        return found and self._details.get(found["id"], found)

    def _found(self) -> Json | None:
        """The schedule under the cursor as it is in the list, which may have been read later than its runs."""
        if not self.is_mounted or self._schedules is None:
            return None
        return next((each for each in self._schedules if each["id"] == self.listed.chosen), None)

    def on_mount(self) -> None:
        """Read them, hear of what happens to them, and count the times down."""
        self._end_listening = self._shell.listen(self._happened)
        self._shell.changes.subscribe(self, self._heard)
        self.set_interval(LOOK_S, self._tick)
        self._draw()
        self._read()

    def on_unmount(self) -> None:
        """Hear of events no more."""
        self._end_listening()

    # Reading.

    def _heard(self, topics: frozenset[Topic]) -> None:
        if "connection" in topics and self._shell.view.connection.state == "live":
            self._read()
        elif topics & {"connection", "plans"}:
            self._draw()

    def _happened(self, event: Json) -> None:
        """Read again what a schedule, a plan or a decision may have changed; many events at once."""
        if self._rereads or not (event["phase"] == "plan" or event["type"].startswith("approval_")):
            return
        self._rereads = True
        self.set_timer(REREAD_S, self._read)

    def _tick(self) -> None:
        self._draw()
        if keys_are_lost(self):
            self.listed.focus()

    def _read(self) -> None:
        self._rereads = False

        async def read() -> tuple[list[Json], list[Json]]:
            get = self._shell.client.get
            found, lost = await asyncio.gather(get("/schedules"), get("/events", type="schedule_missed", limit=EVENTS))
            return found["schedules"], lost["events"]

        def take(answer: tuple[list[Json], list[Json]]) -> None:
            found, lost = answer
            self._schedules, self._missed = view.ordered(found), view.missed(lost)
            self._draw()
            self._read_chosen()

        self._shell.perform(read, take, group="schedules")

    def _read_chosen(self) -> None:
        """Read the runs of the schedule under the cursor."""
        if (chosen := self.listed.chosen) is None:
            return

        async def read() -> Json:
            from supervisor.api.client import at

            found: Json = (await self._shell.client.get(at("schedule", str(chosen))))["schedule"]
            return found

        def take(found: Json) -> None:
            self._details[found["id"]] = found
            self._draw()

        self._shell.perform(read, take, group="schedule")

    def action_refresh(self) -> None:
        """Read them again."""
        self._read()

    # Drawing.

    def _draw(self) -> None:
        found, plans, now = self._schedules, self._shell.view.plans or {}, now_ms()
        self.set_class(not found, "-empty")
        # As many lines as there are, where the details are below them.
        is_beside = self.has_class("-roomy") or not found
        self.listed.styles.height = None if is_beside else max(2, len(found or ()))
        if found:
            self.listed.show(lambda width: view.list_rows(found, self._missed, plans, width, now))
        else:
            self.listed.show(self._why_empty)
        if (schedule := self.schedule) is not None:
            lost = self._missed.get(schedule["id"], [])
            self.detail.show(lambda width: view.detail_rows(schedule, lost, plans, width, now))
        self.refresh_bindings()

    def _why_empty(self, width: int) -> list[Row]:
        connection = self._shell.view.connection
        text = "" if self._schedules is None else view.EMPTY
        if connection.state == "away":
            text = connection.problem or AWAY
        return [Row([(line, "dim")]) for part in text.split("\n") for line in wrap(part, max(20, width)) or [""]]

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Show the schedule that the cursor came to."""
        if event.view is self.listed:
            self._draw()
            self.detail.action_first()
            self.set_timer(REST_S, self._read_chosen)
        self.refresh_bindings()

    # What the person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done to the schedule under the cursor."""
        if action in ("pause", "begin"):
            return self.schedule is not None
        if action == "approve":
            return self._asked() is not None
        return True

    def _asked(self) -> str | None:
        """Return the question about the run under the cursor, else about the newest one that waits."""
        found, schedule = self._found(), self.schedule
        if found is None or schedule is None:
            return None
        waiting = {run["approval"] for run in schedule["runs"] if run["state"] == "waiting" and run["approval"]}
        key: Any = self.detail.chosen if self.detail.has_focus else None
        if key is not None and key[2] in waiting:
            return str(key[2])
        run = view.waiting_run(found) or view.waiting_run(schedule)
        return str(run["approval"]) if run is not None else None

    def action_approve(self) -> None:
        """Go to the question whether a run may start, where its whole document is shown: there it is decided."""
        if (asked := self._asked()) is not None:
            self._shell.show_approval(asked)

    def action_pause(self) -> None:
        """Have no more runs made, or have them made again."""
        if (schedule := self.schedule) is not None:
            paused = schedule["paused_at"] is not None
            said = "is due again from now on." if paused else "is paused: nothing is due until p lets it go on."
            self._send(schedule, "resume" if paused else "pause", f"{schedule['plan']} {said}")

    def action_begin(self) -> None:
        """Have a run made now, after a question."""
        from panels.dialogs import Confirm

        if (schedule := self.schedule) is None:
            return
        starts = (
            "It starts at once." if schedule["approval"] == "auto" else "It waits for your approval before it starts."
        )
        body = (
            f"A plan of its own is made of the document of {schedule['plan']} that is in force now. {starts} "
            "The times that it is due stay as they are."
        )
        self._push(
            Confirm(f"Run {schedule['plan']} now?", body, yes="Run it"),
            lambda _: self._send(schedule, "run", f"A run of {schedule['plan']} is being made."),
        )

    def _send(self, schedule: Json, what: str, said: str) -> None:
        async def post() -> Json:
            from supervisor.api.client import at

            return await self._shell.client.post(at("schedule", schedule["id"], what), {})

        def done(answer: Json) -> None:
            self._details[schedule["id"]] = answer["schedule"]
            self._shell.say(said)
            self._read()

        self._shell.perform(post, done)

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Go into the details; from a run go to its plan."""
        if event.view is self.listed:
            if self.schedule is not None:
                self.detail.focus()
        elif (key := self.detail.chosen) is not None:
            run: Any = key
            self._shell.show_plan(run[1])

    async def action_back(self) -> None:
        """Leave the details; then go back to the plans."""
        if self.detail.has_focus:
            self.listed.focus()
        else:
            self.dismiss()

    def on_topline_chosen(self, event: Topline.Chosen) -> None:
        """Show the panel whose name was clicked."""
        self._shell.show_panel(event.panel)
