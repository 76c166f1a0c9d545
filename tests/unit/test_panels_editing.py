"""Opening a file at a line, and never one outside of the worktree."""

from __future__ import annotations

from pathlib import Path

import pytest

from panels.editing import editor_at, inside
from supervisor.model.errors import InvalidInput, NotFound


def _program(folder: Path, name: str) -> Path:
    program = folder / name
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("vim", ["+7", "/w/a b.py"]), ("code", ["--goto", "/w/a b.py:7"]), ("hx", ["/w/a b.py:7"])],
)
def test_each_editor_is_told_the_line_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: list[str]
) -> None:
    program = _program(tmp_path, name)
    monkeypatch.setenv("EDITOR", f"'{program}' -x")
    monkeypatch.delenv("VISUAL", raising=False)
    assert editor_at(Path("/w/a b.py"), 7) == [str(program), "-x", *arguments]


def test_a_missing_editor_and_a_broken_variable_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "no-such-editor-here")
    with pytest.raises(NotFound, match="not installed"):
        editor_at(Path("/w/a"), 1)
    monkeypatch.setenv("VISUAL", "vim 'open")
    with pytest.raises(InvalidInput, match="no command"):
        editor_at(Path("/w/a"), 1)


def test_files_outside_are_refused(tmp_path: Path) -> None:
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (tmp_path / "secret").write_text("s")
    (worktree / "link").symlink_to(tmp_path / "secret")
    (worktree / "a.txt").write_text("a")
    assert inside(str(worktree), "a.txt") == worktree / "a.txt"
    for path in ("../secret", "link"):
        with pytest.raises(NotFound, match="leads out"):
            inside(str(worktree), path)
    with pytest.raises(NotFound, match="not in the worktree any more"):
        inside(str(worktree), "gone.txt")
