"""What a session changed: its diff and files, and its branch committed, merged, pushed or written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.protocol import CommitBody, MergeBody, PathBody, PlainText, PushBody
from supervisor.api.state import project_of, session_of, state_of, worktree_of
from supervisor.engine.ports.workspaces import PushResult
from supervisor.model.entities import Session
from supervisor.model.errors import NotFound, Refused
from supervisor.model.events import EventType
from supervisor.model.statuses import SESSION_ENDED

router = APIRouter(prefix="/sessions", tags=["changes"])

Operator = Annotated[Principal, Depends(may("operate"))]
READ = [Depends(may("read"))]

PATH_LIMIT = 4096
"""Characters of a path, as Linux has it."""


@router.get("/{ref}/diff", dependencies=READ)
async def diff(request: Request, ref: str, stat: bool = False) -> dict[str, Any]:
    """Everything since the base commit: commits, uncommitted and untracked files.

    With ``stat`` the files only, and how many of them are in no commit.
    """
    session = await session_of(request, ref)
    workspaces = state_of(request).engine.services.workspaces
    worktree, base = worktree_of(session), session.base_commit or "HEAD"
    found = {"session": session.id, "base_commit": session.base_commit}
    if not stat:
        return {**found, "diff": await workspaces.diff(worktree, base)}
    held = await workspaces.state(worktree, session.branch or "", base)
    text = await workspaces.diff(worktree, base, stat=True)
    return {**found, "diff": text, "uncommitted": held.modified + held.untracked}


@router.get("/{ref}/files", dependencies=READ)
async def files(request: Request, ref: str) -> dict[str, Any]:
    """The files of a session's worktree that git does not ignore, and what became of each since the base commit."""
    session = await session_of(request, ref)
    workspaces = state_of(request).engine.services.workspaces
    found, truncated = await workspaces.files(worktree_of(session), session.base_commit or "HEAD")
    return {
        "session": session.id,
        "base_commit": session.base_commit,
        "files": [{"path": file.path, "status": file.status, "before": file.before} for file in found],
        "truncated": truncated,
    }


@router.get("/{ref}/files/content", dependencies=READ)
async def content(
    request: Request, ref: str, path: Annotated[PlainText, Query(min_length=1, max_length=PATH_LIMIT)]
) -> dict[str, Any]:
    """What is in one of these files; at most the first MiB of text, and nothing of a binary one."""
    session = await session_of(request, ref)
    found = await state_of(request).engine.services.workspaces.content(worktree_of(session), path)
    return {
        "path": found.path,
        "text": found.text,
        "size": found.size,
        "binary": found.binary,
        "truncated": found.truncated,
    }


@router.post("/{ref}/commit")
async def commit(request: Request, ref: str, body: CommitBody, principal: Operator) -> dict[str, Any]:
    """Commit everything in a session's worktree."""
    session = await session_of(request, ref)
    engine = state_of(request).engine
    made = await engine.services.workspaces.commit(worktree_of(session), body.message)
    await engine.control.note(session.id, principal.actor, "session.commit", {"commit": made})
    return {"commit": made, "branch": session.branch}


@router.post("/{ref}/merge")
async def merge(request: Request, ref: str, body: MergeBody, principal: Operator) -> dict[str, Any]:
    """Merge a session's branch; a conflict changes nothing and says where."""
    session = await session_of(request, ref)
    project = await project_of(request, session)
    engine = state_of(request).engine
    if session.status not in SESSION_ENDED and session.mode == "autonomous":
        raise Refused(f"{session.name} is {session.status}.", hint="Wait until it has ended, or cancel it.")
    into = body.into or project.default_branch
    if session.worktree is None:
        raise _no_branch(session)
    # A worktree that is gone holds nothing: the branch is all there is.
    worktree = Path(session.worktree)
    left = await engine.services.workspaces.state(worktree, session.branch or "", session.base_commit or "")
    if left.modified or left.untracked:
        raise Refused(
            f"{session.name} has uncommitted changes: {_files(left.modified, left.untracked)}.",
            hint=f"Commit them first: quarterdeck commit {session.name} -m MESSAGE.",
        )
    result = await engine.services.workspaces.merge(
        Path(project.root), session.branch or "", into, f"Merge {session.branch} into {into}"
    )
    await engine.control.note(
        session.id,
        principal.actor,
        "session.merge",
        {"into": into, "commit": result.commit, "merged": result.merged},
        event=EventType.BRANCH_MERGED if result.merged else None,
    )
    if not result.merged:
        why = result.detail + (f" In conflict: {', '.join(result.conflicts)}." if result.conflicts else "")
        raise Refused(
            f"{session.branch} does not merge into {into}: {why.strip()}",
            hint=f"Merge {into} into the branch{f' in {worktree}' if left.exists else ''} and settle the conflicts "
            "there; nothing was changed.",
        )
    return {"merged": True, "commit": result.commit, "into": into, "branch": session.branch}


@router.post("/{ref}/push")
async def push(request: Request, ref: str, body: PushBody, principal: Operator) -> dict[str, Any]:
    """Push a session's commits to a remote, never forced; changes that are not committed stay here."""
    session = await session_of(request, ref)
    project = await project_of(request, session)
    engine = state_of(request).engine
    branch, base = _branch_of(session)
    result = await engine.services.workspaces.push(Path(project.root), branch, base, body.remote)
    done = {"remote": result.remote, "branch": branch, "commit": result.commit}
    await engine.control.note(session.id, principal.actor, "session.push", {**done, "pushed": result.pushed})
    if not result.pushed:
        raise _refusal(result, branch)
    return {
        **done,
        "change": result.change,
        "messages": list(result.messages),
        "uncommitted": await _uncommitted(request, session),
    }


@router.post("/{ref}/bundle")
async def bundle(request: Request, ref: str, body: PathBody, principal: Operator) -> dict[str, Any]:
    """Write a session's commits to a new file, for `git fetch`; changes that are not committed are not in it."""
    session = await session_of(request, ref)
    project = await project_of(request, session)
    engine = state_of(request).engine
    branch, base = _branch_of(session)
    result = await engine.services.workspaces.bundle(Path(project.root), branch, base, Path(body.path))
    done = {"path": str(result.path), "branch": branch, "commit": result.commit}
    await engine.control.note(session.id, principal.actor, "session.bundle", done)
    return {
        **done,
        "base_commit": base,
        "commits": result.commits,
        "size": result.size,
        "uncommitted": await _uncommitted(request, session),
    }


def _branch_of(session: Session) -> tuple[str, str]:
    """Return a session's branch and base commit; NotFound before it has them."""
    if session.branch is None or session.base_commit is None:
        raise _no_branch(session)
    return session.branch, session.base_commit


def _no_branch(session: Session) -> NotFound:
    return NotFound(f"{session.name} has no branch yet.", hint="Wait until it runs.")


async def _uncommitted(request: Request, session: Session) -> int:
    """Return how many files of a session are changed or new and not committed."""
    workspaces = state_of(request).engine.services.workspaces
    left = await workspaces.state(Path(session.worktree or ""), session.branch or "", session.base_commit or "")
    return left.modified + left.untracked


def _refusal(result: PushResult, branch: str) -> Refused:
    said = f" It says: {' '.join(result.messages)}" if result.messages else ""
    behind = result.detail in ("fetch first", "non-fast-forward", "stale info")
    return Refused(
        f"{result.remote} refused {branch}: {result.detail}.{said}",
        hint=f"{result.remote} has commits on {branch} that are not here, and a push is never forced: fetch and merge "
        "them, then push again."
        if behind
        else "Nothing was changed there.",
    )


def _files(modified: int, untracked: int) -> str:
    """Say how many files were changed, and how many are new."""
    counts = ((modified, "modified"), (untracked, "new"))
    said = " and ".join(f"{count} {what}" for count, what in counts if count)
    return f"{said} file{'' if modified + untracked == 1 else 's'}"
