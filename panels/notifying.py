"""Notifications: what a person who looks elsewhere is told, and through which doors.

Alerts that are severe enough, and sessions that begin to wait for the person. At most one notification in `EVERY_MS`:
what happens meanwhile is summed up in the next. In quiet hours nothing is told, and nothing is told later.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Final

from config.settings import Notifications
from panels.view.eventlines import name_of
from panels.view.model import Topic, ViewModel
from supervisor.model.alerts import RANKS, Alert
from supervisor.model.plain import one_line

if TYPE_CHECKING:
    from textual.app import App
    from textual.signal import Signal
    from textual.timer import Timer

EVERY_MS: Final = 5_000
GATHER_MS: Final = 500
"""What happens at once is told at once: so long after the first nothing is told yet."""

TITLE: Final = "Quarterdeck"
TEXT_LIMIT: Final = 200
"""Characters of a notification."""

DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")


def plain(text: str) -> str:
    """Return text that can stand in a terminal's control string: one line, nothing that ends it or divides it."""
    flat = one_line(text[: 8 * TEXT_LIMIT])
    return "".join("," if letter == ";" else letter for letter in flat if letter.isprintable())[:TEXT_LIMIT]


def sequences(text: str, *, in_tmux: bool) -> str:
    """Return what makes a terminal show a notification: OSC 9 (iTerm2 and others) and OSC 777 (urxvt and others).

    tmux hands them to the terminal it runs in when they are wrapped and `allow-passthrough` is on.
    """
    said = plain(text)
    found = [f"\x1b]9;{TITLE}: {said}\x07", f"\x1b]777;notify;{TITLE};{said}\x07"]
    if in_tmux:
        found = ["\x1bPtmux;" + each.replace("\x1b", "\x1b\x1b") + "\x1b\\" for each in found]
    return "".join(found)


def is_quiet(quiet: str | None, moment: time) -> bool:
    """Whether a local time of day is within quiet hours, which may reach over midnight."""
    if quiet is None:
        return False
    start, end = (time.fromisoformat(part) for part in quiet.split("-"))
    return start <= moment < end if start < end else moment >= start or moment < end


@dataclass(slots=True)
class Gathering:
    """Gathers what is to be told until it is time. ``clock`` is the clock of the alerts, in milliseconds."""

    settings: Notifications
    clock: Callable[[], int]
    _waiting: dict[str, str] = field(default_factory=dict)
    _alerts: list[Alert] = field(default_factory=list)
    _needed: set[str] | None = None
    _first_at: int = 0
    _told_at: int | None = None

    def look(self, view: ViewModel) -> None:
        """Take what is new in the view model. What waited already when the app was opened is no news."""
        had = bool(self)
        needs = {session.id: session for session in view.sessions.values() if session.group == "needs"}
        if self._needed is not None:
            for identifier, session in needs.items():
                if identifier not in self._needed:
                    self._waiting[identifier] = session.name
        for identifier in [each for each in self._waiting if each not in needs]:
            del self._waiting[identifier]  # It was answered before anybody was told.
        if view.connection.state == "live":
            self._needed = set(needs)
        for alert in view.alerts.raised:
            # That a session asks is told by its waiting.
            asks = alert.kind == "asked" and alert.session is not None
            if RANKS[alert.severity] >= RANKS[self.settings.min_severity] and not asks:
                self._alerts.append(alert)
        view.alerts.raised = []
        if self and not had:
            self._first_at = self.clock()

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._waiting or self._alerts)

    def due_in(self) -> int | None:
        """Return in how many milliseconds it is time to tell; None when there is nothing."""
        if not self:
            return None
        at = self._first_at + GATHER_MS
        if self._told_at is not None:
            at = max(at, self._told_at + EVERY_MS)
        return max(0, at - self.clock())

    def take(self, view: ViewModel, moment: time) -> str | None:
        """Return one sentence for all that was gathered; None in quiet hours, and when nothing is left of it."""
        parts = [part for part in (_waits(self._waiting), _alerts(self._alerts, view)) if part]
        self._waiting, self._alerts = {}, []
        if not parts or is_quiet(self.settings.quiet, moment):
            return None
        self._told_at = self.clock()
        return ". ".join(parts)


def _waits(waiting: Mapping[str, str]) -> str:
    if len(waiting) > 1:
        return f"{len(waiting)} sessions wait for you"
    return "".join(f"{name} waits for you" for name in waiting.values())


def _alerts(alerts: list[Alert], view: ViewModel) -> str:
    if not alerts:
        return ""
    worst = max(alerts, key=lambda each: RANKS[each.severity])
    text = " ".join(filter(None, (name_of(worst.session, view.sessions), worst.text)))
    return text if len(alerts) == 1 else f"{len(alerts)} alerts, among them: {text}"


def tell(text: str, settings: Notifications, write: Callable[[str], object], environ: Mapping[str, str]) -> None:
    """Tell it through every door that is open; ``write`` takes what goes to the terminal."""
    out = "\x07" if settings.bell else ""
    if settings.terminal:
        out += sequences(text, in_tmux="TMUX" in environ)
    if out:
        write(out)
    if settings.desktop:
        _desktop(text, environ)


def _desktop(text: str, environ: Mapping[str, str]) -> None:
    program = shutil.which("notify-send", path=environ.get("PATH", os.defpath))
    if program is None or not any(environ.get(name) for name in DISPLAYS):
        return
    # The body of a desktop notification is markup.
    body = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # It ends by itself. Its parent is a shell that does not wait, so that nothing of it is left here either.
    subprocess.run(
        ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", program, f"--app-name={TITLE}", "--", TITLE, body],
        env=dict(environ),
        check=False,
    )


class Notifier:
    """Tells what the app's view model gathers, as long as the app has the terminal."""

    def __init__(
        self,
        app: App[Any],
        view: ViewModel,
        settings: Notifications,
        environ: Mapping[str, str],
        moment: Callable[[], time] = lambda: datetime.now().astimezone().time(),
    ) -> None:
        self._app, self._view, self._settings, self._environ = app, view, settings, environ
        self._moment = moment
        self._gathering = Gathering(settings, view.alerts.clock)
        self._timer: Timer | None = None
        self._is_away = False

    def start(self, changes: Signal[frozenset[Topic]]) -> None:
        """Begin, with what is so as what is known."""
        self._gathering.look(self._view)
        changes.subscribe(self._app, self._changed)
        self._app.app_suspend_signal.subscribe(self._app, lambda _: self._away(True), immediate=True)
        self._app.app_resume_signal.subscribe(self._app, lambda _: self._away(False), immediate=True)

    def _away(self, is_away: bool) -> None:
        self._is_away = is_away

    def _changed(self, topics: frozenset[Topic]) -> None:
        if topics & {"alerts", "fleet", "connection"}:
            self._gathering.look(self._view)
            self._later()

    def _later(self) -> None:
        due = self._gathering.due_in()
        if due is not None and self._timer is None:
            self._timer = self._app.set_timer(due / 1000, self._tell)

    def _tell(self) -> None:
        self._timer = None
        due = self._gathering.due_in()
        if due:
            self._later()
        elif due == 0:
            text = self._gathering.take(self._view, self._moment())
            # While another program has the terminal, or where there is none, nothing may be written into it.
            if text is not None and not self._is_away and not self._app.is_headless:
                tell(text, self._settings, self._write, self._environ)

    def _write(self, data: str) -> None:
        if (driver := self._app._driver) is not None:
            driver.write(data)
            driver.flush()
