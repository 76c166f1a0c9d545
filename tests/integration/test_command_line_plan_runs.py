"""`quarterdeck plan start …` and `quarterdeck task …`, and the tutorial as it is written."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import git, repository
from tests.wait import wait_until

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
HAND = """\
id: plan-hand
tasks:
  - {id: a, title: First, command: "echo one; echo two >&2"}
  - {id: b, command: "exit 4", needs: [a]}
  - {id: c, command: "true", needs: [b]}
"""

UNDO = """\
id: plan-undo
advance: auto
tasks:
  - {id: a, command: "echo one", workspace: none, idempotent: true, rollback: ["echo undone"]}
  - {id: b, command: "echo two", needs: [a], idempotent: true}
"""


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    (where / "hand.yaml").write_text(HAND)
    with supervisor_thread(tmp_path / "home"):
        yield CommandLine(tmp_path / "home", monkeypatch, capsys)


def test_the_tutorial_goes_from_a_document_to_the_archive(quarterdeck: CommandLine, tmp_path: Path) -> None:
    text = TUTORIAL.read_text()
    document = text[text.index("    id: plan-page") : text.index("`articles` and")]
    Path("plan.yaml").write_text(textwrap.dedent(document))
    assert quarterdeck("plan", "validate", "plan.yaml").code == 0
    assert quarterdeck("plan", "create", "plan.yaml").code == 0
    started = quarterdeck("plan", "start", "plan-page", "--wait")
    assert started.code == 90
    assert "look: a person decides. quarterdeck approvals" in started.out
    (asked,) = quarterdeck("approvals", "--json").json["approvals"]
    assert "articles.txt" in quarterdeck("approvals", "show", asked["id"]).out
    assert quarterdeck("approve", asked["id"], "--rationale", "Both are fine").code == 0
    assert quarterdeck("plan", "start", "plan-page").code == 4, "a plan is started once"
    plan = quarterdeck("plan", "show", "plan-page", "--json").json["plan"]
    while plan["status"] == "running":
        plan = quarterdeck("plan", "show", "plan-page", "--json").json["plan"]
    assert plan["status"] == "completed"
    assert "is merged into main" in quarterdeck("plan", "merge", "plan-page").out
    assert "lamp" in Path("index.html").read_text()
    assert "plan-page is archived" in quarterdeck("plan", "archive", "plan-page").out
    assert "Both are fine" in Path(".quarterdeck/plans/plan-page.md").read_text()
    assert "plan-page" not in quarterdeck("plan", "list").out
    assert "plan-page" in quarterdeck("plan", "list", "--archived").out
    assert "qd/plan-page" not in git(tmp_path / "shop", "branch", "--list")


def test_a_plan_by_hand(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "create", "hand.yaml")
    assert quarterdeck("plan", "advance", "plan-hand").code == 4
    started = quarterdeck("plan", "start", "plan-hand")
    assert "quarterdeck plan advance plan-hand" in started.out
    assert quarterdeck("plan", "advance", "plan-hand", "--json").json["released"] == ["a"]
    while "completed" not in quarterdeck("task", "show", "a").out:
        pass
    shown = quarterdeck("task", "show", "plan-hand/a").out
    assert "one" in shown
    assert "two" in shown
    assert "exit code 0" in shown
    step = quarterdeck("task", "show", "plan-hand/a", "--json").json["task"]["steps"][0]
    assert step["output"] == [{"stream": "stdout", "text": "one"}, {"stream": "stderr", "text": "two"}]
    assert quarterdeck("task", "run", "b").code == 0
    while quarterdeck("plan", "show", "plan-hand", "--json").json["plan"]["status"] != "failed":
        pass
    assert "c  " in quarterdeck("plan", "show", "plan-hand").out
    assert quarterdeck("task", "show", "nothing").code == 3
    completed = quarterdeck("task", "complete", "plan-hand/b", "--evidence", "by hand")
    assert "person completed it: by hand" in completed.out
    assert quarterdeck("plan", "pause", "plan-hand").code == 0
    assert "paused" in quarterdeck("plan", "pause", "plan-hand").err
    assert quarterdeck("plan", "resume", "plan-hand").code == 0
    assert "abandoned" in quarterdeck("plan", "cancel", "plan-hand", "--yes").out
    assert quarterdeck("task", "retry", "plan-hand/b").code == 4
    actions = [entry["action"] for entry in quarterdeck("audit", "list", "--json").json["entries"]]
    assert [each for each in actions if each.startswith(("plan.", "task."))] == [
        "plan.create", "plan.start", "plan.advance", "task.run", "task.complete", "plan.pause", "plan.resume",
        "plan.cancel",
    ]  # fmt: skip


def test_a_task_is_taken_as_it_was_run_anyway_and_rolled_back(quarterdeck: CommandLine) -> None:
    Path("undo.yaml").write_text(UNDO)
    quarterdeck("plan", "create", "undo.yaml")
    assert quarterdeck("plan", "start", "plan-undo", "--wait").code == 0
    assert "ran because" in quarterdeck("task", "show", "plan-undo/a").out
    assert "always runs" in quarterdeck("task", "show", "plan-undo/b").out
    assert quarterdeck("task", "run", "plan-undo/a").code == 0
    ended(quarterdeck, "completed")
    taken = quarterdeck("task", "show", "plan-undo/a")
    assert "Unchanged inputs: it was not run" in taken.out
    assert "taken from" in taken.out
    assert "Unchanged inputs" in quarterdeck("plan", "show", "plan-undo").out
    reuse = quarterdeck("task", "show", "plan-undo/a", "--json").json["task"]["reuse"]
    assert (reuse["taken_from"], reuse["always_runs"]) == ("plan-undo", None)
    assert quarterdeck("task", "run", "plan-undo/a", "--force").code == 0
    ended(quarterdeck, "completed")
    assert "person has it run whether anything has changed or not." in quarterdeck("task", "show", "plan-undo/a").out

    tried = quarterdeck("task", "rollback", "plan-undo/a", "--dry-run")
    assert "Would run in its scratch folder:\n$ echo undone" in tried.out
    assert "Built on it, and stays: b" in tried.out
    assert quarterdeck("task", "show", "plan-undo/a", "--json").json["task"]["status"] == "completed"
    assert quarterdeck("task", "rollback", "plan-undo", "b").code == 4
    without = quarterdeck("task", "rollback", "plan-undo/b", "--dry-run")
    assert (without.code, "Not now: The task b has no `rollback`." in without.out) == (1, True)
    assert "Running in its scratch folder:" in quarterdeck("task", "rollback", "plan-undo", "a").out
    ended(quarterdeck, "blocked")
    undone = quarterdeck("task", "show", "plan-undo/a").out
    assert "person rolled it back." in undone
    assert "rollback $ echo undone" in undone
    assert "It is built on a" in quarterdeck("plan", "show", "plan-undo").out
    assert "taken from" not in undone
    assert "It is built on a, which person rolled back." in quarterdeck("task", "show", "plan-undo/b").out
    *_, step = quarterdeck("task", "show", "plan-undo/a", "--json").json["task"]["steps"]
    assert (step["rollback"], step["output"]) == (True, [{"stream": "stdout", "text": "undone"}])


def ended(quarterdeck: CommandLine, status: str) -> None:
    while quarterdeck("plan", "show", "plan-undo", "--json").json["plan"]["status"] != status:
        pass


def test_a_task_that_two_plans_have_is_asked_about(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "create", "hand.yaml")
    Path("other.yaml").write_text(HAND.replace("plan-hand", "plan-other"))
    quarterdeck("plan", "create", "other.yaml")
    said = quarterdeck("task", "show", "a")
    assert said.code == 2
    assert "plan-hand/a, plan-other/a" in said.err


def test_a_gate_with_a_role_says_so_and_is_decided_by_who_has_it(quarterdeck: CommandLine) -> None:
    gate = "{id: ok, kind: gate, needs: [a], diff_review: true, approver_role: lead}"
    Path("gate.yaml").write_text(
        f"id: plan-gate\nadvance: auto\ntasks:\n  - {{id: a, command: echo a > a}}\n  - {gate}\n"
    )
    quarterdeck("plan", "create", "gate.yaml")
    assert "a person with the role lead decides" in quarterdeck("plan", "start", "plan-gate", "--dry-run").out
    waiting = quarterdeck("plan", "start", "plan-gate", "--wait")
    assert waiting.code == 90
    assert "ok: somebody with the role lead decides. quarterdeck approvals" in waiting.out
    assert "Decided by: lead." in quarterdeck("approvals").out
    (asked,) = quarterdeck("approvals", "--json").json["approvals"]
    shown = quarterdeck("approvals", "show", asked["id"]).out
    assert "decided by role" in shown
    assert "+a" in shown
    assert "somebody with the role lead" in quarterdeck("task", "show", "plan-gate/ok").out
    refused = quarterdeck("approve", asked["id"], "--why", "I am")
    assert refused.code == 4
    assert "the role lead" in refused.err
    assert "`roles` under `approvals:`" in refused.err
    quarterdeck.paths.config_file.write_text('{"approvals": {"roles": ["Lead"]}, "storage": {"free_disk_floor_mb": 0}}')
    assert quarterdeck("approve", asked["id"], "--why", "I am").code == 0
    while quarterdeck("plan", "show", "plan-gate", "--json").json["plan"]["status"] != "completed":
        pass
    assert "approved by person: I am" in quarterdeck("task", "show", "plan-gate/ok").out


@pytest.mark.parametrize("who", ["agent", "command"])
def test_a_start_that_waits_says_when_something_in_the_plan_asks(quarterdeck: CommandLine, who: str) -> None:
    prompt = json.dumps([{"ask": {"run": "./odd"}}])
    ask = f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} -P -m supervisor.cli.main ask 'May it?'"
    asks = {"agent": {"agent": "scripted", "prompt": prompt}, "command": {"command": ask}}[who]
    tasks: list[dict[str, object]] = [{"id": "a", **asks}, {"id": "b", "command": "sleep 0.1; echo b > b.txt"}]
    tasks += [{"id": "c", "command": "true", "needs": ["b"]}]
    document = {"id": "plan-asks", "advance": "auto", "parallel": 2, "tasks": tasks}
    Path("asks.json").write_text(json.dumps(document))
    quarterdeck("plan", "create", "asks.json")
    started = quarterdeck("plan", "start", "plan-asks", "--wait", "--json")
    assert started.code == 90
    standing = {task["id"]: (task["status"], len(task["asks"])) for task in started.json["plan"]["tasks"]}
    assert standing == {"a": ("running", 1), "b": ("completed", 0), "c": ("completed", 0)}
    (asked,) = quarterdeck("approvals", "--json").json["approvals"]
    assert started.json["plan"]["tasks"][0]["asks"] == [asked["id"]]
    assert quarterdeck("approve", asked["id"]).code == 0
    while quarterdeck("plan", "show", "plan-asks", "--json").json["plan"]["status"] == "running":
        pass


def test_what_asks_and_is_in_the_way_of_others_waits_for_a_person(quarterdeck: CommandLine) -> None:
    ask = f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} -P -m supervisor.cli.main ask 'May it?'"
    tasks = [{"id": "a", "command": ask}, {"id": "b", "command": "true"}]
    Path("one.json").write_text(json.dumps({"id": "plan-one", "advance": "auto", "parallel": 1, "tasks": tasks}))
    quarterdeck("plan", "create", "one.json")
    started = quarterdeck("plan", "start", "plan-one", "--wait")
    assert started.code == 90
    assert "a: a person decides. quarterdeck approvals" in started.out
    (asked,) = quarterdeck("approvals", "--json").json["approvals"]
    quarterdeck("reject", asked["id"])
    while quarterdeck("plan", "show", "plan-one", "--json").json["plan"]["status"] == "running":
        pass


def test_what_is_left_of_a_limit_and_what_is_asked_about_it(quarterdeck: CommandLine) -> None:
    Path("limits.yaml").write_text(
        "id: plan-limits\nadvance: auto\ndeadline: 2099-12-24\ntasks:\n"
        "  - {id: a, command: sleep 60, timeout: 1, timebox: 90m, no_output: 10m, escalation: ask}\n"
        "  - {id: b, command: 'true', needs: [a], timeout: 5m}\n"
    )
    assert quarterdeck("plan", "create", "limits.yaml").code == 0
    quarterdeck("plan", "start", "plan-limits")
    assert "deadline" in quarterdeck("plan", "show", "plan-limits").out
    while not (found := quarterdeck("approvals", "--json").json["approvals"]):
        pass
    shown = quarterdeck("task", "show", "plan-limits/a").out
    assert re.search(r"^timeout +1s, used up$", shown, re.MULTILINE), shown
    assert re.search(r"^timebox +1h30m, 1h29m5\ds left$", shown, re.MULTILINE), shown
    assert re.search(r"^no_output +10m, 9m5\d?s? ?", shown, re.MULTILINE), shown
    assert f"quarterdeck approve {found[0]['id']} --choice more|stop|skip" in shown
    assert re.search(r"^timeout +5m$", quarterdeck("task", "show", "plan-limits/b").out, re.MULTILINE)
    assert quarterdeck("approve", found[0]["id"]).code == 2, "it has choices"
    assert quarterdeck("approve", found[0]["id"], "--choice", "skip").code == 0
    while quarterdeck("plan", "show", "plan-limits", "--json").json["plan"]["status"] == "running":
        pass
    assert "skipped" in quarterdeck("task", "show", "plan-limits/a").out


def test_a_revision_says_what_becomes_of_what_runs(quarterdeck: CommandLine, tmp_path: Path) -> None:
    document = 'id: plan-slow\nadvance: auto\ntasks:\n  - {id: a, command: "COMMAND"}\n'
    Path("slow.yaml").write_text(document.replace("COMMAND", f"touch {tmp_path}/runs; sleep 600"))
    Path("quick.yaml").write_text(document.replace("COMMAND", "echo quick"))
    quarterdeck("plan", "create", "slow.yaml")
    quarterdeck("plan", "start", "plan-slow")
    wait_until((tmp_path / "runs").exists, what="a runs")
    revise = ("plan", "revise", "plan-slow", "quick.yaml")
    rehearsed = quarterdeck(*revise, "--dry-run")
    assert rehearsed.code == 1
    assert "+  command: echo quick" in rehearsed.out
    assert "a: It is running." in rehearsed.out
    assert "It would be refused: This revision touches what is under way (changed): a." in rehearsed.out
    assert quarterdeck(*revise, "--dry-run", "--json").json["refusal"].startswith("This revision touches")
    refused = quarterdeck(*revise, "--rationale", "Too slow")
    assert refused.code == 4
    assert "--running keep" in refused.err
    rehearsed = quarterdeck(*revise, "--running", "restart", "--dry-run")
    assert rehearsed.code == 0
    assert "a: Revision 2 changed it: it is stopped, then begun anew." in rehearsed.out
    assert "Nothing was revised. plan-slow would be at revision 2." in rehearsed.out
    assert quarterdeck("plan", "show", "plan-slow", "--json").json["plan"]["revision"] == 1
    unsaid = quarterdeck(*revise)
    assert (unsaid.code, "Give --rationale" in unsaid.err) == (2, True)
    revised = quarterdeck(*revise, "--running", "restart", "--rationale", "Too slow")
    assert "plan-slow is at revision 2 now." in revised.out
    assert "a: Revision 2 changed it: it is stopped, then begun anew." in revised.out
    plan = quarterdeck("plan", "show", "plan-slow", "--json").json["plan"]
    while plan["status"] == "running":
        plan = quarterdeck("plan", "show", "plan-slow", "--json").json["plan"]
    assert (plan["status"], plan["tasks"][0]["attempts"]) == ("completed", 2)
    (event,) = quarterdeck("events", "--type", "plan_revised", "--json").json["events"]
    assert event["payload"]["running"] == {"a": "restart"}
