"""Reading of shell lines: the part of bash that docs/policy.md (5.2) describes. Everything else is unreadable.

The reader is its own and not a general grammar, because what it does not know must be refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

LONGEST = 65_536
"""Characters of a line."""

DEEPEST = 20
"""Nesting of substitutions, groups, loops and inner lines."""

_MOST_SLASHES = 64
"""Of a word with globs."""

FOLDER = "\0"
"""Stands in a word's text for the value of $PWD, which only the judge knows."""

_END = frozenset(" \t\n;&|<>()")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,^\-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
_REDIRECTION = re.compile(r"(&>|([0-9]*)(<<-|<<|<>|<&|>>|>\||>&|<|>))")
_DELIMITER = re.compile(r"""(\\?[A-Za-z0-9_]+|'[A-Za-z0-9_]+'|"[A-Za-z0-9_]+")(?=[ \t\n;&|<>()]|\Z)""")
_DESCRIPTOR = re.compile(r"[0-9]+-?|-")
_QUOTES = re.compile(r"[$`'\"\\]")
_SPECIAL = re.compile(
    r"(if|then|elif|else|fi|while|until|for|do|done|\{|\}|!|case|esac|select|function|coproc|\[\[|\]\])"
    r"(?=[ \t\n;&|<>()]|\Z)"
)
_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:(?::-|:\+|-|\+|%%?|##?)[A-Za-z0-9_.*/-]*)?\}")
_ARITHMETIC = re.compile(r"\(\([0-9 \t+\-*/%]+\)\)")
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL")
"""A variable with one of these in its name is taken to hold a secret."""

_NUMBERS = frozenset("?#$")
_UNKNOWNS = frozenset("@*-!0123456789")
_QUOTED = "\1"
"""In a word's shape: a character that was quoted or came from an expansion."""


class Unreadable(Exception):
    """The line is outside of the language. The message says where."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word: what is known of its text, whether all of it is known, and whether it has unquoted globs.

    ``shape`` is there while the folder of a word with globs is not filled in: its text, with what is quoted made
    unreadable.
    """

    text: str
    known: bool = True
    glob: bool = False
    shape: str = ""


PIPE = "/dev/fd/63"
"""What a process substitution becomes."""

UNKNOWN = Word("…", known=False)


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


@dataclass(slots=True)
class _Open:
    """A here-document whose body has not begun."""

    delimiter: str
    quoted: bool
    tabs: bool
    owner: Simple


def read_line(text: str, home: str, depth: int = 0, *, loop: bool = False) -> list[Simple]:
    """Return the simple commands of a line in the order of the text; substitutions before what they stand in.

    Raises Unreadable.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"it is longer than {LONGEST:,} characters")
    if _CONTROL.search(text):
        raise Unreadable("it holds a control character")
    reader = _Reader(text, home, depth, loop)
    reader.line()
    return reader.commands


class _Reader:
    def __init__(self, text: str, home: str, depth: int, loop: bool) -> None:
        self.text, self.home, self.depth, self.loops = text, home, depth, int(loop)
        self.began = depth
        self.at = 0
        self.commands: list[Simple] = []
        self.open: _Open | None = None

    # -- structure

    def line(self) -> None:
        self.newlines()
        if self.at < len(self.text):
            self.sequence()
        if self.at < len(self.text):
            raise Unreadable(f"`{self.text[self.at : self.at + 12]}` has no place here")
        if self.open:
            raise Unreadable("a here-document has no end")

    def sequence(self, *, separated: bool = False) -> None:
        """Read pipelines up to something that is none. With ``separated`` the last one needs a separator."""
        found, ended = False, True
        while True:
            self.newlines()
            if self.ends():
                break
            self.pipeline()
            found, ended = True, False
            self.blanks()
            pair, char = self.text[self.at : self.at + 2], self.peek()
            if pair in ("&&", "||"):
                self.at += 2
                self.newlines()
                if self.ends():
                    raise Unreadable(f"nothing follows `{pair}`")
                continue
            if char in (";", "&") and pair != ";;" and pair != ";&":
                self.at += 1
                self.blanks()
                if self.peek() in (";", "&") and self.text[self.at : self.at + 2] != "&>":
                    raise Unreadable("two separators follow each other")
            elif char != "\n":
                break
            ended = True
        if not found or (separated and not ended):
            raise Unreadable("a list of commands is missing or has no end")

    def ends(self) -> bool:
        """Say whether no command can begin here: the end, a closing bracket or a closing word."""
        if self.at >= len(self.text) or self.text[self.at] == ")":
            return True
        special = _SPECIAL.match(self.text, self.at)
        return special is not None and special[1] in ("then", "elif", "else", "fi", "do", "done", "}")

    def pipeline(self) -> None:
        special = _SPECIAL.match(self.text, self.at)
        if special and special[1] == "!":
            self.at += 1
            if self.peek() not in (" ", "\t"):
                raise Unreadable("a blank is missing behind `!`")
            self.blanks()
        self.command()
        while True:
            self.blanks()
            if self.peek() != "|" or self.text.startswith("||", self.at):
                return
            self.at += 2 if self.text.startswith("|&", self.at) else 1
            self.newlines()
            self.command()

    def command(self) -> None:
        special = _SPECIAL.match(self.text, self.at)
        if special is None:
            if self.peek() != "(":
                self.simple()
                return
            if self.text.startswith("((", self.at):
                raise Unreadable("arithmetic commands are not read")
            self.at += 1
            self.nested(self.sequence)
            self.expect(")")
        elif special[1] == "{":
            self.at += 1
            self.nested(lambda: self.sequence(separated=True))
            self.word_of("}")
        elif special[1] == "if":
            self.at += 2
            self.nested(self.condition)
        elif special[1] in ("while", "until"):
            self.at += 5
            self.nested(self.repetition)
        elif special[1] == "for":
            self.at += 3
            self.nested(self.iteration)
        else:
            raise Unreadable(f"`{special[1]}` has no place here")
        self.outer_redirections()

    def nested(self, read: Callable[[], None]) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"it is nested more than {DEEPEST} deep")
        read()
        self.depth -= 1

    def condition(self) -> None:
        self.sequence(separated=True)
        self.word_of("then")
        self.sequence(separated=True)
        while self.word_if("elif"):
            self.sequence(separated=True)
            self.word_of("then")
            self.sequence(separated=True)
        if self.word_if("else"):
            self.sequence(separated=True)
        self.word_of("fi")

    def repetition(self) -> None:
        self.loops += 1
        self.sequence(separated=True)
        self.word_of("do")
        self.sequence(separated=True)
        self.word_of("done")
        self.loops -= 1

    def iteration(self) -> None:
        self.blanks()
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise Unreadable("`for` has no name")
        self.at = name.end()
        if self.peek() not in (" ", "\t", "\n", ";"):
            raise Unreadable("`for` has no name")
        self.blanks()
        ended = self.peek() == "\n"
        self.newlines()
        if self.text.startswith("in", self.at) and self.text[self.at + 2 : self.at + 3] in (" ", "\t", ";", "\n"):
            self.at += 2
            self.blanks()
            while self.peek() not in (";", "\n"):
                if self.at >= len(self.text) or (self.text[self.at] in _END and not self.substitutes()):
                    raise Unreadable("the words of `for` have no end")
                self.word()
                self.blanks()
            ended = self.peek() == "\n"
        if self.peek() == ";":
            self.at += 1
        elif not ended:
            raise Unreadable("the words of `for` have no end")
        self.newlines()
        self.commands.append(Simple(assignments=[Assignment(name[0], None)], loop=self.loops > 0, depth=self.began))
        self.loops += 1
        self.word_of("do")
        self.sequence(separated=True)
        self.word_of("done")
        self.loops -= 1

    def outer_redirections(self) -> None:
        outer = Simple(loop=self.loops > 0, depth=self.began)
        self.blanks()
        while not self.substitutes() and (found := _REDIRECTION.match(self.text, self.at)):
            self.redirection(outer, found)
            self.blanks()
        if outer.redirections:
            self.commands.append(outer)

    # -- simple commands

    def simple(self) -> None:
        simple = Simple(loop=self.loops > 0, depth=self.began)
        began = self.at
        while True:
            self.blanks()
            if self.at >= len(self.text):
                break
            if not self.substitutes() and (found := _REDIRECTION.match(self.text, self.at)):
                self.redirection(simple, found)
                continue
            if self.text[self.at] in _END and not self.substitutes():
                if self.text[self.at] == "(":
                    raise Unreadable("a bracket stands where it has no place")
                break
            if not simple.words and (assignment := _ASSIGNMENT.match(self.text, self.at)):
                self.assignment(simple, assignment)
                continue
            simple.words.append(self.word())
        if self.at == began or not (
            simple.words or simple.assignments or simple.redirections or simple.document is not None
        ):
            raise Unreadable("a command is missing")
        self.commands.append(simple)

    def assignment(self, simple: Simple, found: re.Match[str]) -> None:
        if found[2] == "[":
            raise Unreadable("arrays are not read")
        self.at = found.end()
        value = Word("") if self.peek() in _END or self.at >= len(self.text) else self.word(plain=True)
        if self.peek() == "(" or self.substitutes():
            raise Unreadable("arrays are not read")
        known = value.known and found[2] == "="
        simple.assignments.append(Assignment(found[1], value if known else None))

    def redirection(self, simple: Simple, found: re.Match[str]) -> None:
        operator = found[3] or "&>"
        number = int(found[2]) if found[2] else None
        self.at = found.end()
        if operator.startswith("<") or number == 0:
            simple.inputs += 1
        if self.peek() in (">", "(") or self.substitutes() or (operator in ("<<", "<") and self.peek() == "<"):
            raise Unreadable("this redirection is not read")
        if operator in ("<<", "<<-"):
            self.here_document(simple, operator)
            simple.inputs += 1 if number else 0  # of another descriptor: no standard input
            return
        self.blanks()
        if self.at >= len(self.text) or (self.text[self.at] in _END and not self.substitutes()):
            raise Unreadable("a redirection has no file")
        began = self.at
        word = self.word()
        if operator in (">&", "<&"):
            plain = word.known and not _QUOTES.search(self.text, began, self.at)
            if plain and _DESCRIPTOR.fullmatch(word.text):
                return
            if operator == "<&" or word.text.startswith("-"):
                raise Unreadable(f"`{operator}` has no number")  # bash ends `>&-x` behind the dash
        simple.redirections.append(Redirection(operator, word))

    def here_document(self, simple: Simple, operator: str) -> None:
        self.blanks()
        found = _DELIMITER.match(self.text, self.at)
        if found is None or self.open or simple.document is not None:
            raise Unreadable("this here-document is not read")
        self.at = found.end()
        delimiter = found[1].strip("\\'\"")
        self.open = _Open(delimiter, delimiter != found[1], operator == "<<-", simple)
        simple.document = ""

    def body(self) -> None:
        """Read the body of the open here-document; the position is behind the newline."""
        waiting, self.open = self.open, None
        if waiting is None:
            return
        lines: list[str] = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end]
            self.at = end + 1 if end < len(self.text) else end
            line = line.lstrip("\t") if waiting.tabs else line
            if line == waiting.delimiter:
                break
            lines.append(line)
        else:
            raise Unreadable("a here-document has no end")
        text = "".join(f"{line}\n" for line in lines)
        if not waiting.quoted and re.search(r"`|\$[(\[{]|\\", text):
            raise Unreadable("a here-document has expansions in it")
        _check_quoted(text)
        waiting.owner.document = text
        waiting.owner.document_is_text = waiting.quoted or "$" not in text

    # -- words

    def word(self, *, plain: bool = False) -> Word:
        """Read one word; the position is at its beginning. ``plain``: the value of an assignment."""
        if self.substitutes():
            self.at += 2
            self.substitution()
            if self.at < len(self.text) and (self.text[self.at] not in _END or self.substitutes()):
                raise Unreadable("something is joined to a process substitution")
            return Word(PIPE)
        tilde = self.peek() == "~"
        texts: list[str] = []
        shape: list[str] = []
        known = True
        while self.at < len(self.text):
            char = self.text[self.at]
            if found := _PLAIN.match(self.text, self.at):
                texts.append(found[0])
                shape.append(found[0])
                self.at = found.end()
                continue
            if char in _END:
                break
            if char == "'":
                piece: str | None = self.single()
            elif char == '"':
                piece = self.double()
            elif char == "\\":
                piece = self.escaped()
            elif char == "$":
                if self.text[self.at + 1 : self.at + 2] in ("'", '"'):
                    raise Unreadable("this quoting is not read")
                piece = self.dollar()
            elif char == "`":
                self.backtick(quoted=False)
                piece = None
            else:
                if not " " < char <= "~":
                    raise Unreadable("a character outside ASCII is not quoted")
                texts.append(char)
                shape.append(char)
                self.at += 1
                continue
            if piece is None:
                known = False
                shape.append(_QUOTED)
                texts.append(_QUOTED)
            else:
                texts.append(piece)
                shape.append(_QUOTED * len(piece))
        if self.peek() == "(" or self.substitutes():
            raise Unreadable("a bracket is joined to a word")
        return _finished("".join(texts), "".join(shape), known, None if plain else tilde, self.home)

    def single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise Unreadable("a quote has no end")
        text = self.text[self.at + 1 : end]
        self.quoted(text)
        self.at = end + 1
        return text

    def double(self) -> str | None:
        self.at += 1
        pieces: list[str] = []
        known = True
        while True:
            char = self.peek()
            if not char:
                raise Unreadable("a quote has no end")
            if char == '"':
                self.at += 1
                return "".join(pieces) if known else None
            if char == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                self.at += 2
                if following == "\n":
                    if self.open:
                        raise Unreadable("a newline stands between a here-document and its body")
                    continue
                pieces.append(following if following in ("$", "`", '"', "\\") else "\\" + following)
                self.quoted(following)
            elif char in ("$", "`"):
                if char == "`":
                    self.backtick(quoted=True)
                    piece = None
                else:
                    piece = self.dollar()
                if piece is None:
                    known = False
                else:
                    pieces.append(piece)
            else:
                end = self.at + 1
                while end < len(self.text) and self.text[end] not in '"\\$`':
                    end += 1
                text = self.text[self.at : end]
                self.quoted(text)
                pieces.append(text)
                self.at = end

    def quoted(self, text: str) -> None:
        if self.open and "\n" in text:
            raise Unreadable("a newline stands between a here-document and its body")
        _check_quoted(text)

    def escaped(self) -> str:
        following = self.text[self.at + 1 : self.at + 2]
        if not following or not " " <= following <= "~":
            raise Unreadable("a backslash stands before something that it cannot quote")
        self.at += 2
        return following

    def dollar(self) -> str | None:
        """Read an expansion: its text when that is known, else None."""
        text, at = self.text, self.at + 1
        following = text[at : at + 1]
        if following == "(":
            if found := _ARITHMETIC.match(text, at):
                self.at = found.end()
                return None
            if text.startswith("((", at):
                raise Unreadable("this arithmetic is not read")
            self.at = at + 1
            self.substitution()
            return "0" if text[at : self.at] == "(nproc)" else None
        if following == "{":
            found = _BRACED.match(text, at)
            if found is None:
                raise Unreadable("this expansion is not read")
            self.at = found.end()
            value = self.variable(found[1])
            return value if found[0] == "{" + found[1] + "}" else None
        if found := _NAME.match(text, at):
            self.at = found.end()
            return self.variable(found[0])
        if following == "[":
            raise Unreadable("this arithmetic is not read")
        if following == "\\" and text[at + 1 : at + 2] == "\n":
            raise Unreadable("a line ends inside of an expansion")
        if following in _NUMBERS and following:
            self.at = at + 1
            return "0"
        if following in _UNKNOWNS and following:
            self.at = at + 1
            return None
        self.at = at
        return "$"

    def variable(self, name: str) -> str | None:
        if any(word in name.upper() for word in _SECRETS):
            self.commands.append(Simple(secret=name))
        return {"HOME": self.home, "PWD": FOLDER}.get(name)

    def substitution(self) -> None:
        """Read the commands of a substitution; the position is behind its opening bracket."""
        if self.open:
            raise Unreadable("a substitution stands between a here-document and its body")
        self.nested(self.sequence)
        if self.open:
            raise Unreadable("a here-document has no end")
        self.expect(")")

    def backtick(self, *, quoted: bool) -> None:
        end = self.text.find("`", self.at + 1)
        inner = self.text[self.at + 1 : end]
        if end < 0 or self.open or "\\" in inner or (quoted and '"' in inner):
            raise Unreadable("these backticks are not read")
        self.at = end + 1
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"it is nested more than {DEEPEST} deep")
        found = read_line(inner, self.home, self.depth, loop=self.loops > 0)
        if not found:
            raise Unreadable("these backticks are empty")
        self.depth -= 1
        self.commands.extend(found)

    # -- characters

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def substitutes(self) -> bool:
        """Say whether a process substitution begins here."""
        return self.text.startswith(("<(", ">("), self.at)

    def blanks(self) -> None:
        text, at = self.text, self.at
        while True:
            char = text[at : at + 1]
            if char in (" ", "\t") and char:
                at += 1
            elif char == "\\" and text[at + 1 : at + 2] == "\n":
                if at and text[at - 1] not in " \t\n;&|()":
                    raise Unreadable("a word goes on behind the end of a line")
                if self.open:
                    raise Unreadable("a newline stands between a here-document and its body")
                at += 2
            else:
                break
        if text[at : at + 1] == "#" and (at == 0 or text[at - 1] in " \t\n;&|()<>"):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if not text[at:end].isascii():
                raise Unreadable("a character outside ASCII is not quoted")
            at = end
        self.at = at

    def newlines(self) -> None:
        self.blanks()
        while self.peek() == "\n":
            self.at += 1
            self.body()
            self.blanks()

    def expect(self, char: str) -> None:
        if self.peek() != char:
            raise Unreadable(f"`{char}` is missing")
        self.at += 1

    def word_if(self, word: str) -> bool:
        special = _SPECIAL.match(self.text, self.at)
        if special is None or special[1] != word:
            return False
        self.at = special.end()
        return True

    def word_of(self, word: str) -> None:
        if not self.word_if(word):
            raise Unreadable(f"`{word}` is missing")


def _check_quoted(text: str) -> None:
    if not text.isascii() and not all(char.isprintable() or char in "\t\n" for char in text):
        raise Unreadable("it holds a character that cannot be seen")


def _finished(text: str, shape: str, known: bool, tilde: bool | None, home: str) -> Word:
    """Return the word, with what its shape tells: globs, braces, a leading tilde (None: the value of an assignment)."""
    if tilde is None:
        return Word(text, known)
    if tilde:
        if len(shape) > 1 and shape[1] != "/":
            known = False
        else:
            text, shape = home + text[1:], _QUOTED * len(home) + shape[1:]
    inside = shape[shape.find("{") : shape.rfind("}") + 1]
    if "{" in shape and ("," in inside or ".." in inside):
        known = False
    glob = shape != "[" and any(char in shape for char in "*?[")
    if not known:
        return Word(text.replace(_QUOTED, "…"), known=False)
    if not glob:
        return Word(text)
    return Word(text, glob=True, shape=shape) if FOLDER in text else _globbed(text, shape)


def _globbed(text: str, shape: str) -> Word:
    """Return a word with globs: unknown when they may lead to hidden files or upwards."""
    if text.count("/") > _MOST_SLASHES:
        return Word(text, known=False)
    at, magic = 0, False
    for segment in text.split("/"):
        part = shape[at : at + len(segment)]
        has = any(char in part for char in "*?[")
        if (has and segment.startswith(".")) or (magic and segment == ".."):
            return Word(text, known=False)
        magic = magic or has
        at += len(segment) + 1
    return Word(text, glob=True)


def placed(word: Word, folders: Sequence[str]) -> Word:
    """Fill the folder in where the word holds $PWD; with several possible ones the word is unknown."""
    if FOLDER not in word.text:
        return word
    if len(folders) > 1 or not word.known:
        return Word(word.text.replace(FOLDER, "…"), known=False)
    text = word.text.replace(FOLDER, folders[0])
    if not word.glob:
        return Word(text)
    marks = zip(word.text, word.shape, strict=True)
    return _globbed(text, "".join(_QUOTED * len(folders[0]) if char == FOLDER else mark for char, mark in marks))
