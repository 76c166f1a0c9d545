"""What all tests share: a clean environment, and the rule about tests that need real tools.

A test that needs a tool is skipped, with the reason, where the tool is missing. With
``QUARTERDECK_REQUIRE_ALL=1`` (continuous integration) a skipped test is a failed one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import find_server

settings.register_profile(
    "shared machine",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared machine")

REQUIRE_ALL = os.environ.get("QUARTERDECK_REQUIRE_ALL") == "1"

for _name in [name for name in os.environ if name.startswith("QUARTERDECK_")]:
    if not _name.startswith(("QUARTERDECK_TEST_", "QUARTERDECK_REQUIRE_ALL")):
        del os.environ[_name]
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def _docker() -> bool:
    given = os.environ.get("QUARTERDECK_TEST_DOCKER_HOST")
    return bool(given) or (os.geteuid() == 0 and shutil.which("dockerd") is not None)


def _agent(name: str) -> Callable[[], bool]:
    variable = f"QUARTERDECK_TEST_{name.upper().replace('-', '_')}"
    program = {"claude-acp": "claude-agent-acp"}.get(name, name)
    return lambda: shutil.which(os.environ.get(variable, program)) is not None


def _postgres() -> bool:
    return find_server() is not None and importlib.util.find_spec("psycopg") is not None


TOOLS: dict[str, tuple[Callable[[], bool], str]] = {
    "tmux": (lambda: shutil.which("tmux") is not None, "tmux is not installed (apt install tmux)"),
    "docker": (
        _docker,
        "no Docker Engine: set QUARTERDECK_TEST_DOCKER_HOST, or run as root with docker.io installed",
    ),
    "node": (lambda: shutil.which("node") is not None, "Node is not installed (apt install nodejs)"),
    "chromium": (lambda: shutil.which("chromium") is not None, "Chromium is not installed (apt install chromium)"),
    "claude": (_agent("claude"), "claude is not installed: put it on PATH or set QUARTERDECK_TEST_CLAUDE"),
    "codex": (_agent("codex"), "codex is not installed: put it on PATH or set QUARTERDECK_TEST_CODEX"),
    "claude_acp": (
        _agent("claude-acp"),
        "claude-agent-acp is not installed: put it on PATH or set QUARTERDECK_TEST_CLAUDE_ACP",
    ),
    "postgres": (
        _postgres,
        "PostgreSQL or its driver is missing (apt install postgresql; pip install 'psycopg[binary]')",
    ),
    "opencode": (_agent("opencode"), "opencode is not installed: put it on PATH or set QUARTERDECK_TEST_OPENCODE"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {name: reason for name, (present, reason) in TOOLS.items() if not present()}
    for item in items:
        for name in missing.keys() & {marker.name for marker in item.iter_markers()}:
            item.add_marker(pytest.mark.skip(reason=missing[name]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but QUARTERDECK_REQUIRE_ALL=1 requires it: {report.longrepr}"
