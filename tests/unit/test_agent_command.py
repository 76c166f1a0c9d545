"""Any tool: what it prints, and the events that it emits."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from config.loading import load
from config.paths import Paths
from executors.agents.program import HOOK_COMMAND, SCRIPTED, program
from executors.agents.registry import adapter_for
from supervisor.model.errors import InvalidInput
from tests.support.agents import NOON, REFUSED, asked, kinds, profile, read, turn

COMMAND = adapter_for(profile("command"))


def test_the_command_runs_as_given() -> None:
    invocation = COMMAND.invocation(turn(profile("command"), argv=("make", "-j2", "--", "x y")))
    assert invocation.argv == ("make", "-j2", "--", "x y")
    assert invocation.env == {"HEADLESS": "1"}
    assert invocation.stdin == "null"


def test_a_terminal_is_not_headless() -> None:
    invocation = COMMAND.invocation(turn(profile("command"), argv=("htop",), mode="dispatch", executor="tmux"))
    assert invocation.env == {}


def test_a_profile_brings_its_own_program() -> None:
    agent = profile("command", command=("aider", "--yes"), arguments=("--message",))
    assert COMMAND.invocation(turn(agent, prompt="fix it")).argv == ("aider", "--yes", "--message", "fix it")


def test_nothing_to_run_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no command") as refused:
        COMMAND.invocation(turn(profile("command")))
    assert refused.value.hint


def test_output_is_cleaned() -> None:
    (event,) = read("command", b"\x1b[32mok\x1b[0m\r\x00 done")
    assert (event.type, event.phase, event.source) == ("output", "tool", "stream")
    assert event.payload == {"text": "ok done", "stream": "stdout"}


def test_an_empty_line_of_output_is_kept() -> None:
    assert read("command", b"")[0].payload["text"] == ""


def test_bytes_that_are_no_text_are_kept_and_it_is_said() -> None:
    (event,) = read("command", b"caf\xe9", "stderr")
    assert event.payload == {"text": "caf�", "stream": "stderr", "not_utf8": True}


def test_a_terminals_noise_is_no_event() -> None:
    assert read("command", b"\x1b[?25l\x1b[2K\r", "tty") == []
    assert read("command", b"\x1b[1mhello\x1b[0m\r", "tty")[0].payload == {"text": "hello", "stream": "tty"}


@pytest.mark.parametrize(
    ("line", "kind", "phase"),
    [
        ('{"type":"progress","done":3}', "progress", "telemetry"),
        ('{"event":"heartbeat","done":3}', "heartbeat", "telemetry"),
        ('{"type":"tool_output","done":3}', "tool_output", "tool"),
        ('{"event":"my.own-kind","done":3}', "my.own-kind", "telemetry"),
    ],
)
def test_emitted_events(line: str, kind: str, phase: str) -> None:
    for stream in ("stdout", "stderr", "tty"):
        (event,) = read("command", line, stream)
        assert (event.type, event.phase, event.source) == (kind, phase, "tool")
        assert event.payload == {"done": 3}


def test_type_and_event_together() -> None:
    (event,) = read("command", '{"type":"progress","event":"started"}')
    assert (event.type, event.payload) == ("progress", {"event": "started"})


def test_a_tool_says_how_severe() -> None:
    assert read("command", '{"type":"x","severity":"error"}')[0].severity == "error"
    assert read("command", '{"type":"x","severity":"loud"}')[0].severity == "info"


@pytest.mark.parametrize(
    "line",
    ['{"type":3}', '{"event":null}', '{"type":""}', '{"type":"a\\nb"}', '{"type":"progress"', '{"type":"x","n":NaN}',
     '{"type":"' + "x" * 101 + '"}'],
)  # fmt: skip
def test_malformed_events_are_kept_as_such(line: str) -> None:
    (event,) = read("command", line)
    assert (event.type, event.severity) == ("malformed_event", "warning")
    assert event.payload["line"]


@pytest.mark.parametrize("line", ["{", '{"a":1}', "[1,2]", "{not json}", '"type"'])
def test_other_json_is_output(line: str) -> None:
    (event,) = read("command", line)
    assert event.payload == {"text": line, "stream": "stdout"}


def test_a_question_is_an_event_with_all_that_was_asked() -> None:
    line = '{"type":"approval_needed","question":"Go?","options":["a",{"value":"b","label":"B"}],"default":"b","x":1}'
    (event,) = read("command", line, "stderr")
    assert (event.type, event.phase, event.source) == ("approval_needed", "policy", "tool")
    assert event.payload == {
        "question": "Go?",
        "options": [
            {"value": "a", "label": "a", "description": ""},
            {"value": "b", "label": "B", "description": ""},
        ],
        "default": "b",
    }


def test_a_question_that_breaks_a_rule_is_kept_with_the_reason() -> None:
    (event,) = read("command", '{"event":"approval_needed","protocol":2,"question":"Go?"}')
    assert (event.type, event.severity) == ("malformed_event", "warning")
    assert event.payload["of"] == "approval_needed"
    assert event.payload["reason"] == "It speaks protocol 2; version 1 is understood."
    assert "Go?" in event.payload["line"]


@pytest.mark.parametrize("kind", ["approval_decided", "approval_registered", "permission_asked", "status_changed"])
def test_a_tool_does_not_speak_for_the_supervisor(kind: str) -> None:
    (event,) = read("command", f'{{"type":"{kind}","request_id":"r"}}')
    assert (event.type, event.payload["of"]) == ("malformed_event", kind)


def test_a_tool_takes_nothing_over_stdin() -> None:
    assert COMMAND.message("x") is None
    assert COMMAND.interrupt() is None
    assert COMMAND.answer(asked("r"), REFUSED) is None
    assert kinds(COMMAND.hook_events({}, NOON)) == ["unknown"]


def test_the_shipped_profiles_have_adapters(tmp_path: Path) -> None:
    profiles = load(Paths.below(tmp_path), environ={}).settings.agents
    assert {name: adapter_for(agent).name for name, agent in profiles.items()} == {
        "claude": "claude",
        "claude-acp": "acp",
        "codex": "codex",
        "command": "command",
        "gemini": "acp",
        "opencode": "acp",
        "scripted": "claude",
    }
    assert program(profiles["scripted"], "")[:4] == [sys.executable, "-I", "-S", str(SCRIPTED)]
    assert program(profile("codex"), "codex") == ["codex"]


def test_shipped_programs_are_there() -> None:
    assert SCRIPTED.is_file()
    assert Path(HOOK_COMMAND[-1]).is_file()
