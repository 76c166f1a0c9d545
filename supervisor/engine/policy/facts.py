"""What an act comes apart into: the things that rules are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supervisor.engine.policy.patterns import PathName, named, resolved
from supervisor.engine.policy.words import Word

Access = Literal["read", "write", "delete"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an act happens: the person's home and the worktree."""

    home: str
    worktree: str

    def name(self, path: str, folder: str, *, globbed: bool = False) -> PathName | None:
        """Return the name of a path seen from a folder, or None when it is unknown."""
        absolute = resolved(path, folder, self.home)
        return None if absolute is None else PathName(named(absolute, self.worktree, self.home), globbed)


@dataclass(frozen=True, slots=True)
class Unclear:
    """Something that is not understood, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class CommandFact:
    """A simple command: the names its program may go by, and its words behind the program.

    A ``locked`` one runs something that is not understood: no rule allows it.
    """

    programs: tuple[str, ...]
    words: tuple[Word, ...]
    folders: tuple[str, ...]
    place: Place
    text: str
    locked: bool = False


@dataclass(frozen=True, slots=True)
class PathFact:
    """A path that is read, written or deleted. A mention counts only where a rule asks or denies."""

    name: PathName
    access: Access
    mention: bool = False


@dataclass(frozen=True, slots=True)
class HostFact:
    """A host that is fetched from."""

    host: str
    url: str


@dataclass(frozen=True, slots=True)
class VariableFact:
    """A variable that is set; the value is None when it is not known."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class LineFact:
    """A whole shell line without blanks."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolFact:
    """A tool with nothing of it that could be judged by itself."""

    tool: str


Fact = Unclear | CommandFact | PathFact | HostFact | VariableFact | LineFact | ToolFact
