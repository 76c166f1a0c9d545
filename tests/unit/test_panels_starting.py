"""The new-session dialog without a screen: what it offers, what it asks for, what it remembers."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from panels.remembered import FILE, Remembered, load, save
from panels.view.starting import (
    Fields,
    Refusal,
    WrongField,
    agent_line,
    as_last_time,
    first_agent,
    first_folder,
    in_order,
    more_title,
    request,
)
from supervisor.api.environment import passed_on


def agent(name: str, adapter: str = "claude", *, installed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "adapter": adapter, "installed": installed, "description": f"The {name}.",
        "install_hint": "npm i", "paused_until": None, "pause_reason": None, **more,
    }  # fmt: skip


AGENTS = [agent("claude", installed=False), agent("command", "command"), agent("scripted"), agent("codex", "codex")]


def fields(here: Path, **more: Any) -> Fields:
    given = {"agent": "codex", "is_command": False, "folder": str(here), "prompt": "Fix it ", "command": ""}
    return Fields(**{**given, **more})


def test_a_request_holds_what_was_given_and_nothing_else(tmp_path: Path) -> None:
    assert request(fields(tmp_path), {"A": "b"}) == {
        "cwd": str(tmp_path), "agent": "codex", "prompt": "Fix it", "environment": {"A": "b"},
    }  # fmt: skip
    more = {"executor": "docker", "image": " i ", "base": "main", "branch": "b", "name": "n", "budget": "$1.5"}
    assert request(fields(tmp_path, prompt="", **more), {}) == {
        "cwd": str(tmp_path), "agent": "codex", "environment": {}, "executor": "docker", "image": "i", "base": "main",
        "branch": "b", "name": "n", "budget_usd": 1.5,
    }  # fmt: skip
    assert "image" not in request(fields(tmp_path, executor="local", image="i"), {})


def test_a_command_line_is_split_as_a_shell_would(tmp_path: Path) -> None:
    body = request(fields(tmp_path, agent="command", is_command=True, command="make 'a b'"), {})
    assert body["argv"] == ["make", "a b"]
    assert "prompt" not in body


@pytest.mark.parametrize("command", ["cat a | wc -l", "echo a > b.txt", "make && ./run", "sleep 9 &", "a ; b"])
def test_who_writes_for_a_shell_is_told_that_there_is_none(tmp_path: Path, command: str) -> None:
    with pytest.raises(WrongField, match="No shell reads this") as caught:
        request(fields(tmp_path, agent="command", is_command=True, command=command), {})
    assert (caught.value.field, caught.value.hint) == ("command", f"For a shell: sh -c '{command}'")
    quoted = request(fields(tmp_path, agent="command", is_command=True, command=caught.value.hint[13:]), {})
    assert quoted["argv"] == ["sh", "-c", command]


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"budget": "much"}, "budget", "budget"), ({"budget": "0"}, "budget", "budget"),
        ({"budget": "nan"}, "budget", "budget"), ({"budget": "inf"}, "budget", "budget"),
        ({"is_command": True, "command": "a 'b"}, "command", "quotes"),
        ({"folder": "/does/not/exist"}, "folder", "folder"), ({"agent": ""}, "agent", "agent"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_says_where_and_what_to_do(
    tmp_path: Path, given: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(WrongField) as caught:
        request(fields(tmp_path, **given), {})
    assert said in str(caught.value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "changed", "is_over"),
    [
        ("budget", {"budget": "2"}, True), ("budget", {"name": "other"}, False), ("budget", {"agent": "x"}, False),
        ("command", {"command": "b"}, True), ("command", {"agent": "x"}, True), ("command", {"prompt": "p"}, False),
        ("", {}, False), ("", {"executor": "local"}, True), ("", {"prompt": "p"}, True),
    ],
)  # fmt: skip
def test_why_it_did_not_start_is_over_when_that_was_changed(
    tmp_path: Path, field: str, changed: dict[str, str], is_over: bool
) -> None:
    assert Refusal(fields(tmp_path), field).is_over(fields(tmp_path, **changed)) is is_over


def test_another_place_to_run_than_usual_is_said_as_the_remembered_one(tmp_path: Path) -> None:
    assert as_last_time(fields(tmp_path, executor="tmux"), "tmux") == "Runs in tmux, as last time; More changes it."
    assert as_last_time(fields(tmp_path, executor="tmux"), "local") == ""
    assert as_last_time(fields(tmp_path), "") == ""


def test_installed_agents_come_first_and_others_say_why_not() -> None:
    assert [each["name"] for each in in_order(AGENTS)] == ["codex", "command", "scripted", "claude"]
    assert agent_line(AGENTS[0], 0) == "claude  ✕ not installed. npm i"
    assert agent_line(AGENTS[3], 0) == "codex  The codex."
    held = agent("codex", paused_until="2026-11-29T08:00:00.000Z", pause_reason="Limit.")
    assert agent_line(held, 0) == "codex  ‖ held back: Limit."
    assert agent_line(held, 2**52) == "codex  The codex."


@pytest.mark.parametrize(
    ("remembered", "has_prompt", "expected"),
    [
        ("", False, "codex"), ("command", False, "command"), ("command", True, "codex"), ("claude", False, "codex"),
        ("scripted", True, "scripted"),
    ],
)  # fmt: skip
def test_the_agent_that_is_preselected_can_take_the_prompt(remembered: str, has_prompt: bool, expected: str) -> None:
    assert first_agent(AGENTS, remembered, has_prompt=has_prompt) == expected


def test_where_nothing_else_is_installed_a_command_is_offered() -> None:
    assert first_agent(AGENTS[:3], "", has_prompt=False) == "command"
    assert first_agent(AGENTS[:1], "", has_prompt=False) == ""


def test_the_folder_is_here_in_a_repository_else_the_last_one(tmp_path: Path) -> None:
    inner = tmp_path / "repo" / "src"
    inner.mkdir(parents=True)
    assert first_folder(inner, "", ["/p"]) == "/p"
    assert first_folder(inner, str(tmp_path), ["/p"]) == str(tmp_path)
    assert first_folder(inner, "/does/not/exist") == ""
    (tmp_path / "repo" / ".git").write_text("gitdir: elsewhere")
    assert first_folder(inner, str(tmp_path)) == str(inner)


def test_the_folded_part_says_what_is_in_it(tmp_path: Path) -> None:
    assert more_title(fields(tmp_path)) == "More: where, branch, budget"
    more = {"executor": "tmux", "base": "main", "name": "n", "budget": "$2"}
    assert more_title(fields(tmp_path, **more)) == "More: tmux, from main, n, $2"


def test_choices_are_remembered_for_this_user_only(tmp_path: Path) -> None:
    assert load(tmp_path) == Remembered()
    choices = Remembered("codex", "tmux", "/x", "2")
    save(tmp_path, choices)
    assert load(tmp_path) == choices
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    save(tmp_path, Remembered("claude"))
    assert load(tmp_path) == Remembered("claude")
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"agent": 1, "x": "y"}', b"[" * 60_000, b"1" * 10**6])
def test_a_broken_file_is_as_if_there_were_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert load(tmp_path) == Remembered()


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        save(tmp_path / "missing", Remembered())


def test_a_session_gets_the_persons_variables_but_not_their_session() -> None:
    found = passed_on({"PATH": "/bin", "TMUX": "x", "QUARTERDECK_TOKEN": "t", "ODD": "\udcff"})
    assert found == {"PATH": "/bin"}
