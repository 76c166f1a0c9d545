"""What a session's agent can do over MCP: look, report, ask. Nothing here decides."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from supervisor.api.client import Client
from supervisor.cli.ask import ANSWERED, decision_of
from supervisor.cli.connection import SUPERVISOR_AWAY
from supervisor.cli.serving.arguments import Asking, Evidence, Nothing, Permission, Progress, Proposal
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what an agent reads of it, and what it does. ``run`` returns the text of the answer."""

    description: str
    arguments: type[BaseModel]
    run: Callable[[Client, Any], Awaitable[str]]


async def _get_task(client: Client, _: Nothing) -> str:
    session = (await client.get("/self"))["session"]
    shown = {name: session[name] for name in ("id", "name", "project", "task", "agent", "mode", "status", "branch")}
    shown |= {
        "prompt": session["work"]["prompt"],
        "command": session["work"]["argv"] or None,
        "worktree": session["worktree"],
        "base_commit": session["base_commit"],
    }
    return json.dumps(shown, ensure_ascii=False, indent=1)


async def _report_progress(client: Client, given: Progress) -> str:
    await client.post("/emit", {"type": "progress", "payload": given.model_dump(exclude_none=True)})
    return "It was noted."


async def _ask(client: Client, given: Asking) -> str:
    approval = await decision_of(client, given.model_dump())
    if approval["status"] not in ANSWERED:
        raise Refused(f"The answer is no: {approval['reason']}")
    return str(approval["decision"])


async def _record_evidence(client: Client, given: Evidence) -> str:
    session = (await client.get("/self"))["session"]
    if session["worktree"] is None:
        raise Refused("This session has no worktree.")
    name, digest, size = await asyncio.to_thread(_digest, Path(session["worktree"]), given.path)
    payload = {"path": name, "sha256": digest, "bytes": size, "note": given.note}
    await client.post("/emit", {"type": "evidence_recorded", "payload": payload})
    return f"{name} was recorded: sha256 {digest}, {size} bytes."


async def _propose_task(client: Client, given: Proposal) -> str:
    await client.post("/emit", {"type": "task_proposed", "payload": given.model_dump()})
    return "It was proposed; a person decides about it."


async def _approve(client: Client, given: Permission) -> str:
    """Answer Claude's permission prompt. Whatever goes wrong is a no, in the form that the prompt understands."""
    try:
        answer = await _permission(client, given)
    except QuarterdeckError as error:
        answer = {"behavior": "deny", "message": f"It could not be asked whether this is allowed: {error}"}
    return json.dumps(answer, ensure_ascii=False)


async def _permission(client: Client, given: Permission) -> dict[str, Any]:
    asked = {"hook_event_name": "PermissionRequest", "tool_name": given.tool_name, "tool_input": given.input}
    body = {"key": f"mcp {given.tool_use_id or secrets.token_hex(16)}", "request": asked}
    found = await client.post_until_decided(
        "/permissions/claude",
        body,
        lambda answer: answer["status"] == "pending",
        away=lambda: print(SUPERVISOR_AWAY, file=sys.stderr),
    )
    try:
        decision = found["answer"]["hookSpecificOutput"]["decision"]
        if decision["behavior"] == "allow":
            return {"behavior": "allow", "updatedInput": decision.get("updatedInput", given.input)}
        return {"behavior": "deny", "message": str(decision.get("message") or "It was not allowed.")}
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused("The supervisor's answer was not understood.") from error


def _digest(worktree: Path, named: str) -> tuple[str, str, int]:
    """Return a file's name within the worktree, its SHA-256 and its size; links that lead out of it are refused."""
    root = worktree.resolve()
    try:
        path = (root / named).resolve(strict=True)
        if not path.is_relative_to(root):
            raise InvalidInput(f"{named} is not inside the worktree.", hint=f"Copy it to {root}.")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInput(f"{named} is not a file.")
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return str(path.relative_to(root)), digest, file.tell()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"{named!r} cannot be read: {reason}.", hint="Name a file of the worktree.") from error


TOOLS: dict[str, Tool] = {
    "get_task": Tool("Show your session: what you were asked to do, your worktree and branch.", Nothing, _get_task),
    "report_progress": Tool("Say how far you are; the person who supervises sees it.", Progress, _report_progress),
    "ask": Tool(
        "Ask the person who supervises a question, and wait for the answer as long as it takes. "
        "Returns the value of the chosen option, or `allow` when there are none.",
        Asking,
        _ask,
    ),
    "record_evidence": Tool("Record that a file of your worktree shows something.", Evidence, _record_evidence),
    "propose_task": Tool("Propose work that is not yours to do now; a person decides.", Proposal, _propose_task),
    "approve": Tool(
        "Ask whether a tool may run. It is for the agent's own permission prompt, not to be called by you.",
        Permission,
        _approve,
    ),
}
"""The tools by name. Each speaks for the session of the client's token, and that token cannot decide."""
