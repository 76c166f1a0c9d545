"""Tasks that are repeated for what others put out, for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.engine.planruns.sources import Sources
from supervisor.model.errors import Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from tests.support.planruns import created, scripted, sh, start, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus
APPEND = 'echo "$ITEM" > "done-$QUARTERDECK_TASK"'


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def test_for_each_line_that_a_command_put_out(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("list", "echo complaint >&2; printf 'one\\n\\ntwo words\\n'"),
        sh("dive-*", APPEND, "list", success_criteria='test -s "done-$QUARTERDECK_TASK"'),
        sh("join", "cat done-dive-1 done-dive-2 > all.txt", "dive-*"),
    )
    await plan.reaches(P.COMPLETED)
    assert await plan.file("all.txt") == "one\ntwo words\n"
    shown = (await inside.client.get("/plans/plan-x"))["plan"]["tasks"]
    assert {task["id"]: task["within"] for task in shown} == {
        "list": None, "dive-*": None, "join": None, "dive-1": "dive-*", "dive-2": "dive-*",
    }  # fmt: skip
    task = (await inside.client.get("/plans/plan-x/tasks/dive-2"))["task"]
    assert (task["title"], task["document"]["environment"]) == ("dive: two words", {"ITEM": "two words"})


async def test_for_each_item_of_a_file_of_an_artifact_and_of_the_parts_of_another(inside: Supervised) -> None:
    write = [{"write": {"path": "topics.json", "content": '["x", "y", "z"]'}}]
    plan = await started(
        inside,
        scripted("think", write, outputs={"topics": "topics.json"}),
        sh("file-*", APPEND, "think", fan_out={"limit": 2}),
        sh("kept-*", APPEND, "think", fan_out={"over": "topics"}),
        sh("each-*", 'echo "$ITEM" >> each.txt', "file-*", fan_out={"over": "file-*"}, resources="one"),
        sh("say-*", "echo $ITEM", fan_out={"items": ["s", "t"]}),
        sh("said-*", 'echo "$ITEM" >> said.txt', "say-*", resources="two"),
    )
    shown = await plan.reaches(P.COMPLETED, P.FAILED)
    by_id = {task.id: task for task in shown.tasks}
    assert by_id["file-*"].result == {"items": [["file-1", "x"], ["file-2", "y"]], "left_out": 1}
    assert [part for part, _ in by_id["kept-*"].result["items"]] == ["kept-1", "kept-2", "kept-3"]
    assert sorted((await plan.file("said.txt")).split()) == ["s", "t"]
    assert by_id["each-*"].status is T.COMPLETED, "the parts of file-* put nothing out: there is nothing to do"
    assert by_id["each-*"].result == {"items": []}


async def test_what_cannot_be_found_out_fails_with_a_reason(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "true", outputs={"list": "list.txt"}),
        sh("x-*", "true", "a"),
        {"id": "ok", "kind": "gate", "checks": ["true"]},
        sh("y-*", "true", "ok"),
    )
    shown = await plan.reaches(P.FAILED)
    why = {task.id: task.reason.text for task in shown.tasks if task.status is T.FAILED}
    assert why["x-*"] == "The output of a, list.txt, cannot be read: No such file or directory."
    assert why["y-*"].startswith("Nothing that y-* needs puts out what it could be repeated for")


async def test_a_supervisor_that_comes_back_repeats_nothing_twice(home: Home, tmp_path: Path) -> None:
    go, count = tmp_path / "go", tmp_path / "count"
    async with home.supervised() as inside:
        plan = await started(
            inside,
            sh("list", "printf 'one\\ntwo\\nthree\\n'"),
            sh("dive-*", f"echo $ITEM >> {count}; until test -e {go}; do sleep 0.02; done", "list", resources="one"),
            sh("join", "echo joined > joined.txt", "dive-*"),
        )
        await until(count.exists, what="the first runs")
    async with home.supervised() as inside:
        plan.inside = inside
        assert set(await plan.statuses()) == {"list", "dive-*", "dive-1", "dive-2", "dive-3", "join"}
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert await plan.file("joined.txt") == "joined\n"
    assert sorted(count.read_text().split()) == ["one", "three", "two"], "nothing ran twice"


async def test_a_supervisor_that_goes_away_before_the_items_are_stored_finds_them_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(self: Sources, task: str) -> tuple[list[str], int]:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError(task)

    with monkeypatch.context() as patched:
        patched.setattr(Sources, "items", never)
        async with home.supervised() as inside:
            plan = await started(inside, sh("list", "echo one"), sh("dive-*", APPEND, "list"))
            await asyncio.wait_for(asked.wait(), 20)
            assert set(await plan.statuses()) == {"list", "dive-*"}
    async with home.supervised() as inside:
        plan.inside = inside
        await plan.reaches(P.COMPLETED)
        assert await plan.statuses() == {"list": "completed", "dive-*": "completed", "dive-1": "completed"}


async def test_a_revision_keeps_what_it_does_not_change(inside: Supervised, tmp_path: Path) -> None:
    go, count = tmp_path / "go", tmp_path / "count"
    tasks = [sh("list", "printf 'one\\ntwo\\n'"), sh("dive-*", f"echo $ITEM >> {count}", "list")]
    plan = await started(inside, *tasks, sh("wait", f"until test -e {go}; do sleep 0.02; done", "dive-*"))
    await plan.task_is("wait", T.RUNNING)
    document = (await inside.client.get("/plans/plan-x/document"))["document"]
    added = document + "- {id: more, command: 'true', needs: [dive-*]}\n"
    await inside.engine.planning.revise(plan.id, added.encode(), "plan.yaml", "More", PERSON)
    inside.engine.plan_runs.revised(plan.id)
    go.touch()
    await plan.reaches(P.COMPLETED)
    assert sorted(count.read_text().split()) == ["one", "two"], "what was done is kept"
    changed = added.replace("echo $ITEM", "echo new $ITEM")
    await inside.engine.planning.revise(plan.id, changed.encode(), "plan.yaml", "Anew", PERSON)
    assert set(await plan.statuses()) == {"list", "dive-*", "wait", "more"}, "it is found out anew"


async def test_policy_judges_what_would_be_repeated(inside: Supervised) -> None:
    plan = await created(inside, sh("a", "echo x"), sh("dive-*", "rm -rf /", "a"))
    with pytest.raises(Refused, match="dive-1: policy does not allow this"):
        await start(plan)
    tasks = (await inside.client.get("/plans/plan-x/rehearsal"))["tasks"]
    assert [(task["task"], task["steps"]) for task in tasks][1:] == [
        ("dive-*", ["repeat it for what a put out", "one task for each item"]),
        ("dive-1", ["run: rm -rf /"]),
    ]
