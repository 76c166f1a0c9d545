"""Choosing a theme in the command palette: each is shown while the person moves, and kept when it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.command import Command, CommandPalette, DiscoveryHit, Hit, Hits, Provider

from panels import themes


def names(app: App[Any]) -> list[str]:
    """Return the themes that are offered: the one in force, then ours, then Textual's by name."""
    first = dict.fromkeys([app.theme, themes.DARK.name, themes.LIGHT.name])
    others = sorted(set(app.available_themes) - set(first))
    return [*first, *others]


@dataclass(frozen=True)
class TakeTheme:
    """What the palette does for a theme."""

    app: App[Any]
    name: str

    async def __call__(self) -> None:
        """Take the theme, and remember it."""
        await self.app.run_action(f"take_theme({self.name!r})")


class FoundThemes(Provider):
    """Offers themes by name among everything else, once something is typed."""

    def _hits(self, query: str) -> Iterator[Hit]:
        matcher = self.matcher(query)
        for name in names(self.app):
            text = f"Theme: {name}"
            if (score := matcher.match(text)) > 0:
                yield Hit(score, matcher.highlight(text), TakeTheme(self.app, name))

    async def search(self, query: str) -> Hits:
        """Offer what resembles what was typed."""
        for hit in self._hits(query):
            yield hit


class Themes(FoundThemes):
    """Offers themes, and nothing else."""

    async def discover(self) -> Hits:
        """Offer all of them before anything is typed."""
        for name in names(self.app):
            yield DiscoveryHit(f"Theme: {name}", TakeTheme(self.app, name))


class Preview:
    """Shows the theme that the palette is on, as long as it is."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._before: str | None = None

    def look(self, event: CommandPalette.OptionHighlighted) -> None:
        """Show the theme under the cursor, or the one in force where there is none."""
        option = event.highlighted_event.option
        command = option.hit.command if isinstance(option, Command) else None
        if not isinstance(command, TakeTheme):
            self.end()
        elif CommandPalette.is_open(self._app):
            self._before = self._before or self._app.theme
            self._app.theme = command.name

    def end(self) -> None:
        """Go back to the theme that was in force."""
        if self._before is not None:
            self._app.theme, self._before = self._before, None
