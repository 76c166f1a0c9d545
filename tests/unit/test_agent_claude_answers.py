"""What Claude asks, in the words that policy judges, and what it is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.agents.claude import NOT_SHOWN, REFUSAL, TOO_LARGE, ClaudeAdapter
from executors.agents.claude_acts import act_of
from executors.agents.shapes import INPUT_LIMIT
from supervisor.engine.ports.agents import Verdict
from tests.support.agents import NOON, REFUSED, read

CLAUDE = ClaudeAdapter()
ALLOWED = Verdict(allow=True)

COLOUR = {
    "question": "Which colour?",
    "header": "Colour",
    "multiSelect": False,
    "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
}
SIZES = {"question": "Which sizes?", "header": "Size", "multiSelect": True, "options": [{"label": "S"}, {"label": "L"}]}


def ask(tool: str, given: Any) -> dict[str, Any]:
    """Return the payload of the question that a control request means."""
    request = {"subtype": "can_use_tool", "tool_name": tool, "input": given, "tool_use_id": "toolu_1"}
    (event,) = read("claude", json.dumps({"type": "control_request", "request_id": "r1", "request": request}))
    assert event.type == "permission_asked"
    return event.payload


def form(fields: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return the payload of the question that an elicitation means."""
    schema = {"type": "object", "properties": fields, "required": list(required)}
    request = {
        "subtype": "elicitation",
        "mcp_server_name": "s",
        "message": "Which?",
        "requested_schema": schema,
        **more,
    }
    (event,) = read("claude", json.dumps({"type": "control_request", "request_id": "r1", "request": request}))
    return event.payload


def answer(asked: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    line = CLAUDE.answer(asked, verdict)
    assert line is not None
    whole = json.loads(line)
    assert whole["response"]["request_id"] == asked["request_id"]
    response: dict[str, Any] = whole["response"]["response"]
    return response


# --- acts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "given", "expected"),
    [
        ("Bash", {"command": "ls", "description": "d"}, {"kind": "execute", "command": "ls"}),
        ("Bash", {"command": ["ls"]}, {"kind": "other"}),
        ("Bash", {}, {"kind": "other"}),
        ("Write", {"file_path": "/a", "content": "x"}, {"kind": "write", "paths": ["/a"]}),
        ("Edit", {"file_path": "/a"}, {"kind": "write", "paths": ["/a"]}),
        ("Edit", {"file_path": ""}, {"kind": "other"}),
        ("NotebookEdit", {"notebook_path": "/n"}, {"kind": "write", "paths": ["/n"]}),
        ("NotebookEdit", {"file_path": "/n"}, {"kind": "other"}),
        ("Read", {"file_path": "/a"}, {"kind": "read", "paths": ["/a"]}),
        ("Read", None, {"kind": "other"}),
        ("Grep", {"pattern": "x"}, {"kind": "search", "paths": ["."]}),
        ("Glob", {"path": "/a", "pattern": "*.py"}, {"kind": "search", "paths": ["/a"]}),
        ("Glob", {"pattern": "/etc/*"}, {"kind": "search", "paths": [".", "/etc/*"]}),
        ("Glob", {"path": "b", "pattern": "../../*"}, {"kind": "search", "paths": ["b", "b/../../*"]}),
        ("WebFetch", {"url": "https://x/"}, {"kind": "fetch", "url": "https://x/"}),
        ("WebFetch", {}, {"kind": "other"}),
        ("WebSearch", {"query": "q"}, {"kind": "search"}),
        ("mcp__s__t", {"x": 1}, {"kind": "mcp"}),
        ("AskUserQuestion", {"questions": []}, {"kind": "question"}),
        ("Agent", {"prompt": "p"}, {"kind": "other"}),
        ("PowerShell", {"command": "ls"}, {"kind": "other"}),
        (None, {}, {"kind": "other"}),
    ],
)
def test_acts(tool: object, given: object, expected: dict[str, Any]) -> None:
    assert act_of(tool, given) == expected


# --- tool calls -----------------------------------------------------------------------------


def test_what_runs_is_what_was_asked() -> None:
    given = {"command": "echo 'Grüße'", "timeout": 5, "nested": {"a": [1, 2.5, None, True]}}
    asked = ask("Bash", given)
    assert asked["act"] == {"kind": "execute", "command": "echo 'Grüße'"}
    assert answer(asked, ALLOWED) == {"behavior": "allow", "updatedInput": given}


def test_a_refusal_says_why() -> None:
    asked = ask("Bash", {"command": "ls"})
    assert answer(asked, REFUSED) == {"behavior": "deny", "message": REFUSAL, "interrupt": False}
    verdict = Verdict(allow=False, message="Not now.", interrupt=True)
    assert answer(asked, verdict) == {"behavior": "deny", "message": "Not now.", "interrupt": True}


def test_what_could_not_be_shown_is_never_allowed() -> None:
    large = ask("Write", {"file_path": "/a", "content": "x" * INPUT_LIMIT})
    assert (large["input"], large["too_large"] > INPUT_LIMIT) == ({}, True)
    assert answer(large, ALLOWED)["message"] == TOO_LARGE
    hidden = ask("Bash", {"command": "curl -H 'Key: [redacted]' https://x"})
    assert answer(hidden, ALLOWED)["message"] == NOT_SHOWN
    for asked in (large, hidden):
        printed = CLAUDE.permission_answer(asked, ALLOWED)
        assert printed["hookSpecificOutput"]["decision"]["behavior"] == "deny"


def test_a_hooks_question_is_answered_by_what_it_prints() -> None:
    given = {"hook_event_name": "PermissionRequest", "tool_name": "Write", "tool_input": {"file_path": "/a"}}
    asked = CLAUDE.permission(given, NOON)
    assert asked is not None
    assert (asked.source, asked.payload["request_id"]) == ("hook", None)
    assert asked.payload["act"] == {"kind": "write", "paths": ["/a"]}
    assert CLAUDE.answer(asked.payload, ALLOWED) is None
    printed = CLAUDE.permission_answer(asked.payload, ALLOWED)
    assert printed == {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}}
    decision = CLAUDE.permission_answer(asked.payload, Verdict(allow=False, message="No."))["hookSpecificOutput"]
    assert decision["decision"] == {"behavior": "deny", "message": "No.", "interrupt": False}


def test_other_hooks_ask_nothing() -> None:
    assert CLAUDE.permission({"hook_event_name": "PreToolUse"}, NOON) is None
    assert CLAUDE.permission({}, NOON) is None


def test_a_question_whose_line_was_cut_off_is_refused() -> None:
    request = {"subtype": "can_use_tool", "tool_name": "Write", "input": {"file_path": "/a", "content": "x" * 99}}
    line = json.dumps({"type": "control_request", "request_id": "a-1", "request": request}, separators=(",", ":"))
    (event,) = read("claude", line[:150])
    assert (event.type, event.payload["tool"], event.payload["input"]) == ("permission_asked", "Write", {})
    assert event.payload["too_large"] == 150
    assert answer(event.payload, ALLOWED)["behavior"] == "deny"
    assert [event.type for event in read("claude", line[:50])] == ["unknown"]


# --- questions ------------------------------------------------------------------------------


def test_one_question_has_options() -> None:
    asked = ask("AskUserQuestion", {"questions": [COLOUR]})
    assert asked["question"] == "Which colour?"
    assert asked["options"] == [
        {"value": "Red", "label": "Red", "description": "warm"},
        {"value": "Blue", "label": "Blue", "description": "cold"},
    ]
    assert asked["act"] == {"kind": "question"}


@pytest.mark.parametrize(
    ("questions", "choice", "answers"),
    [
        ([COLOUR], "Blue", {"Which colour?": "Blue"}),
        ([COLOUR], "5", {"Which colour?": "5"}),
        ([COLOUR], "neither of them", {"Which colour?": "neither of them"}),
        ([SIZES], "S, L", {"Which sizes?": "S, L"}),
        ([SIZES], '["S", "L"]', {"Which sizes?": "S, L"}),
        ([COLOUR, SIZES], '["Red", ["S"]]', {"Which colour?": "Red", "Which sizes?": "S"}),
        (
            [COLOUR, SIZES], '{"Colour": "Red", "Which sizes?": ["S", "L"]}',
            {"Which colour?": "Red", "Which sizes?": "S, L"},
        ),
        ([COLOUR, SIZES], '{"Colour": "Red"}', {"Which colour?": "Red"}),
    ],
)  # fmt: skip
def test_answers_of_questions(questions: list[Any], choice: str, answers: dict[str, str]) -> None:
    asked = ask("AskUserQuestion", {"questions": questions})
    given = answer(asked, Verdict(allow=True, choice=choice))
    assert given == {"behavior": "allow", "updatedInput": {"questions": questions, "answers": answers}}
    decision = CLAUDE.permission_answer(asked, Verdict(allow=True, choice=choice))["hookSpecificOutput"]["decision"]
    assert decision == given


def test_several_questions_say_how_they_are_answered() -> None:
    asked = ask("AskUserQuestion", {"questions": [COLOUR, SIZES]})
    assert "options" not in asked
    assert asked["question"].splitlines() == [
        "1. Which colour? (Red, Blue)",
        "2. Which sizes? (S, L; several)",
        "Answer with a JSON list in this order, or a JSON object by question.",
    ]


@pytest.mark.parametrize("choice", ["Blue", '["one"]', "{}", '{"else": "x"}'])
def test_an_answer_that_fits_no_question_is_told_in_words(choice: str) -> None:
    asked = ask("AskUserQuestion", {"questions": [COLOUR, SIZES]})
    given = answer(asked, Verdict(allow=True, choice=choice))
    assert given["behavior"] == "deny"
    assert choice in given["message"]


def test_a_question_without_a_choice_stays_unanswered() -> None:
    asked = ask("AskUserQuestion", {"questions": [COLOUR]})
    assert answer(asked, ALLOWED) == {"behavior": "allow", "updatedInput": {"questions": [COLOUR]}}


# --- elicitation ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ({"type": "string", "enum": ["S", "L"]}, ["S", "L"]),
        ({"type": "string", "oneOf": [{"const": "s", "title": "Small"}]}, ["s"]),
        ({"type": "boolean"}, ["true", "false"]),
    ],
)
def test_a_form_of_one_field_has_options(field: dict[str, Any], values: list[str]) -> None:
    asked = form({"it": field})
    assert (asked["tool"], asked["question"], asked["argument"]) == ("Elicitation", "Which?", "Which?")
    assert [option["value"] for option in asked["options"]] == values


@pytest.mark.parametrize(
    ("fields", "required", "choice", "content"),
    [
        ({"it": {"type": "string", "enum": ["S", "L"]}}, ("it",), "L", {"it": "L"}),
        ({"it": {"type": "string", "enum": ["S", "L"]}}, (), "M", None),
        ({"it": {"type": "string"}}, (), "any words", {"it": "any words"}),
        ({"it": {"type": "boolean"}}, (), "true", {"it": True}),
        ({"it": {"type": "boolean"}}, (), "1", None),
        ({"it": {"type": "integer"}}, (), "3", {"it": 3}),
        ({"it": {"type": "integer"}}, (), "3.5", None),
        ({"it": {"type": "integer"}}, (), "true", None),
        ({"it": {"type": "number"}}, (), "3.5", {"it": 3.5}),
        ({"it": {"type": "array"}}, (), "a, b", {"it": ["a", "b"]}),
        ({"it": {"type": "array"}}, (), '["a"]', {"it": ["a"]}),
        ({"a": {"type": "string"}, "b": {"type": "integer"}}, ("a",), '{"a": "x", "b": 2}', {"a": "x", "b": 2}),
        ({"a": {"type": "string"}, "b": {"type": "integer"}}, ("a",), '{"b": 2}', None),
        ({"a": {"type": "string"}, "b": {"type": "integer"}}, (), "words", None),
        ({"a": {"type": "string"}}, (), '{"else": "x"}', None),
        ({"it": {"type": "string", "default": "x"}}, ("it",), None, {"it": "x"}),
        ({"it": {"type": "string"}}, ("it",), None, None),
        ({}, (), None, {}),
    ],
)
def test_forms_are_filled(
    fields: dict[str, Any], required: tuple[str, ...], choice: str | None, content: dict[str, Any] | None
) -> None:
    given = answer(form(fields, required), Verdict(allow=True, choice=choice))
    assert given == ({"action": "decline"} if content is None else {"action": "accept", "content": content})


def test_a_form_may_be_declined_or_left() -> None:
    asked = form({"it": {"type": "boolean"}})
    assert answer(asked, REFUSED) == {"action": "decline"}
    assert answer(asked, Verdict(allow=False, interrupt=True)) == {"action": "cancel"}


def test_a_form_may_lead_to_a_page() -> None:
    asked = form({}, mode="url", url="https://x/")
    assert asked["act"] == {"kind": "question", "url": "https://x/"}
    assert answer(asked, ALLOWED) == {"action": "accept", "content": {}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["question", "x", "[]", "true"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["questions", "question", "header", "options", "label", "requested_schema", "properties", "required",
             "type", "enum", "enumNames", "oneOf", "default", "message", "url", "it"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.none() | JSON.map(json.dumps) | st.text(max_size=5), st.booleans())
def test_whatever_is_asked_is_answered(given: Any, choice: str | None, allow: bool) -> None:
    verdict = Verdict(allow=allow, choice=choice)
    for tool in ("AskUserQuestion", "Bash", "Write", "Grep", "mcp__a__b"):
        assert answer(ask(tool, given), verdict)["behavior"] in ("allow", "deny")
    assert answer(form({"it": given} if not isinstance(given, dict) else given), verdict)["action"]
