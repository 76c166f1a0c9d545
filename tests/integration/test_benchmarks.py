"""The benchmarks run, and their table keeps what was not measured anew. What they measure is no test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import commands, helping, report
from tests.benchmarks.figures import Figure, ms, p99, rate

ORDER = ["commands", "help"]


async def test_the_quickest() -> None:
    figures = [*await commands.measure(0.01), *await helping.measure(0.1)]
    assert [figure.benchmark for figure in figures] == ORDER
    assert all(figure.met is not None for figure in figures)


def test_the_table_keeps_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Before\n{report.BEGIN}\n{report.END}\nAfter\n")
    monkeypatch.setattr(report, "PAGE", page)
    report.write([Figure("help", "it", "1 ms", "2 ms", "< 3 ms", True)], ORDER)
    report.write([Figure("commands", "many", "9/s", bar=">= 10/s", met=False)], ORDER)
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith(f"{report.END}\nAfter\n")
    assert "| help | it | 1 ms | 2 ms | < 3 ms | met |" in text
    assert text.index("| commands | many | 9/s |  | >= 10/s | **missed** |") < text.index("| help |")


def test_figures() -> None:
    assert ms([0.2, 0.1, 0.3]) == "200 ms (100..300)"
    assert rate([1000, 3000, 2000]) == "2,000/s (1,000..3,000)"
    assert p99(range(100)) == 99
