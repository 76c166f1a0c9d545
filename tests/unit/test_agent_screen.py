"""What recorded screens say, with the shipped patterns."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import config
from config.profiles import AgentProfile, ScreenPattern
from executors.agents.screen import read_screen
from tests.support.agents import RECORDINGS


def shipped(name: str) -> AgentProfile:
    data = (Path(str(config.__file__)).parent / "agents" / f"{name}.yaml").read_text()
    return AgentProfile.model_validate(yaml.safe_load(data))


@pytest.mark.parametrize(
    ("agent", "screen", "state", "pattern"),
    [
        ("claude", "03_idle_start.txt", "idle", "empty prompt"),
        ("claude", "04_working_streaming.txt", "working", "esc to interrupt"),
        ("claude", "05_idle_after_answer.txt", "idle", "empty prompt"),
        ("claude", "06_permission_bash.txt", "asking", "permission dialog"),
        ("claude", "11_ask_user_question.txt", "asking", "question dialog"),
        ("claude", "14_api_retry.txt", "retrying", "waiting to retry"),
        ("codex", "02_idle.txt", "idle", "prompt"),
        ("codex", "03_working.txt", "working", "title spinner"),
        ("codex", "05_approval.txt", "asking", "title asks for action"),
    ],
)
def test_recorded_screens(agent: str, screen: str, state: str, pattern: str) -> None:
    head, _, text = (RECORDINGS / agent / "tui" / screen).read_text().partition("\n")
    title = head.removeprefix("# pane_title|bell|cmd|alt_screen|cursor: ").rsplit("|", 4)[0]
    assert read_screen(shipped(agent).screen, title, text) == (state, pattern)


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_a_shell_says_nothing(agent: str) -> None:
    assert read_screen(shipped(agent).screen, "", "$ make test\nok\n$ ") is None


def test_a_question_in_the_scrollback_is_no_dialog() -> None:
    text = "● Do you want to go on?\n\n❯ \n  ? for shortcuts"
    assert read_screen(shipped("claude").screen, "✳ Chat", text) == ("idle", "empty prompt")


def test_both_parts_must_match() -> None:
    pattern = ScreenPattern(name="both", state="idle", title="^a", text="b$")
    assert read_screen([pattern], "a", "x\nb\ny") == ("idle", "both")
    assert read_screen([pattern], "c", "b") is None
    assert read_screen([pattern], "a", "c") is None


def test_a_pattern_without_parts_matches_nothing() -> None:
    assert read_screen([ScreenPattern(name="none", state="idle")], "a", "b") is None


def test_the_first_match_counts() -> None:
    patterns = [ScreenPattern(name=name, state="idle", text="x") for name in ("one", "two")]
    assert read_screen(patterns, "", "x") == ("idle", "one")
