"""Two thousand broken documents: each is read, or refused with a clear error that has a line."""

from __future__ import annotations

import json

from supervisor.engine.plans.problems import Problem
from supervisor.engine.plans.reading import read
from tests.support.malformed import malformed

COUNT = 2_000


def unclear(problem: Problem, lines: int) -> bool:
    """Return whether a problem does not help: no line of the document, or words of a program."""
    strange = ("Input should", "validation error", "Traceback", "None", "pydantic", "object has no attribute")
    return (
        not 1 <= problem.line <= lines
        or not problem.message
        or len(problem.message) > 1_000
        or any(word in problem.message for word in strange)
    )


def test_every_broken_document_is_read_or_refused_with_a_line() -> None:
    refused = 0
    for name, where, data in malformed(COUNT):
        reading = read(data, where)
        assert (reading.plan is None) == bool(reading.errors), name
        lines = data.count(b"\n") + data.count(b"\r") + data.count("\u2028".encode()) + data.count("\x85".encode()) + 1
        assert not [each for each in (*reading.errors, *reading.warnings) if unclear(each, lines)], name
        json.dumps([each.message for each in reading.errors]).encode()
        refused += bool(reading.errors)
    assert refused > COUNT * 0.7


def test_the_documents_are_the_same_each_time() -> None:
    assert list(malformed(40)) == list(malformed(40))
