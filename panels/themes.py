"""Two themes of our own. The colours of statuses differ in lightness too, for eyes that see few colours."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="quarterdeck-dark",
    primary="#5fb3d9",
    secondary="#8fa7c4",
    accent="#e0b469",
    foreground="#d7dee8",
    background="#10151c",
    surface="#161d27",
    panel="#1e2733",
    success="#7fd08b",
    warning="#f2d15c",
    error="#ff7a70",
    dark=True,
)

LIGHT: Final = Theme(
    name="quarterdeck-light",
    primary="#1b6f99",
    secondary="#4b6280",
    accent="#8f5a00",
    foreground="#1d2733",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e6e3dc",
    success="#1f7a34",
    warning="#8a6100",
    error="#b3261e",
    dark=False,
)

_ON_DARK: Final = {"running": "#62d6e8", "ok": "#7fd08b", "failed": "#ff7a70", "waiting": "#f2d15c"}
_ON_LIGHT: Final = {"running": "#006d80", "ok": "#1f7a34", "failed": "#b3261e", "waiting": "#8a6100"}
_MORE_DARK: Final = {"stalled": "#e08ae6", "paused": "#a9b6c6", "added": "#16301f", "removed": "#3b1c1f"}
_MORE_LIGHT: Final = {"stalled": "#8e2a96", "paused": "#56657a", "added": "#d9f2de", "removed": "#fbdfdc"}
# The last two lie behind lines of a diff; they are opaque, for lines are drawn without blending.


def status_variables(*, dark: bool) -> dict[str, str]:
    """Return the CSS variables for the colours of statuses, in any theme."""
    colours = _ON_DARK | _MORE_DARK if dark else _ON_LIGHT | _MORE_LIGHT
    return {f"qd-{name}": colour for name, colour in colours.items()}
