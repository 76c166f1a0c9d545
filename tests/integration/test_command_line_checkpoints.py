"""`quarterdeck checkpoint …`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    with supervisor_thread(tmp_path / "home"):
        yield CommandLine(tmp_path / "home", monkeypatch, capsys)


def test_a_checkpoint_from_the_first_to_the_last(quarterdeck: CommandLine) -> None:
    assert quarterdeck("checkpoint", "list").out.startswith("No checkpoints.")
    quarterdeck("run", "--name", "fix", "--wait", "--", "sh", "-c", "echo one > n.txt; echo s > .env")
    worktree = Path(quarterdeck.session("fix")["worktree"])
    said = quarterdeck("checkpoint", "create", "fix", "--reason", "it works", "--ignored", ".env")
    assert said.code == 0, said.err
    made = quarterdeck("checkpoint", "list", "--json").json["checkpoints"][0]
    assert said.out.startswith(f"{made['name']}: 5 files, ")
    assert "it works" in quarterdeck("checkpoint", "list", "--session", "fix").out
    shown = quarterdeck("checkpoint", "show", made["name"]).out
    assert str(worktree) in shown
    assert made["ref"] in shown
    assert quarterdeck("checkpoint", "show", made["id"], "--json").json["checkpoint"] == made
    assert quarterdeck("checkpoint", "diff", made["name"]).out == ""
    (worktree / "n.txt").write_text("two\n")
    (worktree / ".env").unlink()
    assert "-one\n+two\n" in quarterdeck("checkpoint", "diff", made["name"]).out
    assert "n.txt | 2 +-" in quarterdeck("checkpoint", "diff", made["name"], "--stat").out
    again = quarterdeck("checkpoint", "restore", made["name"], "--yes")
    assert f"{made['name']} is restored: 2 files written, 0 removed." in again.out
    assert "What was there before is cp-fix-" in again.out
    assert ((worktree / "n.txt").read_text(), (worktree / ".env").read_text()) == ("one\n", "s\n")
    assert "restored" in quarterdeck("checkpoint", "show", made["name"]).out
    safety = quarterdeck("checkpoint", "restore", made["name"], "--json", "--head").json["safety"]["name"]
    assert quarterdeck("checkpoint", "diff", made["name"], safety).out == ""
    assert "kept no longer" in quarterdeck("checkpoint", "delete", safety).out
    assert safety not in quarterdeck("checkpoint", "list").out
    assert safety in quarterdeck("checkpoint", "list", "--expired").out


def test_what_makes_no_sense_says_what_to_do(quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quarterdeck("checkpoint", "create").code == 2
    assert quarterdeck("checkpoint", "create", "fix", "--plan", "x").code == 2
    assert quarterdeck("checkpoint", "create", "fix").code == 3
    assert quarterdeck("checkpoint", "show", "cp-none").code == 3
    monkeypatch.setenv("QUARTERDECK_TOKEN", "a session's")
    assert "A session cannot restore checkpoints." in quarterdeck("checkpoint", "restore", "x").err
