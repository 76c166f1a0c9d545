"""Every recorded line of the real agents means something, and adds up to what the agent said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from tests.support.agents import RECORDINGS, kinds, read, read_all, recorded

KEPT_UNKNOWN = {"stream_event", "progress", "attachment", "system/hook_started", "system/hook_response"}
STREAMS = [
    (agent, path.name)
    for agent in ("claude",)
    for path in sorted((RECORDINGS / agent).glob("*.jsonl"))
    if ".sent." not in path.name
]

# session id (its beginning), tools used, then of each turn: subtype, failed, input, output, cached, cost
TOTALS: dict[tuple[str, str], tuple[str, dict[str, int], list[tuple[str, bool, int, int, int, float | None]]]] = {
    ("claude", "bash.jsonl"): ("e9e61b91", {"Bash": 1}, [("success", False, 18128, 52, 9000, 0.06284)]),
    ("claude", "control_interrupt.jsonl"): (
        "3eb33bd4",
        {"Bash": 1},
        [("error_during_execution", True, 100, 20, 0, 0.001), ("success", False, 100, 20, 0, 0.002)],
    ),
    ("claude", "cut.jsonl"): ("c3b346f7", {}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "defer_1.jsonl"): ("68bce7ed", {"Bash": 1}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "defer_2_allow.jsonl"): ("68bce7ed", {}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "denied.jsonl"): ("546e5d22", {"Bash": 1}, [("success", False, 200, 40, 0, 0.002)]),
    ("claude", "error_500.jsonl"): ("a3cece67", {}, [("success", True, 0, 0, 0, 0.0)]),
    ("claude", "hook_pre_ask.jsonl"): ("a1638a3b", {"Bash": 1}, [("success", False, 200, 40, 0, 0.002)]),
    ("claude", "long50.jsonl"): (
        "9c6d0b43",
        {"Bash": 49},
        [("success", False, 715050, 2710, 705000, 0.48287500000000005)],
    ),
    ("claude", "max_turns.jsonl"): ("4900e55f", {"Bash": 3}, [("error_max_turns", True, 300, 60, 0, 0.003)]),
    ("claude", "resume_1.jsonl"): ("eb2656a7", {}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "resume_2.jsonl"): ("eb2656a7", {}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "retry_429.jsonl"): ("164629b6", {}, [("success", False, 100, 20, 0, 0.001)]),
    ("claude", "stdio_allow.jsonl"): ("63497ba1", {"Bash": 1}, [("success", False, 200, 40, 0, 0.002)]),
    ("claude", "stdio_deny.jsonl"): ("cf6b984f", {"Bash": 1}, [("success", False, 200, 40, 0, 0.002)]),
    ("claude", "text.jsonl"): ("ccf2d780", {}, [("success", False, 1200, 34, 0, 0.006849999999999999)]),
    ("claude", "write_edit.jsonl"): (
        "92a54ed2",
        {"Write": 1, "Read": 1, "Bash": 1, "Edit": 1},
        [("success", False, 36762, 190, 27400, 0.07694749999999999)],
    ),
}


def kind_of(line: bytes) -> str:
    data = msgspec.json.decode(line)
    return f"{data['type']}/{data['subtype']}" if data["type"] == "system" else str(data["type"])


@pytest.mark.parametrize(("agent", "name"), STREAMS)
def test_every_line_has_a_meaning_or_is_kept(agent: str, name: str) -> None:
    for line in recorded(agent, name):
        events = read(agent, line)
        assert events, line
        if "unknown" in kinds(events):
            assert kind_of(line) in KEPT_UNKNOWN
            assert msgspec.json.decode(events[0].payload["line"]) == msgspec.json.decode(line)


@pytest.mark.parametrize(("agent", "name"), STREAMS)
def test_totals(agent: str, name: str) -> None:
    session, tools, turns = TOTALS[agent, name]
    events = read_all(agent, recorded(agent, name))
    assert {event.payload["id"][:8] for event in events if event.type == "agent_session"} == {session}
    assert Counter(event.payload["tool"] for event in events if event.type == "tool_use") == tools
    assert [_totals(event.payload) for event in events if event.type == "turn_ended"] == turns


def _totals(ended: dict[str, Any]) -> tuple[str, bool, int, int, int, float | None]:
    tokens = ended["tokens"]
    return (
        ended["subtype"], ended["is_error"], tokens["input"], tokens["output"], tokens["cached"],
        ended["process_cost_usd"],
    )  # fmt: skip


def test_one_message_over_several_lines_counts_its_tokens_once() -> None:
    events = read_all("claude", recorded("claude", "write_edit.jsonl"))
    assert sum("tokens" in event.payload for event in events) == 1


def test_a_denied_question_is_asked_and_told_at_the_end() -> None:
    """It is no event of its own: whoever answered it recorded the refusal already."""
    events = read_all("claude", recorded("claude", "stdio_deny.jsonl"))
    asked = next(event for event in events if event.type == "permission_asked")
    assert asked.payload["request_id"] == "88299e01-939a-4e90-b8d6-91cf488ac697"
    assert asked.payload["argument"] == "touch x.txt && rm -f README.md"
    denied = read_all("claude", recorded("claude", "denied.jsonl"))
    assert denied[-1].payload["denials"] == [{"tool": "Bash", "argument": "touch x.txt"}]


def test_an_interrupted_turn_is_no_failure_of_the_agent() -> None:
    ended = [
        event
        for event in read_all("claude", recorded("claude", "control_interrupt.jsonl"))
        if event.type == "turn_ended"
    ]
    assert [(event.severity, event.payload["terminal_reason"]) for event in ended] == [
        ("warning", "aborted_streaming"),
        ("info", "completed"),
    ]
    assert ended[0].payload["text"] == "The turn was interrupted."
