"""The program that holds a file against a JSON schema, as it is started: nothing is fetched, and every end says why."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine.plans.fitting import fitting


def fit(folder: Path, document: str, schema: Any) -> tuple[int, str]:
    """Exit code and sentence for a file and a schema."""
    (folder / "d.json").write_text(document)
    (folder / "s.json").write_text(schema if isinstance(schema, str) else json.dumps(schema))
    _, argv = fitting("d.json", "s.json")
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize(
    ("document", "schema", "code", "said"),
    [
        ('{"a": [1, 2]}', {"properties": {"a": {"items": {"type": "integer"}}}}, 0, "d.json fits s.json"),
        (
            '{"a": [1, "x"]}',
            {"properties": {"a": {"items": {"type": "integer"}}}},
            1,
            "d.json at $.a[1]: 'x' is not of",
        ),
        ("1", {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, 0, "fits"),
        ('{"type": "nonsense"}', {"$ref": "https://json-schema.org/draft/2020-12/schema"}, 1, "d.json at $.type"),
        (
            "1",
            {"$ref": "http://127.0.0.1:9/other.json"},
            2,
            "s.json refers to http://127.0.0.1:9/other.json, which is not",
        ),
        ("1", {"$ref": "file:///etc/hostname"}, 2, "s.json refers to file:///etc/hostname"),
        ("1", {"$ref": "#/missing"}, 2, "which is not in it"),
        ("1", {"type": 5}, 2, "s.json is no JSON schema"),
        ("1", "[1]", 2, "s.json is no JSON schema"),
        ("1", {"$ref": "#"}, 2, "nested too deeply"),
        ("{", {}, 2, "d.json is no JSON"),
        ("[" * 100_000, {}, 2, "d.json is no JSON"),
        ("", {}, 2, "d.json is no JSON"),
        ("5", False, 1, "d.json at $"),
        ("5", True, 0, "fits"),
    ],
)
def test_every_end_says_why(tmp_path: Path, document: str, schema: Any, code: int, said: str) -> None:
    ended, sentence = fit(tmp_path, document, schema)
    assert said in sentence
    assert ended == code
    assert "Traceback" not in sentence
    assert "\n" not in sentence


def test_what_is_no_text_or_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(b'"\xff"')
    (tmp_path / "s.json").write_text("{}")
    for path, said in (("d.json", "d.json is no JSON"), ("absent.json", "there is no file absent.json")):
        _, argv = fitting(path, "s.json")
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_modules_that_lie_beside_the_file_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "jsonschema.py").write_text("raise SystemExit(0)\n")
    assert fit(tmp_path, "1", {"type": "string"})[0] == 1
