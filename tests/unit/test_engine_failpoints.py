"""Failpoints: named, counted, deadly."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.engine.failpoints import (
    CHECKPOINT_FAILPOINTS,
    FAILPOINTS,
    PLAN_FAILPOINTS,
    SCHEDULE_FAILPOINTS,
    Failpoints,
)

ROOT = Path(__file__).parents[2]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no failpoint 'nowhere'.*claim\.after"):
        Failpoints("nowhere")


def test_what_is_reached_is_noted_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    points = Failpoints("", str(log))
    for name in ("claim.before", "claim.after", "claim.before"):
        points.hit(name)
    assert log.read_text().split() == ["claim.before", "claim.after"]


@pytest.mark.parametrize("count", [1, 3])
def test_the_armed_point_kills_when_it_is_reached_so_often(count: int) -> None:
    script = (
        "import supervisor.engine.failpoints as f\nfor n in range(5):\n print(n, flush=True)\n f.hit('claim.after')"
    )
    env = os.environ | {"QUARTERDECK_FAILPOINT": f"claim.after@{count}"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == [str(number) for number in range(count)]


def test_every_point_that_is_listed_is_in_the_code_and_the_other_way_round() -> None:
    code = "".join(path.read_text() for path in (ROOT / "supervisor").rglob("*.py"))
    listed = {*FAILPOINTS, *PLAN_FAILPOINTS, *SCHEDULE_FAILPOINTS, *CHECKPOINT_FAILPOINTS}
    assert set(re.findall(r'\bhit\("([a-z_.]+)"\)', code)) == listed
