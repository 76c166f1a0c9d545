"""Whatever a plan says, it says the same after it was written and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.engine.plans.exporting import as_json, as_yaml, canonical
from supervisor.engine.plans.linear import linear
from supervisor.engine.plans.reading import read
from supervisor.model.errors import InvalidInput
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task
from tests.support.plans import SAMPLES, plan

ODD = st.sampled_from(
    ["no", "1e3", "0x10", "12:30", "~", "null", "true", "-", "- a", "a: b", "#", "007", " x ", "'", '"']
)
LETTERS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t\r")
TEXT = (
    ODD
    | st.text(LETTERS, min_size=1, max_size=60).filter(str.strip)
    | st.lists(ODD, min_size=1, max_size=4).map("\n".join)
)
LINE = ODD | st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40).filter(
    str.strip
)
SECONDS = st.floats(0.001, 1e6) | st.integers(1, 10**6)
NUMBER = st.floats(0.1, 100) | st.integers(1, 100)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINE, inner, max_size=3),
    max_leaves=6,
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


SHARED = {
    "title": LINE,
    "priority": st.sampled_from(["low", "normal", "high", "critical"]) | st.integers(-1000, 1000),
    "owner": LINE,
    "budget": some(time=SECONDS, cost_usd=st.floats(0, 1e6), api_calls=st.integers(0, 10**9), tokens=st.integers(0, 9)),
    "artifacts": st.lists(
        some(type=LINE, path=LINE, retention=st.sampled_from(["task", "30d"])).map(lambda one: {"name": "x", **one}),
        max_size=1,
    ),
    "metadata": st.dictionaries(LINE, FREE, max_size=3),
}
TASK = some(
    **SHARED,
    description=TEXT,
    kind=st.sampled_from(["research", "implement", "validate", "debug", "refactor", "synthesize", "analyze"]),
    status=st.sampled_from(["pending", "completed"]),
    labels=st.lists(LINE, max_size=2),
    inputs=st.dictionaries(LINE, TEXT | NUMBER | st.booleans() | st.none() | st.lists(TEXT | NUMBER), max_size=3),
    outputs=st.dictionaries(LINE, TEXT, max_size=3),
    capabilities=st.lists(LINE, max_size=2),
    reads=st.lists(LINE, max_size=2),
    writes=st.lists(LINE, max_size=2),
    resources=st.dictionaries(LINE, st.floats(0.01, 1), max_size=2),
    preconditions=st.lists(TEXT, max_size=2),
    success_criteria=st.lists(TEXT, max_size=2),
    failure_modes=st.lists(some(detect=TEXT, recover=TEXT).map(lambda one: {"name": "x", **one}), max_size=2),
    command=TEXT,
    environment=st.dictionaries(st.sampled_from(["A", "b_1"]), TEXT, max_size=2),
    workspace=st.sampled_from(["plan", "own", "none"]),
    timeout=SECONDS,
    no_output=SECONDS,
    timebox=SECONDS,
    retry=some(attempts=st.integers(1, 9), delay=st.floats(0, 99), backoff=st.floats(1, 9), max_delay=SECONDS),
    idempotent=st.booleans(),
    rollback=st.lists(TEXT, max_size=2),
    evidence=st.lists(LINE, max_size=2),
)
PLAN = st.builds(
    lambda head, tasks: {**head, "tasks": [{**task, "id": f"t{number}"} for number, task in enumerate(tasks)]},
    some(
        **SHARED,
        objective=TEXT,
        definition_of_done=st.lists(TEXT, max_size=2),
        deadline=st.datetimes().map(lambda moment: moment.isoformat()),
        stakeholders=st.lists(LINE, max_size=2),
        revision=st.integers(1, 99),
        advance=st.sampled_from(["manual", "auto"]),
        agents=st.lists(LINE | st.integers(0, 9), max_size=3),
        pools=st.dictionaries(LINE, NUMBER.map(lambda size: size + 1), max_size=2),
    ).map(lambda head: {"id": "p", **head}),
    st.lists(TASK, min_size=1, max_size=3),
)


def check_both_ways(one: Plan) -> None:
    for text, where in ((as_yaml(one), "x.yaml"), (as_json(one), "x.json")):
        again = read(text.encode(), where)
        assert again.errors == ()
        assert again.plan == one
        assert json.dumps(canonical(again.checked())) == json.dumps(canonical(one))


@settings(max_examples=150, deadline=None)
@given(PLAN)
def test_what_is_written_reads_the_same(value: dict[str, Any]) -> None:
    check_both_ways(Plan.model_validate(value))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_sample_survives(path: Path) -> None:
    check_both_ways(read(path.read_bytes(), str(path)).checked())


def test_other_programs_read_the_export_the_same() -> None:
    one = plan("{id: p, title: 'no', tasks: [{id: a, title: 1e3x, command: 'on', next: {success: b}}, {id: b}]}")
    assert yaml.safe_load(as_yaml(one)) == json.loads(as_json(one)) == canonical(one)


def test_keys_have_one_order_and_defaults_are_left_out() -> None:
    one = plan("{tasks: [{command: make, timeout: 2m, id: a}], advance: manual, title: T, id: p}")
    assert as_yaml(one) == "id: p\ntitle: T\ntasks:\n- id: a\n  command: make\n  timeout: 120\n"


def test_a_text_of_several_lines_stands_as_a_block() -> None:
    one = plan('{id: p, tasks: [{id: a, command: "make\\n\\n  make install\\n"}]}')
    assert "  command: |\n    make\n\n      make install\n" in as_yaml(one)


LINEAR = Path(__file__).parents[1] / "samples" / "plans" / "linear.json"


def test_the_linear_form_comes_back_without_loss() -> None:
    document = json.loads(LINEAR.read_bytes())
    changes: list[dict[str, Any]] = [
        {},
        {"next_task_index": 2},
        {"next_task_index": 4, "status": "completed"},
        {"metadata": {"x": {}}},
    ]
    for change in changes:
        changed = document | change
        assert linear(read(json.dumps(changed).encode(), "x.json").checked()) == changed


METADATA = some(
    description=LINE | NUMBER,
    priority=st.sampled_from(["high", "odd", 5, 5000, 1.5]),
    owner=LINE | st.none(),
    more=FREE,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT.map(lambda text: " ".join(text.split()) or "x"), min_size=1, max_size=5), METADATA, st.data())
def test_any_sequence_comes_back_without_loss(names: list[str], metadata: dict[str, Any], data: st.DataObject) -> None:
    document = {
        "plan_id": "plan_1",
        "task_sequence": names,
        "next_task_index": data.draw(st.integers(0, len(names))),
        "agent_ids": data.draw(st.lists(st.integers(0, 9) | LINE, min_size=1)),
        "metadata": {"kept": 1, **metadata},
    }
    one = read(json.dumps(document).encode(), "x.json").checked()
    assert linear(one) == document
    check_both_ways(one)


@pytest.mark.parametrize(
    ("document", "lost"),
    [
        ("{id: p, tasks: [{id: a, command: make}]}", r"tasks\.command"),
        ("{id: p, tasks: [{id: a}, {id: b}]}", "not a chain"),
        ("{id: p, tasks: [{id: a, status: failed}]}", "not a chain"),
        ("{id: p, budget: {cost: 1}, scope: x, tasks: [{id: a}]}", "budget, scope"),
        ("{id: p, owner: me, metadata: {owner: you}, tasks: [{id: a, title: a}]}", r"metadata\.owner"),
    ],
)
def test_what_the_linear_form_cannot_say_is_not_lost_silently(document: str, lost: str) -> None:
    with pytest.raises(InvalidInput, match=lost):
        linear(plan(document))


def test_every_field_of_the_model_is_among_those_that_are_tried() -> None:
    """Fields that the strategies leave out are listed here, so that a new one is not forgotten."""
    tried = {"id", "kind", "needs", "next", "subplan", "using", "agent", "prompt", "commands", "http", "db", "git"}
    gates = {"checks", "evidence_required", "approval", "approver_role"}
    gates |= {"schemas", "invariants", "regressions", "diff_review"}
    rest = {"assumptions", "risks", "fan_out", "heartbeat", "escalation"}
    names = {"title", "priority", "owner", "budget", "artifacts", "metadata", "description", "status", "labels"}
    names |= {"inputs", "outputs", "capabilities", "reads", "writes", "resources", "preconditions", "success_criteria"}
    names |= {"failure_modes", "command", "environment", "workspace", "timeout", "no_output", "timebox", "retry"}
    names |= {"idempotent", "rollback", "evidence"}
    assert Task.model_fields.keys() == tried | gates | rest | names


def test_gates_runners_and_subplans_come_back() -> None:
    check_both_ways(
        plan("""
    id: p
    hypotheses: [{id: H1, statement: x, prior: 0.5, testCost: 2}]
    milestones: [{id: m, needs: [g], due: 2026-01-01}]
    schedule: {cron: 0 1 * * *, timezone: Europe/Berlin}
    tasks:
      - {id: a, http: {url: "https://x.org/?a=b", method: POST, headers: {A: b}, body: "{}", expect_status: [201]}}
      - {id: b, db: {url: "sqlite:x.db", sql: [select 1]}}
      - {id: c, git: [tag, v1]}
      - {id: d, subplan: [one, {id: x, commands: [make, make test]}]}
      - {id: "e-*", fanOut: {items: [x, y], limit: 3}, needs: [d], assumptions: [x], risks: [y], heartbeat: 5}
      - {id: g, kind: gate, evidenceRequired: [x], approval: true, approverRole: lead, checks: ["true"],
         schemas: {a.json: b.json}, invariants: ["true"], diffReview: true,
         regressions: [make, {command: wc, better: lower, tolerance: 0.5, baseline: size}]}
      - {id: h, agent: claude, prompt: Do it, using: agent, next: {failure: i}}
      - {id: i}
    """)
    )
