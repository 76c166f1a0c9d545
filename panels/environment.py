"""The environment that a session started from the app is given: the person's own, as from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_PASSED: Final = frozenset(
    {"QUARTERDECK_SESSION", "QUARTERDECK_TOKEN", "QUARTERDECK_SOCKET", "TMUX", "TMUX_PANE", "OLDPWD", "_"}
)
"""What belongs to the person's own terminal or session, and must not reach another one."""


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a session gets; what is not UTF-8 cannot be sent and is left out."""
    return {
        name: value for name, value in environ.items() if name not in NOT_PASSED and _is_text(name) and _is_text(value)
    }


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
