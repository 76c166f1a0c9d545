"""The parts of an expression, and what they come to (docs/plan-expressions.md).

Each part comes to a ``Verdict``: a value, and the words that say why. What is not known is a value of its own:
``false and unknown`` is false, ``true or unknown`` is true, and whatever else rests on it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from supervisor.engine.plans.operations import Unknown, compared, shown

Lookup = Callable[[str], object]
"""Name -> value. Raises LookupError, or returns an ``Unknown`` with the reason, when there is none."""

FILE = "file:"
"""Before a path: the name that is true when there is such a file, as ``exists("path")`` asks."""


class Verdict(NamedTuple):
    """What a part comes to, and why."""

    value: object
    why: str


class Part(Protocol):
    """A part of an expression."""

    @property
    def text(self) -> str:
        """The part as it was written."""

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return what it comes to."""

    def names(self) -> Iterator[str]:
        """Yield each name that it asks for, as often as it stands there."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, true, false or null."""

    text: str
    value: object

    def verdict(self, _: Lookup) -> Verdict:
        """Return the value."""
        return Verdict(self.value, f"it says {self.text}")

    def names(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Name:
    """A value that is looked up."""

    text: str

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return what is known by this name."""
        return _found(lookup, self.text, self.text)

    def names(self) -> Iterator[str]:
        """Yield the name."""
        yield self.text


@dataclass(frozen=True, slots=True)
class Exists:
    """``exists(name)``: something is known by that name; ``exists("path")``: there is such a file."""

    text: str
    asked: Name | str

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return whether it exists. A name that is not known does not; a file that is not known is unknown."""
        if isinstance(self.asked, Name):
            value = self.asked.verdict(lookup).value
            there = value is not None and not isinstance(value, Unknown)
            return Verdict(there, f"{self.text} is {shown(there)}")
        return _found(lookup, FILE + self.asked, self.text)

    def names(self) -> Iterator[str]:
        """Yield the name, or the path behind ``file:``."""
        yield self.asked.text if isinstance(self.asked, Name) else FILE + self.asked


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values: len, contains or matches."""

    text: str
    function: Callable[..., object]
    arguments: tuple[Part, ...]

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return the function of its arguments; unknown when one of them is."""
        return _applied(self.text, self.function, self.arguments, lookup)

    def names(self) -> Iterator[str]:
        """Yield the names in its arguments."""
        for argument in self.arguments:
            yield from argument.names()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values and what is between them."""

    text: str
    left: Part
    operator: str
    right: Part

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return whether it is so; unknown when a side is, or when the sides cannot be compared."""
        return _applied(
            self.text, lambda left, right: compared(left, self.operator, right), (self.left, self.right), lookup
        )

    def names(self) -> Iterator[str]:
        """Yield the names on both sides."""
        yield from self.left.names()
        yield from self.right.names()


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    text: str
    condition: Part

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return the opposite; the opposite of unknown is unknown."""
        value, why = truth(self.condition, lookup)
        return Verdict(value if isinstance(value, Unknown) else not value, why)

    def names(self) -> Iterator[str]:
        """Yield the names in the condition."""
        yield from self.condition.names()


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions that must all hold (and), or of which one must (or)."""

    text: str
    word: Literal["and", "or"]
    conditions: tuple[Part, ...]

    def verdict(self, lookup: Lookup) -> Verdict:
        """Return the first condition that decides; else the first that is unknown; else what all of them come to."""
        verdicts = [truth(condition, lookup) for condition in self.conditions]
        decides = self.word == "or"
        for value, why in verdicts:
            if value is decides:
                return Verdict(value, why)
        for value, why in verdicts:
            if isinstance(value, Unknown):
                return Verdict(value, why)
        return Verdict(not decides, "; ".join(why for _, why in verdicts))

    def names(self) -> Iterator[str]:
        """Yield the names in all conditions."""
        for condition in self.conditions:
            yield from condition.names()


def truth(part: Part, lookup: Lookup) -> Verdict:
    """Return what a part comes to as a condition: true, false or unknown."""
    value, why = part.verdict(lookup)
    if isinstance(value, bool | Unknown):
        return Verdict(value, why)
    return _unknown(f"{part.text} is {shown(value)}, which is neither true nor false")


def _applied(text: str, function: Callable[..., object], arguments: tuple[Part, ...], lookup: Lookup) -> Verdict:
    """Return a function of arguments, and say what those were that were looked up."""
    verdicts = [argument.verdict(lookup) for argument in arguments]
    for value, why in verdicts:
        if isinstance(value, Unknown):
            return Verdict(value, why)
    result = function(*(value for value, _ in verdicts))
    pairs = zip(arguments, verdicts, strict=True)
    known = ", ".join(f"{part.text} is {shown(value)}" for part, (value, _) in pairs if not isinstance(part, Constant))
    behind = f" ({known})" if known else ""
    if isinstance(result, Unknown):
        return _unknown(f"{text} makes no sense: {result.reason}{behind}")
    return Verdict(result, f"{text} is {shown(result)}{behind}")


def _found(lookup: Lookup, name: str, text: str) -> Verdict:
    try:
        value = lookup(name)
    except LookupError:
        return _unknown(f"{text} is not known")
    if isinstance(value, Unknown):
        return _unknown(f"{text} is not known: {value.reason}" if value.reason else f"{text} is not known")
    return Verdict(value, f"{text} is {shown(value)}")


def _unknown(reason: str) -> Verdict:
    return Verdict(Unknown(reason), reason)
