"""What a person reads of an agent's session."""

from __future__ import annotations

from typing import Any

import click
import pytest

from supervisor.cli.transcript import RESULT_LINES, render


def shown(kind: str, **payload: Any) -> list[str]:
    return [click.unstyle(line) for line in render({"type": kind, "payload": payload})]


@pytest.mark.parametrize(
    ("kind", "payload", "lines"),
    [
        ("message", {"text": "Done."}, ["", "Done."]),
        ("message", {"text": "\x1b]0;title\x07Done."}, ["", "Done."]),
        ("message_delivered", {"text": "Fix it\nnow"}, ["", "❯ Fix it", "  now"]),
        ("message_delivered", {"text": ""}, ["", "❯ "]),
        ("thinking", {"text": "one\ntwo"}, ["  one", "  two"]),
        ("tool_use", {"tool": "Bash", "argument": "ls\n-l"}, ["● Bash  ls -l"]),
        ("tool_use", {"tool": "Bash", "argument": None}, ["● Bash  "]),
        ("tool_result", {"text": "a\nb"}, ["  │ a", "  │ b"]),
        ("tool_result", {"text": "no", "is_error": True}, ["  │ no"]),
        ("tool_result", {"text": None}, []),
        ("output", {"text": "plain", "stream": "stderr"}, ["plain"]),
        ("permission_refused", {"tool": "Bash", "argument": "rm -r x"}, ["  ✕ refused: rm -r x"]),
        ("permission_refused", {"tool": "Bash"}, ["  ✕ refused: Bash"]),
        ("turn_ended", {"is_error": True, "text": "It broke."}, ["✕ It broke."]),
        ("turn_ended", {"is_error": True}, ["✕ failed"]),
        ("turn_ended", {"is_error": False, "text": "Done."}, []),
        ("usage_limit", {"text": "Wait\nfor it."}, ["! Wait for it."]),
        ("retry", {"error": "overloaded"}, ["! overloaded"]),
        ("attempt_ended", {"reason": "It exited."}, ["", "─ It exited."]),
        ("heartbeat", {}, []),
        ("unknown", {"line": "{}"}, []),
    ],
)
def test_each_event_is_shown_as_what_it_means(kind: str, payload: dict[str, Any], lines: list[str]) -> None:
    assert shown(kind, **payload) == lines


def test_a_long_result_is_cut_and_says_by_how_much() -> None:
    lines = shown("tool_result", text="\n".join(map(str, range(RESULT_LINES + 3))))
    assert len(lines) == RESULT_LINES + 1
    assert lines[-1] == "  │ … 3 more lines"
