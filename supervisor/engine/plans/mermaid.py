"""A plan as a Mermaid flowchart, for documents and pull requests.

Whatever titles and ids hold, they are shown as text. Nodes are numbered, so that no id is taken for a word of Mermaid
(``end``). Every sign but letters, digits and blanks is written as its number (``#35;``), which Mermaid turns back after
it has looked for Markdown and without looking for HTML. What it looks for after that, ``\\n``, ``$$x$$`` (formulas) and
``fa:fa-car`` (icons), is broken up by a sign without width (tried with Mermaid 11.17). The same plan gives the
same text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from supervisor.model.plain import one_line

LONGEST = 80
"""Characters of an id, and of a title, that are drawn."""

COLOURS = {
    "pending": ("#f3f4f6", "#6b7280"),
    "ready": ("#e0e7ff", "#4338ca"),
    "running": ("#cffafe", "#0e7490"),
    "waiting_approval": ("#fef3c7", "#b45309"),
    "blocked": ("#f3e8ff", "#7e22ce"),
    "completed": ("#dcfce7", "#15803d"),
    "failed": ("#fee2e2", "#b91c1c"),
    "skipped": ("#ffffff", "#9ca3af"),
    "abandoned": ("#e5e7eb", "#374151"),
}
"""Status of a task -> fill and line."""

_TEXT = "#111827"

_BROKEN = frozenset("\\$:")
"""Signs that are followed by one without width, U+200B."""


class Node(NamedTuple):
    """A task: a gate is drawn as a diamond, and a status that is known has its colour."""

    id: str
    title: str = ""
    kind: str = ""
    status: str = ""


class Edge(NamedTuple):
    """From the id of a task to that of one that follows. With a label it is dotted: a way that is not always taken."""

    before: str
    after: str
    label: str = ""


def mermaid(nodes: Iterable[Node], edges: Iterable[Edge]) -> str:
    """Return the flowchart, from the top down, with a line for each node and edge in their order.

    An edge from or to an id that no node has is left out.
    """
    number: dict[str, str] = {}
    drawn: list[str] = []
    found: set[str] = set()
    for index, node in enumerate(nodes):
        name = f"t{index}"
        number.setdefault(node.id, name)
        opening, closing = ("{", "}") if node.kind == "gate" else ("[", "]")
        status = f":::{node.status}" if node.status in COLOURS else ""
        found.add(node.status)
        drawn.append(f'{name}{opening}"{_label(node)}"{closing}{status}')
    for edge in edges:
        if edge.before in number and edge.after in number:
            label = escaped(edge.label)
            arrow = f'-.->|"{label}"|' if label else "-->"
            drawn.append(f"{number[edge.before]} {arrow} {number[edge.after]}")
    for status, (fill, line) in COLOURS.items():
        if status in found:
            drawn.append(f"classDef {status} fill:{fill},stroke:{line},color:{_TEXT}")
    return "".join(f"{line}\n" for line in ["flowchart TD", *(f"  {line}" for line in drawn)])


def escaped(text: str) -> str:
    """Return foreign text as Mermaid shows it literally: on one line, and cut when it is long."""
    line = one_line(text)
    if len(line) > LONGEST:
        line = f"{line[: LONGEST - 1]}…"
    return "".join(sign if sign == " " or sign.isalnum() else _code(sign) for sign in line)


def _label(node: Node) -> str:
    return "<br/>".join(filter(None, (escaped(node.id), escaped(node.title)))) or "#160;"


def _code(sign: str) -> str:
    """Return a sign as its number; half a surrogate pair is no sign, and is drawn as the one that stands for such."""
    number = 0xFFFD if "\ud800" <= sign <= "\udfff" else ord(sign)
    return f"#{number};#8203;" if sign in _BROKEN else f"#{number};"
