from __future__ import annotations

import pytest

from supervisor.engine.plans.prose import criterion, nature


@pytest.mark.parametrize(
    "text",
    [
        "echo a > a.txt",
        "test -s sources.txt",
        "make",
        "make test",
        "npm run build",
        "cargo build && cargo test",
        "f() { echo x; }; f",
        "diff <(sort a) <(sort b)",
        "(cd src; make)",
        "python -c 'print(1, 2)'",
        'psql -c "select count(*) from a"',
        "echo $(date)",
        "X=1 make",
        "./run.sh all the tests",
        "Rscript analysis.R",
        "git commit -m 'Say -> what'",
        "if grep -q x a; then echo yes; fi",
        "pytest tests/unit",
    ],
)
def test_what_a_shell_can_run_is_a_command(text: str) -> None:
    assert nature(text) == "command"


@pytest.mark.parametrize("text", ["network.online == true", "memory.has_space >= 50MB", "run.count > 3"])
def test_criteria_may_be_expressions(text: str) -> None:
    assert criterion(text) == "expression"


@pytest.mark.parametrize("text", ["test -f a.txt", "make check"])
def test_criteria_may_be_commands(text: str) -> None:
    assert criterion(text) == "command"


@pytest.mark.parametrize(
    "text",
    [
        "search(query) -> top10; fetch(top10) -> docs; rank(docs) -> sources",
        "run load(gen: [light, heavy], payload: [small, large], burst: [on, off])",
        ">= 5 canonical sources (IETF, official repos)",
        ">= 2 independent confirmations",
        "Each source has title, link, reason",
        "No critical contradictions across primary sources",
        "All tests pass",
        "the report is complete",
    ],
)
def test_sentences_are_prose(text: str) -> None:
    assert nature(text) == criterion(text) == "prose"
