"""Taking acts apart into the facts that are judged (docs/policy.md, 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from supervisor.engine.policy import wrappers
from supervisor.engine.policy.acts import counts_as
from supervisor.engine.policy.candidates import candidates
from supervisor.engine.policy.commands import Simple
from supervisor.engine.policy.facts import (
    Access,
    CommandFact,
    Fact,
    HostFact,
    LineFact,
    PathFact,
    Place,
    ToolFact,
    Unclear,
    VariableFact,
)
from supervisor.engine.policy.grammar import doubt
from supervisor.engine.policy.lines import DEEPEST, read_line
from supervisor.engine.policy.patterns import PathName, normalised, resolved
from supervisor.engine.policy.words import Unreadable, Word, placed
from supervisor.model.acts import Act

_READERS = """
[ awk basename cat cmp column cut date df diff dir dirname du echo egrep env fd fgrep file find fold git grep head
hexdump jq ls md5sum nl od paste pgrep printf ps pwd readlink realpath rev rg seq sha1sum sha256sum shasum stat
strings tac tail test tr tree true type uname wc which whereis cd pushd source .
"""
READERS = frozenset(_READERS.split())
"""Programs whose paths are only read. Of every other program's paths it is assumed that they are written."""

_SYSTEM = frozenset({"/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin"})
_MOST_FOLDERS = 16
_MOST_WRAPPERS = 20
_BLANKS = str.maketrans("", "", " \t\n")
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]+)?(?=[/?#]|\Z)", re.IGNORECASE)
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?", re.DOTALL)
_OPERATIONS: dict[str, tuple[Access, ...]] = {
    "read": ("read",),
    "search": ("read",),
    "write": ("write",),
    "delete": ("delete",),
    "move": ("delete", "write"),
    "mcp": ("write",),
    "question": ("write",),
    "other": ("write",),
}
_OPEN_KINDS = frozenset({"mcp", "question", "other"})


def take_apart(act: Act, home: str) -> list[Fact]:
    """Return the facts of an act, in the order in which they are judged."""
    place = Place(home, act.worktree)
    kind = counts_as(act.kind)
    facts: list[Fact] = []
    if kind == "execute":
        return _command_facts(act, place)
    if kind in _OPEN_KINDS or (act.url is None if kind == "fetch" else not act.paths):
        facts.append(ToolFact(act.tool))
    if act.url is not None and (kind == "fetch" or kind in _OPEN_KINDS):
        facts.append(_host_fact(act.url))
    for path in act.paths if kind != "fetch" else ():
        name = place.name(path, act.cwd)
        if name is None:
            facts.append(Unclear(path, "the path is not known"))
        else:
            facts += [PathFact(name, access) for access in _OPERATIONS[kind]]
    if act.command is not None and kind in _OPEN_KINDS:
        facts += _command_facts(act, place)
    return facts


def _host_fact(url: str) -> Fact:
    found = _URL.match(url)
    if found is None or "\\" in url or not all("!" <= char <= "~" for char in url):
        return Unclear(url, "it is not a plain http or https address")
    return HostFact(found[2].lower().removesuffix("."), url)


def _command_facts(act: Act, place: Place) -> list[Fact]:
    taking = _Taking(act.cwd, place)
    if isinstance(act.command, str):
        taking.facts.append(LineFact(act.command.translate(_BLANKS)))
        taking.line(act.command, 0, loop=False)
    elif not act.command or not act.command[0]:
        taking.unclear("", "there is no command")
    else:
        taking.command(tuple(Word(word) for word in act.command), Simple())
    return taking.facts


class _Taking:
    """One command being taken apart: the facts so far, and the folders that it may be in."""

    def __init__(self, cwd: str, place: Place) -> None:
        self.place = place
        self.folders: list[str] = [normalised(cwd)]
        self.facts: list[Fact] = []

    def unclear(self, text: str, why: str) -> None:
        self.facts.append(Unclear(text, why))

    def line(self, text: str, depth: int, *, loop: bool) -> None:
        if depth > DEEPEST:
            self.unclear(text, "it is nested too deep")
            return
        try:
            commands = read_line(text, self.place.home, depth, loop=loop)
        except Unreadable as error:
            self.unclear(text, f"it cannot be read: {error}")
            return
        if why := doubt(text, commands):
            self.unclear(text, why)
        for command in commands:
            self.simple(command)

    def simple(self, command: Simple) -> None:
        if command.secret:
            self.unclear(f"${command.secret}", "by its name this variable holds a secret")
        for redirection in command.redirections:
            accesses: tuple[Access, ...] = {"<": ("read",), "<>": ("read", "write")}.get(  # type: ignore[assignment]
                redirection.operator, ("write",)
            )
            self.redirected(placed(redirection.target, self.folders), accesses)
        for assignment in command.assignments:
            value = None if assignment.value is None else placed(assignment.value, self.folders)
            self.variable(assignment.name, value.text if value is not None and value.known else None)
        if command.words:
            self.command(tuple(placed(word, self.folders) for word in command.words), command)

    def redirected(self, target: Word, accesses: Iterable[Access]) -> None:
        if not target.known or target.glob:
            self.unclear(target.text, "the file of a redirection is not known")
            return
        found = [self.place.name(target.text, folder) for folder in self.folders]
        if None in found:
            self.unclear(target.text, "the file of a redirection is not known")
            return
        names = dict.fromkeys(name for name in found if name is not None)
        self.facts += [PathFact(name, access) for access in accesses for name in names]

    def variable(self, name: str, value: str | None) -> None:
        if name != name.lower() or name.endswith("proxy"):
            self.facts.append(VariableFact(name, value))

    def command(self, words: tuple[Word, ...], command: Simple, wrapped: int = 0) -> None:
        """Take one command with its wrappers apart."""
        head, rest, folders = words[0], words[1:], tuple(self.folders)
        if not head.known or head.glob or not head.text:
            self.unclear(_written(words), "the program is not known")
            return
        if wrapped > _MOST_WRAPPERS:
            self.unclear(_written(words), "it is wrapped too often")
            return
        programs = self.programs(head.text, folders)
        if not programs:
            self.unclear(_written(words), "where the program is, is not known")
            return
        program = programs[0] if len(programs) == 1 else ""
        try:
            if program == "git":
                towards, rest = wrappers.of_git(rest)
                wrapped += len(rest) < len(words) - 1
                for folder in towards:
                    ways = [resolved(folder, before, self.place.home) for before in folders]
                    if None in ways:
                        raise wrappers.Locked
                    folders = tuple(dict.fromkeys(way for way in ways if way is not None))
                if wrapped > _MOST_WRAPPERS:
                    self.unclear(_written(words), "it is wrapped too often")
                    return
            elif (inner := wrappers.unwrapped(program, rest)) is not None:
                self.command(inner, command, wrapped + 1)
                return
            elif program == "env" and (started := wrappers.without_environment(rest)) is not None:
                for name, value in started[0]:
                    self.variable(name, value)
                self.command(started[1], command, wrapped + 1)
                return
            elif self.script(program, rest, command):
                return
            self.outer(programs, head, rest, command, folders, wrapped)
        except wrappers.Locked:
            self.fact(programs, head, words[1:], folders, locked=True)

    def script(self, program: str, rest: tuple[Word, ...], command: Simple) -> bool:
        """Take what a shell runs apart, and what only sets variables. False when the command is neither."""
        if program in wrappers.SHELLS:
            if (script := wrappers.shell_script(rest)) is not None:
                self.inner_line([script], command)
                return True
            if not rest and command.document is not None and command.inputs == 1:
                if command.document_is_text:
                    self.line(command.document, command.depth + 1, loop=command.loop)
                else:
                    self.unclear(command.document, "the here-document has expansions in it")
                return True
        elif program == "eval":
            self.inner_line(rest, command)
            return True
        elif program == "export" and rest:
            found = [_VARIABLE.fullmatch(word.text) if word.known else None for word in rest]
            if None not in found:
                for variable in found:
                    if variable:
                        self.variable(variable[1], variable[2])
                return True
        return False

    def inner_line(self, words: Sequence[Word], command: Simple) -> None:
        if not words or any(not word.known or word.glob for word in words):
            self.unclear(_written(tuple(words)), "what the shell would run is not known")
        else:
            self.line(" ".join(word.text for word in words), command.depth + 1, loop=command.loop)

    def outer(
        self,
        programs: tuple[str, ...],
        head: Word,
        rest: tuple[Word, ...],
        command: Simple,
        folders: tuple[str, ...],
        wrapped: int,
    ) -> None:
        """Add the command as it stands, and what it starts besides."""
        program = programs[0] if len(programs) == 1 else ""
        inner: list[tuple[Word, ...]] = []
        if program in wrappers.ELEVATORS:
            inner = [wrappers.elevated(rest)]
        elif program == "xargs":
            rest, started = wrappers.of_xargs(rest)
            inner = [started]
        elif program == "find":
            rest, inner = wrappers.of_find(rest)
        self.fact(programs, head, rest, folders)
        for words in inner:
            if words:
                self.command(words, Simple(loop=command.loop, depth=command.depth), wrapped + 1)
        if program in wrappers.USER_SHELLS and (script := wrappers.user_script(rest)) is not None:
            self.inner_line([script], command)
        if program in ("cd", "pushd", "popd"):
            self.change(program, rest, loop=command.loop)

    def fact(
        self,
        programs: tuple[str, ...],
        head: Word,
        rest: tuple[Word, ...],
        folders: tuple[str, ...],
        *,
        locked: bool = False,
    ) -> None:
        self.facts.append(CommandFact(programs, rest, folders, self.place, _written((head, *rest)), locked))
        access: Access = "read" if len(programs) == 1 and programs[0] in READERS else "write"
        seen: set[PathName] = set()
        for word in rest:
            for text, globbed in candidates(word):
                for folder in folders:
                    name = self.place.name(text, folder, globbed=globbed)
                    if name is not None and name not in seen:
                        seen.add(name)
                        self.facts.append(PathFact(name, access, mention=True))

    def change(self, program: str, rest: tuple[Word, ...], *, loop: bool) -> None:
        """Follow a change of the folder, or say that it cannot be followed."""
        known = len(rest) == 1 and rest[0].known and not rest[0].glob and not rest[0].text.startswith("-")
        target = rest[0].text if known else "~" if program == "cd" and not rest else None
        if loop or target is None or program == "popd":
            self.unclear(_written((Word(program), *rest)), "the folder behind it is not known")
            return
        reached = [resolved(target, folder, self.place.home) for folder in self.folders]
        wanted = list(dict.fromkeys([*self.folders, *(path for path in reached if path is not None)]))
        if None in reached or len(wanted) > _MOST_FOLDERS:
            self.unclear(_written((Word(program), *rest)), "the folder behind it is not known")
            return
        self.folders = wanted

    def programs(self, text: str, folders: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names that a program may go by, seen from each folder; none when its path is unknown."""
        if "/" not in text:
            return (text,)
        names: dict[str, None] = {}
        for folder in folders:
            path = resolved(text, folder, self.place.home)
            if path is None:
                return ()
            parent, _, last = path.rpartition("/")
            name = self.place.name(path, folder)
            names[last if parent in _SYSTEM else name.text if name else path] = None
        return tuple(names)


def _written(words: tuple[Word, ...]) -> str:
    """Return a command as text for people: words with blanks in quotes."""
    return " ".join(
        f"'{word.text}'" if not word.text or " " in word.text or "\n" in word.text else word.text for word in words
    )
