"""The command palette: every action that works now, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual.command import DiscoveryHit, Hit, Hits, Provider

from panels.keys import KEYS, Key


class Actions(Provider):
    """Offers what the table of keys says, as far as it can be done here."""

    def _possible(self) -> list[Key]:
        active = {each.binding.action for each in self.screen.active_bindings.values() if each.enabled}
        return [key for key in KEYS.values() if key.action in active and key.kind != "move"]

    async def discover(self) -> Hits:
        """Offer everything before anything is typed."""
        for key in self._possible():
            yield DiscoveryHit(f"{key.label}  ({key.shown or key.keys})", self._run(key), help=key.help)

    async def search(self, query: str) -> Hits:
        """Offer what resembles the words that were typed."""
        matcher = self.matcher(query)
        for key in self._possible():
            score = max(matcher.match(key.label), matcher.match(key.help) * 0.8)
            if score > 0:
                yield Hit(
                    score, matcher.highlight(f"{key.label}  ({key.shown or key.keys})"), self._run(key), help=key.help
                )

    def _run(self, key: Key) -> Callable[[], Awaitable[None]]:
        screen, focused = self.screen, self.focused

        async def run() -> None:
            node = next(
                (each.node for each in screen.active_bindings.values() if each.binding.action == key.action),
                focused or screen,
            )
            await screen.app.run_action(key.action, node)

        return run
