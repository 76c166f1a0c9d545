"""Plan documents for tests."""

from __future__ import annotations

import textwrap
from pathlib import Path

from supervisor.engine.plans.reading import Reading, read
from supervisor.model.plan.plan import Plan

SAMPLES = sorted(path for path in (Path(__file__).parents[1] / "samples" / "plans").iterdir() if path.suffix != ".md")


def reading(text: str, where: str = "plan.yaml") -> Reading:
    """Read a document that is written in a test, indented or not."""
    return read(textwrap.dedent(text).lstrip("\n").encode(), where)


def plan(text: str) -> Plan:
    """Return the plan of a document that is valid."""
    return reading(text).checked()


def errors(text: str) -> list[tuple[int, str, str]]:
    """Return line, path and message of each error."""
    return [(each.line, each.path, each.message) for each in reading(text).errors]
