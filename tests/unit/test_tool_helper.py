"""The one-file helper for tools in Python, in processes of its own as tools use it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from executors.agents.protocol_events import Emitted, read
from tests.support.agents import NOON

HELPER = Path(__file__).resolve().parents[2] / "deploy" / "helpers" / "quarterdeck_tool.py"
ASKS = """
import quarterdeck_tool as quarterdeck
print(quarterdeck.needs_approval("Go?", options=[("a", "A"), ("b", "B", "More"), "c"], default="b", risk="low",
    preview="x", expires_s=60))
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(HELPER.parent), **environment},
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip


def events(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    lines = done.stderr.splitlines()
    assert all(isinstance(read(line, NOON), Emitted) for line in lines), done.stderr.decode()
    return [json.loads(line) for line in lines]


def key() -> str:
    (asked,) = events(run(ASKS))
    return str(asked["key"])


def test_without_an_answer_it_asks_and_exits_with_90() -> None:
    done = run(ASKS)
    assert (done.returncode, done.stdout) == (90, b"")
    found = read(done.stderr.rstrip(b"\n"), NOON)
    assert isinstance(found, Emitted)
    assert found.asks is not None
    assert found.payload | {"key": ""} == {
        "question": "Go?",
        "options": [
            {"value": "a", "label": "A", "description": ""},
            {"value": "b", "label": "B", "description": "More"},
            {"value": "c", "label": "c", "description": ""},
        ],
        "default": "b",
        "expires_s": 60.0,
        "risk": "low",
        "preview": "x",
        "key": "",
    }


@pytest.mark.parametrize("answer", ["a", "b", "c"])
def test_with_an_answer_it_returns_it(answer: str) -> None:
    for environment in ({"AUTO_APPROVAL": answer}, {"AUTO_APPROVAL": answer, "AUTO_APPROVAL_KEY": key()}):
        done = run(ASKS, **environment)
        assert (done.returncode, done.stdout.decode(), done.stderr) == (0, f"{answer}\n", b"")


@pytest.mark.parametrize(
    "environment",
    [{"AUTO_APPROVAL": "d"}, {"AUTO_APPROVAL": ""}, {"AUTO_APPROVAL": "a", "AUTO_APPROVAL_KEY": "another"}],
)
def test_an_answer_that_is_none_of_its_own_asks_again(environment: dict[str, str]) -> None:
    done = run(ASKS, **environment)
    assert (done.returncode, done.stdout) == (90, b"")


def test_what_is_shown_names_the_question() -> None:
    assert key() == key()
    for change in (("Go?", "Really?"), ('"A"', '"Z"'), ('preview="x"', 'preview="y"')):
        (asked,) = events(run(ASKS.replace(*change)))
        assert asked["key"] != key()
    (asked,) = events(run(ASKS.replace("expires_s=60", "key='mine'")))
    assert asked["key"] == "mine"


def test_without_options_the_answer_is_allow() -> None:
    script = "import quarterdeck_tool as q; print(q.needs_approval('Go?'))"
    assert run(script, AUTO_APPROVAL="allow").stdout == b"allow\n"
    assert run(script, AUTO_APPROVAL="no").returncode == 90


def test_an_answer_is_used_once_and_passed_to_nobody() -> None:
    script = """
import os, subprocess, quarterdeck_tool as q
print(q.needs_approval("One?"), subprocess.check_output(["sh", "-c", "echo ${AUTO_APPROVAL-unset}"], text=True).strip(),
      flush=True)
q.needs_approval("Two?")
"""
    done = run(script, AUTO_APPROVAL="allow")
    assert (done.returncode, done.stdout) == (90, b"allow unset\n")
    assert [event["question"] for event in events(done)] == ["Two?"]


def test_signs_of_life_and_progress() -> None:
    script = """
import threading, quarterdeck_tool as q
lines = []
three = threading.Event()
emit = q.emit
def counted(kind, **fields):
    emit(kind, **fields)
    lines.append(kind)
    if len(lines) >= 3: three.set()
q.emit = counted
with q.heartbeat(0.01):
    three.wait(20)
q.emit = emit
q.progress(3, of=10, text="caf\u00e9 \\udce9")
"""
    found = events(run(script))
    assert [event["type"] for event in found[:3]] == ["heartbeat"] * 3
    assert found[-1] == {"type": "progress", "done": 3, "of": 10, "text": "café ?"}


def test_an_event_that_would_be_refused_is_an_error() -> None:
    done = run("import quarterdeck_tool as q; q.needs_approval('Go?', preview='x' * 70000)")
    assert done.returncode == 1
    assert b"65536 are allowed" in done.stderr


def test_it_imports_the_standard_library_only() -> None:
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(ast.parse(HELPER.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
