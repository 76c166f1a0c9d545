"""Weighing budgets: never tripped below a limit, always at the first event that reaches it, told once per level."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import Budgets, Limits, Settings
from supervisor.engine.budgets.limits import Subject, document_of, limits_in, subject_of, used_in
from supervisor.engine.budgets.weighing import holds, spent, weigh
from supervisor.engine.ledger import Transaction
from supervisor.model.budgets import level_of
from supervisor.model.entities import Stats
from supervisor.model.events import Event
from supervisor.model.plans import Plan, PlanStatus, Revision
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import local_day
from supervisor.store import budgets, plans, sessions, usage
from tests.support.stores import NOON, PROJECT, a_session, database
from tests.unit.test_store_plans import ASKED

DAY_MS = 86_400_000
BUDGETS = st.sampled_from(["session", "task", "plan", "project", "day"])


class Spending:
    """A session of a task that uses things, in a database with budgets."""

    def __init__(self, conn: sqlite3.Connection, configured: Settings) -> None:
        self.conn = conn
        self.settings = configured
        self.now = NOON
        self.stats = Stats()
        self.told: list[Event] = []

    def turn(self, cost: float = 0.0, tokens: int = 0, calls: int = 1) -> None:
        """Let a turn end that used this."""
        transaction = Transaction(self.conn)
        transaction.now = self.now
        after = replace(
            self.stats, cost_usd=self.stats.cost_usd + cost, tokens_output=self.stats.tokens_output + tokens
        )
        session = sessions.get(self.conn, "ses_1")
        usage.add_turn(self.conn, session, self.stats, after, api_calls=calls, at=self.now)
        weigh(transaction, self.settings, subject_of(self.conn, session.id, session.project))
        self.stats = after
        self.told += transaction.events

    def types(self) -> list[str]:
        """What was told."""
        return [event.type for event in self.told]

    def payload(self, number: int = -1) -> dict[str, Any]:
        """What an event says."""
        found: dict[str, Any] = msgspec.json.decode(self.told[number].payload)
        return found


def configured(**given: Any) -> Settings:
    return Settings(budgets=Budgets(**given))


@contextmanager
def spending(
    folder: Path,
    *,
    document: dict[str, Any] | None = None,
    budget_usd: float | None = None,
    **given: Any,
) -> Iterator[Spending]:
    """A running session, of the task a of plan-x where there is a document."""
    with database(folder) as conn:
        sessions.insert(conn, a_session("ses_1", budget_usd=budget_usd, agent="scripted"))
        if document is not None:
            plans.insert(conn, Plan("plan-x", PROJECT.id, "X", PlanStatus.RUNNING, ASKED, NOON))
            plans.add_revision(conn, Revision("plan-x", 1, json.dumps(document), "person", NOON))
            usage.link(conn, "ses_1", "plan-x", "a")
        yield Spending(conn, configured(**given))


def a_document(**budget: Any) -> dict[str, Any]:
    return {"id": "plan-x", "tasks": [{"id": "b"}, {"id": "a", "budget": budget}]}


def within(kind: str, limit: int) -> dict[str, Any]:
    """What gives a budget of so many tokens (of so many dollars, for a session) to one of the scopes."""
    if kind == "session":
        return {"budget_usd": limit / 1000}
    if kind in ("task", "plan"):
        budget = {"tokens": limit}
        whole = {"budget": budget, "tasks": [{"id": "a"}]} if kind == "plan" else a_document(**budget)
        return {"document": {"id": "plan-x", **whole}}
    return {kind: Limits(tokens=limit)}


@given(BUDGETS, st.integers(1, 2_000), st.lists(st.integers(0, 400), max_size=30), st.floats(0.05, 1))
@settings(deadline=None, max_examples=60)
def test_a_breaker_trips_at_the_first_event_that_reaches_the_limit_and_never_before(
    kind: str, limit: int, turns: list[int], warn_at: float
) -> None:
    with tempfile.TemporaryDirectory() as place, spending(Path(place), **within(kind, limit), warn_at=warn_at) as s:
        used, expected = 0, list[str]()
        for amount in turns:
            s.turn(cost=amount / 1000, tokens=amount)
            used += amount
            if used >= limit:
                if "budget_tripped" not in expected:
                    expected.append("budget_tripped")
            elif used >= warn_at * limit and not expected:
                expected.append("budget_warning")
            assert s.types() == expected, (used, limit)


@pytest.mark.parametrize(
    ("measure", "turn"), [("cost_usd", {"cost": 0.1}), ("tokens", {"tokens": 1}), ("api_calls", {"calls": 1})]
)
def test_each_measure_has_its_limit_and_reaching_it_exactly_is_enough(
    tmp_path: Path, measure: str, turn: dict[str, Any]
) -> None:
    limit = 0.3 if measure == "cost_usd" else 3
    with spending(tmp_path, day=Limits(**{measure: limit})) as s:
        s.turn(**turn)
        s.turn(**turn)
        assert s.types() == []
        s.turn(**turn)
        assert s.types() == ["budget_tripped"]
        assert (s.payload()["measure"], s.payload()["used"], s.payload()["limit"]) == (measure, limit, limit)
        s.turn(**turn)
        assert s.types() == ["budget_tripped"]


def test_a_limit_of_nothing_trips_at_the_first_event(tmp_path: Path) -> None:
    with spending(tmp_path, document=a_document(cost_usd=0)) as s:
        s.turn()
        assert s.types() == ["budget_tripped"]


def test_what_one_event_says(tmp_path: Path) -> None:
    with spending(tmp_path, document=a_document(cost_usd=1.0)) as s:
        s.turn(cost=0.9)
        s.turn(cost=0.3)
        warned, tripped = s.told
        assert (warned.type, warned.severity, warned.phase) == ("budget_warning", "warning", "telemetry")
        assert (tripped.type, tripped.severity) == ("budget_tripped", "error")
        assert (tripped.plan, tripped.task, tripped.session) == ("plan-x", "a", None)
        assert s.payload()["text"] == "The budget of $1.00 of the task plan-x/a is used up: $1.20."
        assert s.payload()["scope"] == "task:plan-x/a"


def test_a_tasks_budget_counts_all_its_sessions_and_no_other_tasks(tmp_path: Path) -> None:
    with spending(tmp_path, document=a_document(cost_usd=1.0)) as s:
        before = a_session("ses_0", agent="scripted")
        other = a_session("ses_2", agent="scripted")
        for session, task in ((before, "a"), (other, "b")):
            sessions.insert(s.conn, session)
            usage.link(s.conn, session.id, "plan-x", task)
            usage.add_turn(s.conn, session, Stats(), Stats(cost_usd=0.6), api_calls=1, at=NOON)
        s.turn(cost=0.3)
        assert s.types() == ["budget_warning"]
        s.turn(cost=0.1)
        assert s.types() == ["budget_warning", "budget_tripped"]
        assert spent(s.conn, sessions.get(s.conn, "ses_1")).startswith("Its budget of $1.00 is used up")
        assert spent(s.conn, other) == ""


def test_a_day_begins_with_nothing_used(tmp_path: Path) -> None:
    with spending(tmp_path, day=Limits(cost_usd=1.0)) as s:
        session = sessions.get(s.conn, "ses_1")
        s.turn(cost=1.0)
        assert holds(s.conn, s.settings, session, s.now) is not None
        s.now += DAY_MS
        assert holds(s.conn, s.settings, session, s.now) is None
        s.turn(cost=0.5)
        assert s.types() == ["budget_tripped"]
        s.turn(cost=0.5)
        assert s.types() == ["budget_tripped", "budget_tripped"]
        assert s.payload()["period"] == local_day(s.now)[0]


def test_a_raised_limit_closes_the_breaker_and_trips_again_at_the_new_one(tmp_path: Path) -> None:
    with spending(tmp_path, project=Limits(cost_usd=1.0)) as s:
        s.turn(cost=1.0)
        s.settings = configured(project=Limits(cost_usd=10.0))
        s.turn()
        assert budgets.raised(s.conn, local_day(s.now)[0]) == []
        s.turn(cost=9.0)
        assert s.types() == ["budget_tripped", "budget_tripped"]
        s.settings = configured()
        s.turn()
        assert budgets.raised(s.conn, local_day(s.now)[0]) == []


def test_a_plain_command_is_not_held_by_what_money_is_limited_for(tmp_path: Path) -> None:
    with spending(tmp_path, day=Limits(cost_usd=1.0)) as s:
        s.turn(cost=1.0)
        command = a_session("ses_2", agent="command")
        sessions.insert(s.conn, command)
        known = Settings.model_validate({"agents": {"command": {"name": "command", "adapter": "command"}}})
        assert holds(s.conn, known, command, s.now) is None
        assert holds(s.conn, known, sessions.get(s.conn, "ses_1"), s.now) is not None


def test_time_at_work_counts_until_now(tmp_path: Path) -> None:
    with spending(tmp_path, document=a_document(time=60)) as s:
        running = replace(sessions.get(s.conn, "ses_1"), status=SessionStatus.PREPARING)
        sessions.update(s.conn, running)
        running = replace(running, status=SessionStatus.RUNNING, reason=replace(running.reason, at=NOON))
        sessions.update(s.conn, running)
        assert used_in(s.conn, "task:plan-x/a", NOON + 59_000).time == 59_000
        s.now = NOON + 59_000
        s.turn()
        assert s.types() == ["budget_warning"]
        s.now = NOON + 60_000
        s.turn()
        assert s.types() == ["budget_warning", "budget_tripped"]


def test_a_document_that_is_no_document_has_no_budgets(tmp_path: Path) -> None:
    with spending(tmp_path, document=a_document(tokens=1)) as s:
        plans.add_revision(s.conn, Revision("plan-x", 2, "tasks: [", "person", NOON, parent=1))
        plans.update(s.conn, replace(plans.get(s.conn, "plan-x"), revision=2))
        assert document_of(s.conn, "plan-x").of_task("a") == []


def nested(**given: Any) -> dict[str, Any]:
    inner = {"budget": {"tokens": 50}, "tasks": [{"id": "test", "budget": {"tokens": 20}}, {"id": "dive-*"}]}
    return {
        "id": "plan-x",
        "tasks": [{"id": "a", "subplan": inner, **given}, {"id": "dive-*", "budget": {"tokens": 9}}],
    }


@pytest.mark.parametrize(
    ("task", "limits"),
    [("a", {"tokens": 30}), ("a/test", {"tokens": 20}), ("a/dive-2", {}), ("dive-12", {"tokens": 9}), ("a/x", {}),
     ("dive-x", {}), ("dive-", {}), ("x/test", {})],
)  # fmt: skip
def test_tasks_of_subplans_and_parts_of_repeated_ones_have_their_limits(
    tmp_path: Path, task: str, limits: dict[str, int]
) -> None:
    with spending(tmp_path, document=nested(budget={"tokens": 30})) as s:
        found = limits_in(s.conn, s.settings, f"task:plan-x/{task}", NOON)
        assert {limit.measure: limit.amount for limit in found} == limits


def test_a_part_counts_for_the_whole(tmp_path: Path) -> None:
    with spending(tmp_path, document=nested()) as s:
        for number, task in enumerate(("a/test", "a/other", "ab"), 5):
            session = a_session(f"ses_{number}", agent="scripted")
            sessions.insert(s.conn, session)
            usage.link(s.conn, session.id, "plan-x", task)
            usage.add_turn(s.conn, session, Stats(), Stats(tokens_output=19), api_calls=1, at=NOON)
        assert used_in(s.conn, "task:plan-x/a", NOON).tokens == 38
        part = subject_of(s.conn, "ses_5", PROJECT.id)
        assert part.scopes[1:3] == ("task:plan-x/a/test", "task:plan-x/a")
        s.turn(tokens=12)
        assert s.types() == ["budget_tripped"]
        assert s.payload()["scope"] == "task:plan-x/a"
        assert spent(s.conn, sessions.get(s.conn, "ses_5"))
        assert not spent(s.conn, sessions.get(s.conn, "ses_7"))


def test_scopes_from_the_narrowest_to_the_widest() -> None:
    subject = Subject("prj_1", "plan-x", "a", "ses_1")
    assert subject.scopes == ("session:ses_1", "task:plan-x/a", "plan:plan-x", "project:prj_1", "day")
    assert Subject(None, None, "a").scopes == ("day",)


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0.01, 1))
def test_levels(used: int, allowed: int, warn_at: float) -> None:
    level = level_of(used, allowed, warn_at)
    assert (level == "tripped") == (used >= allowed)
    assert level != "warning" or used >= warn_at * allowed
