"""Tasks that are repeated: one task for each item, within the one that stands for them."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.engine.plans.flattening import flat, holders
from supervisor.engine.plans.program import program, with_examples
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.repeating import items_in, known_items
from supervisor.model.plan.plan import Plan
from supervisor.store.rows import to_json
from tests.unit.test_plans_turn import Running, shell


def planned(*tasks: dict[str, Any]) -> Plan:
    return read(to_json({"id": "plan-x", "tasks": list(tasks)}).encode(), "plan.json").checked()


def found(plan: Running, task: str, *items: str, left_out: int = 0) -> None:
    """It is known what a task is repeated for."""
    start, turn = plan.under_way[task], plan.turn()
    assert start.step.what == "repeat"
    turn.repeat(task, start.attempt, start.number, items, left_out)
    plan.take(turn)
    plan.program = turn.program


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["a", "b c"]', ["a", "b c"]),
        ('[1, {"x": 2}, " ", "y"]', ["1", '{"x": 2}', "y"]),
        ("a\n\n  b \r\n", ["a", "b"]),
        ('{"x": 1}\n{"x": 2}\n', ['{"x": 1}', '{"x": 2}']),
        ("7", ["7"]),
        ("", []),
    ],
)
def test_items_are_a_list_or_lines(text: str, items: list[str]) -> None:
    assert items_in(text) == items


@pytest.mark.parametrize("text", ["x" * 4_001, '["a\\u0000b"]'])
def test_what_is_no_item(text: str) -> None:
    with pytest.raises(ValueError, match="an item"):
        items_in(text)


def test_items_of_the_document_are_tasks_from_the_start() -> None:
    dive = {"id": "dive-*", "agent": "claude", "prompt": "Look into {item}.", "title": "Dive into {item}",
            "fan_out": {"items": ["a b", "c", "left out"], "limit": 2}, "retry": 2}  # fmt: skip
    tasks = {task.id: task for task in flat(planned(shell("a"), {**dive, "needs": ["a"]}, shell("z", "dive-*")))}
    assert list(tasks) == ["a", "dive-*", "dive-1", "dive-2", "z"]
    part = tasks["dive-1"]
    assert (part.prompt, part.title, part.environment) == ("Look into a b.", "Dive into a b", {"ITEM": "a b"})
    assert (part.needs, part.fan_out) == ((), None)
    jobs = program(planned({**dive}), 1).jobs
    assert [step.what for step in jobs["dive-*"].steps] == ["parts"]
    assert [step.what for step in jobs["dive-2"].steps] == ["session", "merge"]
    assert (jobs["dive-*"].task.retry, jobs["dive-2"].task.retry is None) == (None, False)


def test_a_prompt_that_does_not_name_the_item_is_told_it() -> None:
    (_, part) = flat(planned({"id": "x-*", "agent": "claude", "prompt": "Do it", "fan_out": {"items": ["a"]}}))
    assert part.prompt == "Do it\n\nThis is about: a"


def test_an_item_never_becomes_part_of_a_command() -> None:
    (_, part) = flat(planned({"id": "x-*", "command": "echo {item}", "fan_out": {"items": ["; rm -rf x"]}}))
    assert (part.command, part.environment["ITEM"]) == ("echo {item}", "; rm -rf x")


def test_what_needs_it_needs_all_of_them() -> None:
    plan = Running(shell("a"), shell("dive-*", "a"), shell("z", "dive-*")).go()
    plan.end("a")
    assert plan.statuses == {"a": "completed", "dive-*": "running", "z": "pending"}
    found(plan, "dive-*", "one", "two", left_out=3)
    assert plan.statuses == {
        "a": "completed", "dive-*": "running", "z": "pending", "dive-1": "running", "dive-2": "running",
    }  # fmt: skip
    assert plan.tasks["dive-*"].result == {"items": [["dive-1", "one"], ["dive-2", "two"]], "left_out": 3}
    assert plan.program.jobs["dive-2"].task.environment["ITEM"] == "two"
    plan.end("dive-1")
    assert plan.statuses["z"] == "pending"
    plan.end("dive-2")
    plan.end("z")
    assert plan.status == "completed"


def test_nothing_to_repeat_it_for_is_no_failure() -> None:
    plan = Running(shell("a"), shell("dive-*", "a"), shell("z", "dive-*")).go()
    plan.end("a")
    found(plan, "dive-*")
    assert plan.statuses == {"a": "completed", "dive-*": "completed", "z": "running"}


def test_one_that_fails_is_tried_again_alone_and_for_what_it_was() -> None:
    plan = Running(shell("a"), shell("dive-*", "a", retry=2), shell("z", "dive-*")).go()
    plan.end("a")
    found(plan, "dive-*", "one", "two")
    plan.end("dive-1")
    plan.end("dive-2", ok=False)
    assert plan.tasks["dive-2"].attempts == 2, "each part has the retries"
    plan.end("dive-2", ok=False)
    assert (plan.statuses["dive-*"], plan.tasks["dive-*"].attempts, plan.status) == ("failed", 1, "failed")
    turn = plan.turn()
    turn.run_again("dive-*", "ada")
    plan.take(turn)
    assert plan.statuses == {
        "a": "completed", "dive-*": "running", "dive-1": "completed", "dive-2": "running", "z": "pending",
    }  # fmt: skip
    plan.end("dive-2")
    plan.end("z")
    assert plan.status == "completed"


def test_it_is_the_same_when_it_is_read_anew() -> None:
    inner = {"id": "dive-*", "needs": ["a"], "subplan": {"tasks": [shell("x"), shell("y-*", "x")]}}
    plan = Running(shell("a"), inner).go()
    plan.end("a")
    found(plan, "dive-*", "one")
    plan.end("dive-1/x")
    found(plan, "dive-1/y-*", "deep", "deeper")
    again = program(planned(shell("a"), inner), 4, known_items(plan.tasks.values()))
    assert set(again.jobs) == set(plan.program.jobs)
    for name, job in again.jobs.items():
        made = plan.program.jobs[name]
        assert (job.task, job.steps, again.progress.node(name)) == (
            made.task,
            made.steps,
            plan.program.progress.node(name),
        )
    assert holders(list(plan.tasks.values())) == {
        "a": None, "dive-*": None, "dive-1": "dive-*", "dive-1/x": "dive-1", "dive-1/y-*": "dive-1",
        "dive-1/y-1": "dive-1/y-*", "dive-1/y-2": "dive-1/y-*",
    }  # fmt: skip
    plan.end("dive-1/y-1")
    plan.end("dive-1/y-2")
    assert plan.status == "completed"


def test_a_repetition_that_comes_late_means_nothing() -> None:
    plan = Running(shell("a"), shell("dive-*", "a")).go()
    plan.end("a")
    start = plan.under_way["dive-*"]
    found(plan, "dive-*", "one")
    turn = plan.turn()
    turn.repeat("dive-*", start.attempt, start.number, ["other"])
    assert not turn.changed


def test_an_example_stands_for_what_is_not_known() -> None:
    made = with_examples(program(planned(shell("a"), shell("dive-*", "a", title="Dive into {item}")), 1))
    assert made.jobs["dive-1"].task.title == "Dive into {item}"
    assert [step.text for step in made.jobs["dive-1"].steps] == ["./dive-*"]
