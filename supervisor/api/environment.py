"""The environment that a session started from a client is given: the person's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NOT_PASSED: Final = frozenset(
    {
        *("QUARTERDECK_SESSION", "QUARTERDECK_ATTEMPT", "QUARTERDECK_TOKEN", "QUARTERDECK_SOCKET"),
        *("TMUX", "TMUX_PANE", "OLDPWD", "_"),
    }
)
"""What belongs to the person's own terminal or session, and must not reach another one."""


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a session gets; what is not UTF-8 cannot be sent and is left out."""
    return {
        name: value for name, value in environ.items() if name not in NOT_PASSED and is_text(name) and is_text(value)
    }


def is_text(text: str) -> bool:
    """Whether a word of the person's can be sent: what a terminal took in otherwise holds surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
