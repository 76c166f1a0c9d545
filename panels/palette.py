"""What colours mean: names for styles, made from the theme in force.

Everything that is drawn line by line names its styles; nothing else knows a colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.color import Color

GLYPHS: Final[dict[str, tuple[str, str]]] = {
    "queued": ("◌", "dim"),
    "preparing": ("◌", "running"),
    "running": ("●", "running"),
    "waiting": ("◐", "waiting"),
    "idle": ("○", "dim"),
    "paused": ("‖", "paused"),
    "completed": ("✓", "ok"),
    "failed": ("✕", "failed"),
    "cancelled": ("■", "dim"),
    "archived": ("○", "dim"),
    "stalled": ("◍", "stalled"),
    "pending": ("◐", "waiting"),
    "approved": ("✓", "ok"),
    "consumed": ("✓", "ok"),
    "rejected": ("✕", "failed"),
    "expired": ("■", "dim"),
    "superseded": ("■", "dim"),
}
"""A glyph and a style for each status: readable without the colour. ■ is what ended without an outcome of its own."""

PLAN_GLYPHS: Final[dict[str, tuple[str, str]]] = {
    "waiting_approval": ("◐", "waiting"),
    "blocked": ("▣", "waiting"),
    "failed": ("✕", "failed"),
    "running": ("●", "running"),
    "paused": ("‖", "paused"),
    "ready": ("○", "running"),
    "pending": ("◌", "dim"),
    "draft": ("·", "dim"),
    "completed": ("✓", "ok"),
    "skipped": ("–", "dim"),
    "abandoned": ("■", "dim"),
}
"""The same for plans and their tasks, of which a pending one has not begun; what matters most comes first."""

RISKS: Final[dict[str, str]] = {"low": "ok", "medium": "waiting", "high": "failed", "critical": "failed"}

SEVERITIES: Final[dict[str, str]] = {
    "debug": "dim", "info": "", "warning": "waiting", "error": "failed", "critical": "failed",
}  # fmt: skip

_COLOURS: Final[dict[str, str]] = {
    "running": "qd-running",
    "ok": "qd-ok",
    "failed": "qd-failed",
    "waiting": "qd-waiting",
    "stalled": "qd-stalled",
    "paused": "qd-paused",
    "accent": "accent",
    "add": "qd-ok",
    "remove": "qd-failed",
    "hunk": "qd-running",
    "person": "accent",
}

Palette = Mapping[str, Style]


def palette(variables: Mapping[str, str]) -> Palette:
    """Return the styles by name, from the CSS variables of a theme."""
    styles = {name: Style(color=Color.parse(variables[variable]).rich_color) for name, variable in _COLOURS.items()}
    bold, dim = Style(bold=True), Style(dim=True)
    return {
        "": Style.null(),
        "bold": bold,
        "dim": dim,
        "italic": Style(italic=True, dim=True),
        "title": bold + styles["accent"],
        "match": Style(reverse=True, bold=True),
        **styles,
        **{f"{name}-bold": style + bold for name, style in styles.items()},
    }
