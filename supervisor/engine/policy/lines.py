"""Reading of shell lines: the part of bash that docs/policy.md (5.2) describes. Everything else is unreadable.

The reader is its own and not a general grammar, because what it does not know must be refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from supervisor.engine.policy.commands import Assignment, Redirection, Simple
from supervisor.engine.policy.quoting import END, NAME, WordReader
from supervisor.engine.policy.words import Unreadable, Word, check_quoted

LONGEST = 65_536
"""Characters of a line."""

DEEPEST = 20
"""Nesting of substitutions, groups, loops and inner lines."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
_REDIRECTION = re.compile(r"(&>|([0-9]*)(<<-|<<|<>|<&|>>|>\||>&|<|>))")
_DELIMITER = re.compile(r"""(\\?[A-Za-z0-9_]+|'[A-Za-z0-9_]+'|"[A-Za-z0-9_]+")(?=[ \t\n;&|<>()]|\Z)""")
_DESCRIPTOR = re.compile(r"[0-9]+-?|-")
_QUOTES = re.compile(r"[$`'\"\\]")
_SPECIAL = re.compile(
    r"(if|then|elif|else|fi|while|until|for|do|done|\{|\}|!|case|esac|select|function|coproc|\[\[|\]\])"
    r"(?=[ \t\n;&|<>()]|\Z)"
)


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


class _Reader(WordReader):
    def __init__(self, text: str, home: str, depth: int, loop: bool) -> None:
        super().__init__(text, home)
        self.depth, self.loops = depth, int(loop)
        self.began = depth
        self.open: _Open | None = None

    @property
    def expects_body(self) -> bool:
        return self.open is not None

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
        name = NAME.match(self.text, self.at)
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
                if self.at >= len(self.text) or (self.text[self.at] in END and not self.substitutes()):
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
            if self.text[self.at] in END and not self.substitutes():
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
        value = Word("") if self.peek() in END or self.at >= len(self.text) else self.word(plain=True)
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
        if self.at >= len(self.text) or (self.text[self.at] in END and not self.substitutes()):
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
        check_quoted(text)
        waiting.owner.document = text
        waiting.owner.document_is_text = waiting.quoted or "$" not in text

    # -- substitutions

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

    # -- what has to follow

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
