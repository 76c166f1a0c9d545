"""What panels and screens may ask of the app that holds them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from textual.dom import DOMNode

from panels.view.model import Topic, ViewModel

if TYPE_CHECKING:
    from textual.signal import Signal

    from config.paths import Paths
    from supervisor.api.client import Client

T = TypeVar("T")
Json = dict[str, Any]


class Shell(Protocol):
    """The app, as its parts see it."""

    view: ViewModel
    paths: Paths
    """Where the supervisor and the app keep their files."""

    changes: Signal[frozenset[Topic]]
    """Published with the topics of the view model that changed, at most some times a second."""

    @property
    def client(self) -> Client:
        """The client of the API. Only use it in what `perform` runs: before the app has connected there is none."""
        ...

    def listen(self, listener: Callable[[Json], None]) -> Callable[[], None]:
        """Call ``listener`` with each event of the stream; returns what ends that."""
        ...

    def perform(
        self, work: Callable[[], Awaitable[T]], done: Callable[[T], object] | None = None, *, group: str = "perform"
    ) -> None:
        """Do work in the background, then ``done`` with its result. What goes wrong is shown as a sentence.

        Of works with the same ``group``, but the usual one, only the newest goes on.
        """
        ...

    def say(self, message: str, *, severity: str = "information", title: str = "") -> None:
        """Show a short message; markup in it means nothing."""
        ...

    def open_session(self, session: str, tab: str = "log") -> None:
        """Open a session's own screen, on one of its tabs: log, raw, diff, files, timeline, cost."""
        ...

    def show_panel(self, name: str) -> None:
        """Show a panel of the main screen."""
        ...

    def show_approval(self, approval: str) -> None:
        """Show an approval where it can be decided."""
        ...

    def show_plan(self, plan: str, task: str | None = None) -> None:
        """Open a plan in its panel, at one of its tasks."""
        ...

    async def refresh_view(self) -> None:
        """Read again what the view model calls stale, now."""
        ...

    def suspend_for(self, command: list[str]) -> None:
        """Leave the terminal to a program until it ends, then draw everything anew."""
        ...

    def edit(self, text: str, suffix: str = ".md") -> str | None:
        """Let the person edit a text in $EDITOR; None when they gave up or there is no editor."""
        ...


def shell(node: DOMNode) -> Shell:
    """Return the app that holds a widget."""
    return cast("Shell", node.app)
