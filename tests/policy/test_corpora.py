"""The shipped rules against commands that were collected without knowledge of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.paths import Paths
from supervisor.engine.policy.book import RuleBook, judge
from supervisor.engine.policy.library import load_book
from supervisor.model.acts import Act

_HERE = Path(__file__).parent
_WORKTREE = "/home/dev/project"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    return load_book(Paths.below(tmp_path_factory.mktemp("home"), {}), home="/home/dev")


def commands(name: str) -> list[str]:
    found: list[dict[str, Any]] = yaml.safe_load((_HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return [one["command"] for one in found]


def effect(book: RuleBook, command: str) -> str:
    act = Act("execute", "Bash", _WORKTREE, _WORKTREE, "claude", "autonomous", "project", command=command)
    return judge(book, act).effect


def test_nothing_dangerous_is_allowed_silently(book: RuleBook) -> None:
    dangerous = commands("dangerous")
    assert len(dangerous) >= 300
    assert [command for command in dangerous if effect(book, command) == "allow"] == []


def test_everyday_commands_are_seldom_asked_about(book: RuleBook) -> None:
    everyday = commands("everyday")
    assert len(everyday) >= 300
    effects = [effect(book, command) for command in everyday]
    assert "deny" not in effects
    assert effects.count("ask") <= len(everyday) * 0.1


def test_what_a_review_found_allowed_is_not_any_more(book: RuleBook) -> None:
    found: list[str] = yaml.safe_load((_HERE / "found.yaml").read_text(encoding="utf-8"))
    assert [command for command in found if effect(book, command) == "allow"] == []
