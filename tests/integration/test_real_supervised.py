"""Real agents through the whole supervisor: as a process, in a terminal, in a container."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import Client
from tests.support.dockerd import busybox_tree, connected, docker_address
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import Place, claude_environment, codex_environment
from tests.wait import until

pytestmark = pytest.mark.timeout(120)

__all__ = ["docker_address"]

MAKE = "./make-it; touch made.txt"
"""No rule speaks of this program, so a person is asked."""
TOUCH = Answer("I will make a file.", (Call("Bash", {"command": MAKE}),))
READ = Answer("Then I read.", (Call("Read", {"file_path": "README.md"}),))
DONE = Answer("All done.")
IMAGE = "quarterdeck-claude-test:latest"
NETWORK = "quarterdeck-test"


def program(name: str) -> str:
    found = shutil.which(os.environ.get(f"QUARTERDECK_TEST_{name.upper()}", name))
    assert found is not None
    return os.path.realpath(found)


async def reject(client: Client) -> None:
    """Answer the question that comes."""
    found: list[dict[str, Any]] = []
    while not found:
        found = (await client.get("/approvals"))["approvals"]
    await client.post(f"/approvals/{found[0]['id']}/reject", {"reason": "Nobody wants it."})


async def kinds(client: Client, session: str) -> list[str]:
    return [event["type"] for event in (await client.get("/events", session=session))["events"]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, f"agents:\n  claude:\n    command: ['{program('claude')}']\n")


@pytest.mark.claude
async def test_headless_claude_is_told_why_not_and_completes(place: Place) -> None:
    with ModelServer([TOUCH, READ, DONE]) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", prompt="Make a file")
            await reject(client)
            session = await client.wait_until_ended(started["id"])
        assert "Nobody wants it." in str(model.requests[-2]["messages"])
    assert (session["status"], session["exit_code"]) == ("completed", 0)
    assert session["tools_used"] == {"Bash": 1, "Read": 1}
    assert session["permissions_refused"] == 1
    assert session["tokens"]["output"] == 60
    assert session["cost_usd"] > 0
    assert not (Path(session["worktree"]) / "made.txt").exists()


@pytest.mark.claude
async def test_a_session_is_continued_in_the_same_conversation(place: Place) -> None:
    with ModelServer([DONE, Answer("And more.")]) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            first = await client.wait_until_ended((await place.run(client, env, agent="claude", prompt="One"))["id"])
            await client.post(f"/sessions/{first['id']}/continue", {"text": "Two"})
            second = await client.wait_until_ended(first["id"])
        told = str(model.requests[-1]["messages"])
    assert second["status"] == "completed"
    assert second["attempts"] == 2
    assert second["agent_session_ids"] == first["agent_session_ids"]
    assert "One" in told
    assert "Two" in told


@pytest.mark.claude
async def test_claude_goes_on_while_no_supervisor_runs_and_nothing_is_lost(place: Place) -> None:
    hold = threading.Event()
    with ModelServer([Answer("First half, second half.", hold=hold), DONE]) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", prompt="Talk")
            await until(lambda: model.requests, 30, "the model was asked")
        hold.set()
        async with place.supervised() as client:
            session = await client.wait_until_ended(started["id"])
            seen = await kinds(client, started["id"])
    assert session["status"] == "completed"
    assert session["attempts"] == 1
    assert seen.count("message") == 1
    assert seen.count("attempt_started") == 1
    assert "recovered" in seen


@pytest.mark.claude
async def test_a_message_reaches_claude_while_it_works(place: Place) -> None:
    hold = threading.Event()
    with ModelServer([Answer("Thinking about it.", hold=hold), DONE, DONE]) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", prompt="Work")
            await until(lambda: model.requests, 30, "the model was asked")
            hold.set()
            sent = await client.post(f"/sessions/{started['id']}/send", {"text": "Use the helper"})
            session = await client.wait_until_ended(started["id"])
            delivered = [
                event["payload"]["text"]
                for event in (await client.get("/events", session=started["id"], type="message_delivered"))["events"]
            ]
    assert session["status"] == "completed"
    assert sent["message"]["state"] == "delivered"
    assert delivered == ["Work", "Use the helper"]


@pytest.mark.claude
async def test_a_usage_limit_pauses_the_session_and_its_agent(place: Place) -> None:
    limit = {"type": "error", "error": {"type": "rate_limit_error", "message": "Claude usage limit reached"}}
    with ModelServer([Answer(status=429, error=limit) for _ in range(20)]) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", prompt="One")
            async for event in client.follow(0, session=started["id"], type="status_changed"):
                if event["payload"]["to"] == "paused":
                    break
            session = (await client.get(f"/sessions/{started['id']}"))["session"]
            waiting = await place.run(client, env, agent="claude", prompt="Two")
            queue = await client.get("/queue")
    assert session["status"] == "paused"
    assert session["status_reason"]["signal"] == "limit"
    assert session["resume_at"] is not None
    assert [pause["agent"] for pause in queue["paused_agents"]] == ["claude"]
    assert [each["id"] for each in queue["waiting"]] == [waiting["id"]]


@pytest.mark.claude
@pytest.mark.tmux
async def test_claude_in_a_terminal_waits_for_a_person_and_is_not_typed_over(place: Place) -> None:
    with ModelServer([TOUCH, DONE]) as model:
        env = claude_environment(place.home, model.url) | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", mode="dispatch", prompt="Make a file")

            async def status() -> str:
                found: str = (await client.get(f"/sessions/{started['id']}"))["session"]["status"]
                return found

            while await status() != "waiting":
                assert await status() in ("preparing", "running", "waiting")
            explained = await client.get(f"/sessions/{started['id']}/explain")
            with pytest.raises(Exception, match="asks a question"):
                await client.post(f"/sessions/{started['id']}/send", {"text": "1"})
            command = (await client.get(f"/sessions/{started['id']}/attach"))["command"]
            await client.post(f"/sessions/{started['id']}/cancel")
            session = await client.wait_until_ended(started["id"])
    assert explained["session"]["status_reason"]["signal"] in ("hook", "policy")
    assert "touch made.txt" in explained["session"]["status_reason"]["text"]
    assert "tmux" in command
    assert session["status"] == "cancelled"
    assert not (Path(session["worktree"]) / "made.txt").exists()


@pytest.mark.codex
async def test_codex_runs_and_is_continued(tmp_path: Path) -> None:
    place = Place(tmp_path, f"agents:\n  codex:\n    command: ['{program('codex')}']\n")
    with ModelServer([DONE, DONE]) as model:
        env = codex_environment(place.home, model.url + "/v1", place.repository)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="codex", prompt="One")
            first = await client.wait_until_ended(started["id"])
            assert first["status"] == "completed", first["status_reason"]
            await client.post(f"/sessions/{first['id']}/continue", {"text": "Two"})
            second = await client.wait_until_ended(first["id"])
    assert second["status"] == "completed"
    assert second["agent_session_ids"] == first["agent_session_ids"]
    assert len(first["agent_session_ids"]) == 1


@pytest.fixture
def claude_container(docker_address: str) -> Iterator[str]:
    """An engine with an image that holds Claude, and a network to this machine; yields the gateway's address."""
    with connected(docker_address) as engine:
        if not engine.images(IMAGE):
            engine.import_image_from_data(claude_tree(), repository=IMAGE.partition(":")[0], tag="latest")
        network = engine.create_network(NETWORK, driver="bridge", options={"com.docker.network.bridge.name": "qdtest0"})
        try:
            yield engine.inspect_network(network["Id"])["IPAM"]["Config"][0]["Gateway"]
        finally:
            engine.remove_network(network["Id"])


def claude_tree() -> bytes:
    """A busybox with Claude and the libraries that it is linked with, as a tar file."""
    target = io.BytesIO(busybox_tree())
    binary = program("claude")
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    libraries = {word for word in linked.split() if word.startswith("/")}
    with tarfile.open(fileobj=target, mode="a") as tree:
        tree.add(binary, "bin/claude")
        for library in libraries:
            tree.add(os.path.realpath(library), library.lstrip("/"))
    return target.getvalue()


@pytest.mark.claude
@pytest.mark.docker
async def test_claude_in_a_container(tmp_path: Path, docker_address: str, claude_container: str) -> None:
    passed = "ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC, DISABLE_TELEMETRY"
    place = Place(
        tmp_path,
        f"docker: {{host: '{docker_address}'}}\n"
        f"containers: {{default: {{network: {NETWORK}, pass_environment: [{passed}]}}}}\n",
    )
    with ModelServer([TOUCH, DONE], host=claude_container) as model:
        env = claude_environment(place.home, model.url)
        async with place.supervised() as client:
            started = await place.run(client, env, agent="claude", executor="docker", image=IMAGE, prompt="Make a file")
            await reject(client)
            session = await client.wait_until_ended(started["id"])
    assert (session["status"], session["exit_code"]) == ("completed", 0), session["status_reason"]
    assert session["isolation"] == "enforced"
    assert session["permissions_refused"] == 1
    assert session["tools_used"] == {"Bash": 1}
