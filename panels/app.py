"""The app: a client of the supervisor with a screen.

It paints its shell first and connects after. It can crash, be closed, be opened twice: nothing depends on it.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import App, SuspendNotSupported
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.signal import Signal
from textual.worker import Worker, WorkerState

from panels import themes
from panels.keys import bindings
from panels.screens.main import PANELS, MainScreen
from panels.view import messages
from panels.view.model import Topic, ViewModel
from supervisor.model.errors import QuarterdeckError, SupervisorUnreachable
from supervisor.model.times import now_ms

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen

    from config.paths import Paths
    from panels.feed import Feed
    from panels.measuring import Measuring
    from panels.theming import Preview
    from supervisor.api.client import Client

T = TypeVar("T")
TOAST_PART = 0.8
TOAST_EDGE = 4
"""How wide a message may be: a part of the screen (see app.tcss), and the cells of it that are its edge."""

Json = dict[str, Any]


def _commands() -> type[Provider]:
    from panels.commands import Actions

    return Actions


def _themes() -> type[Provider]:
    from panels.theming import FoundThemes

    return FoundThemes


class QuarterdeckApp(App[None]):
    """Shows what needs the person, what every agent does now and what it costs, and lets them act.

    ``paths`` say where the supervisor listens; ``revive`` is called while none answers: it may start one. ``loaded`` is
    called once everything that takes long to load is there.
    """

    TITLE = "Quarterdeck"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    COMMANDS = {_commands, _themes}  # noqa: RUF012 - Textual reads it as an attribute of instances too
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (50, "-stacked"), (80, "-wide"), (120, "-roomy")]  # noqa: RUF012 - as above
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012 - as above
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(*(f"panel('{name}')" for name in PANELS)),
        *bindings(
            "help",
            "quit_app",
            "messages",
            "theme",
            "app.command_palette",
            "app.focus_next",
            "app.focus_previous",
            "back",
        ),
    ]

    def __init__(
        self,
        paths: Paths,
        revive: Callable[[], Awaitable[None]],
        *,
        loaded: Callable[[], object] = lambda: None,
        theme: str = themes.DARK.name,
    ) -> None:
        super().__init__()
        self._loaded = loaded
        self.view = ViewModel()
        self.changes: Signal[frozenset[Topic]] = Signal(self, "changes")
        self.paths, self._revive = paths, revive
        self._client: Client | None = None
        self._feed: Feed | None = None
        self._measuring: Measuring | None = None
        self._listeners: list[Callable[[Json], None]] = []
        self.messages: deque[messages.Said] = deque(maxlen=messages.KEPT)
        self._preview: Preview | None = None
        for each in (themes.DARK, themes.LIGHT):
            self.register_theme(each)
        self.theme = theme if theme in self.available_themes else themes.DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give every theme the colours of statuses."""
        return themes.status_variables(dark=self.current_theme.dark)

    def get_default_screen(self) -> Screen[Any]:
        """Start with the main screen."""
        return MainScreen()

    def on_mount(self) -> None:
        """Connect as soon as the first frame is there."""
        self.call_after_refresh(self._connect)

    def _connect(self) -> None:
        self.run_worker(self._follow(), name="feed", exit_on_error=False)

    async def _follow(self) -> None:
        # What speaks HTTP takes longer to load than the first frame to paint.
        module = await asyncio.to_thread(import_module, "panels.feed")
        self._loaded()
        measuring = import_module("panels.measuring")
        async with module.open_client(self.paths) as self._client:
            feed: Feed = module.Feed(self._client, self.view, self._changed, self._revive, self.paths)
            self._measuring = measuring.Measuring(self._client, self.view, feed.refresh)
            feed.listen(self._measuring.heard)
            self.run_worker(self._measuring.run(), name="measuring", exit_on_error=False)
            for listener in self._listeners:
                feed.listen(listener)
            self._feed = feed
            await self._notify()
            await feed.run()

    async def _notify(self) -> None:
        notifying, loading, settings = await asyncio.gather(
            *(
                asyncio.to_thread(import_module, name)
                for name in ("panels.notifying", "config.loading", "config.settings")
            )
        )
        try:
            chosen = (await asyncio.to_thread(loading.load, self.paths)).settings.notifications
        except QuarterdeckError:  # The supervisor's health says what is wrong with the configuration.
            chosen = settings.Notifications()
        notifying.Notifier(self, self.view, chosen, os.environ).start(self.changes)

    def _changed(self, topics: frozenset[Topic]) -> None:
        if self._measuring is not None and self.view.connection.state == "live":
            self._measuring.connected()
        self.changes.publish(topics)

    # What panels ask for (`panels.shell.Shell`).

    @property
    def client(self) -> Client:
        """The client of the API."""
        if self._client is None:
            raise SupervisorUnreachable("The app has not connected yet.", hint="Try again in a moment.")
        return self._client

    def listen(self, listener: Callable[[Json], None]) -> Callable[[], None]:
        """Call ``listener`` with each event of the stream; returns what ends that."""
        if self._feed is not None:
            return self._feed.listen(listener)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def perform(
        self, work: Callable[[], Awaitable[T]], done: Callable[[T], object] | None = None, *, group: str = "perform"
    ) -> None:
        """Do work in the background, then ``done`` with its result. What goes wrong is shown as a sentence."""

        async def doing() -> None:
            try:
                result = await work()
            except QuarterdeckError as error:
                self.say(str(error), severity="error")
            else:
                if done is not None:
                    done(result)

        # The function, not what it returns: a worker that comes too late, when the app closes, calls nothing.
        called: Any = doing
        self.run_worker(called, group=group, exclusive=group != "perform", exit_on_error=False)

    def say(self, message: str, *, severity: str = "information", title: str = "") -> None:
        """Show a message for a moment, in two lines at most; it can be read again. Markup in it means nothing."""
        level = cast("messages.Severity", severity)
        whole = f"{title}: {message}" if title else message
        self.messages.append(messages.Said(now_ms(), level, whole))
        short = messages.compact(whole, int(self.size.width * TOAST_PART) - TOAST_EDGE)
        self.notify(short, severity=level, timeout=messages.SECONDS[level], markup=False)

    def open_session(self, session: str, tab: str = "log") -> None:
        """Open a session's own screen."""
        from panels.screens.session import SessionScreen

        self.push_screen(SessionScreen(session, tab))

    def show_panel(self, name: str) -> None:
        """Show a panel of the main screen."""
        while not isinstance(self.screen, MainScreen) and len(self.screen_stack) > 1:
            self.pop_screen()
        if isinstance(self.screen, MainScreen):
            self.screen.show(name)

    def show_approval(self, approval: str) -> None:
        """Show an approval where it can be decided."""
        self.show_panel("approvals")
        if isinstance(self.screen, MainScreen):
            self.screen.show_approval(approval)

    def show_plan(self, plan: str, task: str | None = None) -> None:
        """Open a plan in its panel, at one of its tasks."""
        self.show_panel("plans")
        if isinstance(self.screen, MainScreen):
            self.screen.show_plan(plan, task)

    async def refresh_view(self) -> None:
        """Read again what the view model calls stale, now."""
        if self._feed is not None:
            await self._feed.refresh()

    def suspend_for(self, command: list[str]) -> None:
        """Leave the terminal to a program until it ends, then draw everything anew."""
        try:
            with self.suspend():
                subprocess.run(command, check=False)
        except SuspendNotSupported:
            self.say(
                f"There is no terminal here to leave to it. In one of yours: {shlex.join(command)}", severity="error"
            )
        self.refresh(layout=True)

    def edit(self, text: str, suffix: str = ".md") -> str | None:
        """Let the person edit a text in $EDITOR; None when they gave up or there is no editor."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        with tempfile.TemporaryDirectory(prefix="quarterdeck-") as folder:
            file = Path(folder, f"prompt{suffix}")
            file.write_text(text)
            try:
                with self.suspend():
                    code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
            except (OSError, ValueError) as error:
                self.say(f"The editor {editor!r} cannot be started: {error}. Set EDITOR.", severity="error")
                return None
            except SuspendNotSupported:
                self.say("There is no terminal here for an editor. Write it in a dialog of the app.", severity="error")
                return None
            finally:
                self.refresh(layout=True)
            return file.read_text() if code == 0 else None

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what went wrong where nothing should have: the app goes on."""
        if event.state is WorkerState.ERROR:
            self.log.error(event.worker.error)
            self.say(f"Something went wrong in the app: {event.worker.error!r}.", severity="error")

    # Actions.

    def action_panel(self, name: str) -> None:
        """Show a panel."""
        self.show_panel(name)

    def action_quit_app(self) -> None:
        """Leave; the supervisor and all sessions go on."""
        self.exit()

    async def action_back(self) -> None:
        """Close the screen on top; at the main screen do nothing."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_theme(self) -> None:
        """Choose a theme; each is shown while the person moves."""
        from panels.theming import Themes

        self.push_screen(CommandPalette([Themes], placeholder="Themes: ↑ ↓ shows one, enter takes it, esc none"))

    def on_command_palette_option_highlighted(self, event: CommandPalette.OptionHighlighted) -> None:
        """Show a theme while the palette is on it."""
        if self._preview is None:
            from panels.theming import Preview

            self._preview = Preview(self)
        self._preview.look(event)

    def on_command_palette_closed(self) -> None:
        """Show again what was shown before the palette; what was chosen in it is done after this."""
        if self._preview is not None:
            self._preview.end()

    def action_take_theme(self, name: str) -> None:
        """Take a theme, also for the next time."""
        self.theme = name
        self.perform(partial(asyncio.to_thread, self._remember_theme, name), group="theme")

    def _remember_theme(self, theme: str) -> None:
        remembered = import_module("panels.remembered")
        with suppress(OSError):
            remembered.save(self.paths.state, replace(remembered.load(self.paths.state), theme=theme))

    def action_messages(self) -> None:
        """Show what was said, to be read again; nothing of it lies over that."""
        from panels.screens.messages import Messages

        self.clear_notifications()
        self.push_screen(Messages(list(self.messages)))

    def action_help(self) -> None:
        """Show what every key does."""
        from panels.screens.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))
