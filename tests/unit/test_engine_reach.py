"""`quarterdeck` is found by the programs of a session, wherever it was installed."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path

import pytest

from supervisor.engine.reach import with_command


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command of an installation that is not on anybody's PATH."""
    folder = tmp_path / "installed"
    folder.mkdir()
    for name in ("quarterdeck", "python"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(folder))
    return folder / "quarterdeck"


def test_it_is_added_at_the_end_and_nothing_with_it(script: Path, tmp_path: Path) -> None:
    for _ in range(2):
        path = with_command("/nowhere", tmp_path)
        assert path == f"/nowhere{os.pathsep}{tmp_path / 'bin'}"
    found = shutil.which("quarterdeck", path=path)
    assert found is not None
    assert Path(found).resolve() == script
    assert [each.name for each in (tmp_path / "bin").iterdir()] == ["quarterdeck"]


def test_one_that_is_there_is_left(script: Path, tmp_path: Path) -> None:
    path = f"/nowhere{os.pathsep}{script.parent}"
    assert with_command(path, tmp_path) == path
    assert not (tmp_path / "bin").exists()


def test_without_a_path_there_is_the_systems(script: Path, tmp_path: Path) -> None:
    assert with_command(None, tmp_path) == f"{os.defpath}{os.pathsep}{tmp_path / 'bin'}"


def test_a_new_installation_takes_the_place_of_the_old_one(script: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "quarterdeck").symlink_to("/gone/quarterdeck")
    assert with_command("/nowhere", tmp_path) is not None
    assert (tmp_path / "bin" / "quarterdeck").resolve() == script


def test_what_cannot_be_linked_stops_no_session(script: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "bin").write_text("")
    assert with_command("/nowhere", tmp_path) == "/nowhere"
    assert "not on the PATH" in caplog.text
    script.unlink()
    assert with_command("/nowhere", tmp_path) == "/nowhere"
