"""What the monitor knows: the last events of each phase, how many there are a second, and what a filter lets through.

An event costs an append and two counts; everything else is done when something is drawn.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from panels.view.alerts import monotonic_ms
from panels.view.summaries import summary
from supervisor.model.events import PHASES, EventType
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

PER_PHASE: Final = 100
"""Events of a phase that are in view; the history has them all."""

SECONDS: Final = 120
"""For so long activity is counted."""

RATE_S: Final = 10
"""Rates are means over so many seconds."""

_LEVELS: Final = "▁▂▃▄▅▆▇█"
_SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")


@dataclass(slots=True)
class _Second:
    """The events of one second: all, and of each session."""

    second: int = -1
    total: int = 0
    sessions: dict[str | None, int] = field(default_factory=dict)


class Monitor:
    """The live events. ``clock`` is in milliseconds and need not tell the time of day."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms) -> None:
        self._clock = clock
        self._phases: dict[str, deque[Json]] = {phase: deque(maxlen=PER_PHASE) for phase in PHASES}
        self._seconds = [_Second() for _ in range(SECONDS)]
        self._seq = 0

    def load(self, events: Iterable[Json], seq: int) -> None:
        """Take what is already stored, after connecting.

        What was cleared does not come back; a number that is below the last one means another history.
        """
        if seq < self._seq:
            self._seq = 0
            self.clear()
        for event in events:
            if event["seq"] > self._seq:
                self._keep(event)
        self._seq = max(self._seq, seq)

    def take(self, event: Json) -> None:
        """Take one event of the stream."""
        self._keep(event)
        self._seq = event["seq"]
        second = self._clock() // 1000
        slot = self._seconds[second % SECONDS]
        if slot.second != second:
            slot.second, slot.total, slot.sessions = second, 0, {}
        slot.total += 1
        session = event["session"]
        slot.sessions[session] = slot.sessions.get(session, 0) + 1

    def _keep(self, event: Json) -> None:
        if event["type"] == EventType.VIEW_CLEARED:
            payload = event["payload"]
            # One that does not say until when clears nothing.
            with suppress(KeyError, TypeError, ValueError):
                # What happened in the same millisecond was there before it, too.
                self.clear_older(from_rfc3339(payload["before"]) + 1, payload.get("phase"))
        phase = self._phases.get(event["phase"])
        if phase is None:  # A newer supervisor may know more phases than this app.
            phase = self._phases["telemetry"]
        phase.append(event)

    def counts(self) -> dict[str, int]:
        """Return how many events of each phase are in view."""
        return {phase: len(events) for phase, events in self._phases.items()}

    def events(self, phase: str | None = None) -> list[Json]:
        """Return the events in view, of one phase or of all, in their order."""
        if phase is not None:
            return list(self._phases[phase])
        return list(heapq.merge(*self._phases.values(), key=itemgetter("seq")))

    def clear(self, phase: str | None = None) -> None:
        """Empty the view of a phase, or of all; the history stays."""
        for name, events in self._phases.items():
            if phase in (None, name):
                events.clear()

    def clear_older(self, before: int, phase: str | None = None) -> None:
        """Take away what happened before a time, in milliseconds since the epoch: of a phase, or of all."""
        for name, events in self._phases.items():
            if phase not in (None, name):
                continue
            kept = (event for event in events if from_rfc3339(event["time"]) >= before)
            self._phases[name] = deque(kept, maxlen=PER_PHASE)

    def activity(self) -> list[int]:
        """Return the events of each second, oldest first, up to the second that is not over yet."""
        last = self._clock() // 1000
        slots = (self._seconds[second % SECONDS] for second in range(last - SECONDS + 1, last + 1))
        return [slot.total if slot.second > last - SECONDS else 0 for slot in slots]

    def rate(self) -> float:
        """Return the events per second of the last ten whole seconds."""
        return sum(self.activity()[-RATE_S - 1 : -1]) / RATE_S

    def rates(self) -> list[tuple[str, float]]:
        """Return the sessions that had events in the last ten whole seconds, the busiest first, per second."""
        last, found = self._clock() // 1000, dict[str, int]()
        for second in range(last - RATE_S, last):
            slot = self._seconds[second % SECONDS]
            if slot.second == second:
                for session, count in slot.sessions.items():
                    if session is not None:
                        found[session] = found.get(session, 0) + count
        return sorted(((session, count / RATE_S) for session, count in found.items()), key=lambda each: -each[1])


def sparkline(activity: list[int], width: int) -> str:
    """Return activity as a drawing of so many cells at most, the newest on the right; what does not fit is summed."""
    if width <= 0 or not activity:
        return ""
    per = -(-len(activity) // width)
    start = len(activity) % per
    head = [sum(activity[:start])] if start else []
    sums = head + [sum(activity[at : at + per]) for at in range(start, len(activity), per)]
    most = max(sums)
    return (
        "".join(_LEVELS[-(-count * 7 // most)] if count else _LEVELS[0] for count in sums) if most else "▁" * len(sums)
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a filter lets through: words that occur, and what ``name:value`` asks for."""

    words: tuple[str, ...] = ()
    agent: str = ""
    session: str = ""
    type: str = ""
    phase: str = ""
    severity: int = 0
    confidence: float | None = None

    def __bool__(self) -> bool:
        """Whether it keeps anything out."""
        return self != Wanted()

    def lets(self, event: Json, name: str, agent: str) -> bool:
        """Whether an event passes, of a session and agent with these names."""
        if not (
            event["type"].startswith(self.type)
            and event["phase"].startswith(self.phase)
            and self.agent in agent.casefold()
            and self.session in name.casefold()
            and (not self.severity or rank(event["severity"]) >= self.severity)
        ):
            return False
        if self.confidence is not None:
            said = event["payload"].get("confidence")
            if not isinstance(said, int | float) or said < self.confidence:
                return False
        if not self.words:
            return True
        known = " ".join((event["type"], name, agent, summary(event))).casefold()
        return all(word in known for word in self.words)


def rank(severity: str) -> int:
    """Return how bad a severity is; what is not known is as info."""
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else 1


def wanted(text: str) -> Wanted:
    """Read a filter: ``agent:claude severity:warning timeout``. A severity lets through what is as bad or worse.

    Also ``session:``, ``type:``, ``phase:`` and ``confidence:``, a number that an event's own must reach. What has
    another name, or no value that can be read yet, is a word to look for.
    """
    words, fields = list[str](), dict[str, Any]()
    for part in text.casefold().split():
        name, colon, value = part.partition(":")
        if not colon or name not in ("agent", "session", "type", "phase", "severity", "confidence"):
            words.append(part)
        elif name == "severity":
            fields[name] = next((i for i, each in enumerate(_SEVERITIES) if value and each.startswith(value)), 0)
        elif name == "confidence":
            fields[name] = float(value) if value.replace(".", "", 1).isdecimal() else None
        else:
            fields[name] = value
    return Wanted(words=tuple(words), **fields)
