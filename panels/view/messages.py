"""What the app has said: short enough to be shown over the screen for a moment, and whole to be read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from panels import shown
from panels.view.wrapping import wrap
from supervisor.model.plain import clean, one_line

Line = list[tuple[str, str]]
Severity = Literal["information", "warning", "error"]

KEPT: Final = 200
"""Messages that can be read again."""

SECONDS: Final[dict[Severity, float]] = {"information": 4.0, "warning": 7.0, "error": 12.0}
"""How long a message is shown over the screen."""

SIGNS: Final[dict[Severity, tuple[str, str]]] = {
    "information": ("•", "dim"), "warning": ("△", "waiting"), "error": ("▲", "failed"),
}  # fmt: skip

REST: Final = "… E shows it whole"
"""What stands at the end of a message that was cut."""

EMPTY: Final = "Nothing yet. What the app tells you, and what went wrong, can be read again here."


@dataclass(frozen=True, slots=True)
class Said:
    """A message; ``time`` in milliseconds since the epoch."""

    time: int
    severity: Severity
    text: str


def compact(text: str, width: int) -> str:
    """Return a message as it fits into two lines of so many cells; what is cut off is said."""
    width = max(width, len(REST) + 8)
    flat = one_line(text)
    lines = list(wrap(flat, width))
    if len(lines) <= 2:
        return flat
    return f"{lines[0]} {next(wrap(lines[1], width - len(REST)))}{REST}"


def rows(said: Iterable[Said], width: int) -> Iterator[Line]:
    """Yield the lines of messages in so many cells, the newest message first."""
    newest_first = list(said)[::-1]
    for each in newest_first:
        sign, style = SIGNS[each.severity]
        head = f"{shown.clock(each.time)} {sign} "
        text = style if each.severity == "error" else ""
        for number, line in enumerate(wrap(clean(each.text), width - len(head))):
            before: Line = [(head[:-2], "dim"), (head[-2:], style)] if number == 0 else [(" " * len(head), "")]
            yield [*before, (line, text)]
    if not newest_first:
        yield from ([(line, "dim")] for line in wrap(EMPTY, width))
