"""What people, agents and the supervisor did, as lines of a history: audit entries, and the sessions that failed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from panels import shown
from panels.view.fleet import fitted
from panels.view.rows import Line, Row
from panels.view.summaries import chosen_answer
from panels.view.wrapping import wrap
from supervisor.model.plain import exact, one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Kind = Literal["all", "decisions", "sessions", "policy", "failures"]

KINDS: Final[dict[Kind, str]] = {
    "all": "Everything that was done",
    "decisions": "Decisions: what was asked, allowed, refused",
    "sessions": "Sessions and projects",
    "policy": "Changes of the rules",
    "failures": "Sessions that failed, and why",
}

_PREFIXES: Final[dict[Kind, tuple[str, ...]]] = {
    "decisions": ("approval.", "permission."),
    "sessions": ("session.", "project."),
    "policy": ("policy.",),
}

_WORDS: Final = {
    "project.add": ("+", "ok", "added the project"),
    "project.remove": ("-", "dim", "forgot the project"),
    "session.create": ("+", "ok", "started"),
    "session.pause": ("‖", "paused", "paused"),
    "session.resume": ("●", "running", "resumed"),
    "session.cancel": ("■", "dim", "stopped"),
    "session.send": ("→", "accent", "sent a message to"),
    "session.continue": ("→", "accent", "gave another prompt to"),
    "session.archive": ("○", "dim", "put away"),
    "session.commit": ("◆", "accent", "committed the work of"),
    "session.merge": ("◆", "ok", "merged"),
    "session.push": ("◆", "accent", "pushed the branch of"),
    "approval.request": ("◐", "waiting", "asked in"),
    "approval.approve": ("✓", "ok", "allowed, in"),
    "approval.reject": ("✕", "failed", "refused, in"),
    "approval.consumed": ("✓", "dim", "used the approval in"),
    "approval.expired": ("■", "dim", "let a question expire in"),
    "approval.superseded": ("■", "dim", "replaced a question in"),
    "approval.cancelled": ("■", "dim", "voided a question in"),
    "permission.allow": ("✓", "ok", "allowed by a rule, in"),
    "permission.deny": ("✕", "failed", "refused by a rule, in"),
    "plan.create": ("+", "ok", "wrote down"),
    "plan.revise": ("◆", "accent", "revised"),
    "plan.delete": ("-", "dim", "deleted"),
    "plan.start": ("●", "running", "started"),
    "plan.advance": ("→", "accent", "let the next step run of"),
    "plan.pause": ("‖", "paused", "paused"),
    "plan.resume": ("●", "running", "resumed"),
    "plan.cancel": ("■", "dim", "gave up"),
    "plan.merge": ("◆", "ok", "merged"),
    "plan.archive": ("○", "dim", "put away"),
    "task.run": ("→", "accent", "let a task run of"),
    "task.retry": ("→", "accent", "had a task done once more of"),
    "task.complete": ("✓", "ok", "completed a task of"),
    "task.rollback": ("←", "waiting", "rolled a task back of"),
    "alert.acknowledge": ("○", "dim", "has seen"),
    "view.clear": ("○", "dim", "emptied the view of live events in the"),
    "alert.dismiss": ("○", "dim", "dismissed"),
    "policy.apply": ("◆", "waiting", "changed the rules to"),
}
"""A glyph with its style, and what the actor did, in words that the subject ends."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the history. ``session`` is the session that it is about, ``entry`` what the API says of it."""

    seq: int
    time: int
    actor: str
    action: str
    subject: str
    session: str | None
    entry: Json
    known_by: str
    """What is searched, in small letters."""

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from all others: entries and events are numbered apart."""
        return ("failure" if self.action == "failed" else "entry", self.seq)

    @property
    def words(self) -> tuple[str, str, str]:
        """A glyph, its style, and what was done in words."""
        if self.action == "failed":
            return "✕", "failed", "failed:"
        after = self.entry.get("after") or {}
        if self.action == "session.merge" and after.get("merged") is False:
            return "✕", "failed", "could not merge"
        if self.action == "approval.approve" and (choice := chosen_answer(after)):
            return "✓", "ok", f"answered {choice!r} in"
        return _WORDS.get(self.action, ("·", "dim", self.action.replace(".", " ")))

    @property
    def replaced(self) -> int | None:
        """The version of the rules that it took the place of; None when it did not change the rules."""
        version = (self.entry.get("before") or {}).get("version")
        return version if self.action == "policy.apply" and isinstance(version, int) else None


def sessions_in(entries: Iterable[Json]) -> set[str]:
    """Return the sessions that entries name by their ids."""
    return {found for entry in entries if (found := session_of(entry, {})) is not None}


def session_of(entry: Json, asked_in: Mapping[str, str]) -> str | None:
    """Return the session that an entry is about; ``asked_in`` says in which session an approval was asked."""
    subject = str(entry["subject"])
    if subject.startswith("ses_"):
        return subject
    named = (entry.get("after") or {}).get("session")
    return named if isinstance(named, str) else asked_in.get(subject)


def record(entry: Json, names: Mapping[str, str], asked_in: Mapping[str, str]) -> Record:
    """Return an audit entry as a line; subjects have their names as far as these are known."""
    session = session_of(entry, asked_in)
    after, before = entry.get("after") or {}, entry.get("before") or {}
    subject = str(entry["subject"])
    if session is not None:
        subject = names.get(session) or after.get("name") or session
    elif entry["action"].startswith("project."):
        subject = after.get("root") or before.get("root") or subject
    kind, _, who = str(entry["actor"]).partition(":")
    actor = names.get(who, who) if kind == "session" else entry["actor"]
    return _record(entry, actor, entry["action"], str(subject), session, (before, after))


def failure(event: Json, names: Mapping[str, str]) -> Record | None:
    """Return the line of a session that failed; None for every other change of a status."""
    payload = event["payload"]
    if event["type"] != "status_changed" or payload.get("to") != "failed":
        return None
    name = payload.get("name") or names.get(event["session"]) or event["session"]
    reason = str(payload.get("reason") or "it does not say why")
    return _record(event, str(name), "failed", reason, event["session"], (payload,))


def _record(entry: Json, actor: str, action: str, subject: str, session: str | None, said: tuple[Json, ...]) -> Record:
    words = _WORDS.get(action, ("", "", ""))[2]
    known_by = " ".join((actor, words, action, subject, json.dumps(said, ensure_ascii=False))).casefold()
    return Record(entry["seq"], from_rfc3339(entry["time"]), actor, action, subject, session, entry, known_by)


def chosen(records: Iterable[Record], kind: Kind, wanted: str) -> list[Record]:
    """Return the lines of one kind in which every word that is searched for occurs."""
    prefixes, words = _PREFIXES.get(kind, ("",)), wanted.casefold().split()
    return [
        each
        for each in records
        if each.action.startswith(prefixes) and (not words or all(word in each.known_by for word in words))
    ]


def line(record: Record, width: int, today: int) -> Line:
    """Return a record in so many cells; ``today`` says from when on the time of day is enough."""
    glyph, style, words = record.words
    moment = datetime.fromtimestamp(record.time / 1000).astimezone()
    same = moment.date() == datetime.fromtimestamp(today / 1000).astimezone().date()
    time = moment.strftime("%H:%M:%S") if same else moment.strftime("%d %b   ")
    who = min(22, max(10, width // 5))
    rest = width - 9 - who - 2
    return [
        (f"{time} ", "dim"),
        (f"{glyph} ", style),
        (fitted(person(record.actor), who - 1) + " ", "accent" if record.actor.startswith("person") else ""),
        (fitted(f"{words} {record.subject}", rest), "failed" if record.action == "failed" else ""),
    ]


def person(actor: str) -> str:
    """Return who did it, without the prefix that says that it is a person."""
    return actor.removeprefix("person:") or actor


def rows(records: Iterable[Record], width: int, today: int, more: str) -> list[Row]:
    """Return the lines of the list; ``more`` is said below them."""
    found = [Row(line(each, width, today), each.key) for each in records]
    return [*found, Row([(fitted(more, width), "dim")])] if more else found


def details(record: Record, width: int, verdict: str) -> list[Row]:
    """Return everything that is known of a record, wrapped."""
    glyph, style, words = record.words
    moment = datetime.fromtimestamp(record.time / 1000).astimezone()
    lines: list[tuple[str, str]] = [
        (f"{glyph} {one_line(person(record.actor))} {words} {one_line(record.subject)}", f"{style}-bold"),
        (f"{moment:%Y-%m-%d %H:%M:%S}  {record.entry.get('action') or record.entry.get('type')}", "dim"),
    ]
    if record.action == "failed":
        lines += [("", ""), *((text, "") for text in _written(record.entry["payload"]))]
    else:
        lines += [("", ""), *_difference(record.entry["before"], record.entry["after"])]
        lines += [
            ("", ""),
            (f"entry {record.seq} about {exact(record.entry['subject'])}", "dim"),
            (f"hash     {record.entry['hash']}", "dim"),
            (f"follows  {record.entry['prev_hash']}", "dim"),
            (verdict, "dim"),
        ]
    styled = {"dim-bold": "dim", "-bold": "bold"}
    return [
        Row([(part, styled.get(name, name))]) for text, name in lines for part in (wrap(text, width) if text else ("",))
    ]


def _difference(before: Json | None, after: Json | None) -> Iterator[tuple[str, str]]:
    """Yield the lines that differ, with what they are told apart by; what stayed the same as it is."""
    old, new = list(_written(before or {})), list(_written(after or {}))
    if not old and not new:
        yield "Nothing more is noted of it.", "dim"
    for text in difflib.ndiff(old, new):
        if not text.startswith("?"):
            yield text, {"+": "add", "-": "remove"}.get(text[:1], "")


def _written(document: Json) -> Iterator[str]:
    for name, value in document.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        first, *others = exact(text).split("\n")
        if not others:
            yield f"{exact(name)}: {first}"
        else:
            yield f"{exact(name)}:"
            yield from (f"    {each}" for each in (first, *others))


def policy_change(current: Json | None, target: str, replaced: int) -> str:
    """Return what going back to a version would change in the rules, for a person to decide on."""
    now = current["version"] if current else 0
    document = current["document"] if current else ""
    changed = [
        each
        for each in difflib.unified_diff(document.splitlines(), target.splitlines(), lineterm="", n=1)
        if not each.startswith(("---", "+++", "@@"))
    ]
    which = f"version {now}" if now == replaced + 1 else f"versions {replaced + 1} to {now}"
    name = f"The rules of version {replaced}" if replaced else "No rules but those of files"
    head = f"{name} will be in force again, as version {now + 1}. That takes back {which}."
    body = "\n".join(exact(each) for each in changed) or "The documents are the same: nothing changes."
    return f"{head}\n\n{body}"


def verdict_words(verdict: Json, at: str) -> tuple[str, str]:
    """Return whether the chain of hashes held at a time of day, in words, with a style."""
    if verdict["valid"]:
        return f"✓ The chain held at {at}, up to entry {shown.count(verdict['entries'])}. i checks again.", "ok"
    where = f" from entry {verdict['first_bad']} on" if verdict["first_bad"] else ""
    return f"✕ The chain does not hold{where}: {one_line(verdict['detail'])}.", "failed-bold"
