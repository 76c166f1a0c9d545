"""The app's view model: one place that knows what is so, changed by events and answers only.

Everything that is drawn is drawn from here. `apply` takes one event and asks nobody: what an event leaves open is noted
as stale, and the feed reads it again in one request for many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from panels.view.alerts import alert_view, monotonic_ms
from panels.view.monitor import Monitor
from panels.view.plans import absorb as absorb_plan
from panels.view.sessions import Json, SessionView, absorb, session_view
from supervisor.model.alerts import Alerts
from supervisor.model.raising import take
from supervisor.model.times import from_rfc3339, now_ms

Topic = Literal["connection", "fleet", "approvals", "events", "supervisor", "alerts", "plans"]

RECENT = 1_000
"""Events that are kept for screens that open later."""

_APPROVAL_EVENTS = frozenset({"approval_registered", "approval_decided", "approval_ended"})
_QUEUE_EVENTS = frozenset({"queue_paused", "queue_resumed", "usage_limit"})


@dataclass(slots=True)
class Connection:
    """Whether what is shown is live. ``problem`` says why not, in a person's words."""

    state: Literal["connecting", "live", "away"] = "connecting"
    problem: str = ""


@dataclass(slots=True)
class Stale:
    """What is to be read again: sessions by id, and kinds of things."""

    sessions: set[str] = field(default_factory=set)
    approvals: bool = False
    supervisor: bool = False
    plans: bool = False

    def __bool__(self) -> bool:
        """Whether anything is."""
        return bool(self.sessions) or self.approvals or self.supervisor or self.plans


@dataclass(slots=True)
class Snapshot:
    """What the API says when the app connects, as of the event ``seq``."""

    seq: int
    sessions: list[Json]
    approvals: list[Json]
    status: Json
    agents: list[Json]
    queue: Json
    events: list[Json]
    alerts: Json = field(default_factory=lambda: {"seq": 0, "alerts": []})
    """They may be as of a later event than the rest."""


class ViewModel:
    """What the app knows."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.sessions: dict[str, SessionView] = {}
        self.approvals: dict[str, Json] = {}
        self.status: Json = {}
        self.agents: list[Json] = []
        self.queue: Json = {}
        self.recent: deque[Json] = deque(maxlen=RECENT)
        self.plans: dict[str, Json] | None = None
        """The plans as lists have them; None as long as nobody has looked at them."""
        self.alerts = Alerts(monotonic_ms)
        self.monitor = Monitor()
        self.seq = 0
        self.stale = Stale()
        self._changed: set[Topic] = set()
        self._plan_reads = 0

    def load(self, snapshot: Snapshot) -> None:
        """Take everything anew, after connecting."""
        lines = {known.id: (known.added, known.removed) for known in self.sessions.values()}
        self.sessions = {}
        self.take_sessions(snapshot.sessions)
        for session in self.sessions.values():
            session.added, session.removed = lines.get(session.id, (None, None))
        self.take_approvals(snapshot.approvals)
        self.take_supervisor(snapshot.status, snapshot.agents, snapshot.queue)
        self.recent.clear()
        self.recent.extend(snapshot.events)
        self.monitor.load(snapshot.events, snapshot.seq)
        # Nobody is told of what was there when the app was opened; of what it missed since they are.
        self._take_alerts(snapshot.alerts, is_news=bool(self.seq))
        self.seq = snapshot.seq
        # Events of plans were missed meanwhile, too; nobody asks for plans that nobody has looked at.
        self.stale = Stale(plans=self.plans is not None)
        self.connected("live")
        self._changed.add("events")

    def connected(self, state: Literal["connecting", "live", "away"], problem: str = "") -> None:
        """Note how the connection stands."""
        self.connection = Connection(state, problem)
        self._changed.add("connection")

    def take_sessions(self, found: Iterable[Json]) -> None:
        """Take sessions as the API has them; archived ones leave the fleet."""
        for each in found:
            if each["status"] == "archived":
                self.sessions.pop(each["id"], None)
                continue
            known, fresh = self.sessions.get(each["id"]), session_view(each)
            if known is not None:
                fresh.added, fresh.removed = known.added, known.removed
            self.sessions[fresh.id] = fresh
        self._changed.add("fleet")

    def take_approvals(self, found: Iterable[Json]) -> None:
        """Take all approvals that are pending."""
        self.approvals = {each["id"]: each for each in found}
        self._changed.add("approvals")

    @contextmanager
    def reading_plans(self) -> Iterator[None]:
        """While plans are being read, an event of one makes them stale: what is answered may be older than it."""
        self._plan_reads += 1
        try:
            yield
        finally:
            self._plan_reads -= 1

    def take_plans(self, found: Iterable[Json]) -> None:
        """Take all plans that are not archived."""
        self.plans = {each["id"]: each for each in found}
        self._changed.add("plans")

    def take_supervisor(self, status: Json, agents: list[Json], queue: Json) -> None:
        """Take how the supervisor, its agents and its queue are."""
        self.status, self.agents, self.queue = status, agents, queue
        self._changed.add("supervisor")

    def _take_alerts(self, answer: Json, *, is_news: bool) -> None:
        """Take all alerts as the supervisor has them, in the time of the app's own clock."""
        ahead = self.alerts.clock() - now_ms()
        self.alerts.load([alert_view(each, ahead) for each in answer["alerts"]], answer["seq"], is_news=is_news)
        self._changed.add("alerts")

    def measured(self, session: str, added: int, removed: int) -> None:
        """Take the size of a session's diff, in lines."""
        if (known := self.sessions.get(session)) is not None:
            known.added, known.removed = added, removed
            self._changed.add("fleet")

    def apply(self, event: Json) -> None:
        """Take one event of the stream."""
        self.seq = event["seq"]
        self.recent.append(event)
        self.monitor.take(event)
        self._changed.add("events")
        if take(self.alerts, event):
            self._changed.add("alerts")
        kind, identifier = event["type"], event["session"]
        if kind in _APPROVAL_EVENTS:
            self.stale.approvals = True
        elif kind in _QUEUE_EVENTS:
            self.stale.supervisor = True
        if event["phase"] == "plan" and self._plan_reads:
            self.stale.plans = True
        if event["phase"] == "plan" and event["plan"] is not None and self.plans is not None:
            self.stale.plans |= absorb_plan(self.plans, event)
            self._changed.add("plans")
        if identifier is None:
            return
        session = self.sessions.get(identifier)
        if session is None:
            if kind in ("session_created", "status_changed"):
                self.stale.sessions.add(identifier)
            return
        if absorb(session, kind, event["payload"], from_rfc3339(event["time"])):
            self.stale.sessions.add(identifier)
        self._changed.add("fleet")

    def take_changes(self) -> frozenset[Topic]:
        """Return what has changed since this was last asked."""
        changed = frozenset(self._changed)
        self._changed.clear()
        return changed

    def waiting(self) -> list[Any]:
        """Return what waits for the person: sessions that need them, the longest waiting first."""
        needs = [session for session in self.sessions.values() if session.group == "needs"]
        return sorted(needs, key=lambda session: session.reason_at or 0)
