"""Tasks that are not run again: what they gave before is taken when nothing that they depend on has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.plans import PlanStatus, Task, TaskStatus
from supervisor.store import artifacts, attempts, sessions
from supervisor.store.rows import to_json
from tests.support.git import git
from tests.support.planruns import Document, RunningPlan, created, scripted, sh, start, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus

WORDS = {"reads": ["words.txt"], "idempotent": True}


def counting(task: str, command: str, *needs: str, **more: Any) -> Document:
    """A task whose command says outside of the plan that it ran."""
    return sh(task, f"echo {task} >> $HOME/ran; {command}", *needs, **more)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        (inside.repository / "words.txt").write_text("lamp\n")
        git(inside.repository, "add", "-A")
        git(inside.repository, "commit", "-qm", "words")
        yield inside


def ran(inside: Supervised) -> list[str]:
    """The tasks that ran, in order."""
    found = inside.paths.state / "ran"
    return found.read_text().split() if found.exists() else []


async def again(plan: RunningPlan, task: str, *, force: bool = False) -> Task:
    """Have a task done once more, and wait for the end of the plan."""
    await plan.inside.engine.plan_runs.run_task(plan.id, task, PERSON, force=force)
    await plan.reaches(P.COMPLETED, P.FAILED, P.BLOCKED)
    return await plan.task(task)


async def worktree(plan: RunningPlan) -> Path:
    return Path(str((await plan.plan()).worktree))


async def done(inside: Supervised, *tasks: Document, plan: str = "plan-x", **more: Any) -> RunningPlan:
    """A plan that has run."""
    running = await started(inside, *tasks, plan=plan, **more)
    await running.reaches(P.COMPLETED)
    return running


async def test_what_has_not_changed_is_not_run_again(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "wc -l < words.txt > n", outputs={"n": "n"}, **WORDS))
    first = await plan.task("a")
    assert first.result["why_run"] == "It has not run before in this project."
    assert first.input_hash is not None
    after = await again(plan, "a")
    assert ran(inside) == ["a"]
    assert (after.status, after.reason.signal) == (T.COMPLETED, "unchanged")
    assert after.reason.text == "Unchanged inputs: it was not run, what it gave in plan-x was taken."
    assert (after.attempts, after.result["exit_code"], after.input_hash) == (1, 0, first.input_hash)
    assert len(await inside.engine.store.read(attempts.of_task, "plan-x", "a")) == 1
    assert (await again(plan, "a")).reason.signal == "unchanged", "what was taken is taken again"


async def test_a_changed_file_is_named_and_runs_it(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "wc -l < words.txt > n", outputs={"n": "n"}, **WORDS))
    (await worktree(plan) / "words.txt").write_text("lamp\nmoon\n")
    after = await again(plan, "a")
    assert ran(inside) == ["a", "a"]
    assert after.result["why_run"] == "Changed since it ran: words.txt."
    assert await plan.file("n") == "2\n"
    (await worktree(plan) / "words.txt").write_text("lamp\n")
    assert (await again(plan, "a")).result["why_run"] == "Changed since it ran: words.txt."
    assert ran(inside) == ["a"] * 3, "only what ran last counts: more than files may have been changed since"


async def test_what_makes_a_file_new_in_a_folder_that_is_read_runs_it(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "true", reads=["src/**", "words.txt"], idempotent=True), sh("s", "true"))
    assert "src/**, and there is none" in (await plan.task("a")).result["why_run"]
    folder = await worktree(plan) / "src" / "deep"
    folder.mkdir(parents=True)
    (folder / "x.py").write_text("x")
    await again(plan, "a")
    assert (await again(plan, "a")).reason.signal == "unchanged"
    (folder / "y.py").write_text("y")
    assert (await again(plan, "a")).result["why_run"] == "Changed since it ran: src/deep/y.py."
    (folder / "x.py").chmod(0o755)
    assert (await again(plan, "a")).result["why_run"] == "Changed since it ran: src/deep/x.py."


@pytest.mark.parametrize(
    "more",
    [
        {"reads": ["words.txt"]},
        {"idempotent": True},
        {"idempotent": True, "reads": ["words.txt"], "success_criteria": ["The report is good enough to send"]},
    ],
)
async def test_what_does_not_say_so_runs(inside: Supervised, more: dict[str, Any]) -> None:
    plan = await started(inside, counting("a", "true", **more))
    for _ in range(2):
        if "success_criteria" in more:
            await plan.task_is("a", T.WAITING_APPROVAL)
            await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)
        if len(ran(inside)) < 2:
            await inside.engine.plan_runs.run_task(plan.id, "a", PERSON)
    assert ran(inside) == ["a", "a"]


async def test_a_person_has_it_run_anyway_and_a_failure_is_not_passed_over(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "test ! -e $HOME/broken", **WORDS))
    after = await again(plan, "a", force=True)
    assert after.result["why_run"] == "person:test has it run whether anything has changed or not."
    assert ran(inside) == ["a", "a"]
    assert (await again(plan, "a")).reason.signal == "unchanged"
    (inside.paths.state / "broken").touch()
    assert (await again(plan, "a", force=True)).status is T.FAILED
    (inside.paths.state / "broken").unlink()
    after = await again(plan, "a")
    assert (after.status, len(ran(inside))) == (T.COMPLETED, 4), "what was taken before the failure is void"
    assert (await again(plan, "a")).reason.signal == "unchanged"


async def test_what_it_made_and_is_gone_or_changed_is_made_again(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "mkdir -p out; echo 1 > out/n; echo r > r", writes=["out"], **WORDS,
                                       outputs={"r": "r"}))  # fmt: skip
    (await worktree(plan) / "r").unlink()
    assert (await again(plan, "a")).result["why_run"] == "r, which it made, is not there any more."
    (await worktree(plan) / "out" / "n").write_text("2")
    assert (await again(plan, "a")).result["why_run"] == "out is not what it made any more."
    assert await plan.file("out/n") == "1\n"
    assert ran(inside) == ["a"] * 3


async def test_what_is_kept_is_put_back(inside: Supervised) -> None:
    command = "echo 1 > n; chmod +x n; mkdir -p site; echo hi > site/index; ln -s index site/link"
    made = [{"name": "n"}, {"name": "site", "path": "site"}]
    plan = await done(inside, counting("a", f"rm -rf site; {command}", artifacts=made, evidence=["n"], **WORDS))
    folder = await worktree(plan)
    git(folder, "rm", "-rqf", "n", "site")
    after = await again(plan, "a")
    assert (after.reason.signal, ran(inside)) == ("unchanged", ["a"])
    assert sorted(after.result["reused"]["restored"]) == ["n", "site"]
    assert ((folder / "n").read_text(), (folder / "n").stat().st_mode & 0o777) == ("1\n", 0o755)
    assert (folder / "site" / "link").readlink() == Path("index")
    (folder / "site" / "index").write_text("it can be changed")
    assert (await again(plan, "a")).result["why_run"] == "site is not what it made any more."
    kept = await inside.engine.store.read(lambda conn: artifacts.find(conn, plan="plan-x", name="n", kind="artifact"))
    assert max(each.version for each in kept) <= 2


async def test_the_next_run_of_the_document_takes_it(inside: Supervised) -> None:
    tasks = (
        counting("a", "wc -l < words.txt > n", artifacts=[{"name": "n"}], **WORDS),
        counting("b", "cp n m", "a", reads=["n"], outputs={"m": "m"}, idempotent=True),
        counting("c", "cat n", "a", reads=["n"], idempotent=True),
    )
    first = await done(inside, *tasks, plan="nightly-1")
    second = await done(inside, *tasks, plan="nightly-2")
    assert sorted(ran(inside)) == ["a", "b", "b", "c"], "the output of b was not kept"
    a, c = await second.task("a"), await second.task("c")
    assert (a.reason.text, a.attempts) == (
        "Unchanged inputs: it was not run, what it gave in nightly-1 was taken.", 0
    )  # fmt: skip
    assert c.reason.signal == "unchanged"
    assert await second.file("n") == "1\n"
    assert await second.git("status", "--porcelain") == "", "what was put back is committed"
    (kept,) = await inside.engine.store.read(lambda conn: artifacts.find(conn, plan="nightly-2", kind="artifact"))
    assert (kept.name, kept.task) == ("n", "a")
    (inside.repository / "words.txt").write_text("lamp\nmoon\n")
    git(inside.repository, "commit", "-qam", "moon")
    third = await done(inside, *tasks, plan="nightly-3")
    assert (await third.task("c")).result["why_run"].startswith("Changed since it ran: ")
    assert (await again(first, "a")).result["why_run"] == "It ran in nightly-3 since."


async def test_what_a_needed_task_made_counts_and_of_one_that_says_nothing_that_it_ran(inside: Supervised) -> None:
    plan = await done(
        inside,
        counting("said", "date +%N > $HOME/other; echo 1 > n", writes=["n"]),
        counting("silent", "true"),
        counting("b", "true", "said", **WORDS),
        counting("c", "true", "silent", **WORDS),
    )
    await again(plan, "said")
    await again(plan, "silent")
    assert (await again(plan, "b")).reason.signal == "unchanged"
    assert (await again(plan, "c")).result["why_run"] == "Changed since it ran: silent, which comes before."


async def test_a_revision_that_changes_what_it_is_runs_it_and_one_of_its_title_does_not(inside: Supervised) -> None:
    task = counting("a", "true", inputs={"level": 1}, **WORDS)
    plan = await done(inside, task)

    async def revise(**changed: Any) -> Task:
        document = {"id": plan.id, "advance": "auto", "tasks": [{**task, **changed}]}
        await inside.engine.planning.revise(plan.id, to_json(document).encode(), "plan.json", "Better", PERSON)
        inside.engine.plan_runs.revised(plan.id)
        await plan.when(lambda shown: shown.tasks[0].status is T.COMPLETED, "completed anew")
        await plan.reaches(P.COMPLETED)
        return await plan.task("a")

    after = await revise(title="Count them", retry=3, timeout=50)
    assert (after.reason.signal, after.revision, ran(inside)) == ("unchanged", 2, ["a"])
    after = await revise(inputs={"level": 2})
    assert after.result["why_run"] == "Changed since it ran: its inputs."
    after = await revise(command=f"{task['command']} && true", inputs={"level": 2})
    assert after.result["why_run"] == "Changed since it ran: what it is."


async def test_an_input_that_names_a_file_is_what_is_in_it(inside: Supervised) -> None:
    task = counting(
        "a", 'cat "$list" > n', inputs={"list": "words.txt"}, workspace="plan", reads=["."], idempotent=True
    )
    plan = await done(inside, {**task, "reads": ["words.txt"]})
    (await worktree(plan) / "words.txt").write_text("sun\n")
    assert (await again(plan, "a")).result["why_run"] == "Changed since it ran: words.txt."


async def test_what_changes_what_it_reads_is_taken_once_it_is_settled(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "sort -u -o words.txt words.txt", writes=["words.txt"], **WORDS))
    assert (await again(plan, "a")).reason.signal == "unchanged"
    (await worktree(plan) / "words.txt").write_text("sun\nmoon\n")
    after = await again(plan, "a")
    assert after.result["not_remembered"] == "Changed while it ran: words.txt."
    assert after.input_hash is None
    after = await again(plan, "a")
    assert after.result["why_run"] == "What it gave was not remembered: Changed while it ran: words.txt."
    assert (await again(plan, "a")).reason.signal == "unchanged"


async def test_in_a_scratch_folder_it_is_what_the_document_says(inside: Supervised) -> None:
    task = counting("a", "echo $level > n", inputs={"level": 1}, outputs={"n": "n"}, workspace="none", idempotent=True)
    plan = await done(inside, task, sh("b", "true", "a", success_criteria=["tasks.a.attempts == 1"]))
    assert (await again(plan, "a")).reason.signal == "unchanged"
    assert ran(inside) == ["a"]


@pytest.mark.parametrize(
    ("reads", "why"),
    [
        ("../..", "../.. leads out of its folder"),
        ("/etc/passwd", "/etc/passwd is outside of its folder"),
        ("away/x", "away/x leads out of its folder"),
        ("links/**", "there leads out of its folder"),
        ("pipe", "pipe is no file"),
    ],
)
async def test_what_cannot_be_looked_at_runs_it(inside: Supervised, tmp_path: Path, reads: str, why: str) -> None:
    prepare = sh(
        "p", f"ln -s {tmp_path} away; mkdir links; ln -s {tmp_path} links/there; touch {tmp_path}/x; "
        "mkfifo pipe", writes=["unrelated"],
    )  # fmt: skip
    plan = await created(inside, prepare, counting("a", "rm -f pipe", "p", reads=[reads], idempotent=True))
    await start(plan)
    await plan.reaches(P.COMPLETED)
    assert (await plan.task("a")).result["why_run"] == f"What it depends on is not known: {why}."


async def test_nothing_is_taken_in_a_worktree_with_another_branch(inside: Supervised) -> None:
    plan = await done(inside, counting("a", "true", **WORDS))
    git(await worktree(plan), "switch", "-qc", "other")
    after = await again(plan, "a")
    assert after.status is T.FAILED
    assert "another branch checked out" in after.result["why_run"]


async def test_an_artifact_that_it_is_given_is_what_is_in_it(inside: Supervised) -> None:
    plan = await done(
        inside,
        counting("a", "date +%N > n", artifacts=[{"name": "n"}]),
        counting("b", "true", "a", inputs={"n": "artifacts.n", "text": "x" * 3_000}, **WORDS),
        counting("c", "true", "a", artifacts=[{"name": "n", "from": "a"}], **WORDS),
    )
    assert (await again(plan, "b")).reason.signal == "unchanged"
    await again(plan, "a")
    for task in ("b", "c"):
        after = await again(plan, task)
        assert after.result["why_run"] == "Changed since it ran: the artifact n, a, which comes before."
        assert (await again(plan, task)).reason.signal == "unchanged"


async def test_of_many_the_ones_that_have_changed_run(inside: Supervised) -> None:
    part = counting("each-*", "echo $ITEM > $ITEM.n", reads=["words.txt"], idempotent=True)
    plan = await done(inside, {**part, "fan_out": {"items": ["one", "two"]}}, sh("end", "true", "each-*"))
    assert ran(inside) == ["each-*", "each-*"]
    await again(plan, "each-*")
    assert [(await plan.task(f"each-{number}")).reason.signal for number in (1, 2)] == ["unchanged"] * 2
    await again(plan, "each-2", force=True)
    assert len(ran(inside)) == 3
    await again(plan, "each-*", force=True)
    assert len(ran(inside)) == 5
    assert (await plan.task("each-1")).result["why_run"].startswith("person:test has it run")


async def test_what_runs_elsewhere_is_not_waited_for(inside: Supervised) -> None:
    task = counting("a", "test -e $HOME/go || { touch $HOME/sleeps; sleep 60; }", **WORDS)
    await started(inside, task, plan="nightly-1")
    await until((inside.paths.state / "sleeps").exists)
    (inside.paths.state / "go").touch()
    second = await done(inside, task, plan="nightly-2")
    assert (await second.task("a")).result["why_run"] == "It has not ended in nightly-1."
    await inside.engine.plan_runs.cancel("nightly-1", PERSON)


async def test_a_supervisor_that_dies_between_does_not_lose_or_double_anything(home: Home) -> None:
    async with home.supervised() as inside:
        (inside.repository / "words.txt").write_text("lamp\n")
        git(inside.repository, "add", "-A")
        git(inside.repository, "commit", "-qm", "words")
        many = [counting(f"t{number}", f"echo {number} > out{number}", writes=[f"out{number}"], **WORDS)
                for number in range(12)]  # fmt: skip
        await started(inside, *many)
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        await plan.reaches(P.COMPLETED)
        assert sorted(ran(inside)) == sorted(f"t{number}" for number in range(12))
        for number in range(12):
            await inside.engine.plan_runs.run_task(plan.id, f"t{number}", PERSON)
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        shown = await plan.reaches(P.COMPLETED)
        assert {task.reason.signal for task in shown.tasks} == {"unchanged"}
        assert len(ran(inside)) == 12


async def test_a_restart_takes_what_was_remembered(home: Home) -> None:
    async with home.supervised() as inside:
        (inside.repository / "words.txt").write_text("lamp\n")
        git(inside.repository, "add", "-A")
        git(inside.repository, "commit", "-qm", "words")
        await done(inside, counting("a", "true", **WORDS))
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        assert (await again(plan, "a")).reason.signal == "unchanged"
        assert ran(inside) == ["a"]


async def test_what_an_agent_gave_is_taken_without_a_session(inside: Supervised) -> None:
    work = [{"write": {"path": "page.html", "content": "hello"}}]
    task = scripted("w", work, artifacts=[{"name": "page.html"}], **WORDS)
    plan = await done(inside, task)
    session = (await plan.task("w")).session
    after = await again(plan, "w")
    assert (after.reason.signal, after.session) == ("unchanged", session)
    other = await done(inside, task, plan="plan-y")
    assert (await other.task("w")).reason.signal == "unchanged"
    assert await other.file("page.html") == "hello"
    assert len(await inside.engine.store.read(sessions.find)) == 1
    after = await again(other, "w", force=True)
    assert (after.reason.text, after.attempts) == ("Everything succeeded.", 1)
    assert len(await inside.engine.store.read(sessions.find)) == 2
