"""Writes the table in docs/benchmarks.md; what stands around it is written by people."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.figures import Figure

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of figures -->"
HEAD = ["| benchmark | what | measured | limit in the same run | bar | verdict |", "|---|---|---|---|---|---|"]


def write(measured: Sequence[Figure], order: Sequence[str]) -> None:
    """Put the figures into the page; rows of benchmarks that were not run stay."""
    page = PAGE.read_text()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    renewed = {figure.benchmark for figure in measured}
    rows = [(match[1], match[0]) for match in re.finditer(r"^\| (\w+) \| .*$", page, re.MULTILINE)]
    kept = [(name, row) for name, row in rows if name in order and name not in renewed]
    rows = sorted([*kept, *((each.benchmark, each.row()) for each in measured)], key=lambda row: order.index(row[0]))
    table = "\n".join([*HEAD, *(row for _, row in rows)])
    PAGE.write_text(f"{before}{BEGIN}\n{_where()}\n\n{table}\n{END}{after}")


def _where() -> str:
    """Return date, machine and versions."""
    today = datetime.datetime.now(datetime.UTC).date()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = [
        f"Quarterdeck {importlib.metadata.version('quarterdeck')}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *(version for command in (["git", "--version"], ["tmux", "-V"], ["docker", "--version"])
          if (version := _said(command))),
    ]  # fmt: skip
    return f"{today}, {machine}, load afterwards {load} (1, 5, 15 minutes). {', '.join(versions)}."


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
