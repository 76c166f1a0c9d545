"""Questions that wait for a person, and that were decided: their order, their line in a list, and their facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from panels import shown
from panels.palette import GLYPHS, RISKS
from panels.view.exactly import Line, broken, plain
from panels.view.fleet import fitted
from panels.view.preview import drawn
from supervisor.api.wording import headline
from supervisor.model.plain import exact, one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

YELLOW_FROM: Final = 1 / 3
RED_FROM: Final = 1 / 10
"""Parts of the time that a question has: with less left its countdown is yellow, then red."""

ONLY_ANSWER: Final = "Nothing runs by itself: your answer goes back to who asked."

SAYS: Final = {"allow": ("✓", "ok"), "ask": ("◐", "waiting"), "deny": ("✕", "failed")}
"""What policy says of a part, as a glyph and a style."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The line above what was decided before."""

    text: str


Row = Json | Heading


def rows(pending: Iterable[Json], decided: Iterable[Json] = ()) -> list[Row]:
    """Return what waits, oldest first, then what was decided, newest first, below a heading."""
    waiting = sorted(pending, key=lambda each: (each["created_at"], each["id"]))
    before = sorted(decided, key=lambda each: (each["decided_at"] or each["created_at"], each["id"]), reverse=True)
    heading: list[Row] = [Heading(f"Decided before, {len(before)}")] if before else []
    return [*waiting, *heading, *before]


def asker(approval: Mapping[str, Any]) -> str:
    """Return who asks, in one line."""
    return one_line(approval["session_name"] or approval["requested_by"])


def countdown(approval: Mapping[str, Any], now: int) -> tuple[str, str]:
    """Return the time that is left to decide in at most six cells, and its style; nothing when it never ends."""
    if approval["expires_at"] is None or approval["status"] != "pending":
        return "", ""
    start, end = from_rfc3339(approval["created_at"]), from_rfc3339(approval["expires_at"])
    left, whole = end - now, max(1, end - start)
    if left <= 0:
        return "over", "failed-bold"
    style = "failed-bold" if left <= whole * RED_FROM else "waiting" if left <= whole * YELLOW_FROM else "dim"
    seconds = left // 1000
    if seconds < 3600:
        return f"{seconds // 60}:{seconds % 60:02}", style
    if seconds < 86_400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}", style
    return shown.span(seconds), style


def line(approval: Mapping[str, Any], width: int, now: int, *, marked: bool = False, busy: bool = False) -> Line:
    """Return one line of the list in so many cells: glyph, risk, what, who, age, and what is left of the time."""
    pending = approval["status"] == "pending"
    glyph, style = GLYPHS.get(approval["status"], ("·", "dim"))
    if busy:
        glyph, style = "…", "dim"
    if marked:
        glyph, style = "✔", "accent-bold"
    roomy = width >= 50
    risk = approval["risk"]
    word = fitted(risk if roomy else "med" if risk == "medium" else risk, 7 if roomy else 5)
    who_width = min(20, width // 5) if roomy else 0
    left, left_style = countdown(approval, now) if pending else (approval["status"] if roomy else "", "dim")
    left_width = 7 if pending else 11 if roomy else 0
    age_width = 4
    what_width = max(0, width - 2 - len(word) - 1 - who_width - age_width - left_width)
    since = approval["created_at"] if pending else approval["decided_at"] or approval["created_at"]
    return [
        (f"{glyph} ", style),
        (word, f"{RISKS.get(risk, '')}-bold".lstrip("-") if pending and risk == "high" else RISKS.get(risk, "")),
        (fitted(exact(headline(approval)[: width * 8]), what_width) + " ", "" if pending else "dim"),
        (fitted(asker(approval), who_width - 1) + " " if who_width else "", "dim"),
        (shown.age(from_rfc3339(since), now).rjust(age_width), "dim"),
        (left.rjust(left_width), left_style),
    ]


def standing(approval: Mapping[str, Any], now: int) -> Line:
    """Return how a question stands, which changes with the clock: risk, status, and the time that is left."""
    glyph, style = GLYPHS.get(approval["status"], ("·", "dim"))
    risk = approval["risk"]
    spans: Line = [
        (f"{glyph} {approval['status']}", style),
        ("  risk ", "dim"),
        (risk, RISKS.get(risk, "")),
    ]
    left, left_style = countdown(approval, now)
    if left:
        spans.append(("  expired" if left == "over" else f"  {left} left", left_style))
    spans.append((f"  asked {shown.age(from_rfc3339(approval['created_at']), now)} ago", "dim"))
    return spans


def detail(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield everything about a question but how it stands, in lines of so many cells; most important first."""
    yield from consequences(approval, width)
    yield from circumstances(approval, width)


def consequences(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield all that would happen, and between what there is to choose: what must be seen by who decides."""
    yield from _title("What would happen" if approval["status"] == "pending" else "What it was about")
    yield from _preview(approval, width)
    if approval["options"]:
        yield from _title("Options")
        yield from _options(approval, width)


def circumstances(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield why it is asked, by whom, and since when."""
    yield from _title("Why it is asked")
    yield from _judgement(approval["judgement"], width)
    yield from _title("Facts")
    for name, value in _facts(approval):
        for row in plain(str(value)):
            yield from broken([(f"{name:<11}", "dim"), *row], width, (" ", ""), (" " * 12, ""))


def what_happens(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield all that would happen, and between what there is to choose, without titles: for where room is scarce."""
    yield from _preview(approval, width)
    if approval["options"]:
        yield from _options(approval, width)


def _preview(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    for row in drawn(approval["preview"]) if approval["preview"] else plain(ONLY_ANSWER, "dim"):
        yield from broken(row, width)


def question(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    """Yield the question."""
    for row in plain(str(approval["question"]), "bold"):
        yield from broken(row, width)


def _title(text: str) -> Iterator[Line]:
    yield []
    yield [(text, "title")]


def _options(approval: Mapping[str, Any], width: int) -> Iterator[Line]:
    for option in approval["options"]:
        value, chosen = option["value"], approval["decision"]
        sign = ("✓ ", "ok") if value == chosen else ("· ", "dim")
        row: Line = [sign, (exact(value), "running-bold")]
        if option["label"] != value:
            row.append((f"  {exact(one_line(option['label']))}", ""))
        if value == approval["default"]:
            row.append(("  (preselected)", "dim"))
        yield from broken(row, width)
        for text in plain(option["description"], "dim") if option["description"] else ():
            yield from broken([("    ", ""), *text], width)


def _judgement(judgement: Mapping[str, Any], width: int) -> Iterator[Line]:
    if not judgement.get("rule"):
        yield from broken([("It was asked for: no rule was needed.", "dim")], width, (" ", ""), (" ", ""))
        return
    yield from broken(_said(judgement, exact(one_line(judgement.get("reason") or ""))), width, (" ", ""), ("   ", ""))
    for part in judgement.get("parts") or ():
        glyph, style = SAYS.get(part["effect"], ("·", ""))
        for number, text in enumerate(plain(part["text"])):
            yield from broken([(f"{glyph} " if number == 0 else "  ", style), *text], width)
        yield from broken(_said(part, exact(one_line(part["reason"]))), width, ("    ", ""), ("    ", ""))


def _said(judged: Mapping[str, Any], reason: str) -> Line:
    effect = str(judged.get("effect") or "ask")
    return [(effect, SAYS.get(effect, ("", ""))[1]), (f" by {exact(judged['rule'])}: ", "dim"), (reason, "")]


def _facts(approval: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    act, preview = approval["preview"].get("act"), approval["preview"]
    cwd = preview.get("cwd") or (act.get("cwd") if isinstance(act, dict) else None) or approval.get("worktree")
    who = approval["session_name"]
    found = {
        "asked by": f"{who} ({approval['requested_by']})" if who else approval["requested_by"],
        "decided by role": approval.get("approver_role"),
        "agent": approval.get("agent"),
        "project": approval.get("project_name") or approval["project"],
        "cwd": cwd,
        "default": approval["default"],
        "status": f"{approval['status']}: {approval['reason']}",
        "decision": approval["decision"],
        "decided by": approval["decided_by"],
        "rationale": approval["rationale"],
        "asked": approval["created_at"],
        "expires": approval["expires_at"],
        "decided": approval["decided_at"],
        "approval": approval["id"],
        "digest": approval["digest"],
    }
    yield from ((name, value) for name, value in found.items() if value)
