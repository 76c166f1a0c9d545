"""Reading of the words of a shell line, with their quotes and expansions, character by character."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from supervisor.engine.policy.commands import Simple
from supervisor.engine.policy.words import FOLDER, PIPE, QUOTED, Unreadable, Word, check_quoted, finished

END = frozenset(" \t\n;&|<>()")
"""What ends a word that is not quoted."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,^\-]+")
_BRACED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:(?::-|:\+|-|\+|%%?|##?)[A-Za-z0-9_.*/-]*)?\}")
_ARITHMETIC = re.compile(r"\(\([0-9 \t+\-*/%]+\)\)")
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL")
"""A variable with one of these in its name is taken to hold a secret."""

_NUMBERS = frozenset("?#$")
_UNKNOWNS = frozenset("@*-!0123456789")


class WordReader(ABC):
    """Reads words of ``text`` from the position ``at`` on. What is looked at on the way goes to ``commands``."""

    def __init__(self, text: str, home: str) -> None:
        self.text, self.home = text, home
        self.at = 0
        self.commands: list[Simple] = []

    @property
    @abstractmethod
    def expects_body(self) -> bool:
        """Whether the body of a here-document begins behind this line."""

    @abstractmethod
    def substitution(self) -> None:
        """Read the commands of a substitution; the position is behind its opening bracket."""

    @abstractmethod
    def backtick(self, *, quoted: bool) -> None:
        """Read the commands in backticks; the position is at the first."""

    def word(self, *, plain: bool = False) -> Word:
        """Read one word; the position is at its beginning. ``plain``: the value of an assignment."""
        if self.substitutes():
            self.at += 2
            self.substitution()
            if self.at < len(self.text) and (self.text[self.at] not in END or self.substitutes()):
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
            if char in END:
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
                shape.append(QUOTED)
                texts.append(QUOTED)
            else:
                texts.append(piece)
                shape.append(QUOTED * len(piece))
        if self.peek() == "(" or self.substitutes():
            raise Unreadable("a bracket is joined to a word")
        return finished("".join(texts), "".join(shape), known, None if plain else tilde, self.home)

    def single(self) -> str:
        """Read a word's part in single quotes."""
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise Unreadable("a quote has no end")
        text = self.text[self.at + 1 : end]
        self.quoted(text)
        self.at = end + 1
        return text

    def double(self) -> str | None:
        """Read a word's part in double quotes; None when not all of it is known."""
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
                    if self.expects_body:
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
        """Take in what is quoted; raises Unreadable where it cannot be seen, or hides the body of a here-document."""
        if self.expects_body and "\n" in text:
            raise Unreadable("a newline stands between a here-document and its body")
        check_quoted(text)

    def escaped(self) -> str:
        """Read a backslash and what it quotes."""
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
        if found := NAME.match(text, at):
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
        """Return what is known of a variable; that a secret is looked at is noted."""
        if any(word in name.upper() for word in _SECRETS):
            self.commands.append(Simple(secret=name))
        return {"HOME": self.home, "PWD": FOLDER}.get(name)

    # -- characters

    def peek(self) -> str:
        """Return the character at the position, or nothing behind the end."""
        return self.text[self.at : self.at + 1]

    def substitutes(self) -> bool:
        """Say whether a process substitution begins here."""
        return self.text.startswith(("<(", ">("), self.at)

    def blanks(self) -> None:
        """Go on behind blanks, joined lines and a comment."""
        text, at = self.text, self.at
        while True:
            char = text[at : at + 1]
            if char in (" ", "\t") and char:
                at += 1
            elif char == "\\" and text[at + 1 : at + 2] == "\n":
                if at and text[at - 1] not in " \t\n;&|()":
                    raise Unreadable("a word goes on behind the end of a line")
                if self.expects_body:
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
