"""How the reference evaluator takes an act apart, from docs/policy.md (5) alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.policy import shell
from tests.policy.patterns import Place, has_glob, host

MOST_FOLDERS = 16
MOST_WRAPPERS = 20

_BINARIES = frozenset({"/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin", "/opt/homebrew/bin"})


def _words(text: str) -> list[str]:
    return text.split()


_READERS = frozenset(
    _words("""
    [ awk basename cat cmp column cut date df diff dir dirname du echo egrep env fd fgrep file find fold git
    grep head hexdump jq ls md5sum nl od paste pgrep printf ps pwd readlink realpath rev rg seq
    sha1sum sha256sum shasum stat strings tac tail test tr tree true type uname wc which whereis cd
    pushd source .
    """)
)
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_ASSIGNED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Act:
    """What an agent wants to do, in the words of the specification."""

    kind: str
    tool: str
    cwd: str
    worktree: str
    agent: str = ""
    mode: str = ""
    project: str = ""
    plan: str | None = None
    command: str | tuple[str, ...] | None = None
    paths: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True)
class Known:
    """A word whose text is known. With `glob` the shell makes names of files of it."""

    text: str
    glob: bool = False


Term = Known | None  # None is an unknown word


@dataclass(frozen=True)
class Unclear:
    """Something that is not understood: asked about, whatever rules say."""

    text: str


@dataclass(frozen=True)
class LinePart:
    """The whole shell line, for `line` rules only."""

    text: str


@dataclass(frozen=True)
class ToolPart:
    """The tool itself."""

    text: str


@dataclass(frozen=True)
class UrlPart:
    """What is fetched."""

    host: str


@dataclass(frozen=True)
class VariablePart:
    """A variable that is set; of an unknown or appended value `value` is None."""

    name: str
    value: str | None


@dataclass(frozen=True)
class PathPart:
    """A file that is touched. A mention is only seen by ask and deny rules."""

    name: str
    access: str
    globs: bool = False
    mention: bool = False


@dataclass(frozen=True)
class Candidate:
    """A path that a command may touch, seen from one folder; of one that is not known `absolute` is None.

    `unknown` says that the whole word is unknown, `word` which one it is.
    """

    absolute: str | None
    globs: bool
    word: int
    unknown: bool = False


@dataclass(frozen=True)
class CommandPart:
    """A program and its words. `locked`: no rule allows it."""

    programs: tuple[str, ...]
    words: tuple[Term, ...]
    folders: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    locked: bool = False


Part = Unclear | LinePart | ToolPart | UrlPart | VariablePart | PathPart | CommandPart


@dataclass
class Taken:
    """An act's parts while they are collected."""

    act: Act
    place: Place
    parts: list[Part] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    loops: int = 0

    def add(self, part: Part) -> None:
        self.parts.append(part)

    # --- acts (5.1)

    def whole(self) -> list[Part]:
        act = self.act
        cwd = self.place.resolve(act.cwd, "/")
        self.folders = [cwd or "/"]
        accesses = {
            "read": ("read",),
            "search": ("read",),
            "write": ("write",),
            "delete": ("delete",),
            "move": ("delete", "write"),
        }.get(act.kind)
        if act.kind == "execute":
            self.command(act.command)
        elif accesses is not None:
            if not act.paths:
                self.add(ToolPart(act.tool))
            for path in act.paths:
                self.path(path, *accesses)
        elif act.kind == "fetch":
            if act.url is None:
                self.add(ToolPart(act.tool))
            else:
                self.url(act.url)
        else:
            self.add(ToolPart(act.tool))
            if act.url is not None:
                self.url(act.url)
            for path in act.paths:
                self.path(path, "write")
            if act.command is not None:
                self.command(act.command)
        return self.parts

    def path(self, path: str, *accesses: str) -> None:
        absolute = self.place.resolve(path, self.folders[0])
        if absolute is None:
            self.add(Unclear(path))
            return
        for access in accesses:
            self.add(PathPart(self.place.name(absolute), access))

    def url(self, url: str) -> None:
        found = host(url)
        self.add(Unclear(url) if found is None else UrlPart(found))

    def command(self, command: str | tuple[str, ...] | None) -> None:
        if command is None:
            self.add(Unclear("no command"))
        elif isinstance(command, str):
            self.add(LinePart(re.sub("[ \t\n]", "", command)))
            self.line(command, 0)
        elif not command or not command[0]:
            self.add(Unclear("no program"))
        else:
            self.run([Known(word) for word in command], 0, 0)

    # --- lines

    def line(self, text: str, depth: int) -> None:
        try:
            commands = shell.read(text, depth)
        except shell.Unreadable:
            self.add(Unclear(text))
            return
        for command in commands:
            self.judge(command)

    def judge(self, command: shell.Command) -> None:
        if isinstance(command, shell.Compound):
            for word in command.words:
                self.substitutions(word)
            if command.variable is not None:
                self.variable(command.variable, None)
            self.loops += command.loop
            for inner in command.commands:
                self.judge(inner)
            self.loops -= command.loop
            for redirection in command.redirections:
                if redirection.word is not None:
                    self.substitutions(redirection.word)
            self.redirections(command.redirections)
            return
        for word in command.read:
            self.substitutions(word)
        self.redirections(command.redirections)
        for assignment in command.assignments:
            value = self.term(assignment.word)
            self.variable(assignment.name, None if value is None or assignment.append else value.text)
        if command.words:
            words = [self.term(word) for word in command.words]
            self.run(words, command.depth, 0, command.redirections)

    def substitutions(self, word: shell.Word) -> None:
        for piece in word.pieces:
            if isinstance(piece, shell.Hidden):
                for command in piece.commands:
                    self.judge(command)
                if piece.secret:
                    self.add(Unclear("secret"))

    def term(self, word: shell.Word) -> Term:
        """What the shell would make of a word, as far as that is known."""
        if word.braced:
            return None
        text = ""
        live = ""  # the same length as the text: where a glob character counts
        for piece in word.pieces:
            if isinstance(piece, shell.Hidden):
                if piece.known is None:
                    return None
                text += piece.known
                live += "-" * len(piece.known)
                continue
            if isinstance(piece, shell.Text):
                text += piece.text
                live += ("-" if piece.quoted else "+") * len(piece.text)
                continue
            if isinstance(piece, shell.Folder) and len(self.folders) > 1:
                return None
            more = self.place.home if isinstance(piece, shell.Home) else self.folders[0]
            text += more
            live += "-" * len(more)
        globs = [c in "*?[" and flag == "+" for c, flag in zip(text, live, strict=True)]
        if word.value or text == "[" or not any(globs):
            return Known(text)
        if text.count("/") > 64:
            return None
        seen = False
        at = 0
        for segment in text.split("/"):
            here = any(globs[at : at + len(segment)])
            if (here and segment.startswith(".")) or (seen and segment == ".."):
                return None
            seen = seen or here
            at += len(segment) + 1
        return Known(text, glob=True)

    def redirections(self, redirections: Sequence[shell.Redirection]) -> None:
        for redirection in redirections:
            if redirection.word is None:
                continue
            target = self.term(redirection.word)
            found = [self.place.resolve(target.text, folder) for folder in self.folders] if target is not None else []
            if target is None or target.glob or None in found:
                self.add(Unclear("redirection"))
                continue
            accesses = {"<": ("read",), "<>": ("read", "write")}.get(redirection.operator, ("write",))
            for access in accesses:
                for name in dict.fromkeys(self.place.name(one) for one in found if one is not None):
                    self.add(PathPart(name, access))

    def variable(self, name: str, value: str | None) -> None:
        if re.search("[A-Z]", name) or name.endswith("proxy"):
            self.add(VariablePart(name, value))

    # --- commands (5.3, 5.7)

    def programs(self, word: str) -> tuple[str, ...] | None:
        """The names of a program as patterns see them, one for each folder; None when unknown."""
        if "/" not in word:
            return (word,)
        found: list[str] = []
        for folder in self.folders:
            absolute = self.place.resolve(word, folder)
            if absolute is None:
                return None
            parent, _, last = absolute.rpartition("/")
            found.append(last if parent in _BINARIES else self.place.name(absolute))
        return tuple(dict.fromkeys(found))

    def run(self, words: list[Term], depth: int, wrapped: int, redirections: Sequence[shell.Redirection] = ()) -> None:
        """Judge a command: its wrappers taken away, then itself, then what it runs."""
        folders = self.folders  # `cd` adds to it; `git -C` puts another list in its place
        self._run(words, depth, wrapped, redirections)
        self.folders = folders

    def _run(self, words: list[Term], depth: int, wrapped: int, redirections: Sequence[shell.Redirection]) -> None:
        while True:
            first = words[0]
            programs = None if first is None or first.glob or not first.text else self.programs(first.text)
            if programs is None:
                self.add(Unclear("program"))
                return
            name = programs[0] if len(programs) == 1 else ""
            if wrapped > MOST_WRAPPERS:
                self.add(Unclear("wrappers"))
                return
            taken = _taken(name, words)
            if taken is None:
                break
            if taken.locked:
                self.plain(programs, words, locked=True)
                return
            for variable, value in taken.variables:
                self.variable(variable, value)
            if not self.narrow(taken.folders):
                self.plain(programs, words, locked=True)
                return
            words = list(taken.rest)
            wrapped += 1
        if name in _SHELLS and (inner := _inner_line(words, redirections)):
            self.inner(inner[0], depth)
        elif name == "eval":
            known = [word.text for word in words[1:] if word is not None and not word.glob]
            self.inner(" ".join(known) if known and len(known) == len(words) - 1 else None, depth)
        elif name in ("su", "runuser"):
            self.plain(programs, words)
            at = next((i for i, word in enumerate(words) if i and word is not None and word.text == "-c"), None)
            if at is not None and at + 1 < len(words) and (line := words[at + 1]) is not None:
                self.inner(None if line.glob else line.text, depth)
        elif name in ("sudo", "doas"):
            self.plain(programs, words)
            if rest := _behind_sudo(words):
                self.run(rest, depth, wrapped + 1)
        elif name == "xargs":
            self.xargs(programs, words, depth, wrapped)
        elif name == "find":
            self.find(programs, words, depth, wrapped)
        elif name == "export" and (set_ := _exported(words)) is not None:
            for exported, given in set_:
                self.variable(exported, given)
        else:
            self.plain(programs, words)
            if name in ("cd", "pushd", "popd"):
                self.change(name, words[1:])

    def narrow(self, steps: Sequence[str]) -> bool:
        """Look at the command from other folders (`git -C`); False when they are unknown."""
        if not steps:
            return True
        folders: list[str] = []
        for folder in self.folders:
            for step in steps:
                found = self.place.resolve(step, folder)
                if found is None:
                    return False
                folder = found
            if folder not in folders:
                folders.append(folder)
        self.folders = folders
        return True

    def plain(self, programs: tuple[str, ...], words: Sequence[Term], locked: bool = False) -> None:
        candidates = tuple(self.candidates(words[1:]))
        self.add(CommandPart(programs, tuple(words[1:]), tuple(self.folders), candidates, locked))
        access = "read" if all(program in _READERS for program in programs) else "write"
        mentions = (
            PathPart(self.place.name(c.absolute), access, c.globs, mention=True)
            for c in candidates
            if c.absolute is not None
        )
        for mention in dict.fromkeys(mentions):
            self.add(mention)

    def candidates(self, words: Sequence[Term]) -> Iterator[Candidate]:
        for at, word in enumerate(words):
            if word is None:
                yield Candidate(None, False, at, unknown=True)
                continue
            for text in _texts(word.text):
                globs = word.glob and has_glob(text)
                for folder in self.folders:
                    yield Candidate(self.place.resolve(text, folder), globs, at)

    def change(self, name: str, words: list[Term]) -> None:
        """`cd`, `pushd`, `popd`: folders are added, never taken away."""
        found: list[str | None] = [None]
        to = words[0] if len(words) == 1 else None
        if name != "popd" and to is not None and not to.glob and not to.text.startswith("-"):
            found = [self.place.resolve(to.text, folder) for folder in self.folders]
        elif name == "cd" and not words:
            found = [self.place.home]
        new = [one for one in dict.fromkeys(found) if one is not None and one not in self.folders]
        many = len(self.folders) + len(new) > MOST_FOLDERS
        if None in found or many or self.loops:
            self.add(Unclear(name))
        else:
            self.folders += new

    # --- what commands run

    def inner(self, line: str | None, depth: int) -> None:
        """An inner line; None when it is not known."""
        if line is None:
            self.add(Unclear("inner line"))
        else:
            self.line(line, depth + 1)

    def xargs(self, programs: tuple[str, ...], words: list[Term], depth: int, wrapped: int) -> None:
        at, replaced, counted = 1, None, False
        while at < len(words):
            word = words[at]
            if word is None or not word.text.startswith("-"):
                break
            text = word.text
            counted = counted or text[:2] in ("-n", "-L") or text.startswith(("--max-args", "--max-lines"))
            if text in ("-0", "-r", "-t", "--null", "--no-run-if-empty", "--verbose"):
                at += 1
            elif text in ("-n", "-P", "-L", "-d", "-I"):
                value = words[at + 1] if at + 1 < len(words) else None
                if value is None:
                    self.plain(programs, words, locked=True)
                    return
                replaced = value.text if text == "-I" else replaced
                at += 2
            elif text[:2] in ("-n", "-P", "-L", "-d", "-I"):
                replaced = text[2:] if text[1] == "I" else replaced
                at += 1
            elif re.match(r"--(max-args|max-procs|max-lines|delimiter)=.", text, re.DOTALL):
                at += 1
            else:
                self.plain(programs, words, locked=True)
                return
        rest = words[at:]
        if not rest:
            self.plain(programs, words)
            return
        self.plain(programs, words[:at])
        if replaced is not None:
            rest = [None if word is not None and replaced in word.text else word for word in rest]
        if replaced is None or counted:
            rest = [*rest, None]
        self.run(rest, depth, wrapped + 1)

    def find(self, programs: tuple[str, ...], words: list[Term], depth: int, wrapped: int) -> None:
        kept: list[Term] = []
        inner: list[list[Term]] = []
        at = 0
        while at < len(words):
            word = words[at]
            if at and word is not None and word.text in ("-exec", "-execdir", "-ok", "-okdir"):
                end = at + 1
                while end < len(words) and _text(words[end]) not in (";", "+"):
                    end += 1
                many = word.text in ("-exec", "-execdir") and _text(words[end - 1]) == "{}"
                ends = end < len(words) and (_text(words[end]) == ";" or many)
                if not ends or end == at + 1:
                    self.plain(programs, words, locked=True)
                    return
                inner.append([None if w is None or "{}" in w.text else w for w in words[at + 1 : end]])
                at = end + 1
                continue
            kept.append(word)
            at += 1
        self.plain(programs, kept)
        for command in inner:
            self.run(command, depth, wrapped + 1)


def take_apart(act: Act, home: str) -> list[Part]:
    """All parts of an act, mentions and the line included, in their order."""
    return Taken(act, Place(home, act.worktree)).whole()


def _text(word: Term) -> str | None:
    return None if word is None else word.text


def _texts(word: str) -> list[str]:
    """The candidate paths of a word (5.5), without empty ones."""
    first: list[str] = []
    if not word.startswith("-"):
        first.append(word)
    elif not word.startswith("--"):
        if word[2:3] in (".", "@"):
            first.append(word[2:])
        if found := re.search("[/~]", word):
            first.append(word[found.start() :])
    if "=" in word:
        first.append(word.split("=", 1)[1])
    second: list[str] = []
    for text in first:
        if scheme := _SCHEME.match(text):
            if scheme[1].lower() == "file":
                second.append(text[scheme.end() :])
        elif ":" in text:
            second.append(text.split(":", 1)[1])
    both = first + second
    both += [text[1:] for text in both if text.startswith("@")]
    return [text for text in dict.fromkeys(both) if text]


# --- wrappers


@dataclass(frozen=True)
class _Taken:
    rest: Sequence[Term] = ()
    variables: tuple[tuple[str, str], ...] = ()
    folders: tuple[str, ...] = ()
    locked: bool = False


_LOCKED = _Taken(locked=True)
_WRAPPERS = {  # the options that stand alone, and those with a value
    "time": (r"-p", ""),
    "setsid": (r"-[fwc]", ""),
    "nice": (r"-n.+|-[0-9]+|--adjustment=.+", "-n"),
    "ionice": (r"-t|-c.+|-n.+", "-c -n"),
    "stdbuf": (r"-[ioe].+|--(input|output|error)=.+", "-i -o -e"),
    "timeout": (r"-v|--verbose|--preserve-status|--foreground|--(kill-after|signal)=.+", "-k -s"),
    "env": (r"-i|-", "-u"),
}


def _taken(name: str, words: list[Term]) -> _Taken | None:
    """What stands behind a wrapper; None when the program is none or nothing remains."""
    rest = words[1:]
    if name in ("nohup", "builtin", "exec", "command"):
        if not rest or ((first := rest[0]) is not None and first.text.startswith("-")):
            return None
        return _Taken(rest)
    if name == "git":
        return _git(words)
    if name not in _WRAPPERS:
        return None
    alone, valued = _WRAPPERS[name]
    at = 0
    while at < len(rest) and (word := rest[at]) is not None and word.text.startswith("-"):
        if word.text in valued.split():
            if at + 1 == len(rest):
                return _LOCKED
            if rest[at + 1] is None:
                return _LOCKED
            at += 2
        elif re.fullmatch(alone, word.text, re.DOTALL):
            at += 1
        else:
            return _LOCKED
    variables: list[tuple[str, str]] = []
    if name == "env":
        while at < len(rest) and (word := rest[at]) is not None and (found := _ASSIGNED.fullmatch(word.text)):
            variables.append((found[1], found[2]))
            at += 1
    if name == "timeout" and at < len(rest):
        if rest[at] is None:
            return _LOCKED
        at += 1
    return replace(_Taken(rest[at:]), variables=tuple(variables)) if at < len(rest) else None


def _git(words: list[Term]) -> _Taken | None:
    at, folders = 1, []
    while at < len(words) and (word := words[at]) is not None:
        if word.text in ("--no-pager", "-P"):
            at += 1
        elif word.text == "-C":
            folder = words[at + 1] if at + 1 < len(words) else None
            if folder is None or folder.glob:
                return _LOCKED
            folders.append(folder.text)
            at += 2
        else:
            break
    return _Taken([Known("git"), *words[at:]], folders=tuple(folders)) if at > 1 else None


def _inner_line(words: list[Term], redirections: Sequence[shell.Redirection]) -> list[str | None]:
    """The line that a shell is told to run (None when it is not known); nothing when it is told none."""
    at, tells = 1, False
    while at < len(words) and (word := words[at]) is not None:
        form = words[at + 1] if at + 1 < len(words) else None
        if re.fullmatch(r"-[ceux]+", word.text):
            tells = tells or "c" in word.text
            at += 1
        elif re.fullmatch(r"-[eux]*o", word.text) and form is not None and form.text == "pipefail":
            at += 2
        else:
            break
    if tells and at < len(words):
        line = words[at]
        return [None if line is None or line.glob else line.text]
    inputs = [r for r in redirections if r.operator.startswith("<") or r.descriptor == 0]
    if len(words) == 1 and len(inputs) == 1 and inputs[0].operator == "<<" and inputs[0].descriptor == 0:
        body = inputs[0].body
        return [None if not inputs[0].quoted and "$" in body else body]
    return []


def _behind_sudo(words: list[Term]) -> list[Term]:
    at = 1
    while at < len(words) and (word := words[at]) is not None and word.text.startswith("-"):
        if word.text in ("-n", "-E", "-H", "-S", "-k", "-b", "-i", "-s"):
            at += 1
        elif word.text in ("-u", "-g") and at + 1 < len(words) and words[at + 1] is not None:
            at += 2
        else:
            return []
    return words[at:]


def _exported(words: list[Term]) -> list[tuple[str, str | None]] | None:
    found: list[tuple[str, str | None]] = []
    for word in words[1:]:
        if word is None:
            return None
        if assigned := _ASSIGNED.fullmatch(word.text):
            found.append((assigned[1], assigned[2]))
        elif _NAME.fullmatch(word.text):
            found.append((word.text, None))
        else:
            return None
    return found or None
