"""An agent's session for reading: what it said, did and was told, as blocks of lines.

A tool call and its result are one block, which can be folded. Everything here is foreign text: it is cleaned, and
styles are names (`panels.palette`), so nothing in it can act on the screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from panels.shown import money
from panels.view.finding import text_of
from panels.view.summaries import chosen_answer
from panels.view.wrapping import wrap
from supervisor.model.plain import clean, one_line

Json = dict[str, Any]
Span = tuple[str, str]

RESULT_LINES: Final = 6
"""Lines of a tool's result that are shown while it is folded."""


@dataclass(slots=True)
class Block:
    """One thing that happened. ``mark`` stands before its first line, ``text`` is wrapped after it.

    ``detail`` is what can be folded, each line with the style that it has.
    """

    seq: int
    time: str
    kind: str
    mark: Span
    text: str
    style: str = ""
    head: str = ""
    detail: list[Span] = field(default_factory=list)
    folded: bool = True

    def lines(self, width: int, *, whole: bool = False) -> Iterator[list[Span]]:
        """Yield its lines in so many cells; with ``whole`` as if it were not folded."""
        mark, mark_style = self.mark
        indent = " " * len(mark)
        first = True
        if self.head:
            rest = list(wrap(one_line(self.text), max(1, width - len(mark) - len(self.head) - 2)))
            yield [(mark, mark_style), (self.head, "bold"), ("  " + rest[0], "")]
            for line in rest[1:3]:
                yield [(indent + " " * (len(self.head) + 2) + line, "")]
        elif self.text:
            for line in wrap(self.text, width - len(mark)):
                yield [(mark if first else indent, mark_style), (line, self.style)]
                first = False
        shown = self.detail if whole or not self.folded else self.detail[:RESULT_LINES]
        for text, style in shown:
            for line in wrap(text, width - 4):
                yield [("  │ ", "dim"), (line, style)]
        if len(self.detail) > len(shown):
            yield [(f"  │ … {len(self.detail) - len(shown)} more lines, o opens them", "dim")]

    def matches(self, wanted: re.Pattern[str]) -> bool:
        """Whether what is searched for occurs in it, also where it is folded."""
        return bool(
            wanted.search(self.text) or wanted.search(self.head) or any(wanted.search(text) for text, _ in self.detail)
        )

    def stops(self, wanted: re.Pattern[str], width: int) -> tuple[int, ...]:
        """Return its lines, counted as if it were not folded, at which a search in so many cells stops."""
        if not self.matches(wanted):
            return ()
        found = (row for row, line in enumerate(self.lines(width, whole=True)) if wanted.search(text_of(line)))
        return tuple(found) or (0,)  # What is broken over lines is found at the first one.

    @property
    def is_error(self) -> bool:
        """Whether something went wrong in it."""
        return self.kind in _ERRORS or self.mark[1] == "failed" or self.style == "failed"


Filter = Literal["everything", "messages", "tools", "errors"]

FILTERS: Final[tuple[Filter, ...]] = ("everything", "messages", "tools", "errors")
"""In the order in which a key goes through them."""

_MESSAGES: Final = frozenset({"message", "message_delivered", "output"})
_TOOLS: Final = frozenset({"tool_use", "tool_result", "permission_refused", "approval_registered"})
_ERRORS: Final = frozenset({"error", "stalled", "retry", "usage_limit", "message_undelivered"})


def passes(block: Block, wanted: Filter) -> bool:
    """Whether a block is shown under a filter."""
    if wanted == "errors":
        return block.is_error
    return wanted == "everything" or block.kind in (_MESSAGES if wanted == "messages" else _TOOLS)


class Transcript:
    """Blocks of a session in the order in which they happened, made from its events."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._calls: dict[str, Block] = {}
        self.last_seq = 0
        self.first_seq: int | None = None

    def add(self, event: Json) -> Block | None:
        """Take an event; returns the block that is new or has changed, None when it shows nothing."""
        if event["seq"] <= self.last_seq:
            return None
        self.last_seq = event["seq"]
        if self.first_seq is None:
            self.first_seq = event["seq"]
        return self._take(event)

    def prepend(self, events: Iterable[Json]) -> int:
        """Take older events, in order; returns how many blocks came before the first."""
        older = Transcript()
        for event in events:
            older.add(event)
        self.blocks[:0] = older.blocks
        self._calls = older._calls | self._calls
        if older.first_seq is not None:
            self.first_seq = older.first_seq
        return len(older.blocks)

    def _take(self, event: Json) -> Block | None:
        kind, payload = event["type"], event["payload"]
        if kind == "tool_result":
            call = self._calls.pop(str(payload.get("id")), None)
            if call is not None:
                call.detail += _result(payload)
                if payload.get("is_error"):
                    call.mark = ("✕ ", "failed")
                return call
        if kind == "output" and self.blocks and self.blocks[-1].kind == "output" and len(self.blocks[-1].text) < 4096:
            last = self.blocks[-1]
            last.text += "\n" + clean(payload.get("text") or "")
            return last
        make = _BLOCKS.get(kind)
        block = make(event, payload) if make is not None else None
        if block is None:
            return None
        self.blocks.append(block)
        if kind == "tool_use":
            self._calls[str(payload.get("id"))] = block
        return block


def _result(payload: Json) -> list[Span]:
    style = "failed" if payload.get("is_error") else "dim"
    text = clean(payload.get("text") or "").rstrip()
    return [(line, _diff_style(line) or style) for line in text.split("\n")] if text else []


def _diff_style(line: str) -> str:
    if line.startswith("@@"):
        return "hunk"
    if line.startswith("+") and not line.startswith("+++"):
        return "add"
    if line.startswith("-") and not line.startswith("---"):
        return "remove"
    return ""


def _edit(given: Json) -> list[Span]:
    """Show what an edit takes away and puts in, as far as the agent's own words for it are known."""
    old, new = given.get("old_string"), given.get("new_string")
    if isinstance(old, str) and isinstance(new, str):
        removed = [(f"- {line}", "remove") for line in clean(old).splitlines()]
        return removed + [(f"+ {line}", "add") for line in clean(new).splitlines()]
    content = given.get("content")
    return [(f"+ {line}", "add") for line in clean(content).splitlines()] if isinstance(content, str) else []


def _block(event: Json, mark: Span, text: str, style: str = "", **more: Any) -> Block:
    return Block(event["seq"], event["time"], event["type"], mark, text, style, **more)


def _message(event: Json, payload: Json) -> Block:
    return _block(event, ("◆ ", "accent"), clean(payload.get("text") or "").strip())


def _delivered(event: Json, payload: Json) -> Block:
    return _block(event, ("❯ ", "person-bold"), clean(payload.get("text") or "").strip(), "bold")


def _thinking(event: Json, payload: Json) -> Block | None:
    text = clean(payload.get("text") or "").strip()
    return _block(event, ("  ", ""), text, "italic") if text else None


def _tool_use(event: Json, payload: Json) -> Block:
    given = payload.get("input")
    detail = _edit(given) if isinstance(given, dict) else []
    head, argument = one_line(payload.get("tool") or "tool")[:40], clean(payload.get("argument") or "")
    return _block(event, ("● ", "running"), argument, head=head, detail=detail)


def _lone_result(event: Json, payload: Json) -> Block:
    return _block(event, ("  ", ""), "", detail=_result(payload))


def _output(event: Json, payload: Json) -> Block:
    return _block(event, ("", ""), clean(payload.get("text") or ""), "dim" if payload.get("stream") == "stderr" else "")


def _refused(event: Json, payload: Json) -> Block:
    what = payload.get("argument") or payload.get("tool") or "a permission"
    return _block(event, ("✕ ", "waiting"), f"refused: {one_line(what)}", "waiting")


def _asked(event: Json, payload: Json) -> Block:
    return _block(event, ("◐ ", "waiting"), f"asks: {one_line(payload.get('question') or '')}", "waiting")


def _decided(event: Json, payload: Json) -> Block:
    choice = chosen_answer(payload) if payload.get("status") == "approved" else ""
    what = f"answered {choice!r}" if choice else payload.get("status")
    text = f"{what} by {payload.get('decided_by') or 'the supervisor'}"
    why = one_line(payload.get("rationale") or payload.get("reason") or "")
    return _block(event, ("◐ ", "dim"), f"{text}{f': {why}' if why else ''}", "dim")


def _turn_ended(event: Json, payload: Json) -> Block | None:
    if payload.get("is_error"):
        text = one_line(payload.get("text") or payload.get("subtype") or "the turn failed")
        return _block(event, ("✕ ", "failed"), text, "failed")
    cost = money(payload.get("process_cost_usd") or 0.0)
    return _block(event, ("─ ", "dim"), f"turn ended{f', {cost} so far' if cost else ''}", "dim")


def _notice(event: Json, payload: Json) -> Block:
    text = one_line(payload.get("text") or payload.get("error") or payload.get("reason") or event["type"])
    return _block(event, ("! ", "waiting"), text, "waiting")


def _merged(event: Json, payload: Json) -> Block:
    return _block(event, ("◆ ", "ok"), f"its branch was merged into {one_line(payload.get('into') or '')}", "ok")


def _status(event: Json, payload: Json) -> Block:
    failed = payload.get("to") == "failed"
    text = f"{payload.get('to')}: {one_line(payload.get('reason') or '')}"
    return _block(event, ("─ ", "failed" if failed else "dim"), text, "failed" if failed else "dim")


_BLOCKS: Final[dict[str, Callable[[Json, Json], Block | None]]] = {
    "message": _message,
    "message_delivered": _delivered,
    "thinking": _thinking,
    "tool_use": _tool_use,
    "tool_result": _lone_result,
    "output": _output,
    "permission_refused": _refused,
    "approval_registered": _asked,
    "approval_decided": _decided,
    "approval_ended": _decided,
    "turn_ended": _turn_ended,
    "usage_limit": _notice,
    "retry": _notice,
    "error": _notice,
    "stalled": _notice,
    "message_undelivered": _notice,
    "status_changed": _status,
    "branch_merged": _merged,
}
