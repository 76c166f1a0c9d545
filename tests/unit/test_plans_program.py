"""What is done for a plan: steps, order, and what it takes."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from supervisor.engine.plans.program import Program, argv_of, program
from supervisor.engine.plans.progress import Route
from supervisor.engine.plans.reading import read
from supervisor.model.plans import TaskStatus
from supervisor.store.rows import to_json


def made(*tasks: dict[str, Any], **more: Any) -> Program:
    document = {"id": "plan-x", "tasks": list(tasks), **more}
    return program(read(to_json(document).encode(), "plan.json").checked(), cores=4)


def test_commands_come_first_then_what_proves_them() -> None:
    job = made(
        {"id": "a", "commands": ["make", "make check"], "success_criteria": ["test -f out", "outputs.count > 3"],
         "evidence": ["report.md"]}
    ).jobs["a"]  # fmt: skip
    assert [(step.what, step.text, step.proves) for step in job.steps] == [
        ("command", "make", False),
        ("command", "make check", False),
        ("command", "test -f out", True),
        ("expression", "outputs.count > 3", True),
        ("command", "evidence report.md", True),
        ("keep", "keep report.md", False),
    ]
    assert job.steps[0].argv == ("sh", "-c", "make")


def test_a_criterion_in_prose_is_a_persons() -> None:
    job = made({"id": "a", "command": "make", "success_criteria": ["The report reads well to a newcomer"]}).jobs["a"]
    assert [(step.what, step.judged) for step in job.steps] == [
        ("command", ()),
        ("ask", ("The report reads well to a newcomer",)),
    ]


def test_a_precondition_in_prose_is_asked_about_before_anything_runs() -> None:
    job = made({"id": "a", "command": "make", "preconditions": ["The customer has agreed to it"]}).jobs["a"]
    assert [(step.what, step.before, step.judged) for step in job.steps] == [
        ("ask", True, ("The customer has agreed to it",)),
        ("command", False, ()),
    ]


def test_what_was_done_in_a_worktree_of_its_own_is_merged_last() -> None:
    work = {"id": "a", "agent": "claude", "prompt": "Do it", "success_criteria": ["test -f a"], "approval": False}
    assert [step.what for step in made(work).jobs["a"].steps] == ["session", "command", "merge"]


def test_a_gate_has_its_checks_and_its_approval() -> None:
    gate = {"id": "g", "kind": "gate", "checks": ["test -f a"], "approval": True, "evidence_required": ["log"]}
    job = made(gate).jobs["g"]
    assert [(step.what, step.argv) for step in job.steps] == [
        ("command", ("sh", "-c", "test -f a")),
        ("evidence", ("log",)),
        ("ask", ()),
    ]


def test_preconditions_come_before_anything() -> None:
    job = made({"id": "a", "command": "make", "preconditions": ["test -d src", "memory.free > 1GB"]}).jobs["a"]
    assert [(step.text, step.before) for step in job.steps] == [
        ("test -d src", True),
        ("memory.free > 1GB", True),
        ("make", False),
    ]


def test_order_and_routes_follow_from_the_document() -> None:
    found = made(
        {"id": "a", "command": "true", "next": {"failure": "fix"}},
        {"id": "fix", "command": "true"},
        {"id": "b", "command": "true", "needs": ["a"]},
    )
    statuses = dict.fromkeys(found.jobs, TaskStatus.PENDING)
    assert [move.task for move in found.progress.settle(statuses)] == ["a"]
    failed = {**statuses, "a": TaskStatus.FAILED}
    assert {move.task: move.to for move in found.progress.settle(failed, ["a"])} == {
        "fix": TaskStatus.READY,
        "b": TaskStatus.SKIPPED,
    }
    assert Route("a", "failure").on == "failure"


def test_pools_and_places() -> None:
    found = made(
        {"id": "a", "command": "true", "resources": {"gpu": 2}, "priority": "high", "writes": ["src"]},
        {"id": "b", "agent": "claude", "prompt": "Write it"},
        pools={"gpu": 3},
        parallel=5,
    )
    assert found.capacity["commands"] == 5
    assert found.capacity["gpu"] == 3
    assert (found.jobs["a"].demand.pool, found.jobs["b"].demand.pool) == ("commands", "agents")
    assert found.jobs["a"].demand.takes() == {"gpu": 2, "commands": 1}
    assert made({"id": "a", "command": "true"}).capacity["commands"] == 8


def test_what_cannot_be_run_says_why() -> None:
    found = made({"id": "a", "command": "search(query) -> top10; fetch(top10) -> docs"}, {"id": "b", "command": "true"})
    assert found.problems == (
        "a: 'search(query) -> top10; fetch(top10) -> docs' is prose, no command; give it an `agent`, "
        "or write `$ ` in front if it is a command",
    )
    assert not made({"id": "a", "command": "true"}).problems


@pytest.mark.parametrize("line", ["Build with all things", "query(all) -> top10", "$ echo a", "true"])
def test_what_is_said_to_be_a_command_is_one(line: str) -> None:
    found = made(
        {"id": "a", "command": f"$ {line}"},
        {
            "id": "b",
            "commands": ["true", f" $ {line}"],
            "preconditions": f"$ {line}",
            "success_criteria": [f"$ {line}"],
        },
    )
    assert not found.problems
    (step,) = found.jobs["a"].steps
    assert (step.text, step.argv) == (line, argv_of(line))
    assert [(each.what, each.text) for each in found.jobs["b"].steps] == [
        ("command", line), ("command", "true"), ("command", line), ("command", line)
    ]  # fmt: skip


def test_git_is_run_without_a_shell() -> None:
    assert made({"id": "t", "git": "tag 'v 1'"}).jobs["t"].steps[0].argv == ("git", "tag", "v 1")


def test_requests_are_commands_that_read_them() -> None:
    http = {"url": "https://a.example/", "headers": {"Authorization": "Bearer ${TOKEN}"}}
    (step,) = made({"id": "h", "http": http, "outputs": {"page": "page.html"}, "timeout": 5}).jobs["h"].steps
    assert (step.text, step.argv[0], step.argv[-2:]) == (
        "GET https://a.example/", sys.executable, ("http", "GET https://a.example/")
    )  # fmt: skip
    assert json.loads(step.given) == {**http, "output": "page.html", "timeout": 5}
    db = {"url": "postgresql://me:secret@db.example:5433/shop", "sql": "SELECT 1"}
    (step,) = made({"id": "d", "db": db}).jobs["d"].steps
    assert step.text == "1 statement for postgresql://db.example:5433/shop"
    assert "secret" not in " ".join(step.argv)
    assert "-S" not in step.argv, "the driver is an installed package"
