"""Plans that run for real: commands, gates, agents, merges, and what people do to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.engine.checkpointing import Subject
from supervisor.engine.checkpoints import Checkpoints
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, checkpoints, sessions
from tests.support.git import git
from tests.support.planruns import created, scripted, sh, start, started
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def test_two_in_parallel_a_gate_and_a_join(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo a > one.txt"),
        sh("b", "echo b > two.txt"),
        {"id": "ok", "kind": "gate", "needs": ["a", "b"], "checks": ["test -f one.txt"], "approval": True},
        sh("c", "cat one.txt two.txt > all.txt", "ok", success_criteria=["test -s all.txt", "exists('all.txt')"]),
    )
    await plan.task_is("ok", T.WAITING_APPROVAL)
    asked = await plan.asks()
    assert (asked.subject_type, asked.plan, asked.task) == ("gate", "plan-x", "ok")
    assert "one.txt | 1 +" in asked.preview["changes"]
    assert asked.preview["checked"] == ["holds: test -f one.txt"]
    assert (await plan.statuses())["c"] == "pending"
    await plan.decide(approve=True, rationale="It is there")
    shown = await plan.reaches(P.COMPLETED)
    assert {task.status for task in shown.tasks} == {T.COMPLETED}
    assert (await plan.task("ok")).reason.text == "person:test approved it: It is there"
    assert await plan.file("all.txt") == "a\nb\n"
    assert (await plan.git("status", "--porcelain")) == "", "everything is committed at the end"
    assert (await plan.git("rev-parse", "--abbrev-ref", "HEAD")).strip() == "qd/plan-x"
    assert "feat(plan-x): a, b" in await plan.git("log", "--format=%s")
    used = await inside.engine.store.read(approvals.get, asked.id)
    assert used.status is ApprovalStatus.CONSUMED


async def test_what_needs_a_failure_never_runs_and_a_recovery_does(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo it broke >&2; exit 3", next={"failure": "fix"}),
        sh("b", "touch b.txt", "a"),
        sh("fix", "touch fixed.txt"),
    )
    shown = await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"a": "failed", "b": "skipped", "fix": "completed"}
    assert (await plan.task("a")).reason.text == "`echo it broke >&2; exit 3` ended with exit code 3: it broke"
    assert shown.plan.reason.text == "Failed and made good: a."
    assert not (Path(str(shown.plan.worktree)) / "b.txt").exists()


async def test_no_checkpoint_is_kept_of_what_was_never_changed(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "true"), sh("b", "true", "a"))
    await plan.reaches(P.COMPLETED)
    assert await inside.engine.store.read(lambda conn: checkpoints.find(conn, plan="plan-x", limit=9)) == []


async def test_a_checkpoint_is_kept_of_what_a_task_has_committed_itself(inside: Supervised) -> None:
    commit = "git -c user.name=x -c user.email=x@y commit -q --allow-empty -m mine"
    plan = await started(inside, sh("a", commit))
    await plan.reaches(P.COMPLETED)
    (kept,) = await inside.engine.store.read(lambda conn: checkpoints.find(conn, plan="plan-x", limit=9))
    assert kept.head == (await plan.git("rev-parse", "HEAD")).strip()


async def test_what_ends_while_its_worktree_is_being_committed_is_committed_later(
    inside: Supervised, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    make = Checkpoints.make_if_changed
    held: list[str] = []

    async def hold(self: Checkpoints, subject: Subject, reason: str, actor: str, **more: str | None) -> object:
        held.append(reason)
        if len(held) == 2:
            # The first was that of the turn. The merge has committed just now, beside the turns: what still runs writes
            # its file, and ends, before that is over.
            go.touch()
            await plan.task_is("late", T.COMPLETED)
        return await make(self, subject, reason, actor, **more)

    monkeypatch.setattr(Checkpoints, "make_if_changed", hold)
    plan = await created(
        inside,
        sh("late", f"while [ ! -e {go} ]; do sleep 0.02; done; echo late > late.txt"),
        sh("own", "echo own > own.txt", workspace="own"),
    )
    await start(plan)
    await plan.reaches(P.COMPLETED)
    assert held[:2] == ["after late", "after late"]
    assert await plan.git("status", "--porcelain") == "", "everything is committed at the end"
    assert await plan.file("late.txt") == "late\n"


async def test_a_word_of_success_is_no_proof(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "echo done", success_criteria=["test -f report.md"]))
    await plan.reaches(P.FAILED)
    task = await plan.task("a")
    assert task.result["proofs"][0]["holds"] is False
    assert task.result["exit_code"] == 0


async def test_outputs_are_measured(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("m", "echo 83.5 > coverage", outputs={"coverage": "coverage"}, success_criteria=["outputs.coverage >= 80"]),
        sh("n", "true", "m", preconditions=["tasks.m.outputs.coverage > 90"]),
    )
    await plan.reaches(P.BLOCKED)
    task = await plan.task("n")
    assert task.status is T.BLOCKED
    assert "tasks.m.outputs.coverage is 83.5" in task.reason.text


async def test_a_failure_is_tried_again_as_often_as_the_plan_says(inside: Supervised) -> None:
    plan = await started(
        inside, sh("a", "echo x >> tries; test $(wc -l < tries) -ge 3", retry={"attempts": 3, "delay": 0.05})
    )
    await plan.reaches(P.COMPLETED)
    assert (await plan.task("a")).attempts == 3
    made = await inside.engine.store.read(attempts.of_task, "plan-x", "a")
    assert [each.status for each in made] == [AttemptStatus.FAILED, AttemptStatus.FAILED, AttemptStatus.COMPLETED]
    assert [each.exit_code for each in made] == [1, 1, 0]


async def test_a_timeout_ends_it(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "sleep 60", timeout=0.3), sh("s", "sleep 60", no_output=0.3))
    await plan.reaches(P.FAILED)
    assert (await plan.task("a")).reason.text == (
        "It took longer than its timeout of 0.3 s (start_to_close): `sleep 60` was stopped. "
        "If it needs longer, raise its `timeout`."
    )
    assert (await plan.task("s")).reason.text == (
        "It was silent for longer than its no_output limit of 0.3 s: `sleep 60` was stopped. "
        "If it may be silent for longer, raise its `no_output`, or let it print that it works."
    )


async def test_by_hand_each_step_waits_for_a_person(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "true"), sh("b", "true"), sh("c", "true", "a", "b"), advance="manual")
    runs = inside.engine.plan_runs
    assert await plan.statuses() == {"a": "ready", "b": "ready", "c": "pending"}
    assert (await runs.advance(plan.id, PERSON, level=False))[1] == ["a"]
    await plan.task_is("a", T.COMPLETED)
    assert (await plan.statuses())["b"] == "ready"
    assert (await runs.advance(plan.id, PERSON, level=True))[1] == ["b"]
    await plan.task_is("c", T.READY)
    await runs.run_task(plan.id, "c", PERSON)
    await plan.reaches(P.COMPLETED)
    with pytest.raises(Refused, match="is completed, not running"):
        await runs.advance(plan.id, PERSON, level=False)


async def test_a_paused_plan_begins_nothing(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    plan = await started(inside, sh("a", f"until test -e {go}; do sleep 0.02; done"), sh("b", "true", "a"))
    runs = inside.engine.plan_runs
    await runs.pause(plan.id, PERSON)
    go.touch()
    await plan.task_is("a", T.COMPLETED)
    assert (await plan.statuses())["b"] == "ready"
    await runs.resume(plan.id, PERSON)
    await plan.reaches(P.COMPLETED)


async def test_cancelling_stops_what_runs(inside: Supervised, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    plan = await started(
        inside,
        sh("a", f"echo $$ > {pid}; exec sleep 600"),
        scripted("w", [{"sleep": 600}]),
        sh("b", "true", "a"),
    )
    await until(lambda: pid.exists() and pid.read_text().strip(), what="the command runs")
    await inside.engine.plan_runs.cancel(plan.id, PERSON)
    assert set((await plan.statuses()).values()) == {"abandoned"}
    await until(lambda: not Path(f"/proc/{pid.read_text().strip()}").exists(), what="the command is gone")

    async def is_over() -> bool:
        found = await inside.engine.store.read(sessions.find)
        return all(each.status is SessionStatus.CANCELLED for each in found)

    await eventually(is_over, what=lambda: "the session is cancelled")
    with pytest.raises(Refused, match="The task a is abandoned"):
        await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)


async def test_agents_work_in_parallel_in_worktrees_of_their_own_and_are_merged(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("base", "echo base > base.txt"),
        scripted(
            "x",
            [{"write": {"path": "x.txt", "content": "from x\n"}}],
            "base",
            success_criteria=["test -f x.txt", "test -f base.txt"],
        ),
        scripted("y", [{"write": {"path": "y.txt", "content": "from y\n"}}], "base"),
        sh("t", "cat base.txt x.txt y.txt", "x", "y"),
    )
    await plan.reaches(P.COMPLETED)
    assert await plan.file("x.txt") == "from x\n"
    assert await plan.file("y.txt") == "from y\n"
    subjects = await plan.git("log", "--format=%s")
    assert "feat(plan-x): x" in subjects
    found = {each.name: each for each in await inside.engine.store.read(sessions.find)}
    assert set(found) == {"plan-x--x", "plan-x--y"}
    assert found["plan-x--x"].branch == "qd/plan-x--x"


async def test_a_conflict_blocks_with_an_explanation_and_a_person_completes_it(inside: Supervised) -> None:
    plan = await started(
        inside,
        scripted("x", [{"write": {"path": "same.txt", "content": "from x\n"}}]),
        sh("y", "echo from y > same.txt", workspace="own"),
        sh("t", "cat same.txt", "x", "y"),
    )
    shown = await plan.reaches(P.BLOCKED)
    (blocked,) = [task for task in shown.tasks if task.status is T.BLOCKED]
    assert "changed the same lines of same.txt" in blocked.reason.text
    assert blocked.result["conflicts"] == ["same.txt"]
    with pytest.raises(InvalidInput):
        await inside.engine.plan_runs.complete_task(plan.id, blocked.id, PERSON, " ")
    await inside.engine.plan_runs.complete_task(plan.id, blocked.id, PERSON, "merged by hand")
    await plan.reaches(P.COMPLETED)
    assert (await plan.task(blocked.id)).result["evidence"] == "merged by hand"


async def test_a_rejected_gate_ends_what_follows(inside: Supervised) -> None:
    plan = await started(inside, {"id": "ok", "kind": "gate", "approval": True}, sh("c", "true", "ok"))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    await plan.decide(approve=False, rationale="Not yet")
    await plan.reaches(P.FAILED)
    assert await plan.statuses() == {"ok": "failed", "c": "skipped"}
    await inside.engine.plan_runs.retry_task(plan.id, "ok", PERSON)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_what_cannot_run_is_refused_before_anything_happens(inside: Supervised) -> None:
    plan = await created(inside, sh("a", "rm -rf /"))
    with pytest.raises(Refused, match="a: policy does not allow this"):
        await start(plan)
    assert (await plan.plan()).status is P.PENDING
    unknown = await created(inside, {"id": "w", "agent": "nobody", "prompt": "Do it"}, plan="plan-y")
    with pytest.raises(InvalidInput, match="there is no agent nobody"):
        await start(unknown)
    prose = await created(inside, sh("w", "search(query) -> top10; fetch(top10) -> docs"), plan="plan-z")
    with pytest.raises(Refused, match="is prose, no command"):
        await start(prose)


async def test_a_plan_is_started_once(inside: Supervised) -> None:
    plan = await created(inside, sh("a", "true"))
    outcomes = await asyncio.gather(*(start(plan) for _ in range(5)), return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, Refused) for outcome in outcomes)
    await plan.reaches(P.COMPLETED)


async def test_a_supervisor_that_comes_back_goes_on_where_it_was(home: Home, tmp_path: Path) -> None:
    go, count = tmp_path / "go", tmp_path / "count"
    async with home.supervised() as inside:
        plan = await started(
            inside,
            sh("a", f"echo x >> {count}; until test -e {go}; do sleep 0.02; done; echo out > out.txt"),
            {"id": "ok", "kind": "gate", "approval": True},
            sh("b", "cat out.txt", "a", "ok"),
        )
        await until(count.exists, what="a runs")
        await plan.task_is("ok", T.WAITING_APPROVAL)
    go.touch()
    async with home.supervised() as inside:
        plan.inside = inside
        await plan.task_is("a", T.COMPLETED)
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)
    assert count.read_text() == "x\n", "nothing ran twice"


async def test_a_running_plan_goes_on_with_its_new_revision(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = sh("a", f"until test -e {go}; do sleep 0.02; done")
    plan = await started(inside, wait, sh("b", "echo old > b.txt", "a"))
    document = f"""
id: plan-x
advance: auto
tasks:
  - {{id: a, command: "until test -e {go}; do sleep 0.02; done"}}
  - {{id: b, command: "echo new > b.txt", needs: [a]}}
  - {{id: c, command: "cat b.txt", needs: [b]}}
"""
    await inside.engine.planning.revise(plan.id, document.encode(), "plan.yaml", "It was wrong", PERSON)
    inside.engine.plan_runs.revised(plan.id)
    go.touch()
    await plan.reaches(P.COMPLETED)
    assert await plan.file("b.txt") == "new\n"
    assert await plan.statuses() == {"a": "completed", "b": "completed", "c": "completed"}


async def test_an_ended_plan_is_merged_and_handed_on(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("try", "echo x >> tries; test $(wc -l < tries) -ge 2", retry={"attempts": 2}),
        {"id": "ok", "kind": "gate", "needs": ["try"], "approval": True},
        scripted("w", [{"write": {"path": "w.txt", "content": "from w\n"}}], "ok"),
        sh("bad", "echo '| *no* |' >&2; exit 1", "w", next={"failure": "fix"}),
        sh("fix", "true"),
        title="Say *something* | loudly",
        objective="Words",
    )
    ending = inside.engine.ending
    await plan.task_is("ok", T.WAITING_APPROVAL)
    with pytest.raises(Refused, match="is running"):
        await ending.archive(plan.id, PERSON)
    await plan.decide(approve=True, rationale="Fine")
    await plan.reaches(P.COMPLETED)
    _, into, merged = await ending.merge(plan.id, None, PERSON)
    assert (into, merged.merged) == ("main", True)
    assert (inside.repository / "w.txt").read_text() == "from w\n"
    worktree = Path(str((await plan.plan()).worktree))
    archived, readme, left = await ending.archive(plan.id, PERSON)
    assert archived.archived_at is not None
    assert not left.exists
    assert not await asyncio.to_thread(worktree.exists)
    text = readme.read_text()
    assert readme == inside.repository / ".quarterdeck" / "plans" / "plan-x.md"
    assert "# Say \\*something\\* \\| loudly" in text
    assert "- ok was approved by person:test" in text
    assert "**try** needed 2 attempts" in text
    assert "**bad** failed:" in text
    assert git(inside.repository, "status", "--porcelain") == "", "what is handed on is not put into the repository"
    with pytest.raises(Refused, match="archived already"):
        await ending.archive(plan.id, PERSON)


async def test_a_plan_that_holds_work_keeps_its_worktree_when_it_is_archived(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "echo new > new.txt"))
    shown = await plan.reaches(P.COMPLETED)
    _, _, left = await inside.engine.ending.archive(plan.id, PERSON)
    assert left.exists
    assert "holds work" in left.detail
    assert (Path(str(shown.plan.worktree)) / "new.txt").exists()


async def test_a_revision_decides_anew_what_is_ready(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "false"), sh("b", "true", "a"), sh("c", "true"), advance="manual")
    runs = inside.engine.plan_runs
    await runs.run_task(plan.id, "a", PERSON)
    await plan.task_is("b", T.SKIPPED)
    document = (
        b'{"id": "plan-x", "tasks": [{"id": "a", "command": "true"}, {"id": "b", "command": "true", "needs": ["a"]},'
    )
    document += b' {"id": "c", "command": "true", "needs": ["b"]}]}'
    await inside.engine.planning.revise(plan.id, document, "plan.json", "It failed", PERSON)
    runs.revised(plan.id)
    await plan.task_is("a", T.READY)
    assert await plan.statuses() == {"a": "ready", "b": "pending", "c": "pending"}
    await runs.advance(plan.id, PERSON, level=True)
    await plan.task_is("b", T.READY)


async def test_what_a_task_declares_is_kept(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo 42 > count.txt; echo shown > proof.md",
           artifacts=[{"name": "count", "path": "count.txt", "type": "number"}], evidence=["proof.md"]),
        sh("b", "true", "a", artifacts=["missing.txt"]),
    )  # fmt: skip
    await plan.reaches(P.FAILED)
    assert (await plan.task("a")).result["kept"] == ["count (version 1)", "proof.md (version 1)"]
    assert (await plan.task("b")).reason.text == "It was to make missing.txt, and there is no missing.txt."
    kept = await inside.engine.artifacts.newest(plan.id, "a", "count")
    copy = inside.paths.state / "copy"
    await inside.engine.artifacts.materialize(kept, copy)
    assert (kept.type, copy.read_text()) == ("number", "42\n")
