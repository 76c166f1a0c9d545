"""Plans under bad circumstances: what was found by trying to break them."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from supervisor.engine.planruns import loop
from supervisor.engine.planruns.state import folder_of
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, tokens
from tests.support.git import git
from tests.support.planruns import RunningPlan, created, scripted, sh, start, started
from tests.support.runners import host_pid
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus
QUARTERDECK = f"{sys.executable} -P -m supervisor.cli.main"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def revise(plan: RunningPlan, *tasks: dict[str, object]) -> None:
    document = json.dumps({"id": plan.id, "advance": "auto", "tasks": list(tasks)}).encode()
    await plan.inside.engine.planning.revise(plan.id, document, "plan.json", "It must change", PERSON)
    plan.inside.engine.plan_runs.revised(plan.id)


async def test_what_a_plan_runs_decides_nothing(inside: Supervised) -> None:
    gate = {"id": "ok", "kind": "gate", "approval": True}
    complete = f"{QUARTERDECK} task complete plan-x/ok --evidence selfmade"
    write = f"echo '{QUARTERDECK} approve $({QUARTERDECK} approvals --json | grep -o app_[0-9a-z]*)' > t.sh"
    approve = [sh("w", write), sh("y", "sh ./t.sh", "w")]
    plan = await started(inside, gate, sh("x", complete), *approve, sh("z", "true", "ok"))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    await plan.task_is("x", T.FAILED)
    await plan.task_is("y", T.FAILED)
    assert (await plan.statuses())["ok"] == "waiting_approval"
    assert (await plan.statuses())["z"] == "pending"


async def test_what_a_task_changes_after_others_were_saved_is_saved_too(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    slow = f"echo half > slow.txt; until test -e {go}; do sleep 0.02; done; echo full > slow.txt; echo more > more.txt"
    plan = await started(inside, sh("slow", slow), sh("own", "echo own > own.txt", workspace="own"))
    await plan.task_is("own", T.COMPLETED)
    go.touch()
    await plan.reaches(P.COMPLETED)
    assert await plan.git("show", "HEAD:slow.txt") == "full"
    assert await plan.git("show", "HEAD:more.txt") == "more"


async def test_a_plan_whose_worktree_is_gone_can_be_given_up(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    plan = await started(
        inside,
        sh("a", f"until test -e {go}; do sleep 0.02; done"),
        {"id": "ok", "kind": "gate", "needs": ["a"], "approval": True},
    )
    await plan.task_is("a", T.RUNNING)
    await asyncio.to_thread(shutil.rmtree, str((await plan.plan()).worktree))
    go.touch()

    async def said() -> bool:
        found = await inside.payloads(None, "error")
        return any("worktree" in str(each) or "plan-x" in str(each) for each in found)

    await eventually(said, what=lambda: "it is said why it does not go on")
    async with asyncio.timeout(20):
        await inside.engine.plan_runs.cancel(plan.id, PERSON)
    assert (await plan.plan()).status is P.ABANDONED


async def test_an_id_that_was_used_before_asks_its_own_questions(inside: Supervised) -> None:
    gate = {"id": "ok", "kind": "gate", "approval": True}
    for _ in range(2):
        plan = await started(inside, gate)
        await plan.task_is("ok", T.WAITING_APPROVAL)
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)
        await inside.engine.ending.archive(plan.id, PERSON)
        await inside.engine.planning.delete(plan.id, PERSON)


async def test_a_plan_that_ended_goes_on_when_it_is_revised(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "false"), sh("b", "echo b > b.txt", "a"))
    await plan.reaches(P.FAILED)
    await revise(plan, sh("a", "true"), sh("b", "echo b > b.txt", "a"))
    await plan.reaches(P.COMPLETED)
    await revise(plan, sh("a", "true"), sh("b", "echo b > b.txt", "a"), sh("c", "true", "b"))
    await plan.when(lambda shown: len(shown.tasks) == 3 and shown.plan.status is P.COMPLETED, "the new task has run")


async def test_a_command_that_was_given_up_while_its_place_was_made_never_starts(home: Home, tmp_path: Path) -> None:
    ran, preparing, go = tmp_path / "ran", tmp_path / "preparing", tmp_path / "go"
    setup = f"case $PWD in *--a*) touch {preparing}; until test -e {go}; do sleep 0.02; done;; esac"
    home.configure(worktrees={"setup": setup})
    async with home.supervised() as inside:
        plan = await started(inside, sh("a", f"touch {ran}; sleep 600", workspace="own"))
        await until(preparing.exists, what="its place is being made")
        await inside.engine.plan_runs.cancel(plan.id, PERSON)
        go.touch()
        await until(lambda: not inside.engine.services.tasks.running("plan plan-x"), 20, "its loop has ended")
        assert not await asyncio.to_thread(ran.exists)


async def test_a_step_that_breaks_ends_its_task(inside: Supervised) -> None:
    loop = sh("a", "ln -s l l", success_criteria=["exists('l')"])
    deep = sh("b", "head -c 60000 /dev/zero | tr '\\0' '[' > deep", outputs={"deep": "deep"},
              success_criteria=["outputs.deep > 1"])  # fmt: skip
    plan = await started(inside, loop, deep)
    await plan.reaches(P.FAILED)
    assert set((await plan.statuses()).values()) <= {"failed", "completed"}


async def test_idempotent_commands_survive_the_death_of_their_host(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"echo ran >> {tmp_path}/ran; until test -e {go}; do sleep 0.02; done"
    plan = await started(inside, sh("a", wait, idempotent=True), sh("b", wait))
    await until(lambda: lines(tmp_path / "ran") == 2, 20, "both run")
    kill_host(inside)
    await plan.task_is("b", T.BLOCKED)
    go.touch()
    await plan.task_is("a", T.COMPLETED)
    assert "not known" in (await plan.task("b")).reason.text
    await inside.engine.plan_runs.retry_task(plan.id, "b", PERSON)
    await plan.reaches(P.COMPLETED)


def alone(folder: Path) -> str:
    """A command that finds out whether anything of an earlier one of it still lives; it leaves something behind."""
    held = f"exec 9>>{folder}/held; flock -n 9 || touch {folder}/two"
    return f"{held}; echo $$ >> {folder}/ran; setsid sleep 600 & until test -e {folder}/go; do sleep 0.02; done"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def kill_host(inside: Supervised) -> None:
    pid = host_pid(inside.paths.run)
    assert pid is not None
    psutil.Process(pid).send_signal(signal.SIGKILL)


async def test_never_do_two_of_a_command_run_when_its_host_dies(inside: Supervised, tmp_path: Path) -> None:
    plan = await started(inside, sh("a", alone(tmp_path), idempotent=True))
    await until(lambda: lines(tmp_path / "ran") == 1, 20, "it runs")
    kill_host(inside)
    await until(lambda: lines(tmp_path / "ran") == 2, 20, "it runs again")
    (tmp_path / "go").touch()
    await plan.reaches(P.COMPLETED)
    assert not (tmp_path / "two").exists()


async def test_never_do_two_of_a_command_run_when_supervisor_and_host_die(home: Home, tmp_path: Path) -> None:
    async with home.supervised() as inside:
        other = f"touch {tmp_path}/other; exec sleep 601"
        plan = await started(inside, sh("a", alone(tmp_path), idempotent=True), sh("b", other))
        await until(lambda: lines(tmp_path / "ran") == 1 and (tmp_path / "other").exists(), 20, "both run")
        pid = host_pid(inside.paths.run)
        assert pid is not None
    psutil.Process(pid).send_signal(signal.SIGKILL)
    async with home.supervised() as inside:
        plan = RunningPlan(inside, plan.id)
        await until(lambda: lines(tmp_path / "ran") == 2, 20, "it runs again")
        (tmp_path / "go").touch()
        await plan.task_is("a", T.COMPLETED)
        await plan.task_is("b", T.BLOCKED)
    assert not (tmp_path / "two").exists()
    assert not [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "601"]]


async def test_what_needs_a_task_that_is_done_once_more_waits_for_it(inside: Supervised) -> None:
    gate = {"id": "g", "kind": "gate", "needs": ["a"], "approval": True}
    plan = await started(inside, sh("a", "true"), sh("b", "true", "a"), gate, advance="manual")
    runs = inside.engine.plan_runs
    await runs.run_task(plan.id, "a", PERSON)
    await plan.task_is("b", T.READY)
    await runs.run_task(plan.id, "g", PERSON)
    await plan.task_is("g", T.WAITING_APPROVAL)
    before = await plan.asks()
    await runs.retry_task(plan.id, "a", PERSON)
    await plan.task_is("b", T.READY)
    assert (await inside.engine.store.read(approvals.get, before.id)).status is ApprovalStatus.SUPERSEDED


async def test_what_is_refused_changes_nothing(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "sleep 600"), sh("b", "true", "a"))
    await plan.task_is("a", T.RUNNING)
    await inside.engine.plan_runs.cancel(plan.id, PERSON)
    with pytest.raises(QuarterdeckError):
        await inside.engine.plan_runs.complete_task(plan.id, "b", PERSON, "by hand")
    assert await plan.statuses() == {"a": "abandoned", "b": "abandoned"}


async def test_an_agent_with_preconditions_begins_in_a_worktree_of_its_own(inside: Supervised) -> None:
    plan = await started(
        inside,
        scripted("w", [{"write": {"path": "w.txt", "content": "w\n"}}], preconditions=["true", "plan.revision == 1"]),
    )
    await plan.reaches(P.COMPLETED)
    assert await plan.file("w.txt") == "w\n"


async def test_a_gate_asks_again_when_its_plan_was_revised(inside: Supervised) -> None:
    gate = {"id": "ok", "kind": "gate", "approval": True}
    plan = await started(inside, gate, sh("c", "echo old > c.txt", "ok"))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    before = await plan.asks()
    await revise(plan, gate, sh("c", "echo new > c.txt", "ok"))
    await plan.when(lambda shown: shown.tasks[0].attempts == 2, "it asks again")
    assert (await inside.engine.store.read(approvals.get, before.id)).status is ApprovalStatus.SUPERSEDED
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
    assert await plan.file("c.txt") == "new\n"


async def test_a_branch_that_holds_work_is_not_taken_for_a_new_plan(inside: Supervised) -> None:
    git(inside.repository, "branch", "qd/plan-x")
    plan = await created(inside, sh("a", "echo a > new.txt"))
    await start(plan)
    await plan.reaches(P.COMPLETED)
    # As an earlier version did: the worktree and the branch stayed.
    await inside.engine.planning.delete(plan.id, PERSON)
    again = await created(inside, sh("a", "true"))
    with pytest.raises(Refused, match="holds work"):
        await start(again)


async def test_the_token_of_a_plan_is_valid_while_the_plan_is_under_way(inside: Supervised, tmp_path: Path) -> None:
    keep = f"echo $QUARTERDECK_TOKEN >> {tmp_path}/tokens; test -e {tmp_path}/go"
    plan = await started(inside, sh("a", keep), sh("b", f"{keep} || {QUARTERDECK} emit note", "a"))

    async def valid() -> list[bool]:
        found = (tmp_path / "tokens").read_text().split()
        return [await inside.engine.store.read(tokens.get, each) is not None for each in found]

    await plan.reaches(P.FAILED)
    assert await valid() == [False]
    await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)
    await plan.when(lambda shown: shown.tasks[0].attempts == 2 and shown.plan.status is P.FAILED, "it failed again")
    assert await valid() == [False, False]
    assert len(set((tmp_path / "tokens").read_text().split())) == 2
    (tmp_path / "go").touch()
    await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)
    await plan.reaches(P.COMPLETED)
    assert await valid() == [False] * 4
    *_, one, other = (tmp_path / "tokens").read_text().split()
    assert one == other


async def test_a_token_of_an_earlier_version_ends_with_its_plan(inside: Supervised, tmp_path: Path) -> None:
    plan = await started(inside, sh("a", "true"))
    await plan.reaches(P.COMPLETED)
    (folder_of(inside.paths.state, plan.id) / "token").write_text("from-before")
    await inside.engine.services.ledger.commit(lambda t: tokens.add(t.conn, "from-before", role="agent", now=t.now))
    await inside.engine.ending.archive(plan.id, PERSON)
    assert await inside.engine.store.read(tokens.get, "from-before") is None


async def test_a_command_that_prints_without_end_does_not_fill_the_disk(home: Home, tmp_path: Path) -> None:
    home.configure(storage={"free_disk_floor_mb": 0, "command_log_mb": 8})
    line = "x" * 1000
    print_much = f"echo first; yes {line} | head -n 30000; echo last; test -e {tmp_path}/go"
    async with home.supervised() as inside:
        plan = await started(inside, sh("a", print_much), {"id": "each-*", "needs": ["a"], "command": "true"})
        task = await plan.task_is("a", T.FAILED)
        assert task.reason.text.endswith("last")
        logs = list(folder_of(inside.paths.state, plan.id).glob("att_*.log"))
        assert [log.stat().st_size < 9 << 20 for log in logs] == [True]
        text = logs[0].read_text()
        assert "first" in text.splitlines()[0]
        assert "bytes of this log were left out here" in text
        (tmp_path / "go").touch()
        await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)
        task = await plan.task_is("each-*", T.FAILED)
        assert "put out more than" in task.reason.text


@pytest.mark.parametrize(("switch", "where"), [("git switch -qc other", "other"), ("git checkout -q HEAD~0", "no b")])
async def test_what_switches_the_plans_branch_fails_and_nothing_is_committed_there(
    inside: Supervised, switch: str, where: str
) -> None:
    stray = sh("stray", f"{switch}; echo mine > mine.txt", "first", retry={"attempts": 3})
    plan = await started(inside, sh("first", "echo one > one.txt"), stray, sh("next", "echo n > n.txt", "stray"))
    await plan.reaches(P.FAILED)
    task = await plan.task("stray")
    assert (task.status, task.attempts) == (T.FAILED, 1)
    assert f"switched from its branch qd/plan-x to {where}" in task.reason.text
    assert "quarterdeck task retry plan-x/stray" in task.reason.text
    worktree = Path(str((await plan.plan()).worktree))
    assert git(worktree, "rev-list", "--all", "--count", "--not", "main") == "0"
    assert (worktree / "one.txt").read_text() == "one\n"
    assert (worktree / "mine.txt").read_text() == "mine\n"
    # Before a person has brought it back nothing of the plan runs there.
    await inside.engine.plan_runs.retry_task(plan.id, "first", PERSON)
    task = await plan.task_is("first", T.FAILED)
    assert "switched from its branch" in task.reason.text
    git(worktree, "switch", "-q", "qd/plan-x")
    await revise(plan, sh("first", "echo one > one.txt"), sh("stray", "true"), sh("next", "echo n > n.txt", "stray"))
    await inside.engine.plan_runs.retry_task(plan.id, "first", PERSON)
    await plan.reaches(P.COMPLETED)
    assert {"mine.txt", "n.txt", "one.txt"} <= set(git(worktree, "ls-tree", "--name-only", "qd/plan-x").split())


async def test_a_merge_waits_until_the_plans_branch_is_back(inside: Supervised, tmp_path: Path) -> None:
    wait = f"until test -e {tmp_path}/go; do sleep 0.02; done"
    end = f"until test -e {tmp_path}/end; do sleep 0.02; done"
    shared = sh("shared", f"echo shared > shared.txt; touch {tmp_path}/shared; {end}")
    plan = await started(inside, sh("own", f"echo own > own.txt; {wait}", workspace="own"), shared)
    await until((tmp_path / "shared").exists, 20, "both run")
    worktree = Path(str((await plan.plan()).worktree))
    git(worktree, "switch", "-qc", "other")
    (tmp_path / "go").touch()

    async def said() -> bool:
        return any("switched from its branch" in str(each) for each in await inside.payloads(None, "error"))

    await eventually(said, what=lambda: "it is said why it does not go on")
    git(worktree, "switch", "-q", "qd/plan-x")
    await plan.task_is("own", T.COMPLETED)
    (tmp_path / "end").touch()
    await plan.reaches(P.COMPLETED)
    assert git(worktree, "rev-list", "--count", "main..other") == "0"
    assert {"own.txt", "shared.txt"} <= set(git(worktree, "ls-tree", "--name-only", "qd/plan-x").split())


async def test_a_command_that_looks_like_prose_runs_where_that_is_said(inside: Supervised, tmp_path: Path) -> None:
    program = tmp_path / "bazel"
    program.write_text("#!/bin/sh\necho $* > built.txt\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    plan = await created(inside, sh("a", "bazel build all", environment=path))
    with pytest.raises(Refused, match=r"write `\$ ` in front if it is a command"):
        await start(plan)
    await inside.engine.planning.delete(plan.id, PERSON)
    plan = await started(inside, sh("a", "$ bazel build all", environment=path))
    await plan.reaches(P.COMPLETED)
    assert await plan.file("built.txt") == "build all\n"


async def test_a_plan_whose_loop_breaks_off_is_taken_up_again(
    inside: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = 0

    async def breaks(*_: object) -> str:
        nonlocal broken
        broken += 1
        if broken in (2, 4):
            raise RuntimeError("nobody thought of this")
        return ""

    monkeypatch.setattr(loop, "strayed", breaks)
    plan = await started(inside, sh("a", "echo a >> runs"), sh("b", "echo b >> runs", "a"), sh("c", "true", "b"))
    await plan.reaches(P.COMPLETED)
    assert broken > 4
    assert (Path(str((await plan.plan()).worktree)) / "runs").read_text() == "a\nb\n", "nothing ran twice"
    events = (await inside.client.get("/events", plan="plan-x", type="error"))["events"]
    assert "nobody thought of this" in events[0]["payload"]["text"]
