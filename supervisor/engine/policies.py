"""The rules in force: the book of each project, and the versions of what people applied.

Rules come from four layers (docs/policy.md); what people applied here is one of them, kept in the database as whole
documents.
Only a person changes them, and going back is a new version with exactly the old document.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from config.documents import parse_document
from config.loading import PROJECT_FILE
from config.paths import Paths
from config.policy import RuleDocument, rules_in, user_policy_file
from config.stamps import FileStamp, stamp_of
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.policy.book import PROBLEM, Problem, RuleBook, judge
from supervisor.engine.policy.library import load_book
from supervisor.model.acts import Act, Judgement
from supervisor.model.entities import Project
from supervisor.model.errors import ConfigError, InvalidInput, Refused
from supervisor.model.events import EventType
from supervisor.store import policies, projects
from supervisor.store.policies import PolicyVersion

log = logging.getLogger(__name__)

WHERE = "applied rules"
"""How the document that people applied is called in problems."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """The version in force. Number 0 is before anybody applied anything."""

    number: int = 0
    rules: tuple[RuleDocument, ...] = ()
    problems: tuple[Problem, ...] = ()


_Stamp = tuple[int, FileStamp, FileStamp | None]


class Policies:
    """Keeps and judges by the rules in force. `judge` may be called from any thread."""

    def __init__(self, ledger: Ledger, paths: Paths) -> None:
        self._ledger = ledger
        self._paths = paths
        self._applied = _Applied()
        self._books: dict[Path | None, tuple[_Stamp, RuleBook]] = {}

    async def start(self) -> None:
        """Take the rules that people applied before."""
        self._take(await self._ledger.store.read(policies.latest))

    async def warm(self) -> None:
        """Read the shipped rules before they are needed: checking their examples takes some tenths of a second."""
        await asyncio.to_thread(self.book_now, None)

    def judge(self, act: Act, root: Path) -> Judgement:
        """Judge an act by the rules for the project at ``root``. Never raises: what goes wrong is asked about."""
        try:
            return judge(self.book_now(root), act)
        except Exception as error:
            log.exception("An act could not be judged.")
            return Judgement("ask", PROBLEM, f"It could not be judged: {error}", "high")

    async def book(self, root: Path | None) -> tuple[RuleBook, int]:
        """Return the rules in force for a project (None: for no project), and the number of the applied version."""
        return await asyncio.to_thread(self.book_now, root), self._applied.number

    async def project_at(self, folder: Path) -> Project | None:
        """Return the project that holds a folder, if it was added."""

        def read(conn: sqlite3.Connection) -> Project | None:
            above = (projects.by_root(conn, str(each)) for each in (folder, *folder.parents))
            return next((found for found in above if found is not None), None)

        return await self._ledger.store.read(read)

    async def apply(self, document: str, author: str, rationale: str, *, base: int | None = None) -> PolicyVersion:
        """Let a document take the place of what was applied before, as a new version.

        InvalidInput when it has a problem; Refused when ``base`` is not the version in force any more.
        """
        await asyncio.to_thread(self._check, document)

        def store(transaction: Transaction) -> PolicyVersion:
            return _append(transaction, document, author, rationale or "Rules were applied.", base)

        return self._take(await self._ledger.commit(store))

    async def add(self, rule: dict[str, Any], author: str, rationale: str, *, base: int | None = None) -> PolicyVersion:
        """Apply one rule more; errors as in `apply`."""
        latest = await self._ledger.store.read(policies.latest)
        document = with_rule(latest.document if latest else "", rule)
        seen = latest.number if latest else 0
        return await self.apply(document, author, rationale, base=seen if base is None else base)

    async def rollback(self, number: int, author: str, rationale: str) -> PolicyVersion:
        """Let the document of an earlier version be in force again, exactly; 0 is the empty one."""
        document = (await self._ledger.store.read(policies.get, number)).document if number else ""
        return await self.apply(document, author, rationale or f"Back to version {number}.")

    def _take(self, version: PolicyVersion | None) -> PolicyVersion:
        """Judge by a version from now on; the newest wins when two come at once."""
        if version is None:
            return PolicyVersion(0, 0, "", "", "")
        if version.number > self._applied.number:
            self._applied = _parsed(version)
        return version

    def book_now(self, root: Path | None) -> RuleBook:
        """Return the rules in force for a project; may be called from any thread."""
        applied = self._applied
        project = stamp_of(root / PROJECT_FILE) if root else None
        stamp = (applied.number, stamp_of(user_policy_file(self._paths)), project)
        known = self._books.get(root)
        if known is not None and known[0] == stamp:
            return known[1]
        book = load_book(self._paths, root, applied.rules)
        if applied.problems:
            book = replace(book, problems=(*book.problems, *applied.problems))
        self._books[root] = (stamp, book)
        return book

    def _check(self, document: str) -> None:
        applied = _parsed(PolicyVersion(0, 0, "", "", document))
        before = load_book(self._paths).problems
        new = [one for one in load_book(self._paths, None, applied.rules).problems if one not in before]
        for problem in (*applied.problems, *new):
            raise InvalidInput(problem.message, hint=problem.hint or "Nothing was changed.")


def with_rule(document: str, rule: dict[str, Any]) -> str:
    """Return a document of applied rules with one more at its end."""
    value = parse_document(document.encode(), WHERE).value or {}
    rules: Sequence[Any] = value.get("rules") or ()
    return yaml.safe_dump({"version": 1, "rules": [*rules, rule]}, sort_keys=False, allow_unicode=True)


def _parsed(version: PolicyVersion) -> _Applied:
    try:
        written = rules_in(parse_document(version.document.encode(), WHERE), WHERE)
    except ConfigError as error:
        return _Applied(version.number, (), (Problem(error.message, error.hint),))
    problems = tuple(Problem(error.message, error.hint) for error in written.problems)
    return _Applied(version.number, tuple(one.document for one in written.rules), problems)


def _append(transaction: Transaction, document: str, author: str, rationale: str, base: int | None) -> PolicyVersion:
    latest = policies.latest(transaction.conn)
    number = latest.number if latest else 0
    if base is not None and base != number:
        raise Refused(
            f"The rules have changed: version {number} is in force, not {base}.", hint="Look again, then decide."
        )
    made = policies.append(transaction.conn, document, author=author, rationale=rationale, now=transaction.now)
    transaction.event(
        EventType.POLICY_CHANGED, phase="policy", version=made.number, before=number, author=author, text=rationale
    )
    transaction.audit(
        author,
        "policy.apply",
        f"policy version {made.number}",
        before={"version": number},
        after={"version": made.number, "rationale": rationale, "document": document},
    )
    return made
