"""Checkpoints of sessions and plans, through the supervisor."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from supervisor.api.client import Client, at
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, NotFound, Refused, SupervisorUnreachable
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.store import audit, checkpoints
from tests.chaos.victim import Victim
from tests.support.git import git, repository, write
from tests.support.planruns import sh, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.wait import until


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


def texts(worktree: Path) -> dict[str, str]:
    """The text files of a worktree."""
    return {path.name: path.read_text() for path in worktree.glob("*.txt")}


async def worked(inside: Supervised, **fields: Any) -> Session:
    """A session that has ended, and changed something."""
    return await inside.ended(await inside.run("sh", "-c", "echo new > new.txt", **fields))


async def make(client: Client, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = (await client.post("/checkpoints", body))["checkpoint"]
    return made


async def restore(client: Client, made: dict[str, Any], **body: Any) -> dict[str, Any]:
    return await client.post(at("checkpoint", made["id"], "restore"), body)


async def test_a_session_goes_back_to_what_it_was_and_forth_again(inside: Supervised) -> None:
    session = await worked(inside, name="fix")
    worktree = Path(session.worktree or "")
    made = await make(inside.client, session="fix", reason="before the rewrite")
    assert made["name"].startswith("cp-fix-")
    assert (made["session"], made["plan"], made["status"]) == (session.id, None, "available")
    assert made["outputs"] == {"fix": {"status": "completed", "exit_code": 0}}
    assert len(made["environment"]) == 64
    assert made["ref"] == f"refs/quarterdeck/checkpoints/{session.id}/{made['name']}"
    write(worktree / "new.txt", "changed\n")
    write(worktree / "late.txt", "late\n")
    shown = await inside.client.get(at("checkpoint", made["name"], "diff"))
    assert "+late" in shown["diff"]
    done = await restore(inside.client, made)
    assert (worktree / "new.txt").read_text() == "new\n"
    assert not (worktree / "late.txt").exists()
    assert (done["written"], done["removed"], done["left"]) == (1, 1, [])
    assert done["checkpoint"]["status"] == "restored"
    assert done["safety"]["reason"] == f"before {made['name']} was restored"
    await restore(inside.client, done["safety"])
    assert (worktree / "late.txt").read_text() == "late\n"
    told = await inside.payloads(session, "checkpoint_made", "checkpoint_restored")
    assert [each["name"] for each in told[:3]] == [made["name"], done["safety"]["name"], made["name"]]
    noted = [each.action for each in await inside.engine.store.read(audit.entries)]
    assert noted.count("checkpoint.create") == 3
    assert noted.count("checkpoint.restore") == 2


async def test_while_something_works_there_a_restore_is_refused(inside: Supervised) -> None:
    session = await inside.run("sh", "-c", "echo ready; sleep 60", name="busy")
    await inside.printed(session, "ready")
    made = await make(inside.client, session="busy")
    with pytest.raises(Refused, match="busy works in"):
        await restore(inside.client, made)
    listed = await inside.client.get("/checkpoints", session="busy")
    assert [each["id"] for each in listed["checkpoints"]] == [made["id"]], "no safety was made"
    await restore(inside.client, made, force=True)
    await inside.engine.control.cancel(session.id, PERSON)
    await inside.ended(session)
    await restore(inside.client, made)


async def test_only_the_newest_are_kept(home: Home) -> None:
    home.configure(checkpoints={"keep": 2, "ignored": [".env"]})
    async with home.supervised() as inside:
        session = await worked(inside, name="fix")
        worktree = Path(session.worktree or "")
        write(worktree / ".env", "secret\n")
        made = [await make(inside.client, session="fix") for _ in range(3)]
        assert git(worktree, "show", f"{made[2]['ref']}:.env") == "secret"
        kept = (await inside.client.get("/checkpoints"))["checkpoints"]
        assert [each["id"] for each in kept] == [made[2]["id"], made[1]["id"]]
        assert git(worktree, "for-each-ref", "--format=%(refname)", "refs/quarterdeck").splitlines() == sorted(
            each["ref"] for each in kept
        )
        with pytest.raises(NotFound, match="has expired"):
            await restore(inside.client, made[0])
        git(worktree, "update-ref", "-d", made[1]["ref"])
        await make(inside.client, session="fix")
        gone = (await inside.client.get(at("checkpoint", made[1]["id"])))["checkpoint"]
        assert gone["status"] == "expired", "somebody removed its ref"
        dropped = await inside.client.delete(at("checkpoint", made[2]["id"]))
        assert dropped["checkpoint"]["status"] == "expired"
        everything = await inside.client.get("/checkpoints", expired=True, project=kept[0]["project_name"])
        assert len(everything["checkpoints"]) == 4


async def test_what_makes_no_sense_is_refused(inside: Supervised) -> None:
    session = await worked(inside, name="fix")
    for body in (
        {},
        {"session": "fix", "plan": "x"},
        {"session": "fix", "ignored": ["../x"]},
        {"session": "fix", "ignored": ["/etc/*"]},
        {"session": "fix", "reason": ""},
    ):
        with pytest.raises(InvalidInput):
            await inside.client.post("/checkpoints", body)
    with pytest.raises(NotFound):
        await make(inside.client, plan="plan-x")
    made = await make(inside.client, session="fix")
    shutil.rmtree(session.worktree or "")
    with pytest.raises(NotFound, match="is not there any more"):
        await restore(inside.client, made)
    with pytest.raises(NotFound, match="is not there any more"):
        await make(inside.client, session="fix")


async def test_a_plan_has_one_after_each_batch_that_changed_something(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo a > a.txt; echo kept out > x.log"),
        sh("b", "echo b > b.txt"),
        {"id": "ok", "kind": "gate", "needs": ["a", "b"], "approval": True},
        sh("look", "cat a.txt", "ok"),
        {"id": "ok2", "kind": "gate", "needs": ["look"], "approval": True},
        sh("ship", "echo shipped > shipped.txt", "ok2", kind="deploy"),
    )
    await plan.task_is("ok", TaskStatus.WAITING_APPROVAL)
    (first,) = (await inside.client.get("/checkpoints", plan=plan.id))["checkpoints"]
    assert first["reason"] in ("after a, b", "after b, a")
    assert first["name"].startswith("cp-b-"), "the last task in the order of the document"
    assert first["head"] == (await plan.git("rev-parse", "HEAD"))
    assert first["branch"] == "refs/heads/qd/plan-x"
    assert {*first["outputs"]} == {"a", "b"}
    asked = await plan.asks()
    await plan.decide(approve=True)
    await plan.task_is("ok2", TaskStatus.WAITING_APPROVAL)
    assert len((await inside.client.get("/checkpoints", plan=plan.id))["checkpoints"]) == 1, "nothing had changed"
    write(Path(first["worktree"]) / "by-hand.txt", "a person's\n")
    with pytest.raises(Refused, match=r"by-hand\.txt"):
        await plan.decide(approve=True)
    await plan.task_is("ok2", TaskStatus.WAITING_APPROVAL)
    await plan.decide(approve=True)
    await plan.reaches(PlanStatus.COMPLETED)
    found = (await inside.client.get("/checkpoints", plan=plan.id))["checkpoints"]
    assert [each["reason"] for each in found] == ["after ship", "before ship", first["reason"]]
    assert asked.id in found[1]["decisions"]
    assert "by-hand.txt" in await plan.git("ls-tree", "--name-only", found[1]["ref"])
    assert "shipped.txt" not in await plan.git("ls-tree", "--name-only", found[1]["ref"])
    await restore(inside.client, found[1], head=True)
    assert not (Path(first["worktree"]) / "shipped.txt").exists()
    assert (await plan.git("status", "--porcelain")) == "?? by-hand.txt"
    events = await inside.events(None, "checkpoint_made")
    assert {event.plan for event in events} == {plan.id}


@pytest.mark.parametrize("point", ["restore.kept", "restore.written", "restore.removed"])
async def test_a_restore_that_was_killed_is_finished_by_the_next(tmp_path: Path, point: str) -> None:
    paths = Paths.below(Path(tempfile.mkdtemp(prefix="qdc")))
    paths.create()
    victim = Victim(paths, "", tmp_path / "failpoints")
    try:
        victim.armed = f"{point}@1"
        await victim.start()
        async with Client(paths.socket, paths.token_file) as client:
            where = repository(tmp_path / "shop")
            body = {"cwd": str(where), "argv": ["sh", "-c", "echo new > new.txt"], "name": "fix"}
            await client.post("/sessions", {**body, "environment": {"PATH": "/usr/bin:/bin"}})
            session = await client.wait_until_ended("fix")
            worktree = Path(session["worktree"])
            made = await make(client, session="fix")
            write(worktree / "new.txt", "changed\n")
            write(worktree / "late.txt", "late\n")
            before = texts(worktree)
            with pytest.raises(SupervisorUnreachable):
                await restore(client, made)
        await until(lambda: not victim.is_running, what=f"it dies at {point}")
        assert victim.died_at_failpoint
        victim.armed = ""
        await victim.start()
        async with Client(paths.socket, paths.token_file) as client:
            safety = (await client.get("/checkpoints", session="fix"))["checkpoints"][0]
            assert safety["reason"] == f"before {made['name']} was restored"
            await restore(client, made)
            assert texts(worktree) == {"a.txt": "one\ntwo\nthree\n", "new.txt": "new\n"}
            await restore(client, safety)
            assert texts(worktree) == before
            await client.post("/stop", {"all": True})
    finally:
        victim.kill()
        shutil.rmtree(paths.state, ignore_errors=True)
        shutil.rmtree(paths.run, ignore_errors=True)


async def test_many_at_once_have_names_of_their_own(inside: Supervised) -> None:
    await worked(inside, name="fix")
    made = await asyncio.gather(*(make(inside.client, session="fix") for _ in range(5)))
    assert len({each["name"] for each in made}) == 5
    assert len(await inside.engine.store.read(checkpoints.find, 10)) == 5


async def test_a_ref_that_a_killed_supervisor_has_not_recorded_is_removed_at_the_next_start(tmp_path: Path) -> None:
    paths = Paths.below(Path(tempfile.mkdtemp(prefix="qdc")))
    paths.create()
    victim = Victim(paths, "", tmp_path / "failpoints")
    where = repository(tmp_path / "shop")

    def refs() -> list[str]:
        return git(where, "for-each-ref", "--format=%(refname)", "refs/quarterdeck/checkpoints").splitlines()

    try:
        victim.armed = "checkpoint.made@2"
        await victim.start()
        async with Client(paths.socket, paths.token_file) as client:
            body = {"cwd": str(where), "argv": ["sh", "-c", "echo new > new.txt"], "name": "fix"}
            await client.post("/sessions", {**body, "environment": {"PATH": "/usr/bin:/bin"}})
            await client.wait_until_ended("fix")
            made = await make(client, session="fix")
            with pytest.raises(SupervisorUnreachable):
                await make(client, session="fix")
        await until(lambda: not victim.is_running, what="it dies between the ref and its record")
        assert victim.died_at_failpoint
        assert len(refs()) == 2
        # Another supervisor, with a state of its own, works in the same repository.
        git(where, "update-ref", "refs/quarterdeck/checkpoints/plan-other/cp-a-1", "HEAD")
        victim.armed = ""
        await victim.start()
        assert refs() == sorted([made["ref"], "refs/quarterdeck/checkpoints/plan-other/cp-a-1"])
        assert list((paths.state / "checkpoints").iterdir()) == []
        async with Client(paths.socket, paths.token_file) as client:
            await client.post("/stop", {"all": True})
    finally:
        victim.kill()
        shutil.rmtree(paths.state, ignore_errors=True)
        shutil.rmtree(paths.run, ignore_errors=True)


async def test_a_ref_whose_record_could_not_be_stored_is_removed_when_its_repository_is_there(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home.supervised() as inside:
        session = await worked(inside, name="fix")

        async def full(*_: object) -> None:
            raise Refused("the disk is full")

        monkeypatch.setattr(inside.engine.checkpoints, "_record", full)
        with pytest.raises(Refused):
            await inside.engine.checkpoints.make(inside.engine.checkpoints.of_session(session), "x", PERSON)
    elsewhere = home.repository.with_name("elsewhere")
    home.repository.rename(elsewhere)
    async with home.supervised():
        assert len(list((home.paths.state / "checkpoints").iterdir())) == 1
    elsewhere.rename(home.repository)
    (home.paths.state / "checkpoints" / "torn.json").write_text("{")
    async with home.supervised():
        assert list((home.paths.state / "checkpoints").iterdir()) == []
    assert git(home.repository, "for-each-ref", "refs/quarterdeck/checkpoints") == ""
