from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.loading import PROJECT_FILE, load
from config.paths import Paths
from config.settings import Settings
from supervisor.model.errors import ConfigError


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home")


def user(paths: Paths, text: str) -> None:
    paths.config_file.parent.mkdir(exist_ok=True)
    paths.config_file.write_text(text)


def project(tmp_path: Path, text: str) -> Path:
    root = tmp_path / "project"
    root.mkdir(exist_ok=True)
    (root / PROJECT_FILE).write_text(text)
    return root


def refused(paths: Paths, **layers: Any) -> ConfigError:
    with pytest.raises(ConfigError) as error:
        load(paths, **{"environ": {}, **layers})
    assert error.value.hint
    return error.value


def test_without_any_file_everything_is_built_in(paths: Paths) -> None:
    loaded = load(paths, environ={})
    assert loaded.settings.queue == Settings().queue
    assert {source.layer for source in loaded.sources.values()} == {"built-in"}


def test_each_layer_wins_over_those_below(paths: Paths, tmp_path: Path) -> None:
    environ = {"QUARTERDECK_WORKTREES__POOL_SIZE": "4"}
    flags = {"worktrees.pool_size": 5, "queue.waiting": None}

    def pool(**layers: Any) -> tuple[int, str]:
        loaded = load(paths, **{"environ": {}, **layers})
        return loaded.settings.worktrees.pool_size, str(loaded.sources["worktrees.pool_size"])

    assert pool() == (0, "built-in")
    user(paths, "worktrees:\n  pool_size: 2\n")
    assert pool() == (2, f"{paths.config_file}:2")
    root = project(tmp_path, "# ours\n\nworktrees: {pool_size: 3}\n")
    assert pool(project_root=root) == (3, f"{root / PROJECT_FILE}:3")
    assert pool(project_root=root, environ=environ) == (4, "QUARTERDECK_WORKTREES__POOL_SIZE")
    assert pool(project_root=root, environ=environ, flags=flags) == (5, "worktrees.pool_size")


def test_every_value_has_a_source_and_what_a_file_leaves_out_is_built_in(paths: Paths) -> None:
    user(paths, "queue:\n  concurrent: 5\nsecrets: [API_KEY]\n")
    loaded = load(paths, environ={})
    assert loaded.values().keys() == loaded.sources.keys()
    assert loaded.values()["queue.concurrent"] == 5
    assert loaded.sources["queue.concurrent"].line == 2
    assert loaded.sources["queue.waiting"].layer == "built-in"
    assert loaded.values()["secrets"] == ["API_KEY"]
    assert loaded.sources["secrets"].line == 3


def test_a_list_replaces_and_a_map_adds(paths: Paths, tmp_path: Path) -> None:
    user(paths, "worktrees:\n  ports: [A, B]\n  names: {ONE: x}\n")
    root = project(tmp_path, "worktrees:\n  ports: [C]\n  names: {TWO: '{branch}'}\n")
    loaded = load(paths, root, environ={})
    assert loaded.settings.worktrees.ports == ("C",)
    assert loaded.settings.worktrees.names == {"ONE": "x", "TWO": "{branch}"}
    assert loaded.sources["worktrees.names.ONE"].layer == "user"
    assert loaded.sources["worktrees.names.TWO"].layer == "project"


@pytest.mark.parametrize("text", ["", "# nothing\n", "queue:\nworktrees:\n", "agents:\n  claude:\n"])
def test_what_is_left_empty_changes_nothing(paths: Paths, text: str) -> None:
    before = load(paths, environ={})
    user(paths, text)
    assert load(paths, environ={}).settings == before.settings


def test_null_takes_a_value_away(paths: Paths, tmp_path: Path) -> None:
    user(paths, "worktrees: {setup: make}\n")
    assert load(paths, project(tmp_path, "worktrees: {setup: null}\n"), environ={}).settings.worktrees.setup is None


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_name(paths: Paths) -> None:
    user(paths, "queue:\n  waiting: 3\n  concurent: 5\n")
    error = refused(paths)
    assert error.message == f"{paths.config_file}:3: `queue.concurent`: there is no such setting."
    assert error.hint == "Did you mean `concurrent`?"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("agent: {}", "agents"),
        ("agents: {claude: {comand: [x]}}", "command"),
        ("agents: {claude: {timeouts: {no_outptu: 1}}}", "no_output"),
        ("agents: {claude: {screen: [{name: a, state: idle, titel: x}]}}", "title"),
        ("containers: {default: {memory: 4}}", "memory_mb"),
    ],
)
def test_the_nearest_name_is_found_at_any_depth(paths: Paths, text: str, near: str) -> None:
    user(paths, text)
    assert refused(paths).hint == f"Did you mean `{near}`?"


def test_a_key_like_no_other_points_to_the_list(paths: Paths) -> None:
    user(paths, "xyzzy: 1\n")
    assert "config show" in refused(paths).hint


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("queue:\n  concurrent: none\n", 2, "queue.concurrent"),
        ("queue: 5\n", 1, "queue"),
        ("\nworktrees:\n  names:\n    PATH: x\n", 4, "worktrees.names.PATH"),
        ("secrets:\n  - GOOD\n  - not good\n", 3, "secrets.1"),
        ("agents:\n  mine:\n    command: [x]\n", 2, "agents.mine.adapter"),
        ("worktrees:\n  ports: [A, B]\n  port_range: [20000, 20000]\n", 1, "worktrees"),
        ("docker:\n  host: /run/docker.sock\n", 2, "docker.host"),
        ("agents:\n  claude:\n    name: other\n", 3, "agents.claude.name"),
        ("worktrees:\n  setup_timeout_s: inf\n", 2, "worktrees.setup_timeout_s"),
        ("worktrees:\n  setup_timeout_s: 1e999\n", 2, "worktrees.setup_timeout_s"),
    ],
)
def test_a_wrong_value_is_named_with_file_line_and_key(paths: Paths, text: str, line: int, key: str) -> None:
    user(paths, text)
    assert refused(paths).message.startswith(f"{paths.config_file}:{line}: `{key}`: ")


def test_several_problems_are_counted(paths: Paths) -> None:
    user(paths, "queue: {concurrent: 0, waiting: -1}\nnothing: 1\n")
    assert refused(paths).message.endswith("There are 2 more.")


def test_a_file_that_is_no_map_is_refused(paths: Paths) -> None:
    user(paths, "\n- a\n")
    assert refused(paths).message.startswith(f"{paths.config_file}:2: ")


@pytest.mark.parametrize(
    "section",
    ["secrets: [A]", "docker: {host: 'tcp://evil'}", "agents: {claude: {command: [evil]}}", "queue: {}"],
)
def test_a_project_cannot_set_what_is_the_persons(paths: Paths, tmp_path: Path, section: str) -> None:
    root = project(tmp_path, f"worktrees: {{}}\n{section}\n")
    error = refused(paths, project_root=root)
    assert error.message.startswith(f"{root / PROJECT_FILE}:2: `{section.split(':')[0]}` cannot be set")
    assert str(paths.config_file) in error.hint


def test_a_projects_file_may_not_be_a_link(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password: hunter2")
    root = project(tmp_path, "")
    (root / PROJECT_FILE).unlink()
    (root / PROJECT_FILE).symlink_to(tmp_path / "secret")
    assert "hunter2" not in refused(paths, project_root=root).message


def test_a_project_without_a_file_is_fine(paths: Paths, tmp_path: Path) -> None:
    assert load(paths, tmp_path, environ={}).settings.worktrees == Settings().worktrees


def test_the_environment_speaks_yaml(paths: Paths) -> None:
    environ = {
        "QUARTERDECK_DEFAULT_AGENT": "codex",
        "QUARTERDECK_SECRETS": "[A_KEY, B_KEY]",
        "QUARTERDECK_WORKTREES__NAMES": "{DB: 'app_{session}'}",
        "QUARTERDECK_AGENTS__CLAUDE__MODEL": "small",
    }
    loaded = load(paths, environ=environ)
    assert loaded.settings.default_agent == "codex"
    assert loaded.settings.secrets == ("A_KEY", "B_KEY")
    assert loaded.settings.worktrees.names == {"DB": "app_{session}"}
    assert loaded.settings.agents["claude"].model == "small"
    assert str(loaded.sources["worktrees.names.DB"]) == "QUARTERDECK_WORKTREES__NAMES"


def test_variables_that_are_no_settings_are_left_alone(paths: Paths) -> None:
    names = (
        "QUARTERDECK_HOME",
        "QUARTERDECK_SESSION",
        "QUARTERDECK_TOKEN",
        "QUARTERDECK_SOCKET",
        "QUARTERDECKX",
    )
    assert load(paths, environ=dict.fromkeys(names, "x")).settings == load(paths, environ={}).settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("QUARTERDECK_QUEUE__CONCURENT", "1"),
        ("QUARTERDECK_QUEUE__CONCURRENT", "many"),
        ("QUARTERDECK_QUEUE__CONCURRENT", "[1"),
        ("QUARTERDECK_QUEUE__", "1"),
        ("QUARTERDECK_SECRETS", "\udcff"),
    ],
)
def test_a_wrong_variable_is_named(paths: Paths, variable: str, value: str) -> None:
    assert refused(paths, environ={variable: value}).message.startswith(variable)


def test_a_wrong_flag_is_named(paths: Paths) -> None:
    error = refused(paths, flags={"queue.concurrent": 0})
    assert error.message.startswith("queue.concurrent: `queue.concurrent`: ")
    assert error.hint == "Correct this flag."


def test_a_user_changes_one_value_of_a_built_in_agent(paths: Paths) -> None:
    before = load(paths, environ={}).settings.agents["claude"]
    user(paths, "agents:\n  claude:\n    model: small\n")
    loaded = load(paths, environ={})
    assert loaded.settings.agents["claude"] == before.model_copy(update={"model": "small"})
    assert loaded.sources["agents.claude.model"].layer == "user"
    assert loaded.sources["agents.claude.adapter"].where.endswith("config/agents/claude.yaml")


def test_a_user_adds_an_agent_and_a_container(paths: Paths) -> None:
    aider = "agents: {aider: {adapter: command, command: [aider], container: big}}\n"
    user(paths, aider + "containers: {big: {memory_mb: 9}}\n")
    loaded = load(paths, environ={})
    assert loaded.settings.agents["aider"].name == "aider"
    assert loaded.settings.containers["big"].name == "big"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("default_agent: nobody\n", 1, "`default_agent`: there is no agent `nobody`"),
        ("agents:\n  claude:\n    container: nowhere\n", 3, "there is no container profile `nowhere`"),
    ],
)
def test_names_lead_somewhere(paths: Paths, text: str, line: int, what: str) -> None:
    user(paths, text)
    error = refused(paths)
    assert error.message.startswith(f"{paths.config_file}:{line}: ")
    assert what in error.message


def test_the_built_in_profiles_are_complete(paths: Paths) -> None:
    loaded = load(paths, environ={})
    assert {"claude", "codex", "command", "scripted"} <= loaded.settings.agents.keys()
    assert "default" in loaded.settings.containers
    command = loaded.settings.agents["command"].timeouts
    assert (command.start_to_close, command.no_output) == (1800, 300)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*Settings.model_fields, "claude", "default", "concurrent", "names", "ports", "timeouts"])
NEAR = st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=10)


def outcome(paths: Paths) -> str:
    try:
        load(paths, environ={})
    except ConfigError as error:
        return error.message
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, NEAR, max_size=4))
def test_any_configuration_is_taken_or_refused_with_a_line(paths: Paths, value: dict[str, Any]) -> None:
    user(paths, yaml.safe_dump(value))
    assert re.match(rf"{re.escape(str(paths.config_file))}:[1-9]\d*: |$", outcome(paths))
