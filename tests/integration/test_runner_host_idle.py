"""A host that nobody needs goes away, and one that is needed stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wait import wait_until

RUNNER = Path(__file__).parents[2] / "executors" / "runner"


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="qdh") as folder:
        yield Path(folder)


def start(run: Path, idle_s: str) -> None:
    subprocess.run(
        [sys.executable, "-I", "-S", RUNNER, "host", run],
        env=os.environ | {"QUARTERDECK_HOST_IDLE_S": idle_s},
        check=True,
        timeout=10,
    )


def test_an_idle_host_goes_away_and_takes_its_socket_along(run: Path) -> None:
    start(run, "0.05")
    wait_until(lambda: not (run / "host.sock").exists(), what="the host has gone")


def test_a_new_host_takes_the_place_of_one_that_went(run: Path) -> None:
    start(run, "0.05")
    wait_until(lambda: not (run / "host.sock").exists(), what="the host has gone")
    start(run, "0.5")
    assert (run / "host.sock").exists()
    wait_until(lambda: not (run / "host.sock").exists(), what="the second has gone")
