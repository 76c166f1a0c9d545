"""Uploads: contents that come in pieces, also over breaks of the connection and restarts of the supervisor.

The pieces so far are a file, whose length is how far it is. Each piece is on the disk before it is answered.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

from supervisor.engine.artifacts import Artifacts, refuse_in
from supervisor.engine.contents import discard, hash_of, unwritable
from supervisor.engine.intake import Intake
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.taking import SecretFinder, too_large
from supervisor.model.artifacts import (
    SIZE_LIMIT,
    Artifact,
    Draft,
    Kind,
    Stance,
    Upload,
    check_name,
    check_retention,
    check_type,
)
from supervisor.model.errors import Forbidden, InvalidInput, Refused
from supervisor.model.ids import new_id
from supervisor.store import artifacts, attempts, plans, projects, sessions, tasks, uploads

OPEN_LIMIT: Final = 50
"""Uploads that each may have under way at once."""


@dataclass(frozen=True, slots=True)
class PutRequest:
    """What somebody wants to keep. ``cwd`` names the project where neither a plan nor a session does."""

    name: str
    type: str
    sha256: str
    size: int
    kind: Kind = "artifact"
    plan: str | None = None
    task: str | None = None
    cwd: Path | None = None
    retention: str | None = None
    statement: str = ""
    stance: Stance | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload is: bytes that are there, and the artifact once that is all."""

    upload: Upload | None
    offset: int
    artifact: Artifact | None = None


class Uploads:
    """Takes contents in pieces."""

    def __init__(self, ledger: Ledger, intake: Intake, kept: Artifacts) -> None:
        self._ledger = ledger
        self._intake = intake
        self._artifacts = kept
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def begin(self, request: PutRequest, actor: str, session: str | None) -> Progress:
        """Begin to keep something; at once done when its content is there already.

        Who begins the same again goes on with what is unfinished. ``session`` is the one whose token asks: it may name
        only the plan and task that it works on. InvalidInput, NotFound, Forbidden or Unavailable say why not.
        """
        draft = await self._draft(request, actor, session)
        artifact = await self._artifacts.again(draft)
        if artifact is not None:
            return Progress(None, draft.size, artifact)
        self._artifacts.check_room(draft.size)
        await asyncio.to_thread(self._artifacts.contents.prepare)

        def store(transaction: Transaction) -> Upload:
            known = uploads.like(transaction.conn, draft)
            if known is not None:
                return known
            if uploads.count_open(transaction.conn, actor) >= OPEN_LIMIT:
                raise Refused(
                    f"{OPEN_LIMIT} uploads of yours are under way already.",
                    hint="Bring one to its end.",
                    code="too_many",
                )
            upload = Upload(id=new_id("upl"), draft=draft, created_at=transaction.now)
            uploads.insert(transaction.conn, upload)
            return upload

        upload = await self._ledger.commit(store)
        return await self.append(upload.id, 0, b"", session) if draft.size == 0 else await self.look(upload.id, session)

    async def look(self, upload_id: str, session: str | None) -> Progress:
        """Return how far an upload is; NotFound when there is none, also for a session whose it is not."""

        def read(conn: sqlite3.Connection) -> tuple[Upload, Artifact | None]:
            upload = uploads.get(conn, upload_id)
            if session is not None and upload.draft.session != session:
                raise Forbidden("This upload is not of the token's session.")
            return upload, artifacts.get(conn, upload.artifact) if upload.artifact else None

        upload, artifact = await self._ledger.store.read(read)
        if artifact is not None:
            return Progress(upload, artifact.size, artifact)
        return Progress(upload, await asyncio.to_thread(_length, self._path(upload)))

    async def append(self, upload_id: str, offset: int, data: bytes, session: str | None) -> Progress:
        """Take the bytes from ``offset`` on; what is there already is left out. The last ones make the artifact.

        Refused when ``offset`` is further than the upload is, InvalidInput when it is more than was said, holds a
        secret, or is not what its hash says: then it is forgotten.
        """
        async with self._locks.setdefault(upload_id, asyncio.Lock()):
            progress = await self.look(upload_id, session)
            upload = progress.upload
            if upload is None or progress.artifact is not None:
                return progress
            size, there = upload.draft.size, progress.offset
            if offset > there:
                raise Refused(
                    f"The upload is at {there}, not at {offset}.",
                    hint=f"`GET /uploads/{upload_id}` says where to go on.",
                    code="offset",
                )
            if offset + len(data) > size:
                raise InvalidInput(f"That would be more than the {size} bytes that were announced.", hint="Send less.")
            fresh = data[there - offset :]
            self._artifacts.check_room(len(fresh))
            project = await self._ledger.store.read(projects.get, upload.draft.project)
            known = self._artifacts.secrets_of(project)
            try:
                await asyncio.to_thread(_append, self._path(upload), there, fresh, known)
            except InvalidInput:
                await self._forget(upload)
                raise
            there += len(fresh)
            if there < size:
                return Progress(upload, there)
            return await self._finish(upload)

    async def _finish(self, upload: Upload) -> Progress:
        path = self._path(upload)
        found = await asyncio.to_thread(_hash, path)
        if found != upload.draft.sha256:
            await self._forget(upload)
            raise InvalidInput(
                "What has arrived is not what was announced: its hash is another. It was forgotten.",
                hint="Put the file again; it may have changed while it was read.",
                code="hash",
            )
        artifact = await self._artifacts.put(
            upload.draft, path, lambda transaction, made: uploads.finish(transaction.conn, upload.id, made.id)
        )
        await asyncio.to_thread(discard, path)
        return Progress(upload, artifact.size, artifact)

    async def _forget(self, upload: Upload) -> None:
        await asyncio.to_thread(discard, self._path(upload))
        await self._ledger.commit(lambda transaction: uploads.delete(transaction.conn, upload.id))

    def _path(self, upload: Upload) -> Path:
        return self._artifacts.contents.incoming / upload.id

    async def _draft(self, request: PutRequest, actor: str, session: str | None) -> Draft:
        """Check a request, and find out what it belongs to."""
        if request.size > SIZE_LIMIT:
            raise too_large(request.name[:80])
        if request.task and not request.plan and session is None:
            raise InvalidInput("A task is named, but not its plan.", hint="Give the plan as well.")
        by_place = request.plan is None and session is None
        if by_place and request.cwd is None:
            raise InvalidInput(
                "It belongs to nothing: no plan, session or folder is named.", hint="Give a plan, or `cwd`."
            )
        where = await self._intake.project(request.cwd, actor) if by_place and request.cwd is not None else None

        def read(conn: sqlite3.Connection) -> Draft:
            plan, task, attempt, project = None, None, None, where.id if where else ""
            provenance = dict(request.provenance)
            if session is not None:
                plan, task = _own_work(conn, request, session)
                project = sessions.get(conn, session).project
                latest = attempts.latest(conn, session)
                attempt = latest.id if latest is not None else None
            if request.plan is not None:
                found = plans.resolve(conn, request.plan)
                if request.task is not None:
                    tasks.get(conn, found.id, found.revision, request.task)
                if session is None:
                    plan, task, project = found.id, request.task, found.project
                provenance["revision"] = found.revision
            evidence = request.kind == "evidence"
            return Draft(
                project=project,
                name=check_name(request.name),
                type=check_type(request.type),
                sha256=request.sha256,
                size=request.size,
                created_by=actor,
                retention=check_retention(
                    request.retention or ("plan" if plan else "project"), of_plan=plan is not None
                ),
                kind=request.kind,
                plan=plan,
                task=task,
                session=session,
                attempt=attempt,
                provenance=provenance,
                statement=request.statement,
                stance=(request.stance or "supports") if evidence else None,
            )

        draft = await self._ledger.store.read(read)
        refuse_in(draft, self._artifacts.secrets_of(await self._ledger.store.read(projects.get, draft.project)))
        return draft


def _own_work(conn: sqlite3.Connection, request: PutRequest, session: str) -> tuple[str | None, str | None]:
    """Return the plan and task that a session works on; Forbidden when it names others."""
    work = artifacts.work_of(conn, session)
    plan, task = work or (None, sessions.get(conn, session).task)
    if request.plan is not None and plans.resolve(conn, request.plan).id != plan:
        raise Forbidden(f"This session does not work on the plan {request.plan}.", hint="Leave the plan out.")
    if request.task is not None and request.task != task:
        raise Forbidden(f"This session does not work on the task {request.task}.", hint="Leave the task out.")
    return plan, task


def _length(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _append(path: Path, at: int, data: bytes, known: list[tuple[str, str]]) -> None:
    """Write bytes at the end of a file that is ``at`` long; when they do not fit, it is as it was."""
    # With all of it there (a crash kept it from being placed) it may be read-only.
    if not data and path.exists():
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise unwritable(error) from error
    try:
        reach = SecretFinder(known).reach
        SecretFinder(known, os.pread(descriptor, min(reach, at), max(0, at - reach))).refuse(data)
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], at + written)
        os.fsync(descriptor)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(descriptor, at)
        raise unwritable(error) from error
    finally:
        os.close(descriptor)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hash_of(file)
