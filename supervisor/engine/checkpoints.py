"""Checkpoints of sessions and plans: made, restored, compared, and let go when there are newer ones.

The ref in git comes first, then the record; what has a record and no ref any more counts as expired.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from supervisor.engine.checkpointing import (
    Subject,
    digest,
    expire,
    look,
    store_restored,
    tell,
    until_now,
    with_project,
)
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.planruns.environment import FILE
from supervisor.engine.planruns.state import folder_of
from supervisor.engine.ports.workspaces import CheckpointRequest, MadeCheckpoint, Restored
from supervisor.engine.services import Services
from supervisor.engine.unrecorded import Unrecorded
from supervisor.model.checkpoints import Checkpoint, CheckpointStatus, name_of, ref_of
from supervisor.model.entities import Project, Session
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.events import EventType
from supervisor.model.ids import new_id
from supervisor.model.plans import Plan, Task
from supervisor.model.times import now_ms
from supervisor.store import checkpoints, plans, projects, sessions

MANY: Final = 10_000
"""More checkpoints than a plan or a session has."""


class Checkpoints:
    """Makes and restores checkpoints."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._ledger = services.ledger
        self._unrecorded = Unrecorded(services.ledger, services.workspaces, services.paths.state / "checkpoints")
        self._last = 0

    async def tidy(self) -> int:
        """Remove the refs that a killed supervisor has made and not recorded; returns how many."""
        return await self._unrecorded.tidy()

    # --- what they are of ------------------------------------------------------------------------

    def of_session(self, session: Session) -> Subject:
        """Return what a checkpoint of a session is of; NotFound when it has no worktree."""
        path = _there(session.worktree, session.name)
        return Subject(session.project, path, Path(session.folder), session=session, task=session.task)

    def of_plan(self, plan: Plan, task: str | None = None, changed: Mapping[str, Task] | None = None) -> Subject:
        """Return what a checkpoint of a plan is of, after or before a task; NotFound when it has no worktree."""
        path, folder = _there(plan.worktree, plan.id), folder_of(self._services.paths.state, plan.id)
        return Subject(plan.project, path, folder, plan=plan, task=task, changed=changed or {})

    # --- what people and plans do ----------------------------------------------------------------

    async def make(self, subject: Subject, reason: str, actor: str, ignored: Sequence[str] = ()) -> Checkpoint:
        """Make a checkpoint. ``ignored`` are patterns of ignored files that are in it, beside the configured ones."""
        request, name, now = self._request(subject, reason, ignored)
        async with self._unrecorded.noted(subject.project, request.ref):
            made = await self._services.workspaces.checkpoint(request)
            if made is None:
                raise AssertionError("unreachable: only one that may be left out is None")
            checkpoint = await self._record(subject, name, now, reason, actor, made)
        await self._let_go(subject)
        return checkpoint

    async def make_if_changed(
        self, subject: Subject, reason: str, actor: str, *, clean_since: str | None = None
    ) -> Checkpoint | None:
        """Make a checkpoint unless nothing has changed since the last one of this worktree.

        The first is not made while what is checked out is the commit ``clean_since``, of a worktree that is known to
        have nothing else: there is nothing that could be lost.
        """
        last = await self._ledger.store.read(checkpoints.newest_of_worktree, str(subject.worktree))
        request, name, now = self._request(subject, reason, ())
        untouched = last is None and clean_since is not None and not request.ignored
        if untouched and await self._services.workspaces.head(subject.worktree) == clean_since:
            return None
        async with self._unrecorded.noted(subject.project, request.ref):
            made = await self._services.workspaces.checkpoint(
                replace(request, unless_like=None if last is None else last.ref)
            )
            checkpoint = None if made is None else await self._record(subject, name, now, reason, actor, made)
        if checkpoint is not None:
            await self._let_go(subject)
        return checkpoint

    async def restore(
        self, checkpoint_id: str, actor: str, *, head: bool, force: bool
    ) -> tuple[Checkpoint, Checkpoint, Restored]:
        """Make a worktree what a checkpoint has of it; returns it, the checkpoint of what was there before, and what
        was done. Refused while something works in the worktree, unless ``force``."""
        target, working = await self._ledger.store.read(look, checkpoint_id)
        if target.status is CheckpointStatus.EXPIRED:
            raise NotFound(
                f"{target.name} has expired: what it held is gone.", hint="`quarterdeck checkpoint list` shows others."
            )
        if working and not force:
            raise Refused(
                f"{', '.join(working)} works in {target.worktree}.",
                hint="Wait for its end, or stop it first. --force restores all the same.",
            )
        subject = await self._subject_of(target)
        reason = f"before {target.name} was restored"
        request, name, now = self._request(subject, reason, ())
        kept: list[Checkpoint] = []

        async def keep(made: MadeCheckpoint) -> None:
            kept.append(await self._record(subject, name, now, reason, actor, made))

        async with self._unrecorded.noted(subject.project, request.ref):
            done = await self._services.workspaces.restore(subject.worktree, target.ref, request, keep, head=head)
        safety = replace(kept[0], git_commit=done.safety.commit, files=done.safety.files, size=done.safety.size)
        restored = await self._ledger.commit(lambda t: store_restored(t, subject, target, safety, done, actor, head))
        await self._let_go(subject)
        return restored, safety, done

    async def drop(self, checkpoint_id: str, actor: str) -> Checkpoint:
        """Let go of a checkpoint: git collects what it holds. Its record stays."""
        checkpoint, project = await self._ledger.store.read(with_project, checkpoint_id)
        await self._services.workspaces.drop_checkpoint(Path(project.root), checkpoint.ref)

        def store(transaction: Transaction) -> Checkpoint:
            current = checkpoints.get(transaction.conn, checkpoint.id)
            if current.expired_at is None:
                current = replace(current, expired_at=transaction.now)
                checkpoints.update(transaction.conn, current)
                transaction.audit(actor, "checkpoint.delete", current.id, before={"name": current.name})
            return current

        return await self._ledger.commit(store)

    async def diff(self, checkpoint: Checkpoint, other: Checkpoint | None, *, stat: bool) -> str:
        """Return what is different since a checkpoint: in its worktree now, or in another checkpoint."""
        if other is not None and other.project != checkpoint.project:
            raise InvalidInput(f"{checkpoint.name} and {other.name} are of different projects.")
        _, project = await self._ledger.store.read(with_project, checkpoint.id)
        where = Path(project.root) if other is not None else _there(checkpoint.worktree, checkpoint.name)
        ref = None if other is None else other.ref
        return await self._services.workspaces.compare_checkpoint(where, checkpoint.ref, ref, stat=stat)

    # --- inside ----------------------------------------------------------------------------------

    def _request(self, subject: Subject, reason: str, ignored: Sequence[str]) -> tuple[CheckpointRequest, str, int]:
        # Names are unique: no two have the same time.
        now = self._last = max(now_ms(), self._last + 1)
        name = name_of(subject.word, now)
        patterns = (*self._services.config_for(None).settings.checkpoints.ignored, *ignored)
        message = f"quarterdeck: {name}, {reason}"
        return CheckpointRequest(subject.worktree, ref_of(subject.scope, name), message, patterns), name, now

    async def _record(
        self, subject: Subject, name: str, now: int, reason: str, actor: str, made: MadeCheckpoint
    ) -> Checkpoint:
        hit("checkpoint.made")
        environment = await asyncio.to_thread(digest, subject.folder / FILE)

        def store(transaction: Transaction) -> Checkpoint:
            decisions, outputs = until_now(transaction.conn, subject)
            checkpoint = Checkpoint(
                id=new_id("cpt"),
                name=name,
                project=subject.project,
                worktree=str(subject.worktree),
                ref=made.ref,
                git_commit=made.commit,
                reason=reason,
                files=made.files,
                size=made.size,
                created_at=now,
                created_by=actor,
                plan=subject.plan.id if subject.plan is not None else None,
                task=subject.task,
                session=subject.session.id if subject.session is not None else None,
                head=made.head,
                branch=made.branch,
                environment=environment,
                decisions=decisions,
                outputs=outputs,
            )
            checkpoints.insert(transaction.conn, checkpoint)
            tell(transaction, EventType.CHECKPOINT_MADE, subject, checkpoint, reason=reason)
            after = {"name": name, "ref": made.ref, "commit": made.commit, "reason": reason}
            transaction.audit(actor, "checkpoint.create", checkpoint.id, after=after)
            return checkpoint

        return await self._ledger.commit(store)

    async def _subject_of(self, checkpoint: Checkpoint) -> Subject:
        if checkpoint.plan is not None:
            plan = await self._ledger.store.read(plans.get, checkpoint.plan)
            return replace(self.of_plan(plan, checkpoint.task), worktree=_there(checkpoint.worktree, checkpoint.name))
        session = await self._ledger.store.read(sessions.get, str(checkpoint.session))
        return replace(self.of_session(session), worktree=_there(checkpoint.worktree, checkpoint.name))

    async def _let_go(self, subject: Subject) -> None:
        """Drop the checkpoints of a plan or a session of which there are enough newer ones."""
        keep = self._services.config_for(None).settings.checkpoints.keep

        def kept(conn: sqlite3.Connection) -> tuple[Project, list[Checkpoint]]:
            plan = subject.plan.id if subject.plan is not None else None
            session = subject.session.id if subject.session is not None else None
            return projects.get(conn, subject.project), checkpoints.find(conn, MANY, plan=plan, session=session)

        project, found = await self._ledger.store.read(kept)
        there = {each.ref for each in await self._services.workspaces.checkpoints(Path(project.root))}
        old = found[keep:]
        for each in old:
            await self._services.workspaces.drop_checkpoint(Path(project.root), each.ref)
        gone = {each.id for each in (*old, *(each for each in found if each.ref not in there))}
        if gone:
            await self._ledger.commit(lambda t: expire(t, gone))


def _there(worktree: str | None, whose: str) -> Path:
    if worktree is None:
        raise NotFound(f"{whose} has no worktree yet.", hint="Wait until it runs.")
    path = Path(worktree)
    if not path.is_dir():
        raise NotFound(f"The worktree of {whose} is not there any more: {path}.")
    return path
