"""Text that came from agents, tools and repositories, made fit to be shown.

Whatever draws it, in a terminal or in the app: nothing that is shown may act on the screen.
"""

from __future__ import annotations

import re

# C0 and C1 controls but tab and newline, escape sequences, and bidirectional overrides.
_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x1b\\|\x07|$)|\x1b.?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069\u200e\u200f]",
    re.DOTALL,
)


# Fillers, joiners, blank patterns and variation selectors count as printable, and show nothing of themselves.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def clean(text: object) -> str:
    """Return text without anything that a terminal would act on."""
    return _CONTROL.sub("", str(text))


def exact(text: object) -> str:
    """Return text with everything that cannot be seen written out, so that nothing hides; newlines and tabs stay."""
    shown = "".join(letter if letter.isprintable() or letter in "\n\t" else ascii(letter)[1:-1] for letter in str(text))
    return _UNSEEN.sub(lambda unseen: ascii(unseen[0])[1:-1], shown)


def one_line(text: object) -> str:
    """Return text as a single line, runs of blanks as one."""
    return " ".join(clean(text).split())
