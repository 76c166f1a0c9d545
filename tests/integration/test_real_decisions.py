"""Decisions on the real agents through the whole supervisor: who asks waits, and nothing runs that nobody allowed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import Client
from supervisor.model.errors import Refused
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import Place, claude_environment, codex_environment, opencode_environment, real
from tests.wait import until

pytestmark = pytest.mark.timeout(180)

PATIENCE_S = 60.0
RUN = "./make-it; echo ran >> log"
"""No rule speaks of this program, so a person is asked."""
WHY = "Because of the audit."
AGENTS = [
    pytest.param("claude", marks=pytest.mark.claude),
    pytest.param("codex", marks=pytest.mark.codex),
    pytest.param("claude-acp", marks=pytest.mark.claude_acp),
    pytest.param("opencode", marks=pytest.mark.opencode),
]


def bash(agent: str, command: str) -> Call:
    if agent == "codex":
        return Call("exec_command", {"cmd": command})
    return Call("bash" if agent == "opencode" else "Bash", {"command": command, "description": "d"})


class Stage:
    """A place with one real agent, and the environment that keeps it offline."""

    def __init__(self, folder: Path, agent: str, **settings: Any) -> None:
        self.agent = agent
        profile = {"command": list(real(agent).command)}
        self.place = Place(folder, json.dumps({"agents": {agent: profile}, **settings}))

    async def run(self, client: Client, model: ModelServer) -> dict[str, Any]:
        home = self.place.home
        if self.agent == "codex":
            env = codex_environment(home, model.url + "/v1", self.place.repository)
        elif self.agent == "opencode":
            env = opencode_environment(home, model.url)
        else:
            env = claude_environment(home, model.url)
        return await self.place.run(client, env, agent=self.agent, prompt="go")


async def question(client: Client) -> dict[str, Any]:
    """Return what is asked, once something is."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found: list[dict[str, Any]] = (await client.get("/approvals"))["approvals"]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def worktree(client: Client, session: str) -> Path:
    return Path((await client.get(f"/sessions/{session}"))["session"]["worktree"])


@pytest.mark.parametrize("agent", AGENTS)
async def test_a_question_outlives_the_supervisor_is_decided_once_and_runs_once(tmp_path: Path, agent: str) -> None:
    stage = Stage(tmp_path, agent)
    answers = [Answer("", (bash(agent, RUN),)), Answer("", (bash(agent, "./other; touch denied"),))]
    with ModelServer([*answers, *[Answer("Then not.")] * 4]) as model:
        async with stage.place.supervised() as client:
            session = (await stage.run(client, model))["id"]
            asked = await question(client)
            folder = await worktree(client, session)
        assert not (folder / "log").exists(), "nothing runs while no supervisor is there"
        async with stage.place.supervised() as client:
            assert (await question(client))["id"] == asked["id"]
            path = f"/approvals/{asked['id']}"
            decided = await asyncio.gather(
                client.post(f"{path}/approve", {}),
                client.post(f"{path}/reject", {"reason": "Do the other."}),  # else opencode ends its turn
                return_exceptions=True,
            )
            late = [each for each in decided if isinstance(each, Refused)]
            assert len(late) == 1
            assert "decided already by person at" in str(late[0])
            allowed = not isinstance(decided[0], Refused)
            refused = await question(client)
            assert refused["id"] != asked["id"]
            await client.post(f"/approvals/{refused['id']}/reject", {"reason": WHY})
            ended = await client.wait_until_ended(session)
            first = (await client.get(path))["approval"]
        assert (folder / "log").read_text().count("ran") == 1 if allowed else not (folder / "log").exists()
        assert first["status"] == ("consumed" if allowed else "rejected")
        assert not (folder / "denied").exists()
        assert WHY in json.dumps(model.requests)
        assert ended["status"] == "completed", ended["status_reason"]


@pytest.mark.parametrize("agent", AGENTS)
async def test_what_nobody_answers_in_time_does_not_run(tmp_path: Path, agent: str) -> None:
    stage = Stage(tmp_path, agent, approvals={"expires_s": 2})
    with ModelServer([Answer("", (bash(agent, RUN),)), *[Answer("Then not.")] * 4]) as model:
        async with stage.place.supervised() as client:
            session = (await stage.run(client, model))["id"]
            await client.wait_until_ended(session)
            folder = await worktree(client, session)
            (approval,) = (await client.get("/approvals", all=True))["approvals"]
    assert approval["status"] == "expired"
    assert not (folder / "log").exists()


@pytest.mark.parametrize("agent", AGENTS)
async def test_what_a_rule_answers_asks_nobody(tmp_path: Path, agent: str) -> None:
    stage = Stage(tmp_path, agent)
    calls = (bash(agent, "git status > seen"), bash(agent, "rm -rf ~"))
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "precious").touch()
    answers = [Answer("", (call,)) for call in calls]
    with ModelServer([*answers, *[Answer("Done.")] * 4]) as model:
        async with stage.place.supervised() as client:
            session = (await stage.run(client, model))["id"]
            ended = await client.wait_until_ended(session)
            folder = await worktree(client, session)
            approvals = (await client.get("/approvals", all=True))["approvals"]
            await until(lambda: (folder / "seen").exists(), 1, "what is allowed has run")
    assert approvals == []
    assert ended["permissions_refused"] >= 1
    assert (tmp_path / "home" / "precious").exists()
