"""Expressions in plans: conditions that are checked without running anything (docs/plan-expressions.md).

::

    expression = all {"or" all}
    all        = not {"and" not}
    not        = "not" not | comparison
    comparison = operand [("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") operand]
    operand    = number | string | "true" | "false" | "null" | name | call | "(" expression ")"
    call       = "exists" "(" (name | string) ")" | "len" "(" expression ")"
               | ("contains" | "matches") "(" expression "," expression ")"
    number     = ["-"] digits ["." digits] ["B" | "KB" | "MB" | "GB" | "s" | "m" | "h"]
    string     = text in single or double quotes; after a backslash any sign stands for itself
    name       = word {"." word}, of ASCII letters, digits, _ and -; it begins with a letter or _

What stands where a condition must stand is a comparison, a call but len, true, false, or a name with a dot. Two names
without a dot are not compared. So a sentence is hardly ever taken for an expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, NoReturn

from supervisor.engine.plans.conditions import (
    Call,
    Comparison,
    Constant,
    Exists,
    Joined,
    Lookup,
    Name,
    Not,
    Part,
    truth,
)
from supervisor.engine.plans.operations import Unknown, contains, length, matches
from supervisor.model.errors import InvalidInput

LONGEST = 2_000
"""Characters."""

DEEPEST = 50
"""Parentheses, calls and ``not`` inside each other."""

Value = bool | Unknown
"""What an expression comes to."""

_UNITS = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "s": 1, "m": 60, "h": 3_600}
_WORDS = {"true": True, "false": False, "null": None}
_RESERVED = frozenset({"and", "or", "not", "in", *_WORDS})
_COMPARING = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_FUNCTIONS: dict[str, tuple[Callable[..., object], int]] = {
    "len": (length, 1),
    "contains": (contains, 2),
    "matches": (matches, 2),
}
_TOKEN = re.compile(
    r"""(?P<number>-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[KMG]?B|[smh])?(?![\w.-]))
    |(?P<string>"[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*(?![\w.]))
    |(?P<sign>==|!=|<=|>=|[<>(),])""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(-?[0-9]+)(\.[0-9]+)?([A-Za-z]*)")
_BLANKS = re.compile(r"[ \t\n]*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class NotAnExpression(InvalidInput):
    """A text that cannot be read as an expression; ``column`` says where, from 1."""

    def __init__(self, text: str, column: int, what: str) -> None:
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        super().__init__(
            f"`{shown}` is no expression: column {column}: {what}.", hint="docs/plan-expressions.md has the grammar."
        )
        self.column = column


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read."""

    text: str
    root: Part

    def evaluate(self, lookup: Lookup) -> Value:
        """Return whether it holds, or Unknown with the reason. Raises only what ``lookup`` raises but LookupError."""
        value = truth(self.root, lookup).value
        return value if isinstance(value, Unknown) else bool(value)

    def names(self) -> list[str]:
        """Return the names that it asks for, each once, in the order in which they stand."""
        return list(dict.fromkeys(self.root.names()))

    def explain(self, lookup: Lookup) -> str:
        """Return one sentence: whether it holds, and the part that decided."""
        value, why = truth(self.root, lookup)
        outcome = "Not known" if isinstance(value, Unknown) else "Holds" if value else "Does not hold"
        return f"{outcome}: {why}."


def parse(text: str) -> Expression:
    """Return the expression that a text is. Raises NotAnExpression, with the column."""
    if len(text) > LONGEST:
        raise NotAnExpression(text, LONGEST + 1, f"it is longer than {LONGEST:,} characters")
    return Expression(text, _Parser(text).whole())


def is_expression(text: str) -> bool:
    """Say whether a text is an expression, and not a sentence or a command."""
    try:
        parse(text)
    except NotAnExpression:
        return False
    return True


class _Token(NamedTuple):
    kind: Literal["number", "string", "name", "sign", "end"]
    text: str
    start: int


class _Parser:
    """Goes through one text, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._end = 0
        self._token = self._read(0)

    def whole(self) -> Part:
        part = self._condition(self._any(), 0)
        if self._token.kind != "end":
            self._wrong(self._token.start, f"{self._token.text} is not expected here")
        return part

    def _any(self) -> Part:
        return self._joined("or")

    def _joined(self, word: Literal["or", "and"]) -> Part:
        start = self._token.start
        parts = [self._joined("and") if word == "or" else self._not()]
        starts = [start]
        while self._token.text == word:
            self._advance()
            starts.append(self._token.start)
            parts.append(self._joined("and") if word == "or" else self._not())
        if len(parts) == 1:
            return parts[0]
        conditions = tuple(self._condition(part, at) for part, at in zip(parts, starts, strict=True))
        return Joined(self._since(start), word, conditions)

    def _not(self) -> Part:
        start = self._token.start
        if self._token.text != "not":
            return self._comparison()
        self._deeper()
        at = self._token.start
        inner = self._condition(self._not(), at)
        self._depth -= 1
        return Not(self._since(start), inner)

    def _comparison(self) -> Part:
        start = self._token.start
        left = self._operand()
        operator = self._token.text
        if operator not in _COMPARING:
            return left
        self._advance()
        right = self._operand()
        if self._token.text in _COMPARING:
            self._wrong(self._token.start, "only two things can be compared: join comparisons with and")
        if _bare(left) and _bare(right):
            self._wrong(
                start, f"{left.text} and {right.text} are plain words: put texts in quotes, write names in full"
            )
        return Comparison(self._since(start), left, operator, right)

    def _operand(self) -> Part:
        token = self._token
        if token.kind == "number":
            self._advance()
            return Constant(token.text, _number(token.text))
        if token.kind == "string":
            self._advance()
            return Constant(token.text, _string(token.text))
        if token.text == "(":
            self._deeper()
            inner = self._any()
            self._close()
            return inner
        if token.kind != "name" or token.text in _RESERVED - _WORDS.keys():
            self._wrong(token.start, f"{token.text or 'the end'} stands where a value must stand")
        self._advance()
        if token.text in _WORDS:
            return Constant(token.text, _WORDS[token.text])
        return self._call(token) if self._token.text == "(" else Name(token.text)

    def _call(self, name: _Token) -> Part:
        self._deeper()
        if name.text == "exists":
            asked = self._token
            self._advance()
            if asked.kind not in ("name", "string") or asked.text in _RESERVED:
                self._wrong(asked.start, "exists needs a name, or a path in quotes")
            self._close()
            return Exists(self._since(name.start), Name(asked.text) if asked.kind == "name" else _string(asked.text))
        if name.text not in _FUNCTIONS:
            self._wrong(name.start, f"there is no function {name.text}; there are exists, {', '.join(_FUNCTIONS)}")
        function, count = _FUNCTIONS[name.text]
        arguments = [self._any()]
        while self._token.text == "," and len(arguments) < count:
            self._advance()
            arguments.append(self._any())
        if len(arguments) < count:
            self._wrong(self._token.start, f"{name.text} needs {count} values with a comma between them")
        self._close()
        return Call(self._since(name.start), function, tuple(arguments))

    def _condition(self, part: Part, start: int) -> Part:
        """Return a part that may stand for true or false."""
        bad = isinstance(part, Constant) and not isinstance(part.value, bool)
        if bad or _bare(part) or (isinstance(part, Call) and part.function is length):
            self._wrong(start, f"{part.text} is no condition: compare it with something, or write a name in full")
        return part

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            self._wrong(self._token.start, f"more than {DEEPEST} levels inside each other")
        self._advance()

    def _close(self) -> None:
        if self._token.text != ")":
            self._wrong(self._token.start, "a closing parenthesis is missing")
        self._depth -= 1
        self._advance()

    def _since(self, start: int) -> str:
        return self._text[start : self._end]

    def _advance(self) -> None:
        self._end = self._token.start + len(self._token.text)
        self._token = self._read(self._end)

    def _read(self, at: int) -> _Token:
        blanks = _BLANKS.match(self._text, at)
        at = blanks.end() if blanks else at
        if at == len(self._text):
            return _Token("end", "", at)
        found = _TOKEN.match(self._text, at)
        if found is None:
            self._wrong(at, f"{self._text[at : at + 20]} is not understood")
        kind: Literal["number", "string", "name", "sign"] = found.lastgroup  # type: ignore[assignment] # the groups' names
        return _Token(kind, found[0], at)

    def _wrong(self, at: int, what: str) -> NoReturn:
        raise NotAnExpression(self._text, at + 1, what)


def _bare(part: Part) -> bool:
    return isinstance(part, Name) and "." not in part.text


def _number(text: str) -> int | float:
    found = _NUMBER.fullmatch(text)
    whole, fraction, unit = found.groups("") if found else (text, "", "")
    return (float(whole + fraction) if fraction else int(whole)) * _UNITS[unit]


def _string(text: str) -> str:
    return _ESCAPED.sub(r"\1", text[1:-1])
