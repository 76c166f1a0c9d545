"""What is installed, set and ruled, as lines: doctor, agents, settings, policy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich.cells import cell_len

from panels import shown
from panels.view.fleet import fitted
from panels.view.rows import Row
from panels.view.wrapping import wrap
from supervisor.model.plain import clean, exact, one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

CHECKS: Final = {"ok": ("✓", "ok"), "warning": ("!", "waiting"), "error": ("✕", "failed")}
EFFECTS: Final = {"allow": ("✓", "ok"), "ask": ("◐", "waiting"), "deny": ("✕", "failed")}
_ACTS_SHOWN: Final = 8


def matches(wanted: str, *texts: object) -> bool:
    """Whether every word that is searched for occurs in some text."""
    known = " ".join(str(text) for text in texts).casefold()
    return all(word in known for word in wanted.casefold().split())


def doctor_rows(checks: Iterable[Json], wanted: str, width: int) -> list[Row]:
    """Return what was looked at, what is wrong first of all; hints stand below what they are for."""
    order = list(CHECKS)
    found = sorted(checks, key=lambda check: -order.index(check["status"]))
    rows: list[Row] = []
    for check in found:
        if not matches(wanted, check["name"], check["detail"], check["status"]):
            continue
        glyph, style = CHECKS[check["status"]]
        rows += _fact(glyph, style, check["name"], check["detail"], width)
        if check["status"] != "ok" and check["hint"]:
            rows += [Row([(" " * 4 + part, "dim")]) for part in wrap(clean(check["hint"]), width - 4)]
    return rows


def _fact(glyph: str, style: str, name: str, text: str, width: int) -> Iterator[Row]:
    """Yield a line with a name, and what is said of it, wrapped beside the name."""
    column = min(22, max(12, width // 4))
    first, *others = list(wrap(one_line(text), width - column - 2)) or [""]
    yield Row([(f"{glyph} ", style), (fitted(name, column - 1) + " ", "bold"), (first, "")], ("check", name))
    yield from (Row([(" " * (column + 2) + other, "")]) for other in others)


def agent_rows(agents: Iterable[Json], wanted: str, width: int, now: int) -> list[Row]:
    """Return the agents: ready ones first, then those that are held back, then what is not installed."""
    rows: list[Row] = []
    for agent in sorted(agents, key=lambda each: (not each["installed"], bool(each["paused_until"]), each["name"])):
        if not matches(wanted, agent["name"], agent["description"], agent["executor"], agent["adapter"]):
            continue
        if agent["paused_until"]:
            until = from_rfc3339(agent["paused_until"])
            state = f"held back until {shown.clock(until)[:5]} (in {shown.span((until - now) / 1000)})"
            glyph, style, text = "‖", "paused", f"{state}: {agent['pause_reason'] or ''}"
        elif agent["installed"]:
            glyph, style, text = "✓", "ok", f"{agent['description']}  [{agent['executor']}]"
        else:
            glyph, style, text = "✕", "dim", f"not installed: {agent['install_hint'] or agent['description']}"
        rows += _fact(glyph, style, agent["name"], text, width)
        if agent["path"]:
            rows.append(Row([(" " * 4 + fitted(agent["path"], width - 4).rstrip(), "dim")]))
    return rows


def setting_rows(settings: Iterable[Json], problem: str | None, wanted: str, width: int) -> list[Row]:
    """Return every setting with its value and source; what a person has set stands out."""
    rows = [Row([(part, "failed")]) for part in wrap(f"! {clean(problem)}", width)] if problem else []
    key_width, source_width = max(20, min(44, width * 2 // 5)), max(10, min(40, width // 4))
    for each in settings:
        value = _value(each["value"])
        if not matches(wanted, each["key"], value, each["source"]):
            continue
        built_in = each["source"] == "built-in"
        rows.append(
            Row(
                [
                    (fitted(each["key"], key_width - 1) + " ", "" if built_in else "bold"),
                    (fitted(value, width - key_width - source_width - 1) + " ", "" if built_in else "accent"),
                    (_end(each["source"], source_width), "dim"),
                ],
                ("setting", each["key"]),
            )
        )
    return rows


def _end(text: str, width: int) -> str:
    """Return the end of a path, which says more than its beginning."""
    flat = one_line(text)
    return fitted(flat, width) if cell_len(flat) <= width else "…" + fitted(flat[1 - width :], width - 1)


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    return "-" if value is None else json.dumps(value, ensure_ascii=False)


def policy_rows(found: Json, verdict: Json | None, opened: Collection[object], width: int) -> list[Row]:
    """Return the rules in force by where they come from: what is wrong on top, then what was tried, then proposals.

    ``found`` holds ``policy``, ``versions`` and ``suggestions`` as the API gives them; ``opened`` the keys of what
    is shown whole.
    """
    policy = found["policy"]
    rows = [
        Row([(part, "failed")])
        for problem in policy["problems"]
        for part in wrap(f"✕ {clean(problem)}", width)
    ]  # fmt: skip
    if verdict is not None:
        rows += [*_verdict_rows(verdict, width), Row([])]
    if suggestions := found["suggestions"]:
        rows.append(_heading("Proposed from what you allow again and again: enter shows what it matches", width))
        rows += [
            Row([("+ ", "accent"), (fitted(_summary(each["rule"], each["reason"]), width - 2), "")],
                ("suggestion", each["id"]))
            for each in suggestions
        ]  # fmt: skip
    source = None
    for number, rule in enumerate(policy["rules"]):
        if (file := _file(rule["source"])) != source:
            source = file
            rows.append(_heading(f"{rule['layer']}: {one_line(source)}", width))
        rows += _rule_rows(number, rule, opened, width)
    if versions := found["versions"]:
        rows.append(_heading("Versions of the rules that people applied (5, u goes back to the one before)", width))
        documents = {0: "", **{each["version"]: each["document"] for each in versions}}
        for each in versions:
            rows += _version_rows(each, documents.get(each["version"] - 1, ""), opened, width)
    return rows


def _file(source: str) -> str:
    """Return where rules come from, without the line."""
    file, _, line = source.rpartition(":")
    return file if line.isdecimal() else source


def _heading(text: str, width: int) -> Row:
    return Row([(fitted(text, min(width, len(text) + 1)), "title"), ("─" * width, "dim")])


def _summary(rule: Json | None, reason: str) -> str:
    name = (rule or {}).get("name", "")
    return f"{name}: {reason}" if name else reason


def _rule_rows(number: int, rule: Json, opened: Collection[object], width: int) -> Iterator[Row]:
    glyph, style = EFFECTS.get(rule["effect"], ("·", ""))
    key = ("rule", number)
    name = min(30, max(14, width // 4))
    patterns = one_line(exact(" | ".join(rule["patterns"]))) or "everything that its conditions fit"
    yield Row(
        [
            (f"{glyph} {rule['effect']:<5} ", style),
            (fitted(rule["name"], name - 1) + " ", "bold"),
            (fitted(patterns, width - name - 8), ""),
        ],
        key,
    )
    if key in opened:
        said = [f"because  {one_line(rule['reason'])}", f"risk     {rule['risk']}", f"from     {clean(rule['source'])}"]
        said += [f"{rule['matches'] or 'matches'}  {exact(pattern)}" for pattern in rule["patterns"]]
        said += [f"{kind}  {' | '.join(map(exact, wanted))}" for kind, wanted in rule["conditions"].items()]
        yield from (Row([("    " + part, "dim")]) for text in said for part in wrap(text, width - 4))


def _version_rows(version: Json, before: str, opened: Collection[object], width: int) -> Iterator[Row]:
    key = ("version", version["version"])
    moment = datetime.fromtimestamp(from_rfc3339(version["created_at"]) / 1000).astimezone()
    text = f"{moment:%Y-%m-%d %H:%M}  {version['author']}  {version['rationale']}"
    yield Row([(f"◆ {version['version']:<4} ", "accent"), (fitted(text, width - 7), "")], key)
    if key in opened:
        for each in difflib.unified_diff(before.splitlines(), version["document"].splitlines(), lineterm="", n=2):
            if not each.startswith(("---", "+++")):
                style = {"+": "add", "-": "remove", "@": "hunk"}.get(each[:1], "dim")
                yield Row([("    " + fitted(exact(each), width - 4).rstrip(), style)])


def _verdict_rows(verdict: Json, width: int) -> Iterator[Row]:
    glyph, style = EFFECTS.get(verdict["decision"], ("·", ""))
    asked = one_line(exact(verdict["asked"]))
    yield Row([("$ ", "dim"), (fitted(asked, width - 2), "bold")])
    said = f"{verdict['decision']}  by {verdict['rule']}: {one_line(verdict['reason'])}"
    yield from (Row([(part, f"{style}-bold")]) for part in wrap(f"{glyph} {said}", width))
    for part in verdict["commands"]:
        sign, colour = EFFECTS.get(part["decision"], ("·", ""))
        rule = min(30, max(14, width // 4))
        yield Row(
            [
                (f"  {sign} {part['decision']:<5} ", colour),
                (fitted(part["rule"] or "-", rule - 1) + " ", ""),
                (fitted(exact(part["command"]), width - rule - 10), "dim"),
            ]
        )


def proposal_words(proposal: Json) -> str:
    """Return a proposed rule and what of the history it would match, for a person to decide on."""
    parts = [exact(proposal["text"]).strip()]
    for title, acts in (
        ("Of what was asked before it would have allowed", proposal["would_allow"]),
        ("It would still ask about", proposal["would_ask"]),
    ):
        listed = [f"  {one_line(exact(act))}" for act in acts[:_ACTS_SHOWN]]
        if len(acts) > _ACTS_SHOWN:
            listed.append(f"  … and {len(acts) - _ACTS_SHOWN} more")
        parts.append("\n".join([f"{title}:", *listed]) if acts else f"{title}: nothing.")
    return "\n\n".join([one_line(proposal["reason"]), *parts])


def counted(checks: Sequence[Json]) -> str:
    """Return how many checks came to what, in glyphs."""
    statuses = [check["status"] for check in checks]
    return "  ".join(f"{glyph} {statuses.count(name)}" for name, (glyph, _) in CHECKS.items() if name in statuses)
