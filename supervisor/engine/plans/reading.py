"""Reading plan documents: bytes become a plan, or everything that is wrong with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from pydantic import ValidationError

from config.documents import Document, Limits, Unreadable, parse_document
from supervisor.engine.plans.checks import Tasks
from supervisor.engine.plans.gates import SECTION, join_gates
from supervisor.engine.plans.linear import is_linear, unrolled
from supervisor.engine.plans.problems import Findings, PlanInvalid, Problem, quoted
from supervisor.engine.plans.production import check_production
from supervisor.engine.plans.sense import Around, check_sense
from supervisor.engine.plans.shaping import Canonical, Places, shaped
from supervisor.engine.plans.wording import explain
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.values import ITEM_LIMIT

LIMITS: Final = Limits(size=8_000_000, values=400_000)
"""What a plan document may hold: 10,000 tasks with forty keys and values each."""

LANGUAGE: Final = ".plan"
"""How the names of files in the text language end."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a document. ``plan`` is None when there are errors; warnings are there in any case."""

    where: str
    plan: Plan | None
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    def checked(self) -> Plan:
        """Return the plan. Raises PlanInvalid with every problem."""
        if self.plan is None:
            raise PlanInvalid(self.where, list(self.errors))
        return self.plan


def read(data: bytes, where: str, *, fallback_id: str | None = None) -> Reading:
    """Read a document. ``where`` is its name: one that ends with ``.plan`` is in the text language.

    ``fallback_id`` is the plan's id where the document has none; in the text language, which needs no id, that is
    otherwise made of the file's name.
    """
    if fallback_id is None and where.endswith(LANGUAGE):
        fallback_id = _named_like(where)
    try:
        document = _parsed(data, where)
    except Unreadable as error:
        return Reading(where, None, (Problem("", error.line, error.what),), ())
    return read_document(document, where, fallback_id=fallback_id)


def read_document(document: Document, where: str, *, fallback_id: str | None = None) -> Reading:
    """Read what was parsed already."""
    places = Places(document)
    findings = Findings(places.line)
    plan = _plan(document.value, fallback_id, places, findings)
    findings.finish()
    return Reading(where, None if findings.errors else plan, tuple(findings.errors), tuple(findings.warnings))


def _named_like(where: str) -> str:
    """Return an id for a plan in a file of this name: ``plan-<shortname>``."""
    words = re.findall(r"[A-Za-z0-9]+", PurePath(where).stem)
    short = "-".join(words)[:60].strip("-").lower()
    return short if short.startswith("plan-") else f"plan-{short or 'untitled'}"


def _parsed(data: bytes, where: str) -> Document:
    if where.endswith(LANGUAGE):
        from supervisor.engine.plans.dsl import parse

        return parse(data, where)
    return parse_document(data, where, LIMITS)


def _plan(written: Any, fallback_id: str | None, places: Places, findings: Findings) -> Plan | None:
    if not isinstance(written, dict):
        what = "the document is empty" if written is None else "a plan is a map of keys and values"
        findings.error((), f"{what}: it begins with `id:` and has `tasks:`")
        return None
    gates = written.get(SECTION)
    linear = is_linear(written)
    data = unrolled(written, places, findings) if linear else _canonical(written, findings)
    if fallback_id is not None:
        data.setdefault("id", fallback_id)
    if gates is not None and not linear:
        join_gates(gates, data.get("tasks"), places, findings)
    _check(data, places, findings)
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        explain(error, places, findings)
        return None


def _canonical(written: dict[str, Any], findings: Findings) -> dict[str, Any]:
    data: dict[str, Any] = shaped({key: value for key, value in written.items() if key != SECTION}, Plan, (), findings)
    return data


def _check(data: dict[str, Any], places: Places, findings: Findings) -> None:
    around = _around(data)
    policies = data.get("policies")
    guarded = isinstance(policies, dict) and policies.get("require_gate_for_prod") is True
    top: Tasks | None = None
    count = 0
    waiting: list[tuple[Any, Canonical, bool]] = [(data.get("tasks"), ("tasks",), False)]
    while waiting:
        written, at, within = waiting.pop()
        if not isinstance(written, list):
            continue
        count += len(written)
        tasks = Tasks(written, at, places, findings)
        tasks.check_graph()
        check_sense(tasks, around)
        behind = check_production(tasks, within=within) if guarded else set()
        top = top or tasks
        for number, task in tasks.tasks:
            subplan = task.get("subplan")
            if isinstance(subplan, dict):
                waiting.append((subplan.get("tasks"), (*at, number, "subplan", "tasks"), number in behind))
    if count > ITEM_LIMIT:
        findings.error(places.written(("tasks",)), f"the plan has {count:,} tasks, and it may have {ITEM_LIMIT:,}")
    if top is not None:
        _check_references(data, top, places, findings)


def _around(data: dict[str, Any]) -> Around:
    pools, artifacts = data.get("pools"), data.get("artifacts")
    names = [
        each.get("name") if isinstance(each, dict) else each
        for each in (artifacts if isinstance(artifacts, list) else ())
    ]
    return Around(
        pools if isinstance(pools, dict) else {},
        bool(data.get("hypotheses")),
        frozenset(name for name in names if isinstance(name, str)),
    )


def _check_references(data: dict[str, Any], tasks: Tasks, places: Places, findings: Findings) -> None:
    """Check what the plan itself says about its tasks, and that nothing in it is named twice."""
    pools, locks = data.get("pools"), data.get("locks")
    for number, lock in enumerate(locks if isinstance(locks, list) else ()):
        if isinstance(pools, dict) and isinstance(lock, str) and lock in pools:
            findings.error(places.written(("locks", number)), f"{quoted(lock)} is a pool, too; keep one of them")
    for section, name, reference in (
        ("artifacts", "name", "from"),
        ("milestones", "id", "needs"),
        ("hypotheses", "id", ""),
    ):
        seen: set[str] = set()
        written = data.get(section)
        for number, each in enumerate(written if isinstance(written, list) else ()):
            if findings.full:
                return
            at = (section, number)
            own = each.get(name) if isinstance(each, dict) else each
            if isinstance(own, str):
                if own in seen:
                    findings.error(places.written(at), f"{quoted(own)} is here a second time")
                seen.add(own)
            ids = each.get(reference, ()) if isinstance(each, dict) and reference else ()
            for one in [ids] if isinstance(ids, str) else ids if isinstance(ids, list) else ():
                if isinstance(one, str) and one not in tasks.numbers:
                    findings.error(places.written((*at, reference)), tasks.unknown(one))
