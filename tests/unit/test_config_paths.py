from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.paths import SOCKET_PATH_LIMIT, Paths, make_private
from supervisor.model.errors import ConfigError, Refused

LONG = "folder-with-a-long-name-" * 5


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="qd-") as folder:
        yield Path(folder)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_one_folder_holds_everything_when_a_home_is_given(tmp_path: Path) -> None:
    paths = Paths.find({"QUARTERDECK_HOME": "/srv/qd"})
    assert paths.home == paths.state == Path("/srv/qd")
    assert paths.run == Path("/srv/qd/run")
    assert paths.config_file == Path("/srv/qd/config.yaml")
    assert paths.socket == Path("/srv/qd/run/api.sock")
    inside = [paths.database, paths.sessions, paths.worktrees, paths.backups, paths.token_file]
    assert all(path.parent == paths.state for path in [*inside, paths.lock, paths.log])
    assert len(set(inside)) == len(inside)


def test_without_a_home_the_platforms_folders_are_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/c")
    paths = Paths.find({"XDG_RUNTIME_DIR": str(short)})
    assert paths.home is None
    assert paths.state == Path("/s/quarterdeck")
    assert paths.config_file == Path("/c/quarterdeck/config.yaml")
    assert paths.run == short / "quarterdeck"


def test_without_a_runtime_folder_a_private_one_in_tmp_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.paths._runtime_base", lambda environ: None)
    paths = Paths.find({})
    assert paths.run.parent == Path(f"/tmp/qd-{os.geteuid()}")


def test_a_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Paths.find({"QUARTERDECK_HOME": "here"}).state == tmp_path / "here"


def test_an_empty_home_counts_as_none() -> None:
    assert Paths.find({"QUARTERDECK_HOME": ""}).home is None


def test_a_home_with_a_nul_byte_is_refused() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        Paths.below(Path("a\0b"))


def test_long_socket_paths_move_to_a_short_folder_that_depends_on_the_state_folder(tmp_path: Path) -> None:
    one = Paths.find({"QUARTERDECK_HOME": str(tmp_path / LONG)})
    other = Paths.find({"QUARTERDECK_HOME": str(tmp_path / f"{LONG}2")})
    assert one.state == tmp_path / LONG
    assert one.run != one.state / "run"
    assert one.run != other.run
    assert one.run == Paths.find({"QUARTERDECK_HOME": str(tmp_path / LONG)}).run
    assert len(os.fsencode(one.run / f"att_{'0' * 26}.sock")) <= SOCKET_PATH_LIMIT


def test_the_limit_counts_bytes_not_characters(tmp_path: Path) -> None:
    assert Paths.below(Path("/") / ("a" * 40)).run == Path("/") / ("a" * 40) / "run"
    assert Paths.below(Path("/") / ("é" * 40)).run != Path("/") / ("é" * 40) / "run"


def test_a_short_folder_prefers_the_runtime_folder_when_that_is_short_enough(tmp_path: Path, short: Path) -> None:
    paths = Paths.below(tmp_path / LONG, {"XDG_RUNTIME_DIR": str(short)})
    assert paths.run.parent == short
    assert paths.run.name.startswith("qd-")
    deep = tmp_path / LONG
    deep.mkdir()
    assert not Paths.below(deep, {"XDG_RUNTIME_DIR": str(deep)}).run.is_relative_to(deep)


def test_two_names_of_one_state_folder_share_a_short_folder(tmp_path: Path) -> None:
    real, link = tmp_path / LONG, tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert Paths.below(real / LONG).run == Paths.below(link / LONG).run


def test_create_makes_private_folders_and_is_repeatable(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "home with spaces é")
    paths.create()
    paths.create()
    for folder in (paths.state, paths.run, paths.sessions, paths.worktrees, paths.backups):
        assert mode(folder) == 0o700


def test_create_makes_a_moved_folder_and_its_parent_private(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / LONG, {})
    paths.create()
    assert mode(paths.run) == 0o700
    if paths.run.parent.name.startswith("qd-"):
        assert mode(paths.run.parent) == 0o700
    paths.run.rmdir()


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    make_private(folder)
    assert mode(folder) == 0o700


def test_a_state_folder_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    Paths.below(tmp_path / "home").create()
    assert mode(tmp_path / "disk" / "sessions") == 0o700


def test_a_link_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with pytest.raises(Refused, match="link"):
        make_private(tmp_path / "run")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(Refused, match="cannot be used"):
        make_private(tmp_path / "run")


def test_somebody_elses_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(Refused, match="another user") as refused:
        make_private(tmp_path)
    assert "QUARTERDECK_HOME" in refused.value.hint
