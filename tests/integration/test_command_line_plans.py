"""`quarterdeck plan`: plans that are kept, over the command line and the API."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, Printed, supervisor_thread
from tests.support.git import repository

HELLO = """\
id: plan-hello
title: Two things in parallel, then a check
owner: mia
tasks:
  - {id: a, title: First, command: "echo a > a.txt"}
  - {id: b, title: Second, command: "echo b > b.txt"}
  - {id: ok, title: Approve, kind: gate, needs: [a, b], checks: ["test -f a.txt"], approval: true}
  - {id: c, title: Join, needs: [ok], agent: claude, prompt: "Join a.txt and b.txt into c.txt"}
"""


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    (where / "hello.yaml").write_text(HELLO)
    with supervisor_thread(tmp_path / "home"):
        yield CommandLine(tmp_path / "home", monkeypatch, capsys)


def refused(quarterdeck: CommandLine, code: int, *arguments: str) -> Printed:
    printed = quarterdeck(*arguments)
    assert printed.code == code, printed
    return printed


def test_a_plan_is_kept_and_nothing_of_it_runs(quarterdeck: CommandLine) -> None:
    made = quarterdeck("plan", "create", "hello.yaml", "--json").json["plan"]
    assert (made["id"], made["status"], made["revision"], made["advance"]) == ("plan-hello", "pending", 1, "manual")
    assert made["status_reason"]["text"] == "It was created."
    assert [(task["id"], task["needs"], task["status"], task["attempts"]) for task in made["tasks"]] == [
        ("a", [], "pending", 0),
        ("b", [], "pending", 0),
        ("ok", ["a", "b"], "pending", 0),
        ("c", ["ok"], "pending", 0),
    ]
    assert made["next_task"] == "a"
    assert [task["layer"] for task in made["tasks"]] == [0, 0, 1, 2]
    (listed,) = quarterdeck("plan", "list", "--json").json["plans"]
    assert listed["task_counts"] == made["task_counts"] == {"pending": 4}
    assert made.keys() >= {"title", "branch", "started_at", "ended_at", "owner", "priority", "project", "created_at"}
    assert quarterdeck("plan", "show", "plan-h", "--json").json["plan"] == made
    assert [each["id"] for each in quarterdeck("plan", "list", "--json").json["plans"]] == ["plan-hello"]
    assert quarterdeck("plan", "list", "--status", "running", "--json").json == {"plans": []}
    assert quarterdeck("sessions", "--json").json["sessions"] == []
    (event,) = quarterdeck("events", "--plan", "plan-hello", "--json").json["events"]
    assert (event["type"], event["phase"], event["payload"]["tasks"]) == ("plan_created", "plan", 4)
    assert "plan.create" in quarterdeck("audit", "list").out


def test_people_read_how_it_stands(quarterdeck: CommandLine) -> None:
    assert "quarterdeck plan create" in quarterdeck("plan", "list").out
    assert (
        "plan-hello: Two things in parallel, then a check, 4 tasks." in quarterdeck("plan", "create", "hello.yaml").out
    )
    assert "◌ pending" in quarterdeck("plan", "list").out
    said = quarterdeck("plan", "show", "plan-hello").out
    assert "◌ pending: It was created." in said
    assert "a, b" in said


def test_an_id_is_taken_once(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "create", "hello.yaml")
    again = refused(quarterdeck, 4, "plan", "create", "hello.yaml")
    assert "There is a plan plan-hello already" in again.err
    assert "plan revise plan-hello" in again.err


def test_what_is_wrong_is_named_with_its_line(quarterdeck: CommandLine) -> None:
    Path("bad.yaml").write_text("id: x\ntasks:\n  - {id: a, needs: [b], command: 'true'}\n")
    failed = refused(quarterdeck, 2, "plan", "create", "bad.yaml")
    assert failed.err.startswith("quarterdeck: bad.yaml:3:")
    assert refused(quarterdeck, 2, "plan", "create", "missing.yaml").err.startswith(
        "quarterdeck: The file missing.yaml"
    )
    Path("bytes.yaml").write_bytes(b"id: \xff\n")
    assert "UTF-8" in refused(quarterdeck, 2, "plan", "create", "bytes.yaml").err
    assert quarterdeck("plan", "list", "--json").json == {"plans": []}


def test_a_way_to_a_task_is_not_what_it_needs(quarterdeck: CommandLine) -> None:
    Path("ways.yaml").write_text(
        "id: ways\ntasks:\n"
        "  - {id: a, command: 'true', next: {success: b, failure: fix}}\n"
        "  - {id: b, command: 'true', needs: [a]}\n  - {id: fix, command: 'true'}\n"
    )
    made = quarterdeck("plan", "create", "ways.yaml", "--json").json["plan"]
    assert [(task["needs"], task["after"]) for task in made["tasks"]] == [
        ([], []),
        (["a"], ["a"]),
        ([], ["a (on failure)"]),
    ]
    assert "fix  ◌ pending  after a (on failure)" in quarterdeck("plan", "graph", "ways").out


class TestRevisions:
    def test_one_takes_the_place_of_the_other_and_both_are_kept(self, quarterdeck: CommandLine) -> None:
        quarterdeck("plan", "create", "hello.yaml")
        Path("second.yaml").write_text(HELLO.replace("title: Second", "title: The second"))
        made = quarterdeck("plan", "revise", "plan-hello", "second.yaml", "--rationale", "It says more", "--json").json[
            "plan"
        ]
        assert made["revision"] == 2
        assert [(each["number"], each["rationale"]) for each in made["revisions"]] == [(1, ""), (2, "It says more")]
        reasons = {task["id"]: task["status_reason"]["text"] for task in made["tasks"]}
        assert reasons["b"] == "Revision 2 says what it is."
        assert reasons["a"] == "It was created.", "a task that was not changed is left as it was"
        diff = quarterdeck("plan", "diff", "plan-hello", "1", "2").out
        assert "-  title: Second" in diff
        assert "+  title: The second" in diff
        assert quarterdeck("plan", "diff", "plan-hello", "1", "1").out == "Revisions 1 and 1 say the same.\n"
        assert "It says more" in quarterdeck("plan", "show", "plan-hello").out
        (event,) = quarterdeck("events", "--type", "plan_revised", "--json").json["events"]
        assert event["payload"]["rationale"] == "It says more"

    def test_what_changes_nothing_or_is_another_plan_is_refused(self, quarterdeck: CommandLine) -> None:
        quarterdeck("plan", "create", "hello.yaml")
        same = refused(quarterdeck, 2, "plan", "revise", "plan-hello", "hello.yaml", "--rationale", "None")
        assert "says what revision 1 says" in same.err
        Path("other.yaml").write_text(HELLO.replace("plan-hello", "plan-other"))
        other = refused(quarterdeck, 2, "plan", "revise", "plan-hello", "other.yaml", "--rationale", "None")
        assert "of the plan plan-other, not of plan-hello" in other.err
        assert refused(quarterdeck, 3, "plan", "diff", "plan-hello", "1", "7").err.count("has no revision 7") == 1


class TestDrawnAndWritten:
    def test_a_plan_that_is_kept_or_a_file(self, quarterdeck: CommandLine) -> None:
        quarterdeck("plan", "create", "hello.yaml")
        kept, file = quarterdeck("plan", "export", "plan-hello").out, quarterdeck("plan", "export", "hello.yaml").out
        assert kept == file
        assert "id: plan-hello" in kept
        drawn = quarterdeck("plan", "graph", "plan-hello", "--mermaid").out
        assert drawn.startswith("flowchart")
        layers = quarterdeck("plan", "graph", "hello.yaml").out
        assert layers.splitlines()[:3] == ["Layer 1", "  · a  First", "  · b  Second"]
        assert "  ◇ ok  Approve  after a, b" in layers
        assert "◌ pending" in quarterdeck("plan", "graph", "plan-hello").out

    def test_what_is_neither(self, quarterdeck: CommandLine) -> None:
        assert "There is no plan and no file 'plan-none'" in refused(quarterdeck, 3, "plan", "export", "plan-none").err
        assert "cannot be read" in refused(quarterdeck, 2, "plan", "graph", "folder/none.yaml").err


class TestDeleting:
    def test_what_does_not_run_can_be_taken_away(self, quarterdeck: CommandLine) -> None:
        quarterdeck("plan", "create", "hello.yaml")
        assert quarterdeck("plan", "delete", "plan-hello", "--yes").out == "plan-hello was deleted.\n"
        assert refused(quarterdeck, 3, "plan", "show", "plan-hello").err.startswith("quarterdeck: There is no plan")
        assert quarterdeck("events", "--type", "plan_deleted", "--json").json["events"]
        quarterdeck("plan", "create", "hello.yaml")

    def test_work_that_exists_nowhere_else_is_lost_by_force_only(self, quarterdeck: CommandLine) -> None:
        task = {"id": "a", "command": "echo a > made.txt"}
        Path("work.json").write_text(json.dumps({"id": "plan-work", "advance": "auto", "tasks": [task]}))
        quarterdeck("plan", "create", "work.json")
        assert quarterdeck("plan", "start", "plan-work", "--wait").code == 0
        said = refused(quarterdeck, 4, "plan", "delete", "plan-work", "--yes").err
        assert "1 commit that no other branch has" in said
        assert "--force" in said
        assert "Removed the branch qd/plan-work." in quarterdeck("plan", "delete", "plan-work", "--force", "--yes").out

    def test_a_person_is_asked_first(self, quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        quarterdeck("plan", "create", "hello.yaml")
        monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
        refused(quarterdeck, 1, "plan", "delete", "plan-hello")
        assert quarterdeck("plan", "list", "--json").json["plans"]


def test_a_project_with_plans_is_not_forgotten(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "create", "hello.yaml")
    assert "plan" in refused(quarterdeck, 4, "project", "remove", "shop").err


def test_a_dry_run_says_what_would_be_done(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "create", "hello.yaml")
    found = quarterdeck("plan", "start", "plan-hello", "--dry-run", "--json").json
    assert [task["task"] for task in found["tasks"]] == ["a", "b", "ok", "c"]
    printed = quarterdeck("plan", "start", "plan-hello", "--dry-run")
    assert "ok  Approve  in the plan's worktree, after a, b" in printed.out
    assert "  1. must hold: test -f a.txt\n  2. a person decides." in printed.out
    assert "Nothing was started." in printed.out
    assert quarterdeck("plan", "show", "plan-hello", "--json").json["plan"]["status"] == "pending"
    Path("never.yaml").write_text("id: plan-never\ntasks: [{id: a, command: rm -rf /}]\n")
    quarterdeck("plan", "create", "never.yaml")
    assert (
        "A start would be refused: a: policy" in refused(quarterdeck, 1, "plan", "start", "plan-never", "--dry-run").out
    )


def test_a_task_of_a_subplan_is_named_with_its_plan(quarterdeck: CommandLine) -> None:
    Path("deep.yaml").write_text("id: plan-deep\ntasks: [{id: b, subplan: {tasks: [{id: x, command: 'true'}]}}]\n")
    quarterdeck("plan", "create", "deep.yaml")
    task = quarterdeck("task", "show", "plan-deep/b/x", "--json").json["task"]
    assert (task["id"], task["within"], task["document"]["command"]) == ("b/x", "b", "true")
    quarterdeck("plan", "start", "plan-deep")
    assert "plan-deep/b  ✓ completed" in quarterdeck("task", "complete", "plan-deep/b", "--evidence", "seen").out
    refused(quarterdeck, 3, "task", "show", "plan-deep/b/nothing")
