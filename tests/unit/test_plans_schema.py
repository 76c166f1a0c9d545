from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from config.documents import parse_document
from supervisor.engine.plans.exporting import canonical
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.schema import plan_schema
from supervisor.engine.plans.spelling import part
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task
from tests.support.malformed import large_plan
from tests.support.plans import SAMPLES

PUBLISHED = Path(__file__).parents[2] / "docs" / "plan.schema.json"
DOCUMENTS = [path for path in SAMPLES if path.suffix != ".plan"]


def valid(document: Any) -> bool:
    return jsonschema.Draft202012Validator(plan_schema()).is_valid(document)


def test_the_published_schema_is_the_one_in_force() -> None:
    shown = json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text() == shown, "run: quarterdeck plan schema > docs/plan.schema.json"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_it_takes_the_samples_as_they_are_written_and_as_they_are_exported(path: Path) -> None:
    assert valid(parse_document(path.read_bytes(), path.name).value)
    assert valid(canonical(read(path.read_bytes(), str(path)).checked()))


def test_it_takes_every_short_form() -> None:
    assert valid(large_plan(12))
    task = {
        "id": "a",
        "needs": "b",
        "timeoutMin": 5,
        "noOutput": "30m",
        "retry": 3,
        "next": {"success": "b"},
        "git": "tag",
    }
    assert valid({"plan_id": "p", "nodes": [task], "hypotheses": ["H1"], "schedule": "0 * * * *"})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"id": "p"},
        {"id": "p", "tasks": []},
        {"id": "p", "tasks": [{"id": "a", "titel": "x"}]},
        {"id": "p", "tasks": [{"id": "a", "kind": "x"}]},
        {"id": "p", "tasks": [{"id": "a"}], "odd": 1},
        {"task_sequence": []},
    ],
)
def test_it_refuses_what_reading_refuses(document: Any) -> None:
    assert not valid(document)
    assert read(json.dumps(document).encode(), "x.json").errors


def test_every_field_says_what_it_means() -> None:
    parts = plan_schema()["$defs"]
    unsaid = [
        f"{name}.{key}"
        for name, schema in parts.items()
        if name != "Linear"
        for key, field in schema.get("properties", {}).items()
        if not field.get("description")
    ]
    assert unsaid == []


def test_no_key_has_two_meanings() -> None:
    for shape in (Plan, Task):
        for other, spelling in part(shape).spellings.items():
            assert other == spelling.name or other not in shape.model_fields
