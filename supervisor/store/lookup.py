"""Which of several things a person means by a few letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from supervisor.model.errors import InvalidInput, NotFound

SHOWN: Final = 5
"""Candidates that a message lists."""


class Named(Protocol):
    """Something with an id and a name."""

    @property
    def id(self) -> str:
        """The identifier."""
        ...

    @property
    def name(self) -> str:
        """The name, which need not be unique."""
        ...


N = TypeVar("N", bound=Named)


def only(noun: str, text: str, candidates: Sequence[N]) -> N:
    """Return the one candidate that ``text`` means; a whole id beats a name, a name beats a beginning.

    NotFound when there is none, InvalidInput listing the candidates when there are several.
    """
    if not text or not candidates:
        raise NotFound(f"There is no {noun} {text!r}.", hint="Give an id, its unique beginning, or a name.")
    for best in (
        [candidate for candidate in candidates if candidate.id == text],
        [candidate for candidate in candidates if candidate.name == text],
        list(candidates),
    ):
        if len(best) == 1:
            return best[0]
        if best:
            listed = ", ".join(f"{candidate.id} ({candidate.name})" for candidate in best[:SHOWN])
            more = f" and {len(best) - SHOWN} more" if len(best) > SHOWN else ""
            raise InvalidInput(f"{text!r} can mean {len(best)} {noun}s: {listed}{more}.", hint="Give more of the id.")
    raise AssertionError("unreachable: the last list holds every candidate")
