"""Artifacts and evidence: kept, found, read, and cleared away when their retention has ended.

A content gets its place on the disk first, then its artifact is committed. What has no artifact after a crash is
cleared away; nothing that has one ever is. `uploads` has what comes over the API in pieces.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from config.settings import SHORTEST_SECRET
from supervisor.engine.contents import Contents, discard
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.secrets import refuse_secrets
from supervisor.engine.services import Services
from supervisor.engine.taking import SecretFinder
from supervisor.model.artifacts import (
    Artifact,
    Draft,
    Kind,
    Stance,
    check_name,
    check_retention,
    check_type,
)
from supervisor.model.entities import Project
from supervisor.model.errors import QuarterdeckError, Unavailable
from supervisor.model.events import EventType, NewEvent
from supervisor.store import artifacts, attempts, events, plans, projects, uploads
from supervisor.store.rows import to_json

log = logging.getLogger(__name__)

SWEEP_S: Final = 3600.0
UPLOAD_KEPT_MS: Final = 7 * 24 * 3_600_000
"""How long an upload may take, and what it has become is remembered."""


class Artifacts:
    """Keeps artifacts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.ledger = services.ledger
        self.contents = Contents(services.paths.artifacts)
        # Between the look whether a content is there and the commit of its artifact nothing is cleared away.
        self._placing = asyncio.Lock()

    async def keep(
        self,
        path: Path,
        name: str,
        type: str,  # noqa: A002 - the domain's word
        plan: str,
        task: str,
        attempt: str | None = None,
        provenance: Mapping[str, Any] | None = None,
        *,
        below: Path | None = None,
        kind: Kind = "artifact",
        retention: str | None = None,
        statement: str = "",
        stance: Stance | None = None,
        actor: str = "supervisor",
    ) -> Artifact:
        """Keep the file or folder at ``path`` as what a task of a plan made; the same by one attempt is one artifact.

        With ``below`` it must be in that folder, and no link leads out of it. NotFound when there is none;
        InvalidInput when it is neither, too large or holds a secret; Unavailable when the disk is full.
        """

        def look(conn: sqlite3.Connection) -> tuple[str, int, str | None, Project]:
            found = plans.get(conn, plan)
            session = attempts.get(conn, attempt).session if attempt is not None else None
            return found.project, found.revision, session, projects.get(conn, found.project)

        project, revision, session, where = await self.ledger.store.read(look)
        draft = Draft(
            project=project,
            name=check_name(name),
            type=check_type(type),
            sha256="",
            size=0,
            created_by=actor,
            retention=check_retention(retention or "plan", of_plan=True),
            kind=kind,
            plan=plan,
            task=task,
            session=session,
            attempt=attempt,
            provenance={**(provenance or {}), "revision": revision},
            statement=statement,
            stance=stance or ("supports" if kind == "evidence" else None),
        )
        known = self.secrets_of(where)
        refuse_in(draft, known)
        size = await asyncio.to_thread(_size, path)
        self.check_room(size)
        await asyncio.to_thread(self.contents.prepare)
        temporary, taken = await asyncio.to_thread(self.contents.take, path, below, SecretFinder(known))
        try:
            return await self.put(replace(draft, form=taken.form, sha256=taken.sha256, size=taken.size), temporary)
        finally:
            await asyncio.to_thread(discard, temporary)

    async def newest(self, plan: str, task: str, name: str) -> Artifact:
        """Return the newest artifact that a task has kept under a name; NotFound when there is none."""
        return await self.ledger.store.read(artifacts.newest, plan, task, name)

    async def materialize(self, artifact: Artifact, into: Path) -> None:
        """Write what is in an artifact to the file or folder ``into``; nothing done to it reaches the store.

        Its files are read-only. A folder is Refused when something is there; a file takes the place of another.

        The folders on the way are the caller's, who knows that no link in them leads astray.
        """
        await asyncio.to_thread(self.contents.copy, artifact, into)

    async def open(self, artifact: Artifact) -> BufferedReader:
        """Return what is in an artifact, checked, for reading; the caller closes it."""
        return await asyncio.to_thread(self.contents.open, artifact)

    async def put(
        self, draft: Draft, temporary: Path, also: Callable[[Transaction, Artifact], None] | None = None
    ) -> Artifact:
        """Give a content that is whole and checked its place, and store its artifact."""
        async with self._placing:
            await asyncio.to_thread(self.contents.place, temporary, draft.sha256)
            hit("artifact.placed")
            artifact = await self.ledger.commit(lambda transaction: _store(transaction, draft, also))
        hit("artifact.kept")
        return artifact

    async def again(self, draft: Draft) -> Artifact | None:
        """Store an artifact whose content is there already; None when it is not.

        A session has to show a content that it did not put itself: who knows a hash need not know what has it.
        """
        if draft.session is not None:
            own = partial(artifacts.is_of_session, sha256=draft.sha256, session=draft.session)
            if not await self.ledger.store.read(own):
                return None
        if not await asyncio.to_thread(self.contents.is_sound, draft.sha256):
            return None
        async with self._placing:
            if not self.contents.has(draft.sha256):
                return None
            return await self.ledger.commit(lambda transaction: _store(transaction, draft, None))

    def secrets_of(self, project: Project) -> list[tuple[str, str]]:
        """Return the values that nothing which is kept of a project may hold, with their names."""
        names = self._services.config_for(Path(project.root)).settings.secrets
        known = self._services.secrets.every(names)
        return [(name, value) for name, value in known if len(value) >= SHORTEST_SECRET]

    def check_room(self, size: int) -> None:
        """Raise Unavailable when so many bytes more would leave less of the disk free than must stay."""
        floor = self._services.config_for(None).settings.storage.free_disk_floor_mb
        free = shutil.disk_usage(self._services.paths.state).free
        if free - size < floor * 1024**2:
            raise Unavailable(
                f"{size} bytes more do not fit: {free // 1024**2} MiB of disk are free, and {floor} MiB must stay so.",
                hint="Free some space, or lower storage.free_disk_floor_mb.",
                code="disk_full",
            )

    async def run(self) -> None:
        """Clear away what is kept no longer: now, which makes good what a crash left, and every hour."""
        await asyncio.to_thread(self.contents.prepare)
        while True:
            try:
                await self.sweep()
            except (QuarterdeckError, OSError) as error:
                log.warning("What artifacts left cannot be cleared away now: %s", error)
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """Take away what has outlived its retention, uploads that nobody goes on with, and contents of neither."""
        while await self.ledger.commit(_expire, urgent=False):
            pass
        await self.ledger.commit(_forget_uploads, urgent=False)
        async with self._placing:
            going_on = await self.ledger.store.submit(uploads.unfinished)
            await asyncio.to_thread(self.contents.clear, going_on)
        kept = await self.ledger.store.read(artifacts.contents)
        for sha256 in await asyncio.to_thread(lambda: [each for each in self.contents.every() if each not in kept]):
            async with self._placing:
                # By the writer: it comes after every artifact whose commit is under way.
                if not await self.ledger.store.submit(partial(artifacts.is_kept, sha256=sha256)):
                    await asyncio.to_thread(self.contents.drop, sha256)


def refuse_in(draft: Draft, known: list[tuple[str, str]]) -> None:
    """Raise InvalidInput when what is said of an artifact holds the value of a secret."""
    texts = (draft.name, draft.type, draft.statement, to_json(draft.provenance))
    for name, value in known:
        refuse_secrets({name: value}, draft.kind, texts)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0  # It is said why when it is opened.


def _store(transaction: Transaction, draft: Draft, also: Callable[[Transaction, Artifact], None] | None) -> Artifact:
    # What an attempt puts again, after a crash say, is what it has put before.
    known = artifacts.of_attempt(transaction.conn, draft)
    artifact = known or artifacts.insert(transaction.conn, draft, transaction.now)
    if also is not None:
        also(transaction, artifact)
    if known is not None:
        return known
    _tell(transaction, EventType.ARTIFACT_KEPT, artifact, stance=artifact.stance, by=artifact.created_by)
    after = {"kind": artifact.kind, "name": artifact.name, "version": artifact.version, "sha256": artifact.sha256,
             "plan": artifact.plan, "task": artifact.task}  # fmt: skip
    transaction.audit(draft.created_by, "artifact.put", artifact.id, after=after)
    return artifact


def _expire(transaction: Transaction) -> int:
    found = artifacts.overdue(transaction.conn, transaction.now)
    for artifact in found:
        artifacts.remove(transaction.conn, artifact.id, transaction.now)
        _tell(transaction, EventType.ARTIFACT_REMOVED, artifact, retention=artifact.retention)
        before = {"name": artifact.name, "version": artifact.version, "retention": artifact.retention}
        transaction.audit("supervisor", "artifact.expire", artifact.id, before=before)
    return len(found)


def _forget_uploads(transaction: Transaction) -> None:
    for upload in uploads.stale(transaction.conn, transaction.now - UPLOAD_KEPT_MS):
        uploads.delete(transaction.conn, upload.id)


def _tell(transaction: Transaction, kind: EventType, artifact: Artifact, **more: Any) -> None:
    payload = {
        "artifact": artifact.id, "kind": artifact.kind, "name": artifact.name, "version": artifact.version,
        "type": artifact.type, "size": artifact.size, "sha256": artifact.sha256, **more,
    }  # fmt: skip
    new = NewEvent(kind, "plan" if artifact.plan else "autonomy", transaction.now, payload=payload)
    transaction.events.extend(
        events.append(
            transaction.conn,
            [new],
            project=artifact.project,
            plan=artifact.plan,
            task=artifact.task,
            session=artifact.session,
            attempt=artifact.attempt,
        )
    )
