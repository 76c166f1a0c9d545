"""docs/plan-file.md names every key, and nothing else; its examples are valid."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.engine.plans.reading import LIMITS, read
from supervisor.engine.plans.schema import shapes
from supervisor.engine.plans.spelling import OTHERS

REFERENCE = Path(__file__).parents[2] / "docs" / "plan-file.md"


def rows() -> Iterator[tuple[str, str, list[str]]]:
    """Yield key, meaning and further names of every key that can be written."""
    for shape in shapes():
        for attribute, field in shape.model_fields.items():
            name = field.alias or attribute
            others = [other for other, meant in OTHERS.get(shape, {}).items() if meant == name]
            yield name, field.description or "", others


@pytest.mark.parametrize(("key", "meaning", "others"), list(rows()))
def test_every_key_is_in_the_reference(key: str, meaning: str, others: list[str]) -> None:
    also = f" Also: {', '.join(f'`{other}`' for other in others)}." if others else ""
    lines = REFERENCE.read_text().splitlines()
    assert any(line.startswith(f"| `{key}` |") and line.endswith(f"| {meaning}{also} |") for line in lines)


def test_the_reference_has_no_key_that_is_gone() -> None:
    shown = [line.split("`")[1] for line in REFERENCE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(shown) == sorted(key for key, _, _ in rows())


def test_the_examples_are_valid_and_the_limits_those_in_force() -> None:
    text = REFERENCE.read_text()
    blocks = [textwrap.dedent(block) for block in text.split("\n\n") if block.startswith("    ")]
    plans = [block for block in blocks if block.startswith(("id:", "{"))]
    assert len(plans) == 2
    for plan in plans:
        assert read(plan.encode(), "plan.yaml").errors == ()
    assert f"{LIMITS.size:,} bytes, {LIMITS.values:,} keys" in text
