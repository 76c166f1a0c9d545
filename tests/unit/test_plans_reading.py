# ruff: noqa: E501 - a document and what is wrong with it stand on one line
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.documents import Document
from supervisor.engine.plans.problems import LIMIT, PlanInvalid
from supervisor.engine.plans.reading import read, read_document
from tests.support.plans import SAMPLES, errors, plan, reading

HELLO = """
    id: plan-hello
    title: Two things in parallel, then a check
    tasks:
      - {id: a, title: First, command: "echo a > a.txt"}
      - {id: b, title: Second, command: "echo b > b.txt"}
      - {id: ok, title: Approve, kind: gate, needs: [a, b], checks: ["test -f a.txt"], approval: true}
      - {id: c, title: Join, needs: [ok], agent: claude, prompt: "Join a.txt and b.txt into c.txt"}
"""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_valid(path: Path) -> None:
    assert read(path.read_bytes(), str(path)).errors == ()


def test_the_smallest_useful_plan() -> None:
    found = reading(HELLO)
    assert found.warnings == ()
    first, _, gate, last = found.checked().tasks
    assert (first.runner, first.place, first.name) == ("shell", "plan", "First")
    assert (gate.runner, gate.approval, gate.checks) == ("gate", True, ("test -f a.txt",))
    assert (last.runner, last.place, last.needs) == ("agent", "own", ("ok",))


def test_what_is_not_said_has_its_default() -> None:
    found = plan("{id: p, tasks: [{id: a}]}")
    assert (found.name, found.advance, found.rank, found.parallel) == ("p", "manual", 0, None)
    assert (found.tasks[0].kind, found.tasks[0].runner, found.tasks[0].retry) == ("implement", "agent", None)


SPELLINGS: list[tuple[str, str, Any]] = [
    ("needs: [b]", "needs", ("b",)),
    ("needs: b", "needs", ("b",)),
    ("depends_on: [b]", "needs", ("b",)),
    ("dependsOn: [b]", "needs", ("b",)),
    ("success_criteria: [test -f x]", "success_criteria", ("test -f x",)),
    ("successCriteria: test -f x", "success_criteria", ("test -f x",)),
    ("state: ready", "status", "ready"),
    ("runner: http\n        http: https://example.org/x", "using", "http"),
    ("timeout: 30m", "timeout", 1800.0),
    ("timeout: 90", "timeout", 90.0),
    ("timeout: '90'", "timeout", 90.0),
    ("timeoutMin: 1.5", "timeout", 90.0),
    ("timeout_s: 5", "timeout", 5.0),
    ("noOutput: 1h30m", "no_output", 5400.0),
    ("timebox: 2h", "timebox", 7200.0),
    ("heartbeat: 500ms", "heartbeat", 0.5),
    ("env: {PORT: 8080, ON: true, X: a}", "environment", {"PORT": "8080", "ON": "true", "X": "a"}),
    ("outputs: [intake.md]", "outputs", {"intake.md": "intake.md"}),
    ("outputs: {sources: artifacts.sources}", "outputs", {"sources": "artifacts.sources"}),
    (
        "inputs: {query: x, n: 2, deep: true, list: [1, a]}",
        "inputs",
        {"query": "x", "n": 2, "deep": True, "list": (1, "a")},
    ),
    ("resources: db", "resources", {"db": 1.0}),
    ("priority: high", "rank", 10),
    ("priority: 7", "rank", 7),
]


@pytest.mark.parametrize(("written", "name", "value"), SPELLINGS)
def test_spellings_of_a_task(written: str, name: str, value: Any) -> None:
    task = plan(f"""
    id: p
    tasks:
      - id: a
        {written}
      - id: b
    """).tasks[0]
    assert getattr(task, name) == value


@pytest.mark.parametrize(
    "written",
    [
        "{timeMin: 30, costUSD: 5, apiCalls: 7}",
        "{time: 30m, cost_usd: 5, api_calls: 7}",
        "{time_s: 1800, costUsd: 5.0, calls: 7}",
        "{time_h: 0.5, cost: 5, api_calls: 7}",
    ],
)
def test_spellings_of_a_budget(written: str) -> None:
    budget = plan(f"{{id: p, tasks: [{{id: a, budget: {written}}}]}}").tasks[0].budget
    assert budget is not None
    assert (budget.time, budget.cost_usd, budget.api_calls) == (1800.0, 5.0, 7)


def test_spellings_of_a_plan() -> None:
    found = plan("""
    plan_id: p
    version: 3
    state: paused
    agentIds: [1, two]
    definitionOfDone: All tests pass
    policies: {requireGateForProd: true}
    resources: {cpu: 4}
    hypotheses: [H1, The cache is stale]
    memory: {keys: [a.b]}
    schedule: 0 3 * * 1
    artifacts: [{name: sources, from: a}]
    milestones: [{id: m, depends_on: a, due: 2026-12-24}]
    nodes: [{id: a, resources: {cpu: 2}}]
    """)
    assert (found.id, found.revision, found.status, found.agents) == ("p", 3, "paused", (1, "two"))
    assert found.definition_of_done == ("All tests pass",)
    assert found.policies.require_gate_for_prod
    assert found.pools == {"cpu": 4.0}
    assert [(each.id, each.statement) for each in found.hypotheses] == [("H1", ""), ("H2", "The cache is stale")]
    assert found.schedule is not None
    assert found.schedule.cron == "0 3 * * 1"
    assert (found.artifacts[0].name, found.artifacts[0].from_) == ("sources", "a")
    assert found.milestones[0].needs == ("a",)


def test_short_forms_inside_a_task() -> None:
    task = plan("""
    id: p
    tasks:
      - id: a
        artifacts: [sources]
        failure_modes: [no_results]
        retry: 3
        timeboxMin: 2
        timeout: 30s
        escalation: ask
        next: {success: b, failure: [c, d]}
        git: tag 'a b'
      - id: b
      - id: c
      - id: d
    """).tasks[0]
    assert task.artifacts[0].name == "sources"
    assert task.failure_modes[0].name == "no_results"
    assert task.retry is not None
    assert task.retry.attempts == 3
    assert (task.timebox, task.timeout) == (120, 30)
    assert task.escalation is not None
    assert (task.escalation.near, task.escalation.passed) == (None, "ask")
    assert [(each.on, each.to) for each in task.next] == [("success", "b"), ("failure", "c"), ("failure", "d")]
    assert task.git is not None
    assert task.git.arguments == ("tag", "a b")
    assert task.runner == "git"


def test_a_list_of_texts_is_a_subplan_of_steps_that_follow_each_other() -> None:
    task = plan("{id: p, tasks: [{id: a, kind: debug, subplan: [look at it, think]}]}").tasks[0]
    assert task.runner == "subplan"
    assert task.subplan is not None
    first, second = task.subplan.tasks
    assert (first.id, first.prompt, first.kind, first.needs) == ("step-1", "look at it", "debug", ())
    assert (second.id, second.needs) == ("step-2", ("step-1",))


def test_a_nested_plan_has_ids_of_its_own() -> None:
    found = plan("""
    id: p
    tasks:
      - id: a
        subplan:
          title: Inside
          nodes:
            - {id: a, subplan: [{id: x, command: make}, then look]}
            - {id: b, dependsOn: a}
    """)
    inner = found.tasks[0].subplan
    assert inner is not None
    assert [(task.id, task.needs) for task in inner.tasks] == [("a", ()), ("b", ("a",))]
    innermost = inner.tasks[0].subplan
    assert innermost is not None
    assert [task.id for task in innermost.tasks] == ["x", "step-2"]


def test_gates_of_the_section_join_their_tasks() -> None:
    gate = plan("""
    id: p
    tasks: [{id: a}, {id: g, kind: gate, needs: a}]
    gates: [{id: g, checks: [test -f x], approverRole: lead}]
    """).tasks[1]
    assert (gate.checks, gate.approver_role, gate.needs) == (("test -f x",), "lead", ("a",))


def test_a_gate_between_hypotheses_is_a_persons_decision() -> None:
    found = reading("{id: p, hypotheses: [H1], tasks: [{id: g, kind: gate}]}")
    assert found.checked().tasks[0].approval
    assert "a person decides" in found.warnings[0].message


def test_the_linear_form_is_a_chain() -> None:
    found = plan("""
    plan_id: plan_1732419260123
    task_sequence: [init, Do the work!, init]
    next_task_index: 1
    metadata: {description: Work, priority: high, owner: me, more: [1]}
    """)
    assert [(task.id, task.title, task.needs, task.status) for task in found.tasks] == [
        ("init", "init", (), "completed"),
        ("do-the-work-2", "Do the work!", ("init",), None),
        ("init-3", "init", ("do-the-work-2",), None),
    ]
    assert (found.objective, found.rank, found.owner, found.metadata) == ("Work", 10, "me", {"more": [1]})


ERRORS: list[tuple[str, int, str, str]] = [
    # document, line, path, words of the message
    ("id: p\n", 1, "tasks", "this is needed"),
    ("tasks:\n  - id: a\n", 1, "id", "this is needed"),
    ("", 1, "", "the document is empty"),
    ("[1]", 1, "", "a plan is a map"),
    ("id: p\ntasks: []\n", 2, "tasks", "this is empty"),
    ("id: p\ntasks: {a: 1}\n", 2, "tasks", "this must be a list"),
    ("id: p\ntasks:\n  - a\n", 3, "tasks[0]", "this must be a map"),
    ("id: p\ntasks:\n  - id: a\n    titel: x\n", 4, "tasks[0].titel", "Did you mean `title`?"),
    ("id: p\nobjektive: x\ntasks: [{id: a}]\n", 2, "objektive", "Did you mean `objective`?"),
    ("id: p\nzzzzz: x\ntasks: [{id: a}]\n", 2, "zzzzz", "Free data goes under `metadata`"),
    ("id: p\ntasks:\n  - id: a\n    budget: {timMin: 3}\n", 4, "tasks[0].budget.timMin", "Did you mean `time_min`?"),
    ("id: p\ntasks:\n  - id: a\n    next: {sucess: a}\n", 4, "tasks[0].next.sucess", "Did you mean `success`?"),
    ("id: p\nid: q\n", 2, "", "the key `id` is here a second time"),
    ("id: p\nplan_id: p\ntasks: [{id: a}]\n", 2, "plan_id", "`id` is given a second time"),
    ("id: p\ntasks:\n  - id: a\n    needs: []\n    dependsOn: []\n", 5, "tasks[0].dependsOn", "another spelling"),
    ("id: p\ntasks:\n  - id: a\n  - id: b\n  - id: a\n", 5, "tasks[2].id", "a task on line 3 has it already"),
    ("id: p\ntasks:\n  - id: a\n    needs: [a]\n", 4, "tasks[0].needs[0]", "needs itself"),
    ("id: p\ntasks:\n  - id: build\n    needs:\n      - biuld\n", 5, "tasks[0].needs[0]", "Did you mean `build`?"),
    ("id: p\nnodes:\n  - id: a\n    depends_on: x\n", 4, "nodes[0].depends_on", "there is no task `x`"),
    ("id: p\ntasks:\n  - id: a\n    needs: b\n  - {id: b, needs: [a]}\n", 4, "tasks[0].needs", "a -> b -> a"),
    ("id: p\ntasks:\n  - id: a\n    next: [{on: success, to: z}]\n", 4, "tasks[0].next[0].to", "no task `z`"),
    ("id: p\ntasks:\n  - id: a\n    next: {failure: z}\n", 4, "tasks[0].next.failure", "no task `z`"),
    ("id: p\ntasks:\n  - id: a\n    next: {failure: a}\n", 4, "tasks[0].next.failure", "goes on to itself"),
    ("id: p\ntasks:\n  - id: a\n    next: {failure: b}\n  - {id: b, next: {success: a}}\n", 5, "tasks[1].next", "a -> b -> a"),
    ("id: p\ntasks:\n  - id: a\n    kind: gate\n", 3, "tasks[0]", "would stand open"),
    ("id: p\ntasks: [{id: a}]\ngates:\n  - id: a\n    checks: [x]\n", 4, "gates[0].id", "no gate"),
    ("id: p\ntasks: [{id: g, kind: gate, approval: true}]\ngates:\n  - id: h\n", 4, "gates[0].id", "no task `h`"),
    ("id: p\ntasks: [{id: g, kind: gate}]\ngates:\n  - id: g\n    checks: 5\n", 5, "gates[0].checks", "must be a list"),
    ("id: p\ntasks: [{id: g, kind: gate, approval: true}]\ngates:\n  - id: g\n    approverRole: 5\n", 5, "gates[0].approverRole", "must be text"),
    ("id: p\ntasks: [{id: g, kind: gate, checks: [x]}]\ngates:\n  - id: g\n    checks: [y]\n", 4, "gates[0]", "stands in its"),
    ("id: p\ntasks:\n  - id: a\n    checks: [x]\n", 4, "tasks[0].checks", "belongs to a task of `kind: gate`"),
    ("id: p\ntasks:\n  - id: g\n    kind: gate\n    command: x\n", 5, "tasks[0].command", "under `checks`"),
    ("id: p\ntasks:\n  - id: a b\n", 3, "tasks[0].id", "it names a branch"),
    ("id: p\ntasks:\n  - id: a..b\n", 3, "tasks[0].id", "git takes no branch"),
    ("id: p\ntasks:\n  - id: a.lock\n", 3, "tasks[0].id", "git takes no branch"),
    ("id: p\ntasks:\n  - id: 7\n", 3, "tasks[0].id", "put a number in quotes"),
    (f"id: p\ntasks:\n  - id: {'a' * 101}\n", 3, "tasks[0].id", "more than 100 characters"),
    ("id: p--q\ntasks: [{id: a}]\n", 1, "id", "no `--`"),
    ("id:\ntasks: [{id: a}]\n", 1, "id", "must be text"),
    ("id: p\ntasks:\n  - id: a-*\n", 3, "tasks[0].id", "what this task fans out over"),
    ("id: p\ntasks:\n  - {id: a-b}\n  - {id: a-*, needs: a-b}\n  - {id: a-12}\n", 5, "tasks[2].id", "`a-*` gives this id"),
    ("id: p\ntasks:\n  - id: a\n    fan_out: {items: [x]}\n", 4, "tasks[0].fan_out", "ends with `-*`"),
    ("id: p\ntasks:\n  - id: a-*\n    fan_out: {items: [x], over: b}\n  - id: b\n", 4, "tasks[0].fan_out", "not both"),
    ("id: p\ntasks:\n  - id: a-*\n    fan_out:\n      over: b\n", 5, "tasks[0].fan_out.over", "no task and no artifact"),
    ("id: p\ntasks: [{id: a}]\ngates: {id: a}\n", 3, "gates", "this must be a list"),
    ("id: p\ntasks:\n  - id: a\n    using: gate\n", 4, "tasks[0].using", "only a task of `kind: gate`"),
    ("id: p\ntasks:\n  - {id: a, kind: gate, approval: true, using: http}\n", 3, "tasks[0].using", "leave `using` out"),
    ("id: p\ntasks:\n  - {id: a, using: agent, http: 'https://x'}\n", 3, "tasks[0].using", "does not go with `http`"),
    ("id: p\ntasks:\n  - id: a\n    kind: reserch\n", 4, "tasks[0].kind", "Did you mean `research`?"),
    ("id: p\ntasks:\n  - id: a\n    timeout: soon\n", 4, "tasks[0].timeout", "this is no duration"),
    ("id: p\ntasks:\n  - id: a\n    timeout_min: soon\n", 4, "tasks[0].timeout_min", "this is no duration"),
    ("id: p\ntasks:\n  - id: a\n    timeout: 0\n", 4, "tasks[0].timeout", "more than 0"),
    ("id: p\ntasks:\n  - id: a\n    timeout: 1e400\n", 4, "tasks[0].timeout", "too large"),
    ("id: p\ntasks:\n  - id: a\n    priority: urgent\n", 4, "tasks[0].priority", "low, normal, high, critical"),
    ("id: p\ntasks:\n  - id: a\n    inputs: {x: {y: 1}}\n", 4, "tasks[0].inputs", "must be a map from names"),
    ("id: p\ntasks:\n  - id: a\n    environment: {priority: []}\n", 4, "tasks[0].environment.priority", "must be text"),
    ("id: p\ntasks:\n  - id: a\n    environment: {1A: x}\n", 4, "tasks[0].environment.1A", "a variable's name"),
    ("id: p\ntasks:\n  - id: a\n    using: http\n", 4, "tasks[0].using", "needs `http`"),
    ("id: p\ntasks:\n  - id: a\n    using: git\n    command: x\n", 4, "tasks[0].using", "needs `git`"),
    ("id: p\ntasks:\n  - id: a\n    command: x\n    http: https://x\n", 3, "tasks[0]", "one runner"),
    ("id: p\ntasks:\n  - id: a\n    command: x\n    commands: [y]\n", 5, "tasks[0].commands", "not both"),
    ("id: p\ntasks:\n  - id: a\n    http: {url: ftp://x}\n", 4, "tasks[0].http.url", "no address"),
    ("id: p\ntasks:\n  - id: a\n    git: tag 'x\n", 4, "tasks[0].git", "never closed"),
    ("id: p\ntasks:\n  - id: a\n    artifacts: [x, x]\n", 4, "tasks[0].artifacts[1]", "second time"),
    ("id: p\ntasks:\n  - id: a\n    resources: {gpu: 2}\n", 4, "tasks[0].resources.gpu", "`pools`"),
    ("id: p\npools: {gpu: 1}\ntasks:\n  - {id: a, resources: {gpu: 2}}\n", 4, "tasks[0].resources.gpu", "there is only 1"),
    ("id: p\npolicies: {requireGateForProd: true}\ntasks:\n  - {id: a, kind: deploy}\n", 4, "tasks[0]", "needs a gate before"),
    ("id: p\nartifacts:\n  - {name: x, from: b}\ntasks: [{id: a}]\n", 3, "artifacts[0].from", "no task `b`"),
    ("id: p\nmilestones:\n  - {id: x, needs: [b]}\ntasks: [{id: a}]\n", 3, "milestones[0].needs", "no task `b`"),
    ("id: p\nhypotheses: [H1, H1]\ntasks: [{id: a}]\n", 2, "hypotheses[1]", "second time"),
    ("id: p\npools: {a: 1}\nlocks: [a]\ntasks: [{id: a}]\n", 3, "locks[0]", "is a pool, too"),
    ("id: p\ntasks:\n  - id: g\n    kind: gate\n    approval: 'no'\n", 5, "tasks[0].approval", "true or false"),
    ("id: p\ntasks:\n  - id: g\n    kind: gate\n    checks: [' ']\n", 5, "tasks[0].checks[0]", "this is blank"),
    ("id: p\ntasks:\n  - id: a\n    timeout: true\n", 4, "tasks[0].timeout", "must be a number"),
    ("id: p\nparallel: true\ntasks: [{id: a}]\n", 2, "parallel", "a whole number"),
    ("id: p\nbudget: {cost: '5'}\ntasks: [{id: a}]\n", 2, "budget.cost", "must be a number"),
    ("id: p\ndeadline: soon\ntasks: [{id: a}]\n", 2, "deadline", "no date or time"),
    ("id: p\nschedule: daily\ntasks: [{id: a}]\n", 2, "schedule", "five fields"),
    ('id: p\ntitle: "a\\e[31m"\ntasks: [{id: a}]\n', 2, "title", "control character"),
    ('id: p\nmetadata: {a: ["\\0"]}\ntasks: [{id: a}]\n', 2, "metadata", "control character"),
    ("id: p\nmetadata: {a: 1e999}\ntasks: [{id: a}]\n", 2, "metadata.a", "too large"),
    ("id: p\ntasks:\n  - id: a\n    subplan:\n      - {id: x, needs: [y]}\n", 5, "tasks[0].subplan[0].needs[0]", "no task `y`"),
    ("id: p\ntasks:\n  - id: a\n    subplan:\n      tasks:\n        - {id: x, kind: 5}\n", 6, "tasks[0].subplan.tasks[0].kind", "one of"),
    ("id: p\ntask_sequence: [a]\ntasks: [{id: a}]\n", 3, "tasks", "beside `task_sequence`"),
    ("id: p\ntasks:\n  - {id: a, command: x, escalation: ask}\n", 3, "tasks[0].escalation", "give the task one of `timeout`"),
    ("id: p\ntasks:\n  - {id: a, timeout: 5, escalation: {near: stop}}\n", 3, "tasks[0].escalation.near", "`stop`"),
    ("id: p\ntask_sequence: [a, 5]\n", 2, "task_sequence", "a list of texts"),
    ("id: p\ntaskSequence: []\n", 2, "taskSequence", "this is empty"),
    ("id: p\ntask_sequence:\n  - a\n  - \"a\\nb\"\n", 4, "task_sequence[1]", "a line break"),
    ("id: p\nstatus: odd\ntask_sequence: [a]\n", 2, "status", "`odd` is none of"),
    ("id: p\ntask_sequence: [a]\nmetadata: 5\n", 3, "metadata", "must be a map"),
    ("id: p\ntask_sequence: [a]\nnext_task_index: 2\n", 3, "next_task_index", "from 0 to 1"),
    ("id: p\ntasks:\n  - id: a\n   bad", 4, "", "not YAML"),
    ("id: p\ntasks: &x\n  - id: a\n", 2, "", "anchors"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "words"), ERRORS)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, path: str, words: str) -> None:
    found = [(each.line, each.path) for each in read(text.encode(), "plan.yaml").errors if words in each.message]
    assert found == [(line, path)], errors(text)


def test_every_problem_is_told_in_the_order_of_the_document() -> None:
    found = errors("""
    id: p
    titel: x
    tasks:
      - {id: a, needs: [x], kind: nothing}
      - {id: a, timeout: -1}
      - {id: g, kind: gate}
    """)
    assert [(line, path) for line, path, _ in found] == [
        (2, "titel"),
        (4, "tasks[0].needs[0]"),
        (4, "tasks[0].kind"),
        (5, "tasks[1].id"),
        (5, "tasks[1].timeout"),
        (6, "tasks[2]"),
    ]


def test_the_same_thing_is_told_once() -> None:
    assert len(errors("{id: p, tasks: [{id: a, needs: ['x y']}]}")) == 1


def test_json_has_lines_too() -> None:
    text = '{\n\t"id": "p",\n\t"tasks": [\n\t\t{"id": "\\ud83d\\ude00"},\n\t\t{"id": "b", "needs": ["c"]}\n\t]\n}'
    assert [(line, path) for line, path, _ in errors(text)] == [(4, "tasks[0].id"), (5, "tasks[1].needs[0]")]


def test_long_lists_of_problems_end() -> None:
    found = read(json.dumps({"id": "p", "tasks": [{"id": "a", "x": 1} for _ in range(1_000)]}).encode(), "p.json")
    assert len(found.errors) == LIMIT + 1
    assert "correct these first" in found.errors[-1].message


def test_there_are_at_most_ten_thousand_tasks_with_those_of_subplans() -> None:
    inner = [{"id": f"t{number}"} for number in range(9_999)]
    whole = {"id": "p", "tasks": [{"id": "a", "subplan": {"tasks": inner}}]}
    assert read(json.dumps(whole).encode(), "p.json").errors == ()
    inner.append({"id": "more"})
    assert "10,001 tasks" in read(json.dumps(whole).encode(), "p.json").errors[0].message


def test_prose_is_a_warning() -> None:
    found = reading("{id: p, tasks: [{id: a, command: 'search(query) -> top10', success_criteria: ['>= 5 sources']}]}")
    assert found.plan is not None
    assert [(each.path, each.line) for each in found.warnings] == [
        ("tasks[0].command", 1),
        ("tasks[0].success_criteria[0]", 1),
    ]


def test_a_document_without_lines_can_be_read() -> None:
    assert read_document(Document({"id": "p", "tasks": [{"id": "a", "x": 1}]}), "request").errors[0].line == 1


def test_the_text_language_is_read_where_the_name_says_so() -> None:
    found = read(b'task a "Do it"\n  needs: b\n', "some/My plan.plan")
    assert (found.errors[0].line, found.errors[0].path) == (2, "tasks[0].needs[0]")
    assert read(b"task a\n", "some/My plan.plan").checked().id == "plan-my-plan"
    assert read(b"plan own\ntask a\n", "x.plan").checked().id == "own"
    assert read(b"task a\n  nonsense\n", "x.plan").errors[0].line == 2


def test_an_invalid_plan_can_be_raised() -> None:
    with pytest.raises(
        PlanInvalid, match=r"^plan.yaml:1: `tasks`: this is needed, and it is absent\. There is 1 more"
    ) as raised:
        reading("id: p\nx: 1").checked()
    assert len(raised.value.problems) == 2
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("written", "runner"),
    [
        ("agent: claude, prompt: x", "agent"),
        ("prompt: x", "agent"),
        ("agent: claude, command: 'search(x) -> y'", "agent"),
        ("using: agent, command: 'search(x) -> y'", "agent"),
        ("command: make", "shell"),
        ("commands: [make]", "shell"),
        ("using: shell, command: make", "shell"),
        ("git: tag v1", "git"),
        ("http: https://example.org", "http"),
        ("db: {url: 'sqlite:x.db', query: select 1}", "db"),
        ("subplan: [look]", "subplan"),
        ("kind: gate, approval: true", "gate"),
        ("title: x", "agent"),
    ],
)
def test_what_runs_a_task_follows_from_its_keys(written: str, runner: str) -> None:
    assert plan(f"{{id: p, tasks: [{{id: a, {written}}}]}}").tasks[0].runner == runner


@pytest.mark.parametrize(
    "made", ["artifacts: [made]", "outputs: [made]", "outputs: {made: x}", "artifacts: [{name: made}]"]
)
def test_a_task_fans_out_over_what_another_makes(made: str) -> None:
    for over in ("b", "made"):
        document = f"{{id: p, tasks: [{{id: b, {made}}}, {{id: a-*, needs: b, fan_out: {{over: {over}}}}}]}}"
        assert errors(document) == []
    assert errors("{id: p, artifacts: [{name: x, from: b}], tasks: [{id: b}, {id: a-*, fan_out: {over: x}}]}") == []


def test_a_likeness_is_found_among_many_ids() -> None:
    tasks = [{"id": f"build-{number:05}"} for number in range(3_000)] + [{"id": "z", "needs": ["build-0299"]}]
    (problem,) = read(json.dumps({"id": "p", "tasks": tasks}).encode(), "p.json").errors
    assert "Did you mean `build-" in problem.message


def test_it_takes_a_deploy_behind_a_gate() -> None:
    text = """
    id: p
    policies: {requireGateForProd: true}
    tasks:
      - {id: g, kind: gate, approval: true}
      - {id: b, needs: [g]}
      - {id: d, kind: deploy, needs: [b], command: make deploy}
    """
    assert errors(text) == []


def test_a_failure_may_lead_to_a_task_that_also_needs_the_failed_one() -> None:
    assert errors("{id: p, tasks: [{id: a, next: {failure: b, success: c}}, {id: b, needs: [a]}, {id: c}]}") == []
