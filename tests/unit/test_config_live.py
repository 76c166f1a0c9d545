from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.live import LiveConfig
from config.paths import Paths
from supervisor.model.errors import ConfigError


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "home")
    paths.create()
    return paths


def write(path: Path, concurrent: str, moment: int) -> None:
    path.write_text(f"queue:\n  concurrent: {concurrent}\n")
    os.utime(path, (moment, moment))


def test_nothing_is_read_again_while_nothing_changes(paths: Paths) -> None:
    live = LiveConfig(paths)
    assert live.current(None) is live.current(None)


def test_an_edit_is_in_force_from_the_next_look_on(paths: Paths) -> None:
    live = LiveConfig(paths)
    assert live.current(None).settings.queue.concurrent == 3
    write(paths.config_file, "5", 1)
    assert live.current(None).settings.queue.concurrent == 5
    paths.config_file.unlink()
    assert live.current(None).settings.queue.concurrent == 3


def test_what_is_written_in_the_same_tick_of_the_clock_is_in_force(paths: Paths) -> None:
    """An editor empties a file, somebody looks at it, and what is written then has the same time."""
    live = LiveConfig(paths)
    paths.config_file.write_text("")
    os.utime(paths.config_file, (1, 1))
    assert live.current(None).settings.queue.concurrent == 3
    write(paths.config_file, "5", 1)
    assert live.current(None).settings.queue.concurrent == 5


def test_a_wrong_edit_is_named_and_not_in_force_until_it_is_right(paths: Paths) -> None:
    live = LiveConfig(paths)
    write(paths.config_file, "5", 1)
    live.current(None)
    write(paths.config_file, "many", 2)
    assert live.current(None).settings.queue.concurrent == 5
    assert "queue.concurrent" in live.problem
    assert live.current(None).settings.queue.concurrent == 5
    write(paths.config_file, "6", 3)
    assert live.current(None).settings.queue.concurrent == 6
    assert live.problem == ""


def test_settings_that_were_never_right_are_refused(paths: Paths) -> None:
    write(paths.config_file, "many", 1)
    with pytest.raises(ConfigError):
        LiveConfig(paths).current(None)


def test_a_projects_wrong_file_is_refused_and_the_others_go_on(paths: Paths, tmp_path: Path) -> None:
    live = LiveConfig(paths)
    project = tmp_path / "shop"
    project.mkdir()
    live.current(project)
    (project / "quarterdeck.yaml").write_text("nonsense: [")
    with pytest.raises(ConfigError):
        live.current(project)
    assert live.current(None).settings.queue.concurrent == 3
    assert live.problem == ""
