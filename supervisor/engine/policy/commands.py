"""What a shell line is made of: simple commands, with what they set and where they read and write."""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.engine.policy.words import Word


@dataclass(frozen=True, slots=True)
class Redirection:
    """An operator and the file it names."""

    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Assignment:
    """A variable that is set; the value is None when it is not known."""

    name: str
    value: Word | None


@dataclass(slots=True)
class Simple:
    """A simple command. Without words it is only assignments or redirections (also those of a compound).

    One with ``secret`` has nothing else: a variable of that name is looked at here. ``document`` is what a
    here-document holds, ``inputs`` the number of redirections that have to do with its standard input, ``depth`` where
    the line that it stands in began.
    """

    words: list[Word] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    document: str | None = None
    document_is_text: bool = True
    inputs: int = 0
    loop: bool = False
    depth: int = 0
    secret: str = ""
