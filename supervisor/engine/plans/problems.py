"""What is wrong with a document: each problem with its path, its line, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from config.sources import Key
from supervisor.model.errors import InvalidInput

LIMIT: Final = 200
"""Problems that are told of; a broken document of 10,000 tasks would fill any screen."""

HINTS: Final = 40
"""How often in a document a likeness is looked for."""

CANDIDATES: Final = 200
"""Names that one name is compared with."""

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
        stop = "" if first.message.endswith((".", "?")) else "."
        counted = f" There {'is' if more == 1 else 'are'} {more} more." if more else ""
        super().__init__(
            f"{where}:{first.line}:{at} {first.message}{stop}{counted}",
            hint="`quarterdeck plan validate FILE` lists every problem.",
        )
        self.problems = problems


@dataclass(slots=True)
class Findings:
    """Collects problems. ``line`` tells the line of a key of the document, or of what holds it."""

    line: Callable[[Key], int]
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    hints: int = HINTS

    @property
    def full(self) -> bool:
        """Whether no further error would be told of."""
        return len(self.errors) > LIMIT

    def error(self, key: Key, message: str) -> None:
        """Add what makes the document invalid."""
        self._add(self.errors, key, message)

    def warn(self, key: Key, message: str) -> None:
        """Add what is doubtful and does not make the document invalid."""
        self._add(self.warnings, key, message)

    def meant(self, name: str, known: Iterable[str], otherwise: str = "") -> str:
        """Return a question for the known name that was probably meant, or ``otherwise`` where none is alike."""
        if self.hints > 0 and not self.full:
            self.hints -= 1
            if (near := nearest(name, known)) is not None:
                return f"Did you mean `{near}`?"
        return otherwise

    def _add(self, problems: list[Problem], key: Key, message: str) -> None:
        if len(problems) <= LIMIT:
            problems.append(Problem(path_of(key), self.line(key), message))

    def finish(self) -> None:
        """Bring the problems into the order of the document, and end long lists with a word that there are more."""
        for problems in (self.errors, self.warnings):
            more = len(problems) > LIMIT
            problems[LIMIT:] = []
            problems.sort(key=lambda problem: problem.line)
            if more:
                problems.append(Problem("", problems[-1].line, f"there are more than {LIMIT}; correct these first"))


def path_of(key: Key) -> str:
    """Return a key as it is shown: ``tasks[2].needs[0]``."""
    text = ""
    for part in key:
        name = _short(part)
        text += f"[{name}]" if name.isdecimal() else f".{name}" if text else name
    return text


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant."""
    name = name[:NEAREST_LENGTH]
    alike = [each for each in known if abs(len(each) - len(name)) <= 2 + len(name) // 3]
    if len(alike) > CANDIDATES:
        ends = (name[:2], name[-2:])
        alike = [each for each in alike if each[:2] == ends[0] or each[-2:] == ends[1]][:CANDIDATES]
    found = difflib.get_close_matches(name, alike, n=1)
    return found[0] if found else None


def _short(text: str) -> str:
    return text if len(text) <= NEAREST_LENGTH else f"{text[: NEAREST_LENGTH - 1]}…"


def quoted(text: Any) -> str:
    """Return a value of the document for a sentence, cut to a readable length."""
    return f"`{_short(str(text))}`"
