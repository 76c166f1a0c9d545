"""Whether keys go somewhere: what had them may have been hidden in the moment in which it got them."""

from __future__ import annotations

from typing import Any, Final

from textual.screen import Screen

LOOK_S: Final = 1.0
"""Screens look this often whether keys are lost, and put them back."""


def keys_are_lost(screen: Screen[Any]) -> bool:
    """Whether keys go nowhere, or to something that cannot be seen."""
    return screen.is_current and (screen.focused is None or screen.focused not in screen.focus_chain)
