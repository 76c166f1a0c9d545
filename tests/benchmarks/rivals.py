"""The same graph of `/bin/true` in other programs: ninja, doit and luigi, where they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks.stage import folder

Edges = Mapping[str, list[str]]

AT_ONCE = "2"

DOIT = """
import json

EDGES = json.load(open("edges.json"))

def task_t():
    for name, needs in EDGES.items():
        yield {"name": name, "actions": ["/bin/true"], "task_dep": ["t:" + need for need in needs]}
"""

LUIGI = """
import json
import subprocess

import luigi

EDGES = json.load(open("edges.json"))

class Link(luigi.Task):
    name = luigi.Parameter()

    def requires(self):
        return [Link(need) for need in EDGES[self.name]]

    def output(self):
        return luigi.LocalTarget("done/" + self.name)

    def run(self):
        subprocess.run(["/bin/true"], check=True)
        with self.output().open("w"):
            pass

class Whole(luigi.WrapperTask):
    def requires(self):
        return [Link(name) for name in EDGES]
"""


def ninja(edges: Edges, at_once: int | None = None) -> float | None:
    """Return the seconds that ninja takes, by itself with its own choice of how many at once; None without it."""

    def write(place: Path) -> None:
        lines = ["rule t", "  command = /bin/true"]
        lines += [f"build {task}: t {' '.join(needs)}" for task, needs in edges.items()]
        (place / "build.ninja").write_text("\n".join([*lines, f"default {' '.join(edges)}", ""]))

    return _timed(write, "ninja", *(() if at_once is None else (f"-j{at_once}",)))


def doit(edges: Edges) -> float | None:
    """Return the seconds that doit takes; None without it."""

    def write(place: Path) -> None:
        (place / "edges.json").write_text(json.dumps(edges))
        (place / "dodo.py").write_text(DOIT)

    return _timed(write, "doit", "-n", AT_ONCE)


def luigi(edges: Edges) -> float | None:
    """Return the seconds that luigi takes; None without it."""

    def write(place: Path) -> None:
        (place / "edges.json").write_text(json.dumps(edges))
        (place / "links.py").write_text(LUIGI)

    arguments = ("--module", "links", "Whole", "--local-scheduler", "--workers", AT_ONCE, "--log-level", "ERROR")
    return _timed(write, "luigi", *arguments)


def _timed(write: Callable[[Path], None], name: str, *arguments: str) -> float | None:
    program = shutil.which(name)
    if program is None:
        return None
    with folder() as place:
        write(place)
        began = time.perf_counter()
        subprocess.run(
            [program, *arguments],
            cwd=place,
            check=True,
            env={"PATH": f"{Path(program).parent}:/usr/bin:/bin", "PYTHONPATH": str(place)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - began
