"""Which tasks need not run again, and what of their document matters to what they give."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.engine.plans.program import RECALL, Program, program
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.reusing import changes, definition, hindrance, whole_hash
from supervisor.store.rows import to_json

TASK = {"id": "a", "command": "make", "reads": ["src"], "idempotent": True}


def made(*tasks: dict[str, Any], **more: Any) -> Program:
    document = {"id": "plan-x", "tasks": list(tasks), **more}
    return program(read(to_json(document).encode(), "plan.json").checked(), cores=4)


def said(**more: Any) -> str:
    return definition(made({**TASK, **more}).jobs["a"])


def test_it_looks_first_and_remembers_last() -> None:
    job = made({**TASK, "artifacts": ["x"], "success_criteria": ["test -f x"], "workspace": "own"}).jobs["a"]
    assert [step.what for step in job.steps] == ["recall", "command", "command", "keep", "merge", "remember"]
    assert job.steps[0].text == RECALL


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({**TASK, "reads": []}, "it does not say what it `reads`"),
        ({**TASK, "reads": [], "workspace": "none"}, ""),
        ({**TASK, "success_criteria": ["The page is pleasant to read"]}, "a person judges it"),
        ({**TASK, "preconditions": ["The customer has agreed to it"]}, "a person judges it"),
        ({**TASK, "success_criteria": ["test -f x", "exists('x')"]}, ""),
        ({"id": "a", "http": {"url": "http://x.test/"}, "idempotent": True}, "it asks what is outside of the plan"),
        ({"id": "a", "db": {"url": "sqlite:x.db", "sql": ["SELECT 1"]}, "idempotent": True},
         "a database is outside of the plan"),
        ({"id": "a", "git": "tag v1", "idempotent": True, "reads": ["src"]},
         "the state of a repository is not among what it reads"),
        ({"id": "a", "kind": "gate", "checks": ["true"], "idempotent": True, "reads": ["src"]}, "a gate asks anew"),
        ({"id": "a", "subplan": ["Do it"], "idempotent": True}, "its tasks say so themselves"),
        ({"id": "a", "agent": "claude", "prompt": "Do it", "idempotent": True, "reads": ["src"]}, ""),
    ],
)  # fmt: skip
def test_what_runs_each_time_says_why(task: dict[str, Any], why: str) -> None:
    job = made(task).jobs["a"]
    assert hindrance(job.task) == why
    assert ("recall" in {step.what for step in job.steps}) is (why == "")


def test_what_does_not_say_that_it_is_idempotent_looks_at_nothing() -> None:
    assert [step.what for step in made({**TASK, "idempotent": False}).jobs["a"].steps] == ["command"]


@pytest.mark.parametrize(
    "more",
    [
        {"title": "T"}, {"description": "D"}, {"priority": "high"}, {"owner": "ada"}, {"labels": ["x"]}, {"retry": 3},
        {"timeout": 9}, {"budget": {"time": 9}}, {"rollback": ["rm x"]}, {"risks": ["r"]}, {"resources": ["db"]},
        {"metadata": {"x": 1}},
    ],
)  # fmt: skip
def test_what_does_not_matter_to_what_it_gives(more: dict[str, Any]) -> None:
    assert said(**more) == said()


@pytest.mark.parametrize(
    "more",
    [
        {"command": "make all"}, {"id": "a", "workspace": "own"}, {"outputs": {"n": "n"}}, {"artifacts": ["n"]},
        {"reads": ["src", "lib"]}, {"writes": ["n"]}, {"success_criteria": ["true"]}, {"evidence": ["n"]},
        {"preconditions": ["true"]}, {"kind": "deploy"}, {"timebox": 9},
    ],
)  # fmt: skip
def test_what_matters_to_what_it_gives(more: dict[str, Any]) -> None:
    assert said(**more) != said()


def test_an_agents_title_matters_where_it_is_what_the_agent_is_told() -> None:
    agent = {"id": "a", "agent": "claude", "reads": ["src"], "idempotent": True}
    first, second = (definition(made({**agent, "title": title}).jobs["a"]) for title in ("Do it", "Do it well"))
    assert first != second
    told = [definition(made({**agent, "prompt": "Go", "title": title}).jobs["a"]) for title in ("Do it", "Or not")]
    assert told[0] == told[1]


def test_what_changed_is_named_but_not_all_of_it() -> None:
    assert changes({"a": "1"}, {"a": "1"}) == ""
    assert changes({"a": "1", "gone": "1"}, {"a": "2", "new": "1"}) == "Changed since it ran: a, new, gone."
    assert changes({}, dict.fromkeys("abcde", "1")) == "Changed since it ran: a, b, c and 2 more."
    assert whole_hash({"a": "1", "b": "2"}) == whole_hash({"b": "2", "a": "1"}) != whole_hash({"a": "1"})
