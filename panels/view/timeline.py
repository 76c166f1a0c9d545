"""The statuses of a session in time: when, how long, why, and which signal decided; its attempts and their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from panels import shown
from panels.palette import GLYPHS
from panels.view.wrapping import wrap
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Span = tuple[str, str]
Row = list[Span]

_INDENT: Final = 34
"""Cells before a reason."""


def timeline(
    statuses: Sequence[Json], attempts: Sequence[Json], signals: Sequence[Json], width: int, now: int
) -> list[Row]:
    """Return the rows in so many cells. ``statuses`` are events, oldest first; ``signals`` newest first."""
    rows: list[Row] = [[("Statuses", "title"), ("  oldest first: since when, how long, why", "dim")]]
    rows += _statuses(statuses, width, now)
    rows += [[], [("Attempts", "title"), ("  of its processes" if attempts else "  none yet", "dim")]]
    for attempt in attempts:
        rows += _attempt(attempt, width, now)
    rows += [[], [("Signals", "title"), ("  newest first; the one that decided is marked", "dim")]]
    for signal in signals:
        rows += _signal(signal, width)
    return rows


def _statuses(statuses: Sequence[Json], width: int, now: int) -> Iterator[Row]:
    times = [from_rfc3339(event["time"]) for event in statuses]
    for index, event in enumerate(statuses):
        payload, since = event["payload"], times[index]
        is_last = index == len(statuses) - 1
        status = str(payload.get("to"))
        sign, style = GLYPHS.get(status, ("·", ""))
        ends = is_last and status in ("completed", "failed", "cancelled", "archived")
        until = now if is_last else times[index + 1]
        length = "" if ends else shown.span((until - since) / 1000) + ("…" if is_last else "")
        signal = one_line(payload.get("signal") or "")
        reason = one_line(payload.get("reason") or "")
        first: Row = [
            (f"  {shown.clock(since)} ", "dim"),
            (f" {sign} {status:<10}", style),
            (f"{length:>8}  ", "bold" if is_last else "dim"),
        ]
        yield from _with_text(first, reason, width)
        if signal:
            yield [(" " * _INDENT, ""), (f"by {signal}", "dim")]


def _with_text(first: Row, text: str, width: int) -> Iterator[Row]:
    room = max(20, width - _INDENT)
    for number, line in enumerate(wrap(text, room)):
        yield [*first, (line, "")] if number == 0 else [(" " * _INDENT, ""), (line, "")]


def _attempt(attempt: Json, width: int, now: int) -> Iterator[Row]:
    started, ended = attempt["started_at"], attempt["ended_at"]
    since = from_rfc3339(started or attempt["claimed_at"])
    length = shown.span(((from_rfc3339(ended) if ended else now) - since) / 1000) + ("" if ended else "…")
    code = attempt["exit_code"]
    stopped = attempt["status"] == "cancelled"
    failed = bool(code) or (ended is not None and code is None)
    status = "cancelled" if stopped else "failed" if failed else "completed" if ended else "running"
    sign, style = GLYPHS[status]
    first: Row = [
        (f"  {shown.clock(since)} ", "dim"),
        (f" {sign} attempt {attempt['number']:<2}", style),
        (f"{length:>8}  ", "dim"),
    ]
    parts = [
        f"exit code {code}" if code is not None else "",
        f"process {attempt['pid']}" if attempt["pid"] and not ended else "",
        one_line(attempt["executor"]),
        one_line(attempt["reason"] or ""),
        one_line(attempt["last_error"] or ""),
    ]
    yield from _with_text(first, " · ".join(filter(None, parts)), width)


def _signal(signal: Json, width: int) -> Iterator[Row]:
    decided = signal["decided"]
    name = one_line(signal["signal"])[:20]
    time = shown.clock(from_rfc3339(signal["time"])) if signal["time"] else " " * 8
    first: Row = [
        (f"  {time} ", "dim"),
        (f" {'▶' if decided else ' '} {name:<20}", "accent-bold" if decided else "dim"),
    ]
    first[1] = (first[1][0][: _INDENT - 11].ljust(_INDENT - 11), first[1][1])
    yield from _with_text(first, one_line(signal["text"]), width)
