from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.loading import load
from config.paths import Paths
from config.shown import HIDDEN, shown


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home")


def values(paths: Paths, text: str, environ: dict[str, str]) -> dict[str, Any]:
    paths.config_file.parent.mkdir(exist_ok=True)
    paths.config_file.write_text(text)
    return {each.key: each.value for each in shown(load(paths, environ={}), environ)}


def test_every_setting_is_there_with_its_source(paths: Paths) -> None:
    loaded = load(paths, environ={"QUARTERDECK_QUEUE__WAITING": "4"})
    found = {each.key: each for each in shown(loaded, {})}
    assert found.keys() == loaded.sources.keys()
    assert (found["queue.waiting"].value, found["queue.waiting"].source) == (4, "QUARTERDECK_QUEUE__WAITING")
    assert found["queue.concurrent"].source == "built-in"


@pytest.mark.parametrize(
    ("variable", "hidden"),
    [("ANTHROPIC_API_KEY", True), ("deploy_token", True), ("DB_PASSWORD", True), ("HTTP_AUTHORIZATION", True),
     ("PLAIN", True), ("AUTHOR_NAME", False), ("LANG", False)],
)  # fmt: skip
def test_what_a_profile_sets_a_secret_variable_to_is_hidden(paths: Paths, variable: str, hidden: bool) -> None:
    text = f"secrets: [PLAIN]\nagents: {{mine: {{adapter: command, environment: {{{variable}: visible}}}}}}\n"
    found = values(paths, text, {})
    assert found[f"agents.mine.environment.{variable}"] == (HIDDEN if hidden else "visible")
    assert found["secrets"] == ["PLAIN"]


def test_the_value_of_a_secret_is_hidden_wherever_it_stands(paths: Paths) -> None:
    text = (
        "secrets: [MINE]\nworktrees: {setup: 'login topsecret now'}\n"
        "agents: {mine: {adapter: command, command: [tool, --key=topsecret]}}\n"
    )
    found = values(paths, text, {"MINE": "topsecret"})
    assert found["worktrees.setup"] == f"login {HIDDEN} now"
    assert found["agents.mine.command"] == ["tool", f"--key={HIDDEN}"]
    assert "topsecret" not in str(found)
