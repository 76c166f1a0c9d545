"""The monitor: alerts on top, live events below them, and beside them what is limited."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from panels.dialogs import Choose
from panels.keys import bindings
from panels.panel import Panel
from panels.shell import Json
from panels.view.eventlines import name_of
from panels.view.limits import limits
from panels.view.model import Topic
from panels.view.monitor import wanted
from panels.widgets.activity import Activity
from panels.widgets.eventlists import AlertLines, EventLines, LimitLines
from panels.widgets.lines import LineView
from panels.widgets.search import SearchBox
from supervisor.model.alerts import Alert
from supervisor.model.errors import NotFound, QuarterdeckError
from supervisor.model.events import PHASES
from supervisor.model.times import now_ms

EMPTY: Final = """\
No events yet.

Here you see live what agents, tools and the supervisor do, and what goes wrong: alerts come on top.

  1 n   start a session; its events appear here
  ]     budgets, limits, the queue and health

To try alerts, from a shell:  quarterdeck emit --test-alert high"""

NOT_FOUND: Final = "No event in view passes. f chooses another phase, esc empties the filter."

AWAY: Final = "The supervisor does not answer."

TICK_S: Final = 0.25
"""Countdowns, pulses and the activity are drawn on this often."""

HOUR_MS: Final = 3_600_000


class MonitorPanel(Panel):
    """Draws the view model's alerts, events and limits."""

    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"alerts", "events", "fleet", "supervisor", "connection"})
    SCOPED_CSS = False  # It looks at the class of the screen, which says how much room there is.
    DEFAULT_CSS = """
    MonitorPanel { layout: horizontal; }
    MonitorPanel #happens { width: 1fr; height: 1fr; }
    MonitorPanel #empty { display: none; }
    MonitorPanel.-empty #empty { display: block; }
    MonitorPanel EventLines { height: 1fr; padding: 0 0 0 1; }
    MonitorPanel.-empty EventLines { height: 1; }
    MonitorPanel AlertLines { padding: 0 0 0 1; }
    MonitorPanel LimitLines { display: none; width: 1fr; height: 1fr; padding: 0 1; }
    MonitorPanel.-limits LimitLines { display: block; }
    MonitorPanel.-limits #happens { display: none; }
    .-roomy MonitorPanel LimitLines { display: block; width: 32%; }
    .-roomy MonitorPanel #happens { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "filter", "search", "dismiss", "acknowledge", "clear", "explain", "previous_pane", "next_pane", "back",
            "refresh",
        )
    ]  # fmt: skip

    def compose(self) -> ComposeResult:
        """Put in alerts, activity, filter and events, and what is limited."""
        with Vertical(id="happens"):
            yield AlertLines(id="alerts")
            yield Activity(id="activity")
            yield SearchBox("Words, agent:x severity:error session:x type:x")
            yield EventLines(id="events")
            yield Static(id="empty", classes="note", markup=False)
        yield LimitLines(lambda width: limits(self.shell.view, width, now_ms()), id="limits")

    def on_mount(self) -> None:
        """Count on what time changes."""
        self.set_interval(TICK_S, self._tick)

    @property
    def alerts(self) -> AlertLines:
        """The alerts."""
        return self.query_one("#alerts", AlertLines)

    @property
    def events(self) -> EventLines:
        """The events."""
        return self.query_one("#events", EventLines)

    @property
    def activity(self) -> Activity:
        """The phases and the activity."""
        return self.query_one("#activity", Activity)

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Draw what has changed."""
        if topics & {"alerts", "fleet"}:
            self._draw_alerts()
        if topics & {"events", "fleet", "connection"}:
            self._draw_events()
        if topics & {"supervisor", "fleet"}:
            self.query_one(LimitLines).show()

    def _draw_alerts(self) -> None:
        found, had = self.shell.view.alerts.visible(), len(self.alerts.alerts)
        if not found and self.alerts.has_focus:
            self.events.focus()
        self.alerts.show(found)
        if bool(found) != bool(had):
            self.refresh_bindings()

    def _draw_events(self) -> None:
        view, filter_ = self.shell.view, wanted(self.query_one(SearchBox).value)
        found = view.monitor.events(self.activity.phase)
        if filter_:
            found = [event for event in found if filter_.lets(event, *self._whose(event))]
        self.events.show(found)
        self._say_standing()
        self.activity.refresh()
        was_empty = self.has_class("-empty")
        self.set_class(not found, "-empty")
        if not found:
            narrowed = filter_ or self.activity.phase is not None
            text = {
                "connecting": "", "away": view.connection.problem or AWAY, "live": NOT_FOUND if narrowed else EMPTY,
            }  # fmt: skip
            self.query_one("#empty", Static).update(text[view.connection.state])
        if was_empty == bool(found):
            self.refresh_bindings()

    def _say_standing(self) -> None:
        self.query_one(SearchBox).say(self.events.standing())

    def _whose(self, event: Json) -> tuple[str, str]:
        sessions = self.shell.view.sessions
        known = sessions.get(event["session"] or "")
        agent = known.agent if known is not None else str(event["payload"].get("agent") or "")
        return name_of(event["session"], sessions), agent

    def _tick(self) -> None:
        if not self.is_on_screen:
            return
        self.activity.refresh()
        if self.alerts.alerts:
            self._draw_alerts()

    def focus_first(self) -> None:
        """Put the keys into the events."""
        self.events.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done here and now."""
        if not self.is_mounted:
            return True
        if action in ("dismiss", "acknowledge"):
            return bool(self.alerts.alerts)
        if action == "explain":
            return self.events.event is not None
        if action in ("next_pane", "previous_pane"):
            return not self.app.screen.has_class("-roomy") and self.has_class("-limits") == (action == "previous_pane")
        return True

    # What the person does.

    def action_filter(self) -> None:
        """Show the next phase only; after the last all again."""
        order = [None, *PHASES]
        self._choose(order[(order.index(self.activity.phase) + 1) % len(order)])  # type: ignore[arg-type]

    def on_activity_chosen(self, event: Activity.Chosen) -> None:
        """Show the phase that was clicked."""
        self._choose(event.phase)

    def _choose(self, phase: str | None) -> None:
        self.activity.phase = phase
        self.events.following = True
        self._draw_events()

    def action_search(self) -> None:
        """Narrow the events by words and fields."""
        self.query_one(SearchBox).open()

    def action_back(self) -> None:
        """End the filter; back from the limits to the events."""
        if self.has_class("-limits"):
            self.action_previous_pane()
            return
        self.query_one(SearchBox).close()
        self.activity.phase = None
        self._draw_events()
        self.focus_first()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the events while the person types."""
        self.activity.filtered = event.value.strip()
        self._draw_events()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go into the events that pass."""
        self.query_one(SearchBox).done()
        self.focus_first()

    def _alert(self) -> Alert | None:
        """Return the alert under the cursor when the keys are there, else the top one."""
        if self.alerts.has_focus:
            return self.alerts.alert
        return next(iter(self.alerts.alerts), None)

    def action_dismiss(self) -> None:
        """Take an alert away."""
        if (alert := self._alert()) is not None:
            self.shell.view.alerts.dismiss(alert)
            self._draw_alerts()
            self._tell(alert, "dismiss")

    def action_acknowledge(self) -> None:
        """Note that an alert was seen; without a cursor on one the first that was not."""
        alert = self._alert() if self.alerts.has_focus else self.shell.view.alerts.top()
        if alert is not None:
            self.shell.view.alerts.acknowledge(alert)
            self._draw_alerts()
            self._tell(alert, "ack")

    def _tell(self, alert: Alert, what: Literal["ack", "dismiss"]) -> None:
        """Let the supervisor do what is shown as done already; when it cannot, it is shown as it was."""

        async def tell() -> None:
            try:
                await self.shell.client.post(f"/alerts/{alert.id}/{what}")
            except NotFound:
                pass  # There it has gone by itself meanwhile, or it never was the same: nothing is left to do.
            except QuarterdeckError:
                self.shell.view.alerts.take_back(alert)
                self.shell.changes.publish(frozenset({"alerts"}))
                raise

        self.shell.perform(tell)

    def action_clear(self) -> None:
        """Empty the view; the history stays."""
        phase = self.activity.phase
        options = [("all", "All phases"), ("old", "What is older than one hour, of all phases")]
        if phase is not None:
            options.insert(0, ("phase", f"The phase {phase}"))
        dialog = Choose("Clear the view? The history stays: quarterdeck events", options)
        self.app.push_screen(dialog, lambda choice: self._clear(choice, phase))

    def _clear(self, choice: str | None, phase: str | None) -> None:
        monitor = self.shell.view.monitor
        if choice is None:
            return
        if choice == "old":
            monitor.clear_older(now_ms() - HOUR_MS)
        else:
            monitor.clear(phase if choice == "phase" else None)
        self._draw_events()

    def on_line_view_moved(self, event: LineView.Moved) -> None:
        """Offer what can be done to what the cursor came to."""
        self._say_standing()
        self.refresh_bindings()

    def on_line_view_opened(self, event: LineView.Opened) -> None:
        """Open the session of an alert or an event; show an event that has none as it is."""
        if event.view is self.alerts and (alert := self.alerts.alert) is not None:
            if alert.subject is not None:
                self.shell.show_approval(alert.subject)
            elif alert.session is not None:
                self.shell.open_session(alert.session)
        elif event.view is self.events and (chosen := self.events.event) is not None:
            if chosen["session"] is not None:
                self.shell.open_session(chosen["session"])
            else:
                self.action_explain()

    def action_explain(self) -> None:
        """Show everything that the event under the cursor carries."""
        from panels.screens.whole import WholeEvent

        if (event := self.events.event) is not None:
            self.app.push_screen(WholeEvent(event))

    def action_next_pane(self) -> None:
        """Show what is limited, where there is no room for it beside the events."""
        self.add_class("-limits")
        self.query_one(LimitLines).show()
        self.query_one(LimitLines).focus()
        self.refresh_bindings()

    def action_previous_pane(self) -> None:
        """Show the events again."""
        self.remove_class("-limits")
        self.focus_first()
        self.refresh_bindings()

    def action_refresh(self) -> None:
        """Read the queue and the health again."""

        async def reread() -> None:
            self.shell.view.stale.supervisor = True
            await self.shell.refresh_view()

        self.shell.perform(reread)
