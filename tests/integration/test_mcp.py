"""The MCP server of a session, spoken to with the official SDK's client over stdio."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from config.paths import Paths
from supervisor.api.client import at
from supervisor.model.entities import Session
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, tokens
from tests.support.desks import OneEffect
from tests.support.supervised import Home, Supervised, eventually

CALL = {"tool_name": "Bash", "input": {"command": "./odd; touch made"}, "tool_use_id": "toolu_1"}


async def at_work(supervised: Supervised, **fields: Any) -> tuple[Session, str]:
    """A session that runs, of an agent that asks as Claude does, and its token."""
    session = await supervised.script({"sleep": 600}, **fields)
    session = await supervised.reaches(session, SessionStatus.RUNNING)
    token = f"token-of-{session.id}"
    await supervised.engine.services.ledger.commit(
        lambda t: tokens.add(t.conn, token, role="agent", now=now_ms(), session=session.id)
    )
    return session, token


@asynccontextmanager
async def served(paths: Paths, session: Session, token: str) -> AsyncIterator[ClientSession]:
    environment = {
        "QUARTERDECK_SOCKET": str(paths.socket),
        "QUARTERDECK_TOKEN": token,
        "QUARTERDECK_SESSION": session.id,
    }
    arguments = ["-m", "supervisor.cli.main", "mcp"]
    server = StdioServerParameters(
        command=sys.executable, args=arguments, env=environment, cwd=Path(__file__).parents[2]
    )
    async with stdio_client(server) as (reading, writing), ClientSession(reading, writing) as client:
        await client.initialize()
        yield client


async def call(client: ClientSession, name: str, **arguments: Any) -> tuple[bool, str]:
    result = await client.call_tool(name, arguments)
    (block,) = result.content
    assert block.type == "text"
    return not result.is_error, block.text


async def pending(supervised: Supervised) -> str:
    found: list[str] = []

    async def look() -> bool:
        found[:] = [one.id for one in await supervised.engine.store.read(approvals.pending)]
        return len(found) == 1

    await eventually(look, what=lambda: f"one question waits, not {found}")
    return found[0]


async def test_it_shows_the_task_and_takes_reports(supervised: Supervised) -> None:
    session, token = await at_work(supervised, name="fix")
    worktree = Path(str(session.worktree))
    (worktree / "result.txt").write_text("42\n")
    (worktree / "out").symlink_to("/etc/passwd")
    async with served(supervised.paths, session, token) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed == {"get_task", "report_progress", "ask", "record_evidence", "propose_task", "approve"}
        ok, text = await call(client, "get_task")
        task = json.loads(text)
        assert (ok, task["id"], task["name"], task["worktree"]) == (True, session.id, "fix", str(worktree))
        assert (await call(client, "report_progress", text="Half way.", done=1, of=2))[0]
        assert (await call(client, "propose_task", title="Tidy up", why="It is a mess."))[0]
        assert (await call(client, "record_evidence", path="result.txt", note="The answer."))[0]
        for path in ("out", "../../../etc/passwd", "/etc/passwd", ".", "nothing", "a\0b"):
            ok, text = await call(client, "record_evidence", path=path, note="?")
            assert not ok, path
        assert await call(client, "report_progress", txt="x") == (False, "text: Field required.")
        assert (await call(client, "decide"))[0] is False
    assert await supervised.payloads(session, "progress") == [{"text": "Half way.", "done": 1.0, "of": 2.0}]
    (proposed,) = await supervised.payloads(session, "task_proposed")
    assert proposed["title"] == "Tidy up"
    (evidence,) = await supervised.payloads(session, "evidence_recorded")
    assert evidence == {
        "path": "result.txt", "sha256": hashlib.sha256(b"42\n").hexdigest(), "bytes": 3, "note": "The answer.",
    }  # fmt: skip


async def test_it_asks_and_waits_for_the_choice(supervised: Supervised) -> None:
    session, token = await at_work(supervised)
    options = [{"value": "a", "label": "The first"}, {"value": "b"}]
    async with served(supervised.paths, session, token) as client:
        asks = asyncio.create_task(call(client, "ask", question="Which?", options=options))
        approval = await pending(supervised)
        await supervised.client.post(at("approval", approval, "approve"), {"choice": "b"})
        assert await asks == (True, "b")
        asks = asyncio.create_task(call(client, "ask", question="May I?"))
        await supervised.client.post(at("approval", await pending(supervised), "reject"), {"reason": "Not yet."})
        assert await asks == (False, "The answer is no: Rejected by person: Not yet.")


async def test_it_answers_claudes_permission_prompt(supervised: Supervised) -> None:
    session, token = await at_work(supervised)
    async with served(supervised.paths, session, token) as client:
        asks = asyncio.create_task(call(client, "approve", **CALL))
        approval = await pending(supervised)
        shown = (await supervised.client.get(at("approval", approval)))["approval"]["preview"]
        assert (shown["tool"], shown["input"]) == ("Bash", CALL["input"])
        await supervised.client.post(at("approval", approval, "approve"), {})
        ok, text = await asks
        assert (ok, json.loads(text)) == (True, {"behavior": "allow", "updatedInput": CALL["input"]})
        asks = asyncio.create_task(call(client, "approve", **{**CALL, "tool_use_id": "toolu_2"}))
        await supervised.client.post(at("approval", await pending(supervised), "reject"), {"reason": "Use make."})
        assert json.loads((await asks)[1]) == {"behavior": "deny", "message": "Use make."}
        assert json.loads((await call(client, "approve"))[1])["behavior"] == "deny"


@pytest.mark.parametrize("effect", ["allow", "deny"])
async def test_policy_answers_the_permission_prompt_at_once(home: Home, effect: Any) -> None:
    async with home.supervised(OneEffect(effect)) as supervised:
        session, token = await at_work(supervised)
        async with served(supervised.paths, session, token) as client:
            assert json.loads((await call(client, "approve", **CALL))[1])["behavior"] == effect


async def test_it_outlives_the_supervisor(home: Home) -> None:
    async with home.supervised() as supervised:
        session, token = await at_work(supervised)
        process = asyncio.create_task(_approved(home, session, token))
        approval = await pending(supervised)
    async with home.supervised() as supervised:
        assert await pending(supervised) == approval
        await supervised.client.post(at("approval", approval, "approve"), {})
        assert json.loads(await process)["behavior"] == "allow"


async def _approved(home: Home, session: Session, token: str) -> str:
    async with served(home.paths, session, token) as client:
        return (await call(client, "approve", **CALL))[1]


async def test_a_token_that_is_none_is_a_no(supervised: Supervised) -> None:
    session, _ = await at_work(supervised)
    async with served(supervised.paths, session, "wrong") as client:
        answer = json.loads((await call(client, "approve", **CALL))[1])
        assert answer["behavior"] == "deny"
        assert "token" in answer["message"]
        assert (await call(client, "get_task"))[0] is False


def test_outside_of_a_session_it_refuses(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.cli.main", "mcp"],
        capture_output=True,
        text=True,
        env={},
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "not inside a session" in done.stderr


def test_schemas_are_what_an_agent_can_read() -> None:
    from supervisor.cli.serving.tools import TOOLS

    for tool in TOOLS.values():
        schema = tool.arguments.model_json_schema()
        assert schema["type"] == "object"
        assert msgspec.json.encode(schema)
