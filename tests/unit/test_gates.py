"""The rule about missing tools, on a test run of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
NEEDS_TMUX = """
import os, pytest
@pytest.mark.tmux
def test_real(): pass
def test_clean(): assert "QUARTERDECK_HOME" not in os.environ
"""
SKIPS_ITSELF = """
import pytest
def test_skipped(): pytest.skip("some reason")
"""
SKIPS_MODULE = """
import pytest
pytest.skip("no such thing", allow_module_level=True)
"""


def run(folder: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = tmux\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(folder)]
    environment = {"PATH": str(folder), "QUARTERDECK_HOME": "/somewhere", **environment}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def test_a_missing_tool_is_a_skip_with_its_reason_and_the_environment_is_clean(tmp_path: Path) -> None:
    printed = run(tmp_path, NEEDS_TMUX).stdout
    assert "1 passed, 1 skipped" in printed
    assert "tmux is not installed" in printed


def test_with_the_tool_it_runs(tmp_path: Path) -> None:
    (tmp_path / "tmux").touch(mode=0o755)
    assert "2 passed" in run(tmp_path, NEEDS_TMUX).stdout


@pytest.mark.parametrize(
    ("source", "closing"),
    [(NEEDS_TMUX, "1 passed, 1 error"), (SKIPS_ITSELF, "1 failed"), (SKIPS_MODULE, "1 error")],
)
def test_where_everything_is_required_a_skip_is_a_failure(tmp_path: Path, source: str, closing: str) -> None:
    done = run(tmp_path, source, QUARTERDECK_REQUIRE_ALL="1")
    assert closing in done.stdout
    assert done.returncode != 0
