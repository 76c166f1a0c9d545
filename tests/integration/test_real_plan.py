"""A plan of real work with real Claude Code: read, gate, two edits at once, tests, merge, archive."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import Client
from tests.integration.test_real_supervised import program
from tests.support.git import git
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import Place, claude_environment

pytestmark = [pytest.mark.claude, pytest.mark.timeout(180)]


class Talks(ModelServer):
    """Answers each conversation from a script of its own, found by a word in its first message."""

    def __init__(self, scripts: Mapping[str, Sequence[Answer]]) -> None:
        super().__init__(())
        self._scripts = scripts
        self._taken: Counter[str] = Counter()

    def answer(self, request: dict[str, Any]) -> tuple[Answer, int]:
        """Return the next answer of the conversation that asks."""
        if not request.get("tools"):
            return Answer("Title"), next(self._numbers)
        with self._lock:
            self.requests.append(request)
            first = json.dumps(request["messages"][0])
            name = next(name for name in self._scripts if name in first)
            script, at = self._scripts[name], self._taken[name]
            self._taken[name] += 1
            return script[min(at, len(script) - 1)], next(self._numbers)


DOCUMENT = """
id: plan-greet
title: Greet in two languages
advance: auto
tasks:
  - {id: read, title: Read the code, agent: claude, prompt: "READ-THE-CODE and say what it does", kind: research}
  - {id: ok, title: May the work begin, kind: gate, needs: [read], approval: true}
  - id: english
    agent: claude
    needs: [ok]
    prompt: "WRITE-ENGLISH greeting"
    success_criteria: ["grep -q hello english.txt"]
  - id: german
    agent: claude
    needs: [ok]
    prompt: "WRITE-GERMAN greeting"
    success_criteria: ["grep -q hallo german.txt"]
  - {id: test, title: Test both, needs: [english, german], command: "cat english.txt german.txt | wc -l | grep -q 2"}
"""


async def approve_all(client: Client) -> None:
    """Answer every question with yes, as a person would who trusts it."""
    while True:
        for approval in (await client.get("/approvals"))["approvals"]:
            await client.post(f"/approvals/{approval['id']}/approve", {"rationale": "Go on"})
        await asyncio.sleep(0.05)


async def test_a_plan_of_real_work_from_reading_to_the_archive(tmp_path: Path) -> None:
    place = Place(tmp_path, f"agents:\n  claude:\n    command: ['{program('claude')}']\n")
    scripts = {
        "READ-THE-CODE": [Answer("", (Call("Read", {"file_path": "README.md"}),)), Answer("It greets nobody yet.")],
        "WRITE-ENGLISH": [Answer("", (Call("Bash", {"command": "echo hello > english.txt"}),)), Answer("Done.")],
        "WRITE-GERMAN": [Answer("", (Call("Bash", {"command": "echo hallo > german.txt"}),)), Answer("Fertig.")],
    }
    with Talks(scripts) as model:
        async with place.supervised() as client:
            body = {"document": DOCUMENT, "cwd": str(place.repository)}
            await client.post("/plans", body)
            environment = claude_environment(place.home, model.url)
            await client.post("/plans/plan-greet/start", {"environment": environment})
            asking = asyncio.create_task(approve_all(client))
            plan = await client.wait_until_plan_rests("plan-greet")
            while plan["status"] == "running":
                plan = await client.wait_until_plan_rests("plan-greet")
            asking.cancel()
            assert plan["status"] == "completed", [task["status_reason"] for task in plan["tasks"]]
            merged = await client.post("/plans/plan-greet/merge", {})
            sessions = (await client.get("/sessions"))["sessions"]
            archived = await client.post("/plans/plan-greet/archive", {})
            assert (await client.get("/sessions"))["sessions"] == [], "they are archived with their plan"
    assert merged["into"] == git(place.repository, "symbolic-ref", "--short", "HEAD").strip()
    assert (place.repository / "english.txt").read_text() == "hello\n"
    assert (place.repository / "german.txt").read_text() == "hallo\n"
    names = {f"plan-greet--{task}" for task in ("read", "english", "german")}
    assert {session["name"] for session in sessions} == names
    assert all(session["cost_usd"] > 0 for session in sessions)
    subjects = git(place.repository, "log", "--format=%s")
    assert "feat(plan-greet): english" in subjects
    story = await asyncio.to_thread(Path(archived["readme"]).read_text)
    assert "ok was approved by" in story
    assert not archived["worktree"]["exists"]
