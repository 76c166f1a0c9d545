"""From a document as it was written to plain data with the canonical keys, and back from a key to its line."""

from __future__ import annotations

from typing import Any

from config.documents import Document
from config.sources import Key
from supervisor.engine.plans.problems import Findings, nearest, quoted
from supervisor.engine.plans.spelling import Part, part
from supervisor.model.plan.task import Subplan
from supervisor.model.plan.values import Shape, seconds


def shaped(value: Any, shape: type[Shape], at: Key, findings: Findings) -> Any:
    """Return a map with the canonical keys of a shape. What is no map stays as it is: validation tells of it."""
    if not isinstance(value, dict):
        return value
    known = part(shape)
    spellings, shapes = known.spellings, known.shapes
    result: dict[str, Any] = {}
    for key, inner in value.items():
        meant = spellings.get(key) or known.meaning(key)
        if meant is None:
            findings.error((*at, key), _unknown(key, known, shape))
            continue
        name = meant.name
        if name in result:
            findings.error((*at, key), f"`{name}` is given a second time; {quoted(key)} is another spelling of it")
            continue
        if inner is None and name not in _MAY_BE_NOTHING:
            continue
        if meant.factor != 1:
            inner = _scaled(inner, meant.factor)
        elif (below := shapes.get(name)) is not None:
            inner = _below(inner, below, (*at, key), findings)
        result[name] = inner
    return result


_MAY_BE_NOTHING = frozenset({"id"})
"""Keys whose absence after the colon is told of; elsewhere it is the same as an absent key."""


def _below(value: Any, shape: type[Shape], at: Key, findings: Findings) -> Any:
    if shape is Subplan:
        return value  # written in more ways than one
    if isinstance(value, list):
        return [shaped(each, shape, (*at, str(number)), findings) for number, each in enumerate(value)]
    return shaped(value, shape, at, findings)


def _scaled(value: Any, factor: int) -> Any:
    try:
        value = seconds(value)
    except ValueError:
        return value  # validation says what is wrong with it
    return value * factor if isinstance(value, int | float) and not isinstance(value, bool) else value


def _unknown(key: str, known: Part, shape: type[Shape]) -> str:
    near = nearest(key, known.spellings)
    free = " Free data goes under `metadata`." if "metadata" in known.spellings else ""
    hint = f"Did you mean `{near}`?" if near else f"Known are: {', '.join(dict.fromkeys(_names(known)))}."
    return f"there is no such key in a {shape.__name__.lower()}. {hint}{free}"


def _names(known: Part) -> list[str]:
    return [spelling.name for spelling in known.spellings.values()]


class Places:
    """Where the keys of canonical data stand in the document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def line(self, key: Key) -> int:
        """Return the line of a key as it is written, or of the nearest thing that holds it."""
        lines = self._document.lines
        found = (lines.get(key[:length]) for length in range(len(key), -1, -1))
        return next((line for line in found if line), 1)

    def written(self, canonical: tuple[str | int, ...], shape: type[Shape], at: Key = ()) -> Key:
        """Return the written key for a canonical one below ``at``, as far as there is one."""
        value = self.value(at)
        known: Part | None = part(shape)
        key = at
        for step in canonical:
            if isinstance(value, dict):
                name = str(step)
                found = name if name in value else _spelled(name, value, known)
                if found is None:
                    return (*key, name)
                value, key = value[found], (*key, found)
                below = known.shapes.get(name) if known else None
                known = part(below) if below else None
            elif isinstance(value, list):
                if not str(step).isdecimal() or int(step) >= len(value):
                    return key
                value, key = value[int(step)], (*key, str(step))
                continue
            else:
                return key
        return key

    def value(self, key: Key) -> Any:
        """Return what stands in the document under a written key."""
        value = self._document.value
        for step in key:
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value


def _spelled(name: str, value: dict[str, Any], known: Part | None) -> str | None:
    if known is None:
        return None
    return next((key for key in value if (meant := known.meaning(key)) is not None and meant.name == name), None)
