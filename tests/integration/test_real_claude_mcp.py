"""The real Claude asks through the session's MCP server before it runs a tool (`--permission-prompt-tool`)."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import at
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, tokens
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import claude_environment, real
from tests.support.supervised import Home, Supervised, eventually

pytestmark = pytest.mark.claude

COMMAND = "./odd; touch made"
SERVER = {"mcpServers": {"quarterdeck": {"command": sys.executable, "args": ["-m", "supervisor.cli.main", "mcp"]}}}


async def started(supervised: Supervised, home: Path, url: str) -> tuple[asyncio.subprocess.Process, Path]:
    """Claude with a prompt, as a tool of a session that runs would start it."""
    session = await supervised.script({"sleep": 600})
    session = await supervised.reaches(session, SessionStatus.RUNNING)
    await supervised.engine.services.ledger.commit(
        lambda t: tokens.add(t.conn, "of-claude", role="agent", now=now_ms(), session=session.id)
    )
    await asyncio.to_thread(home.mkdir, exist_ok=True)
    worktree = Path(str(session.worktree))
    (program,) = real("claude").command
    environment = claude_environment(home, url) | {
        "QUARTERDECK_SOCKET": str(supervised.paths.socket),
        "QUARTERDECK_TOKEN": "of-claude",
        "QUARTERDECK_SESSION": session.id,
        # Else Claude gives up after some five seconds (seen with 2.1.197), in which a busy machine may not start it.
        "MCP_CONNECTION_NONBLOCKING": "0",
        "MCP_CONNECT_TIMEOUT_MS": "60000",
    }
    claude = await asyncio.create_subprocess_exec(
        program, "-p", "do it", "--mcp-config", json.dumps(SERVER), "--strict-mcp-config", "--setting-sources", "user",
        "--permission-prompt-tool", "mcp__quarterdeck__approve", "--output-format", "json",
        cwd=worktree, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return claude, worktree


async def pending(supervised: Supervised) -> dict[str, Any]:
    found: list[str] = []

    async def look() -> bool:
        found[:] = [one.id for one in await supervised.engine.store.read(approvals.pending)]
        return bool(found)

    await eventually(look, what=lambda: "Claude asks")
    shown: dict[str, Any] = (await supervised.client.get(at("approval", found[0])))["approval"]
    return shown


def told(model: ModelServer) -> str:
    """What the model was told last."""
    return json.dumps(model.requests[-1]["messages"][-1])


async def test_what_is_approved_runs_once_though_the_supervisor_went_away(home: Home, tmp_path: Path) -> None:
    call = Call("Bash", {"command": f"{COMMAND}; echo x >> count", "description": "make"})
    with ModelServer([Answer("Trying.", (call,)), Answer("Done.")]) as model:
        async with home.supervised() as supervised:
            claude, worktree = await started(supervised, tmp_path / "home", model.url)
            approval = await pending(supervised)
            assert approval["preview"]["input"]["command"] == call.input["command"]  # type: ignore[index]
        async with home.supervised() as supervised:
            assert (await pending(supervised))["id"] == approval["id"]
            assert not (worktree / "made").exists()
            await supervised.client.post(at("approval", approval["id"], "approve"), {})
            out, _ = await asyncio.wait_for(claude.communicate(), 30)
        assert json.loads(out)["result"] == "Done."
    assert (worktree / "made").exists()
    assert (worktree / "count").read_text() == "x\n"


async def test_what_is_rejected_does_not_run_and_claude_is_told_why(home: Home, tmp_path: Path) -> None:
    call = Call("Bash", {"command": COMMAND, "description": "make"})
    with ModelServer([Answer("Trying.", (call,)), Answer("Then not.")]) as model:
        async with home.supervised() as supervised:
            claude, worktree = await started(supervised, tmp_path / "home", model.url)
            approval = await pending(supervised)
            await supervised.client.post(at("approval", approval["id"], "reject"), {"reason": "Use make instead."})
            await asyncio.wait_for(claude.communicate(), 30)
        assert "Use make instead." in told(model)
    assert not (worktree / "made").exists()
