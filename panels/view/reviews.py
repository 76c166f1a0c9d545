"""What a person is shown before a yes that goes further than one question: several at once, a rule, a high risk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from panels.palette import RISKS
from panels.view.approvals import asker, headline
from panels.view.exactly import Line, broken, coloured, plain
from panels.view.preview import drawn
from supervisor.model.plain import exact

Json = dict[str, Any]
Make = Callable[[int], Iterator[Line]]


def review_lines(
    chosen: Sequence[Json], choices: Mapping[str, str], *, approve: bool, reason: str | None = None
) -> Make:
    """Return what lists exactly what is decided: each question whole, with the option that was chosen for it."""

    def lines(width: int) -> Iterator[Line]:
        if reason is not None:
            yield from _block("Reason", reason, width)
            yield []
        for number, approval in enumerate(chosen, 1):
            verb = ("approve", "ok-bold") if approve else ("reject", "failed-bold")
            head: Line = [(f"{number}. ", "dim"), verb, ("  risk ", "dim"), (approval["risk"], RISKS[approval["risk"]])]
            yield from broken([*head, (f"  {exact(asker(approval))}", "dim")], width, ("", ""), ("   ", ""))
            yield from whole(approval, width)
            if approval["id"] in choices:
                yield from broken([("answer: ", "dim"), (exact(choices[approval["id"]]), "bold")], width)
            yield []

    return lines


def proposal_lines(asked: Json, proposal: Json) -> Make:
    """Return what shows a proposed rule: what it is for, what it says, and what of the history it would match."""

    def lines(width: int) -> Iterator[Line]:
        yield from whole(asked, width)
        yield []
        yield from _block("Why" if proposal["rule"] is not None else "Why not", proposal["reason"], width)
        if proposal["rule"] is None:
            yield []
            yield from broken([("It can still be approved once.", "")], width, (" ", ""), (" ", ""))
            return
        yield []
        yield [("The rule", "title")]
        for row in coloured(proposal["text"].rstrip("\n"), "yaml"):
            yield from broken(row, width)
        yield []
        yield from _acts("Of what was asked before it would have allowed", proposal["would_allow"], "ok", width)
        yield from _acts("It would still ask about", proposal["would_ask"], "waiting", width)

    return lines


def whole(approval: Json, width: int) -> Iterator[Line]:
    """Yield what a question is about: its text where it has one of its own, and all of its preview."""
    if approval["subject_type"] != "tool_call" or approval["options"] or not approval["preview"]:
        yield from (piece for row in plain(headline(approval), "bold") for piece in broken(row, width))
    for row in drawn(approval["preview"]):
        yield from broken(row, width)


def _block(name: str, text: str, width: int) -> Iterator[Line]:
    yield [(name, "title")]
    for row in plain(text):
        yield from broken(row, width)


def _acts(title: str, acts: Sequence[str], style: str, width: int) -> Iterator[Line]:
    yield [(f"{title}{':' if acts else ': nothing.'}", "title")]
    for act in acts:
        for row in plain(act, style):
            yield from broken(row, width, ("· ", "dim"), ("  ", ""))
