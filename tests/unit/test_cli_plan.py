"""`quarterdeck plan` without a supervisor."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from supervisor.cli.main import run
from supervisor.engine.plans.reading import LIMITS, read
from tests.support.plans import SAMPLES

BROKEN = "id: p\ntasks:\n  - id: a\n    needs: [b]\n    titel: x\n"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(BROKEN)
    return path


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_samples_are_valid(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "validate", str(path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["valid"], printed["errors"]) == (True, [])


def test_what_is_wrong_is_printed_for_programs(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "validate", str(broken), "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "valid": False,
        "errors": [
            {"path": "tasks[0].needs[0]", "line": 4, "message": "there is no task `b`."},
            {
                "path": "tasks[0].titel",
                "line": 5,
                "message": "there is no such key in a task. Did you mean `title`? Free data goes under `metadata`.",
            },
        ],
        "warnings": [],
    }
    assert printed.err == ""


def test_what_is_wrong_is_printed_for_people_and_editors(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "validate", str(broken)]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == f"{broken}:4: tasks[0].needs[0]: there is no task `b`."
    assert printed.err == "2 errors, 0 warnings.\n"


def test_a_document_that_cannot_be_read_has_its_line_and_no_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text('{"id": "p",\n "tasks": [}')
    assert run(["plan", "validate", str(tmp_path / "x.json"), "--json"]) == 2
    (problem,) = json.loads(capsys.readouterr().out)["errors"]
    assert (problem["path"], problem["line"]) == ("", 2)
    assert "not JSON" in problem["message"]


def test_a_valid_plan_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = next(each for each in SAMPLES if each.name == "debug.yaml")
    assert run(["plan", "validate", str(path)]) == 0
    *warnings, last = capsys.readouterr().out.splitlines()
    assert warnings[0].startswith(f"{path}:7: warning: nodes[0].command: this is a sentence")
    assert last == "✓ debug-500: Investigate intermittent 500s: 5 tasks and 5 in subplans, 1 gate, 3 layers, 2 warnings"


def test_what_goes_on_from_a_task_is_a_layer_below(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.yaml").write_text("{id: p, tasks: [{id: a, next: {success: b}}, {id: b}, {id: c}]}")
    assert run(["plan", "validate", str(tmp_path / "x.yaml")]) == 0
    assert capsys.readouterr().out == "✓ p: 3 tasks, 0 gates, 2 layers, 0 warnings\n"


def test_a_plan_comes_from_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(BROKEN.encode())))
    assert run(["plan", "validate", "-"]) == 2
    assert capsys.readouterr().out.startswith("stdin:4: ")


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "validate", str(tmp_path / "none.yaml"), "--json"]) == 2
    printed = capsys.readouterr()
    assert "cannot be read: No such file" in json.loads(printed.out)["error"]["message"]


def test_only_so_much_of_a_file_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(LIMITS.size * 100)
    assert run(["plan", "validate", str(tmp_path / "big.yaml")]) == 2
    assert "larger than 8,000,000 bytes" in capsys.readouterr().out


def test_nothing_of_a_document_acts_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.yaml").write_text('id: p\n"\\e]0;owned\\a": 1\ntasks: [{id: a, kind: "\\e[31mred\\n:"}]\n')
    assert run(["plan", "validate", str(tmp_path / "x.yaml")]) == 2
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_an_export_reads_back_as_the_same_plan(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(each for each in SAMPLES if each.name == "research.yaml")
    assert run(["plan", "export", str(path), "--format", form]) == 0
    again = read(capsys.readouterr().out.encode(), f"x.{form}")
    assert again.plan == read(path.read_bytes(), path.name).plan


def test_the_linear_form_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    path = next(each for each in SAMPLES if each.name == "linear.json")
    assert run(["plan", "export", str(path), "--format", "linear"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(path.read_text())


def test_what_is_invalid_is_not_exported(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "export", str(broken)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{broken}:4: `tasks[0].needs[0]`: there is no task `b`. There is 1 more." in printed.err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_the_schema_is_printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "schema", *arguments]) == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))
