"""What closes a gate beside commands: schemas, invariants, regressions, evidence, and a diff that a person reviews."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.model.plans import PlanStatus, Task, TaskStatus
from tests.support.git import git
from tests.support.planruns import Document, RunningPlan, sh, started
from tests.support.supervised import Home, Supervised, throwaway_home

P, T = PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


def gate(**more: object) -> Document:
    return {"id": "ok", "kind": "gate", "needs": ["a"], **more}


async def through(inside: Supervised, work: str, gate: Document, plan: str = "plan-x") -> Task:
    """The gate once it has ended, after a task with this command line."""
    running = await started(inside, sh("a", work), gate, plan=plan)
    await running.reaches(P.COMPLETED, P.FAILED)
    return await running.task("ok")


def proofs(task: Task) -> list[tuple[str, bool]]:
    return [(each["text"], each["holds"]) for each in task.result["proofs"]]


def committed(inside: Supervised, **files: str) -> None:
    """Files that are there before the plan is."""
    for name, text in files.items():
        (inside.repository / name).write_text(text)
    git(inside.repository, "add", "--all")
    git(inside.repository, "commit", "-qm", "before")


def worktrees(inside: Supervised) -> int:
    return git(inside.repository, "worktree", "list").count("\n") + 1


SCHEMA = json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ('{"n": 5}', ""),
        ('{"n": "five"}', r"report.json at $.n: 'five' is not of type 'integer'"),
        ("{}", "'n' is a required property"),
        ("not json", "report.json is no JSON"),
    ],
)
async def test_a_file_fits_a_schema(inside: Supervised, report: str, why: str) -> None:
    work = f"printf '%s' '{report.replace(chr(39), '')}' > report.json; printf '%s' '{SCHEMA}' > s.json"
    ended = await through(inside, work, gate(schemas={"report.json": "s.json"}))
    assert proofs(ended) == [("report.json fits s.json", not why)]
    assert why in ended.reason.text
    assert ended.status is (T.FAILED if why else T.COMPLETED)


async def test_a_file_that_is_missing_fits_nothing(inside: Supervised) -> None:
    ended = await through(inside, "echo '{}' > s.json", gate(schemas={"report.json": "s.json"}))
    assert "there is no file report.json" in ended.reason.text


async def test_a_schema_may_be_a_criterion_of_any_task(inside: Supervised) -> None:
    plan = await started(inside, sh("a", f"echo '[]' > r.json; echo '{SCHEMA}' > s.json", schemas={"r.json": "s.json"}))
    await plan.reaches(P.FAILED)
    assert "[] is not of type 'object'" in (await plan.task("a")).reason.text


async def test_an_invariant_holds_before_and_now(inside: Supervised) -> None:
    committed(inside, size="12")
    before = worktrees(inside)
    ended = await through(inside, "echo new > new", gate(invariants=["grep -q 12 size", 'exists("size")']))
    assert ended.status is T.COMPLETED, ended.reason.text
    assert proofs(ended) == [
        ("in the plan's base: grep -q 12 size", True),
        ('in the plan\'s base: exists("size")', True),
        ("grep -q 12 size", True),
        ('exists("size")', True),
    ]
    assert worktrees(inside) == before + 1, "the plan's own; that of its base is gone"
    assert "qd/plan-x--ok" not in git(inside.repository, "branch", "--list")


async def test_an_invariant_that_is_broken_closes_the_gate(inside: Supervised) -> None:
    committed(inside, size="12")
    ended = await through(inside, "echo 13 > size", gate(invariants=["grep -q 12 size"]))
    assert ended.status is T.FAILED
    assert proofs(ended) == [("in the plan's base: grep -q 12 size", True), ("grep -q 12 size", False)]


async def test_an_invariant_that_did_not_hold_before_closes_it_too(inside: Supervised) -> None:
    """And what the check left in the base does not keep its worktree."""
    before = worktrees(inside)
    ended = await through(inside, "echo 12 > size", gate(invariants=["echo left > left; grep -q 12 size"]))
    assert ended.status is T.FAILED
    assert proofs(ended) == [("in the plan's base: echo left > left; grep -q 12 size", False)]
    assert worktrees(inside) == before + 1


@pytest.mark.parametrize(
    ("todo", "better", "tolerance", "holds", "why"),
    [
        ("1\n2\n", "lower", 0, True, ""),
        ("1\n2\n3\n4\n", "lower", 0, False, "4 now, 3 before (lower is better)"),
        ("1\n2\n3\n4\n", "lower", 1, True, ""),
        ("1\n2\n", "higher", 0, False, "2 now, 3 before (higher is better)"),
    ],
)
async def test_a_number_is_no_worse_than_before(
    inside: Supervised, todo: str, better: str, tolerance: float, holds: bool, why: str
) -> None:
    committed(inside, todo="1\n2\n3\n")
    regression = {"command": "echo counting; wc -l < todo", "better": better, "tolerance": tolerance}
    ended = await through(inside, f"printf '{todo}' > todo", gate(regressions=regression))
    assert proofs(ended) == [("no worse than before: echo counting; wc -l < todo", holds)]
    assert why in ended.reason.text
    assert ended.result["measured"]["0 before"] == {"exit_code": 0, "number": 3.0}


@pytest.mark.parametrize(
    ("before", "now", "holds"), [("0", "0", True), ("0", "1", False), ("1", "1", True), ("1", "0", True)]
)
async def test_a_test_succeeds_or_failed_before_too(inside: Supervised, before: str, now: str, holds: bool) -> None:
    committed(inside, code=before)
    ended = await through(inside, f"echo {now} > code", gate(regressions="exit $(cat code)"))
    assert (ended.status is T.COMPLETED) == holds, ended.reason.text


async def test_a_test_that_cannot_be_run_at_all_proves_nothing(inside: Supervised) -> None:
    ended = await through(inside, "true", gate(regressions=["./no-such-test"]))
    assert ended.status is T.FAILED
    assert "could not be run: exit code 127 before, 127 now" in ended.reason.text


async def test_a_test_that_is_new_succeeds(inside: Supervised) -> None:
    work = "printf '#!/bin/sh\\ntrue' > t.sh; chmod +x t.sh"
    ended = await through(inside, work, gate(regressions=["./t.sh"]))
    assert ended.status is T.COMPLETED, ended.reason.text


async def test_a_number_is_held_against_the_evidence_of_an_earlier_plan(inside: Supervised) -> None:
    regression = {"command": "cat coverage", "better": "higher", "baseline": "coverage"}
    first = sh("a", "echo 80.5 > coverage", evidence=["coverage"])
    ended = await started(inside, first, gate(regressions=regression), plan="plan-1")
    await ended.reaches(P.FAILED)
    assert "No earlier plan has kept coverage" in (await ended.task("ok")).reason.text
    for name, coverage, status in (("plan-2", "79", T.FAILED), ("plan-3", "81", T.COMPLETED)):
        assert (
            await through(inside, f"echo {coverage} > coverage", gate(regressions=regression), name)
        ).status is status


async def test_evidence_is_a_file_or_what_the_plan_has_kept(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo x > x.txt", artifacts=[{"name": "proof", "path": "x.txt"}]),
        gate(evidence_required=["proof", "x.txt"]),
        {"id": "no", "kind": "gate", "needs": ["a"], "evidence_required": ["absent"], "next": {"failure": "recover"}},
        sh("recover", "echo recovered > r.txt"),
    )
    await plan.reaches(P.COMPLETED)
    assert proofs(await plan.task("ok")) == [("evidence proof", True), ("evidence x.txt", True)]
    assert "There is no evidence absent" in (await plan.task("no")).reason.text
    assert await plan.file("r.txt") == "recovered\n"


async def test_what_an_earlier_plan_of_the_same_id_kept_is_no_evidence(inside: Supervised) -> None:
    committed(inside, **{".gitignore": "x.txt"})
    kept = sh("a", "echo x > x.txt", artifacts=[{"name": "proof", "path": "x.txt"}])
    await (await started(inside, kept)).reaches(P.COMPLETED)
    await inside.engine.ending.archive("plan-x", "person:test")
    await inside.engine.planning.delete("plan-x", "person:test")
    assert (await through(inside, "true", gate(evidence_required=["proof"]))).status is T.FAILED


async def test_a_diff_is_reviewed_whole_by_a_person(inside: Supervised) -> None:
    committed(inside, old="before\n")
    plan = await started(inside, sh("a", "echo after > old; echo new > new"), gate(diff_review=True))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    diff = (await plan.asks()).preview["diff"]
    assert "-before\n+after" in diff
    assert "+new" in diff
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_of_a_diff_that_is_too_large_it_is_said_how_to_see_it(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "seq 100000 > numbers"), gate(diff_review=True))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    diff = (await plan.asks()).preview["diff"]
    assert len(diff) < 201_000
    command = diff.rpartition("all of it: ")[2].removeprefix("git ").split()
    assert "+99999" in git(inside.repository, *command)


async def test_a_rejected_gate_goes_on_to_its_recovery(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "true"),
        gate(approval=True, next={"failure": "recover"}),
        sh("c", "true", "ok"),
        sh("recover", "true"),
    )
    await plan.task_is("ok", T.WAITING_APPROVAL)
    await plan.decide(approve=False, rationale="Not like this")
    await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"a": "completed", "ok": "failed", "c": "skipped", "recover": "completed"}
    assert (await plan.task("ok")).reason.text == "person:test did not approve it: Not like this"


async def test_checks_that_look_back_go_on_after_a_restart(home: Home, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with home.supervised() as inside:
        committed(inside, size="12")
        wait = f"until test -e {go}; do sleep 0.02; done; grep -q 12 size"
        plan = await started(inside, sh("a", "true"), gate(invariants=[wait], regressions=["test -e size"]))
        await plan.task_is("ok", T.RUNNING)
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert all(holds for _, holds in proofs(await plan.task("ok")))
        assert worktrees(inside) == 2
