"""What a person's own decisions suggest: rules, with what of the history each would and would not have matched."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from config.policy import RuleDocument, plain
from supervisor.engine.desk import act_of, subject_of
from supervisor.engine.policies import Policies
from supervisor.engine.policy import proposals
from supervisor.engine.policy.book import RuleBook
from supervisor.model.acts import Act
from supervisor.model.approvals import Approval
from supervisor.model.errors import Refused
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, projects, sessions
from supervisor.store.database import Store

HISTORY: Final = 500
"""Questions that are looked back upon."""

SUGGESTED: Final = 10

UNKNOWN: Final = "other"
"""The kind of an act of which only the tool's name is known: a rule for it would allow whatever the tool does."""

_YES = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONSUMED})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that a person may apply. ``rule`` is None when none can be proposed; ``reason`` says why, or why it is.

    ``would_allow`` and ``would_ask`` are acts of the history that are asked about without the rule.
    """

    id: str
    rule: dict[str, Any] | None
    reason: str
    would_allow: tuple[str, ...] = ()
    would_ask: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The rule as it is written in a file."""
        return yaml.safe_dump([self.rule], sort_keys=False, allow_unicode=True) if self.rule else ""


@dataclass(frozen=True, slots=True)
class _Past:
    """A question of the history, as the act that it was about."""

    approval: Approval
    act: Act
    root: Path

    @property
    def text(self) -> str:
        if isinstance(self.act.command, str):
            return self.act.command
        return " ".join(self.act.command) if self.act.command else subject_of(self.approval.asked)


@dataclass(frozen=True, slots=True)
class Suggesting:
    """Proposes; never applies."""

    store: Store
    policies: Policies

    async def propose(self, approval: Approval) -> tuple[Proposal, int]:
        """Return the rule that would have allowed what an approval was about, and the version that it adds to."""
        past = await self.store.read(_past, [approval])
        if not past:
            raise Refused(f"{approval.id} is not about a call that rules could judge.")
        book, version = await self.policies.book(past[0].root)
        history = await self._history()
        return await asyncio.to_thread(self._proposed, book, past[0], history), version

    async def suggestions(self) -> tuple[list[Proposal], int]:
        """Return rules for what was approved again and again and never refused, the most frequent first."""
        _, version = await self.policies.book(None)
        return await asyncio.to_thread(self._suggested, await self._history()), version

    async def _history(self) -> list[_Past]:
        return await self.store.read(lambda conn: _past(conn, approvals.find(conn, HISTORY)))

    def _proposed(self, book: RuleBook, past: _Past, history: Sequence[_Past]) -> Proposal:
        if past.act.kind == UNKNOWN:
            return Proposal("", None, f"What {past.act.tool} would do the next time, its name does not say.")
        found = proposals.propose(book, past.act)
        if found.rule is None:
            return Proposal("", None, found.why_not)
        return self._proposal(found.rule, f"You approved: {past.text}", history)

    def _suggested(self, history: Sequence[_Past]) -> list[Proposal]:
        book = self.policies.book_now(None)
        approved = [past.act for past in history if past.approval.status in _YES and past.act.kind != UNKNOWN]
        # A refusal says that the person wants to be asked.
        refused = [past.act for past in history if past.approval.status is ApprovalStatus.REJECTED]
        return [
            self._proposal(rule, f"You approved this {count} times.", history)
            for rule, count in proposals.suggestions(book, approved)
            if not any(each.matched for each in proposals.what_matches(book, rule, refused))
        ][:SUGGESTED]

    def _proposal(self, rule: RuleDocument, reason: str, history: Sequence[_Past]) -> Proposal:
        """Return a proposal with what of a history it would have allowed, and what would still be asked about."""
        written = plain(rule)
        allow, ask = dict[str, None](), dict[str, None]()
        for past in history:
            (meant,) = proposals.what_matches(self.policies.book_now(past.root), rule, [past.act])
            if meant.before == "ask" and meant.after in ("allow", "ask"):
                (allow if meant.after == "allow" else ask)[past.text] = None
        digest = hashlib.sha256(msgspec.json.encode(written, order="sorted")).hexdigest()[:10]
        return Proposal(f"sug_{digest}", written, reason, tuple(allow), tuple(ask))


def _past(conn: sqlite3.Connection, found: Iterable[Approval]) -> list[_Past]:
    past = []
    for approval in found:
        if approval.subject_type != "tool_call" or not approval.session or approval.options:
            continue
        session = sessions.get(conn, approval.session)
        project = projects.get(conn, session.project)
        past.append(_Past(approval, act_of(session, project, approval.asked), Path(project.root)))
    return past
