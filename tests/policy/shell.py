"""A second reader of shell lines, written from docs/policy.md (5.2) alone.

It serves the reference evaluator only. It descends by hand over characters and shares nothing with the reader that
the supervisor uses, so that a mistake would have to be made twice to go unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEEPEST = 20
LONGEST = 65_536

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENDS_WORD = frozenset(" \t\n;&|<>()")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(?::-|-|:\+|\+|%%|%|##|#)([A-Za-z0-9_.*/-]*))?\}")
_PLAIN = re.compile(r"[^\x00-\x20\x7f-\U0010ffff;&|<>()\\'\"$`~]+")
_DOUBLE = re.compile(r'[^"$`\\]+')
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SUM = re.compile(r"\$\(\(([0-9 \t+*/%-]+)\)\)")


def _words(text: str) -> list[str]:
    return text.split()


_SPECIAL = frozenset(
    _words("""
    if then elif else fi while until for do done { } ! case esac select function coproc [[ ]]
    """)
)


class Unreadable(Exception):
    """The line does not fit the part of the language that policy reads."""


@dataclass(frozen=True)
class Text:
    """Characters of a word, as they stand for themselves; quoted ones are no globs."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Home:
    """`$HOME` or an unquoted `~` at the beginning."""


@dataclass(frozen=True)
class Folder:
    """`$PWD`: known while there is only one possible folder."""


@dataclass(frozen=True)
class Hidden:
    """A piece whose text only the running shell knows, with the commands that it runs.

    `known` is what stands for it where that does not matter. `secret`: the value of a variable that seems to be one.
    """

    commands: tuple[Command, ...] = ()
    known: str | None = None
    secret: bool = False


Piece = Text | Home | Folder | Hidden


@dataclass(frozen=True)
class Word:
    """Pieces without a blank between them."""

    pieces: tuple[Piece, ...]
    value: bool = False  # the value of an assignment: `~` and braces are text there

    @property
    def braced(self) -> bool:
        """Whether brace expansion would make other words of it."""
        if self.value:
            return False
        drawn = "".join(
            ("\0" * len(p.text) if p.quoted else p.text) if isinstance(p, Text) else "\0" for p in self.pieces
        )
        begin, end = drawn.find("{"), drawn.rfind("}")
        between = drawn[begin + 1 : end] if 0 <= begin < end else ""
        return "," in between or ".." in between


@dataclass(frozen=True)
class Assignment:
    """`NAME=word` or `NAME+=word` before a program."""

    name: str
    append: bool
    word: Word


@dataclass
class Redirection:
    """`operator word`; of a here-document `word` is None, and `body` its text."""

    operator: str
    number: str
    word: Word | None
    quoted: bool = False
    tabs: bool = False
    end: str = ""
    body: str = ""

    @property
    def descriptor(self) -> int:
        """The descriptor that is redirected: as numbered, else what the operator stands for."""
        return int(self.number) if self.number else int(not self.operator.startswith("<"))


@dataclass(frozen=True)
class Simple:
    """A program with its words. `read` keeps all words in the order of the text, `depth` is that of its line."""

    depth: int
    assignments: tuple[Assignment, ...]
    redirections: tuple[Redirection, ...]
    words: tuple[Word, ...]
    read: tuple[Word, ...]


@dataclass(frozen=True)
class Compound:
    """A group, subshell, condition or loop: what it holds runs in the order of the text."""

    commands: tuple[Command, ...]
    redirections: tuple[Redirection, ...]
    loop: bool = False
    variable: str | None = None
    words: tuple[Word, ...] = ()


Command = Simple | Compound


def read(line: str, depth: int = 0) -> tuple[Command, ...]:
    """The commands of a line in the order of its text. Raises Unreadable."""
    if len(line) > LONGEST or depth > DEEPEST or _CONTROL.search(line):
        raise Unreadable
    return _Reader(line, depth, depth).whole()


def _secret(name: str) -> bool:
    """Whether a variable seems to hold a secret."""
    return any(word in name.upper() for word in ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL"))


def _check_here_documents(redirections: list[Redirection]) -> None:
    if sum(redirection.operator == "<<" for redirection in redirections) > 1:
        raise Unreadable


@dataclass
class _Reader:
    text: str
    depth: int
    begin: int  # the depth at which the line began
    at: int = 0
    pending: Redirection | None = None

    # --- characters

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char

    def after(self) -> str:
        """The character behind the next one."""
        return self.text[self.at + 1 : self.at + 2]

    def gap(self) -> None:
        """Pass over blanks; a backslash with a newline is one where a word cannot be going on."""
        while True:
            if self.peek() in (" ", "\t"):
                self.at += 1
            elif self.text.startswith("\\\n", self.at) and (not self.at or self.text[self.at - 1] in " \t\n;&|()"):
                if self.pending is not None:
                    raise Unreadable
                self.at += 2
            else:
                return

    def blanks(self) -> None:
        self.gap()
        if self.peek() == "#":
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            if not self.text[self.at : end].isascii():
                raise Unreadable
            self.at = end

    def newlines(self) -> None:
        self.blanks()
        while self.at < len(self.text) and self.text[self.at] == "\n":
            self.newline()
            self.blanks()

    def newline(self) -> None:
        self.at += 1
        if (here := self.pending) is None:
            return
        self.pending = None
        lines: list[str] = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end]
            self.at = end + 1
            if here.tabs:
                line = line.lstrip("\t")
            if line == here.end:
                here.body = "".join(f"{one}\n" for one in lines)
                self._check_body(here)
                self.at = min(self.at, len(self.text))
                return
            lines.append(line)
        raise Unreadable

    def _check_body(self, here: Redirection) -> None:
        body = here.body
        if any(not c.isascii() and not c.isprintable() for c in body):
            raise Unreadable
        if not here.quoted and any(bad in body for bad in ("`", "$(", "${", "\\", "$[")):
            raise Unreadable

    # --- lists

    def whole(self) -> tuple[Command, ...]:
        commands = self.list_(frozenset(), optional=True)
        if self.at < len(self.text) or self.pending is not None:
            raise Unreadable
        return commands

    def keyword(self) -> str:
        """The special word that stands here, without taking it; empty when there is none."""
        here = self.at
        text = ""
        while (c := self.peek()) and c not in _ENDS_WORD:
            if c in "'\"\\$`" or len(text) > 8:
                text = ""
                break
            text += c
            self.at += 1
        self.at = here
        return text if text in _SPECIAL else ""

    def expect(self, word: str) -> None:
        self.blanks()
        if self.keyword() != word:
            raise Unreadable
        for _ in word:
            self.take()

    def ends(self, ends: frozenset[str]) -> bool:
        char = self.peek()
        if char == "":
            return not ends
        if char == ")":
            return ")" in ends
        return bool(ends) and self.keyword() in ends

    def list_(self, ends: frozenset[str], optional: bool = False) -> tuple[Command, ...]:
        commands: list[Command] = []
        self.newlines()
        if self.ends(ends):
            if optional:
                return ()
            raise Unreadable
        while True:
            commands += self.pipeline()
            self.blanks()
            char = self.peek()
            if char == "\n":
                self.newlines()
            elif char in ("&", "|") and self.after() == char:
                self.take()
                self.take()
                self.newlines()
                continue
            elif char in (";", "&") and char:
                self.take()
                if self.peek() == "&":
                    raise Unreadable
                self.newlines()
            else:
                if char == "" and not ends:
                    return tuple(commands)
                if char == ")" and ")" in ends:
                    return tuple(commands)
                raise Unreadable
            if self.ends(ends):
                return tuple(commands)

    def pipeline(self) -> list[Command]:
        if self.keyword() == "!":
            self.take()
            if self.peek() not in (" ", "\t"):
                raise Unreadable
            self.blanks()
        commands = [self.command()]
        while True:
            self.blanks()
            if self.peek() != "|" or self.after() == "|":
                return commands
            self.take()
            if self.peek() == "&":
                self.take()
            self.newlines()
            commands.append(self.command())

    def command(self) -> Command:
        if self.peek() == "(":
            if self.after() == "(":
                raise Unreadable
            self.take()
            inside = self.inside(frozenset(")"))
            self.take()
            return Compound(inside, self.redirections())
        word = self.keyword()
        if not word:
            return self.simple()
        if word == "{":
            self.expect("{")
            inside = self.inside(frozenset("}"))
            self.expect("}")
        elif word == "if":
            return self.condition()
        elif word in ("while", "until"):
            self.expect(word)
            inside = self.inside(frozenset({"do"}))
            self.expect("do")
            inside += self.inside(frozenset({"done"}))
            self.expect("done")
            return Compound(inside, self.redirections(), loop=True)
        elif word == "for":
            return self.loop()
        else:
            raise Unreadable
        return Compound(inside, self.redirections())

    def inside(self, ends: frozenset[str]) -> tuple[Command, ...]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable
        commands = self.list_(ends)
        self.depth -= 1
        return commands

    def condition(self) -> Compound:
        self.expect("if")
        inside = self.inside(frozenset({"then"}))
        self.expect("then")
        while True:
            inside += self.inside(frozenset({"elif", "else", "fi"}))
            word = self.keyword()
            self.expect(word)
            if word == "elif":
                inside += self.inside(frozenset({"then"}))
                self.expect("then")
                continue
            if word == "else":
                inside += self.inside(frozenset({"fi"}))
                self.expect("fi")
            return Compound(inside, self.redirections())

    def loop(self) -> Compound:
        self.expect("for")
        self.blanks()
        variable = self.plain()
        if not _NAME.fullmatch(variable):
            raise Unreadable
        self.blanks()
        separated = self.peek() == "\n"
        self.newlines()
        spaced = self.text[self.at - 1 : self.at] in (" ", "\t", "\n")
        words: list[Word] = []
        if spaced and self.text.startswith("in", self.at) and self.text[self.at + 2 : self.at + 3] in " \t\n;":
            self.at += 2
            separated = False
            self.depth += 1
            while True:
                self.blanks()
                if self.peek() in ("", "\n", ";"):
                    break
                words.append(self.one_word())
            self.depth -= 1
        if self.peek() == ";":
            self.take()
        elif self.peek() != "\n" and not separated:
            raise Unreadable
        self.newlines()
        self.expect("do")
        inside = self.inside(frozenset({"done"}))
        self.expect("done")
        return Compound(inside, self.redirections(), loop=True, variable=variable, words=tuple(words))

    def plain(self) -> str:
        """A word without any quote or expansion; empty when another one stands here."""
        text = ""
        while (c := self.peek()) and c not in _ENDS_WORD:
            if c in "'\"\\$`":
                return ""
            text += c
            self.at += 1
        return text

    # --- simple commands

    def simple(self) -> Simple:
        assignments: list[Assignment] = []
        redirections: list[Redirection] = []
        words: list[Word] = []
        order: list[Word] = []
        while True:
            self.blanks()
            if (redirection := self.redirection()) is not None:
                redirections.append(redirection)
                if redirection.word is not None:
                    order.append(redirection.word)
                continue
            if self.peek() in ("", "\n", ";", "&", "|", ")"):
                break
            if not words and (assignment := self.assignment()) is not None:
                assignments.append(assignment)
                order.append(assignment.word)
                continue
            words.append(self.one_word())
            order.append(words[-1])
        if not order and all(redirection.operator != "<<" for redirection in redirections):
            raise Unreadable
        _check_here_documents(redirections)
        return Simple(self.begin, tuple(assignments), tuple(redirections), tuple(words), tuple(order))

    def redirections(self) -> tuple[Redirection, ...]:
        found: list[Redirection] = []
        while True:
            self.blanks()
            if (redirection := self.redirection()) is None:
                _check_here_documents(found)
                return tuple(found)
            found.append(redirection)

    def assignment(self) -> Assignment | None:
        here = self.at
        name = ""
        while (c := self.peek()) and c.isascii() and (c.isalnum() or c == "_"):
            name += c
            self.at += 1
        if _NAME.fullmatch(name):
            if c == "[":
                raise Unreadable
            append = c == "+" and self.after() == "="
            if append or c == "=":
                self.take()
                if append:
                    self.take()
                if self.peek() == "(":
                    raise Unreadable
                word = Word(self.pieces(value=True), value=True)
                if self.peek() in ("<", ">") and self.after() == "(":
                    raise Unreadable
                return Assignment(name, append, word)
        self.at = here
        return None

    def redirection(self) -> Redirection | None:
        """The redirection that begins here, or None."""
        here = self.at
        number = ""
        while (c := self.peek()) and c in "0123456789":
            number += c
            self.at += 1
        if c == "&" and not number and self.after() == ">":
            self.take()
            self.take()
            if self.peek() == ">":
                raise Unreadable
            return Redirection("&>", "", self.target())
        if c not in ("<", ">") or c == "":
            self.at = here
            return None
        if self.after() == "(":
            if number:
                raise Unreadable
            self.at = here
            return None
        operator = self.take()
        follows = self.peek()
        if follows and operator + follows in (">>", ">|", ">&", "<<", "<>", "<&"):
            operator += self.take()
        if operator == "<<":
            return self.here_document(number)
        word = self.target()
        if operator in (">&", "<&"):
            text = "".join(p.text if isinstance(p, Text) else "\0" for p in word.pieces)
            known = all(isinstance(p, Text) and not p.quoted for p in word.pieces)
            if known and re.fullmatch(r"[0-9]+-?|-", text):
                return Redirection(operator, number, None)
            if operator == "<&" or text.startswith("-"):
                raise Unreadable
        return Redirection(operator, number, word)

    def target(self) -> Word:
        here = self.at
        self.gap()
        if self.peek() == "#" or (self.at == here and self.peek() in ("<", ">")):
            raise Unreadable
        return self.one_word()

    def here_document(self, number: str) -> Redirection:
        tabs = self.peek() == "-"
        if tabs:
            self.take()
        self.gap()
        if self.pending is not None:
            raise Unreadable
        quote = self.peek()
        quoted = quote in ("'", '"', "\\")
        if quoted:
            self.at += 1
        name = ""
        while (c := self.peek()) and c.isascii() and (c.isalnum() or c == "_"):
            name += c
            self.at += 1
        if quote in ("'", '"') and self.take() != quote:
            raise Unreadable
        end = self.peek()
        if not name or (end and end not in _ENDS_WORD) or end == "(" or (end in ("<", ">") and self.after() == "("):
            raise Unreadable
        self.pending = Redirection("<<", number, None, quoted=quoted, tabs=tabs, end=name)
        return self.pending

    # --- words

    def one_word(self) -> Word:
        char = self.peek()
        if char in ("<", ">") and self.after() == "(":
            self.take()
            self.take()
            piece = Hidden(self.substitution(), known="/dev/fd/63")
            end = self.peek()
            if end and (end not in _ENDS_WORD or end == "(" or (end in ("<", ">") and self.after() == "(")):
                raise Unreadable
            return Word((piece,))
        here = self.at
        pieces = self.pieces()
        if self.at == here:
            raise Unreadable
        end = self.peek()
        if end == "(" or (end in ("<", ">") and end and self.after() == "("):
            raise Unreadable
        return Word(pieces)

    def substitution(self) -> tuple[Command, ...]:
        """The list up to the closing parenthesis, whose opening one is taken."""
        if self.pending is not None:
            raise Unreadable
        commands = self.inside(frozenset(")"))
        self.take()
        if self.pending is not None:
            raise Unreadable
        return commands

    def pieces(self, value: bool = False) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        plain = ""
        begin = True
        tilde = False
        while (c := self.peek()) and c not in _ENDS_WORD:
            if c not in "\\'\"$`~":
                run = _PLAIN.match(self.text, self.at)
                if run is None:
                    raise Unreadable
                plain += run[0]
                self.at = run.end()
                begin = False
                continue
            if plain:
                pieces.append(Text(plain, quoted=False))
                plain = ""
            if c == "~":
                self.at += 1
                if not begin or value:
                    plain = "~"
                else:
                    tilde = True
                    pieces.append(Home())
            elif c == "\\":
                self.at += 1
                char = self.text[self.at : self.at + 1]
                if not char or not " " <= char < "\x7f":
                    raise Unreadable
                pieces.append(Text(char, quoted=True))
                self.at += 1
            elif c == "'":
                end = self.text.find("'", self.at + 1)
                if end < 0:
                    raise Unreadable
                pieces.append(self.quoted(self.text[self.at + 1 : end]))
                self.at = end + 1
            elif c == '"':
                self.at += 1
                pieces += self.double()
            else:
                pieces.append(self.dollar(quoted=False) if c == "$" else self.backticks(quoted=False))
            begin = False
        if plain:
            pieces.append(Text(plain, quoted=False))
        if tilde:
            goes_on = next((piece for piece in pieces[1:] if piece != Text("", quoted=True)), Text("/", quoted=False))
            known = isinstance(goes_on, Text) and not goes_on.quoted and goes_on.text.startswith("/")
            pieces[0] = Home() if known else Hidden()
        return tuple(pieces)

    def quoted(self, text: str) -> Text:
        if "\n" in text and self.pending is not None:
            raise Unreadable
        if not text.isascii() and any(not c.isascii() and not c.isprintable() for c in text):
            raise Unreadable
        return Text(text, quoted=True)

    def double(self) -> list[Piece]:
        pieces: list[Piece] = []
        text = ""
        while True:
            c = self.peek()
            if c == "":
                raise Unreadable
            if c not in '"$`\\':
                end = _DOUBLE.match(self.text, self.at)
                assert end is not None
                text += end[0]
                self.at = end.end()
                continue
            if c in '"$`' and text:
                pieces.append(self.quoted(text))
                text = ""
            if c == '"':
                self.at += 1
                return pieces or [Text("", quoted=True)]
            if c == "$":
                pieces.append(self.dollar(quoted=True))
            elif c == "`":
                pieces.append(self.backticks(quoted=True))
            elif c == "\\" and self.after() in ("$", "`", '"', "\\", "\n"):
                if self.after() != "\n":
                    text += self.after()
                elif self.pending is not None:
                    raise Unreadable
                self.at += 2
            else:
                text += c
                self.at += 1

    def backticks(self, quoted: bool) -> Hidden:
        end = self.text.find("`", self.at + 1)
        inner = self.text[self.at + 1 : end]
        if end < 0 or "\\" in inner or self.pending is not None or (quoted and '"' in inner):
            raise Unreadable
        self.at = end + 1
        commands = read(inner, self.depth + 1)
        if not commands:
            raise Unreadable
        return Hidden(commands)

    def dollar(self, quoted: bool) -> Piece:
        self.take()
        follows = self.peek()
        if self.text.startswith("\\\n", self.at):
            raise Unreadable
        if follows and follows in "?#$":
            self.take()
            return Text("0", quoted=True)
        if follows and follows in "@*-!0123456789":
            self.take()
            return Hidden()
        if follows == "(":
            self.take()
            if self.peek() == "(":
                rest = _SUM.match(self.text, self.at - 2)
                if rest is None:
                    raise Unreadable
                self.at = rest.end()
                return Hidden()
            known = "0" if self.text.startswith("nproc)", self.at) else None
            return Hidden(self.substitution(), known=known)
        if follows == "{":
            self.take()
            return self.braces()
        if follows == "[" or (follows in ("'", '"') and follows and not quoted):
            raise Unreadable
        name = ""
        while (c := self.peek()) and c.isascii() and (c.isalnum() or c == "_"):
            name += c
            self.at += 1
        if not name:
            return Text("$", quoted=True)
        return self.variable(name)

    def braces(self) -> Piece:
        found = ""
        while (c := self.peek()) and c != "}":
            found += c
            self.at += 1
        match = _BRACED.fullmatch(found + self.take())
        if match is None:
            raise Unreadable
        return Hidden(secret=_secret(match[1])) if found != match[1] else self.variable(match[1])

    def variable(self, name: str) -> Piece:
        if name == "HOME":
            return Home()
        return Folder() if name == "PWD" else Hidden(secret=_secret(name))
