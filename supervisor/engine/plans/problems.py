"""What is wrong with a document: each problem with its path, its line, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from config.sources import Key
from supervisor.model.errors import InvalidInput

LIMIT: Final = 200
"""Problems that are told of; a broken document of 10,000 tasks would fill any screen."""

NEAREST_LENGTH: Final = 60
"""Characters of a name that a likeness is looked for; comparing long texts takes long."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong or doubtful. ``line`` counts from 1; an empty ``path`` is the whole document."""

    path: str
    line: int
    message: str


class PlanInvalid(InvalidInput):
    """A document is no plan; ``problems`` says everything that is wrong with it."""

    code = "invalid_plan"

    def __init__(self, where: str, problems: list[Problem]) -> None:
        first, more = problems[0], len(problems) - 1
        at = f" `{first.path}`:" if first.path else ""
        counted = f" There {'is' if more == 1 else 'are'} {more} more." if more else ""
        super().__init__(
            f"{where}:{first.line}:{at} {first.message}{counted}",
            hint="`quarterdeck plan validate FILE` lists every problem.",
        )
        self.problems = problems


@dataclass(slots=True)
class Findings:
    """Collects problems. ``line`` tells the line of a key of the document, or of what holds it."""

    line: Callable[[Key], int]
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, key: Key, message: str) -> None:
        """Add what makes the document invalid."""
        self._add(self.errors, key, message)

    def warn(self, key: Key, message: str) -> None:
        """Add what is doubtful and does not make the document invalid."""
        self._add(self.warnings, key, message)

    def _add(self, problems: list[Problem], key: Key, message: str) -> None:
        if len(problems) > LIMIT:
            return
        if len(problems) == LIMIT:
            message = f"more than {LIMIT} problems; correct these first"
        problems.append(Problem(path_of(key), self.line(key), message))

    def sorted(self) -> Findings:
        """Return the same, each list in the order of the document."""
        for problems in (self.errors, self.warnings):
            problems.sort(key=lambda problem: problem.line)
        return self


def path_of(key: Key) -> str:
    """Return a key as it is shown: ``tasks[2].needs[0]``."""
    text = ""
    for part in key:
        name = _short(part)
        text += f"[{name}]" if name.isdecimal() else f".{name}" if text else name
    return text


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    return _nearest(name[:NEAREST_LENGTH], tuple(known))


@cache
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    found = difflib.get_close_matches(name, known, n=1)
    return found[0] if found else None


def _short(text: str) -> str:
    return text if len(text) <= NEAREST_LENGTH else f"{text[: NEAREST_LENGTH - 1]}…"


def quoted(text: Any) -> str:
    """Return a value of the document for a sentence, cut to a readable length."""
    return f"`{_short(str(text))}`"
