from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.settings import Queue, Settings, Worktrees
from supervisor.model.errors import ConfigError


def test_the_defaults_are_those_that_are_documented() -> None:
    settings = Settings()
    assert (settings.queue.concurrent, settings.queue.waiting) == (3, 10)
    assert settings.worktrees.setup_timeout_s == 600
    assert settings.worktrees.pool_size == 0
    assert settings.secrets == ()


def test_a_queue_runs_at_least_one() -> None:
    with pytest.raises(ValidationError):
        Queue(concurrent=0)


@pytest.mark.parametrize("name", ["PATH", "path", "LD_PRELOAD", "GIT_DIR", "QUARTERDECK_TOKEN", "1A", "A B", ""])
def test_worktrees_may_not_set_variables_that_steer_programs(name: str) -> None:
    with pytest.raises(ValidationError):
        Worktrees(names={name: "x"})
    with pytest.raises(ValidationError):
        Worktrees(ports=(name,))


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "a/../../b", "~/.ssh/*", ""])
def test_copied_files_are_inside_the_repository(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Worktrees(copy_files=(pattern,))


def test_ordinary_patterns_are_taken() -> None:
    assert Worktrees(copy_files=(".env", "config/*.local", "a..b")).copy_files[2] == "a..b"


@pytest.mark.parametrize("template", ["{home}", "{}", "{session", "{session.x}", "{0}"])
def test_templates_know_three_names(template: str) -> None:
    with pytest.raises(ValidationError):
        Worktrees(names={"DB": template})


def test_a_template_may_use_all_three_and_braces() -> None:
    names = {"DB": "app_{project}_{branch}_{session}_{{x}}"}
    assert Worktrees(names=names).names == names


@pytest.mark.parametrize("port_range", [(20_000, 19_999), (80, 90), (20_000, 20_001), (60_000, 70_000)])
def test_a_port_range_has_room_and_no_privileged_ports(port_range: tuple[int, int]) -> None:
    with pytest.raises(ValidationError):
        Worktrees(ports=("A", "B", "C"), port_range=port_range)


def test_secret_values_are_those_that_are_set() -> None:
    settings = Settings(secrets=("API_KEY", "UNSET", "EMPTY"))
    assert settings.secret_values({"API_KEY": "long-enough", "EMPTY": "", "X": "y"}) == {"API_KEY": "long-enough"}


def test_a_short_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="fewer than 6 characters") as error:
        Settings(secrets=("PIN",)).secret_values({"PIN": "zq3"})
    assert "PIN" in error.value.message
    assert "zq3" not in str(error.value)
