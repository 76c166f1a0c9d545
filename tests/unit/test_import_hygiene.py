from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("supervisor", "executors", "panels", "config")
HEAVY = {"textual", "docker", "fastapi", "uvicorn", "libtmux", "httpx", "aiosqlite", "watchfiles"}

STANDALONE = [
    *(f"executors.runner.{path.stem}" for path in (ROOT / "executors/runner").glob("[a-z]*.py")),
    "executors.hookclient",
    "executors.agents.scripted",
    "executors.docker.attach",
]
"""Programs that run as `python -I -S`, where only the standard library and their neighbours are found."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules_after(module: str) -> set[str]:
    code = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True).stdout
    return {loaded.split(".")[0] for loaded in json.loads(printed)}


@pytest.mark.parametrize("path", [p for package in PACKAGES for p in (ROOT / package).rglob("__init__.py")], ids=name)
def test_packages_import_nothing(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def test_programs_of_their_own_need_the_standard_library_only() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {', '.join(STANDALONE)}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["config.loading", "config.settings", "supervisor.model.entities"])
def test_nothing_heavy_is_imported_for_settings_and_shapes(module: str) -> None:
    assert not modules_after(module) & HEAVY


@pytest.mark.parametrize("module", ["config.paths", "supervisor.model.errors", "supervisor.model.statuses"])
def test_what_every_client_imports_is_light(module: str) -> None:
    assert not modules_after(module) & {*HEAVY, "pydantic", "yaml", "asyncio"}


@pytest.mark.parametrize("module", ["supervisor.cli.entry", "supervisor.cli.main"])
def test_help_loads_nothing_heavy(module: str) -> None:
    assert not modules_after(module) & {*HEAVY, "pydantic", "yaml", "asyncio"}


def test_a_report_loads_the_socket_client_only() -> None:
    code = (
        "import json, os, sys; os.environ['QUARTERDECK_SOCKET'] = '/nowhere'; sys.argv = ['quarterdeck', 'beat']\n"
        "from supervisor.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit as end: print(json.dumps([end.code, 'click' in sys.modules, 'asyncio' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(done.stdout) == [5, False, False]
