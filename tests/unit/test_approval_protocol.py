"""Questions of tools, read as docs/approval-protocol.md says; the schema and the reader agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executors.agents.protocol_events import Emitted, Malformed, read
from supervisor.cli.conformance.fields import doubts
from supervisor.cli.conformance.requirements import TOOLS
from supervisor.model import protocol
from supervisor.model.approvals import Option
from supervisor.model.protocol import ApprovalNeeded
from tests.support.agents import NOON

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "approval-protocol.md").read_text()
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "config" / "protocol" / "approval-protocol-1.schema.json").read_text())
)


def line(**fields: Any) -> bytes:
    return json.dumps({"type": "approval_needed", "question": "Go?", **fields}, ensure_ascii=False).encode()


def question(data: bytes) -> ApprovalNeeded:
    found = read(data, NOON)
    assert isinstance(found, Emitted), found
    assert found.asks is not None
    assert found.payload == found.asks.payload()
    return found.asks


def reason(data: bytes) -> str:
    found = read(data, NOON)
    assert isinstance(found, Malformed)
    assert found.of == "approval_needed"
    return found.reason


def test_the_smallest_question() -> None:
    asked = question(line())
    assert asked == ApprovalNeeded("Go?")
    assert asked.values == ("allow",)
    assert asked.payload() == {"question": "Go?", "options": []}


def test_the_largest_question() -> None:
    options = [{"value": f"v{n}", "label": "l" * 200, "description": "d"} for n in range(20)]
    asked = question(
        line(protocol=1, question="q" * 4096, options=options, default="v19", expires_s=31_536_000, risk="low",
             preview="p" * 32_768, key="k" * 200, severity="error")
    )  # fmt: skip
    assert asked.options[19] == Option("v19", "l" * 200, "d")
    assert (asked.default, asked.expires_s, asked.risk, asked.key) == ("v19", 31_536_000, "low", "k" * 200)
    assert len(asked.preview or "") == 32_768


def test_null_says_that_a_field_is_absent() -> None:
    nothing = dict.fromkeys(("protocol", "options", "default", "expires_s", "expires_at", "risk", "preview", "key"))
    assert question(line(**nothing)) == ApprovalNeeded("Go?")


def test_until_when_becomes_how_long() -> None:
    assert question(line(expires_at="2026-11-21T12:01:00Z")).expires_s == 60
    assert question(line(expires_at="2026-11-21T14:00:00.500+02:00")).expires_s == 0.5


def test_what_a_terminal_would_act_on_is_taken_out() -> None:
    asked = question(
        line(question="\x1b[31mDelete\x1b[0m\r\n\u202eall?", preview="rm\t-r\x07 x\n\x1b]0;title\x07y",
             options=[{"value": "y", "label": "\x1b[1mYes\nplease", "description": "a\u2066b"}])
    )  # fmt: skip
    assert (asked.question, asked.preview) == ("Delete\nall?", "rm\t-r x\ny")
    assert asked.options == (Option("y", "Yes please", "ab"),)


def test_a_risk_that_is_not_known_is_the_highest() -> None:
    assert question(line(risk="apocalyptic")).risk == "high"


def test_a_default_without_options_means_nothing() -> None:
    assert question(line(default="yes")).default is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"question": None}, "no question"),
        ({"question": ""}, "no question"),
        ({"question": " \x1b[0m\n"}, "no question"),
        ({"question": 3}, "question is no text"),
        ({"question": "q" * 4097}, "longer than 4096"),
        ({"protocol": 2}, "protocol 2"),
        ({"protocol": "1"}, 'protocol "1"'),
        ({"protocol": True}, "protocol true"),
        ({"options": {"a": "b"}}, "no list"),
        ({"options": [3]}, "neither an object nor a string"),
        ({"options": [{}]}, "missing"),
        ({"options": [{"value": True}]}, "missing or no text"),
        ({"options": [""]}, "printable"),
        ({"options": [" a"]}, "printable"),
        ({"options": ["a\nb"]}, "printable"),
        ({"options": ["a\u202eb"]}, "printable"),
        ({"options": ["a\x00"]}, "printable"),
        ({"options": ["v" * 257]}, "printable"),
        ({"options": ["a", {"value": "a"}]}, "same value"),
        ({"options": [str(n) for n in range(21)]}, "more than 20"),
        ({"options": [{"value": "a", "label": "l" * 201}]}, "label is longer"),
        ({"options": [{"value": "a", "label": 1}]}, "label is no text"),
        ({"options": [{"value": "a", "description": "d" * 2049}]}, "description is longer"),
        ({"options": ["a"], "default": "b"}, "default"),
        ({"options": ["a"], "default": ["a"]}, "default is no text"),
        ({"default": []}, "default is no text"),
        ({"expires_s": 0}, "past"),
        ({"expires_s": -1}, "past"),
        ({"expires_s": 31_536_001}, "365 days"),
        ({"expires_s": "60"}, "no number"),
        ({"expires_s": True}, "no number"),
        ({"expires_at": "2026-11-21T12:00:00Z"}, "past"),
        ({"expires_at": "2027-11-22T12:00:00Z"}, "365 days"),
        ({"expires_at": "2026-11-21T12:01:00"}, "zone"),
        ({"expires_at": "tomorrow"}, "RFC 3339"),
        ({"expires_at": 1_795_262_460}, "RFC 3339"),
        ({"expires_at": "0001-01-01T00:00:00+23:59"}, "RFC 3339|past"),
        ({"expires_at": "2026-11-21T12:01:00Z", "expires_s": 60}, "both"),
        ({"risk": 3}, "risk is no word"),
        ({"preview": "p" * 32_769}, "preview is longer"),
        ({"preview": ["rm", "-r"]}, "preview is no text"),
        ({"key": ""}, "printable"),
        ({"key": 7}, "key is missing or no text"),
        ({"more": "x" * 65_536}, "longer than 65536 bytes"),
    ],
)
def test_what_breaks_a_rule_is_no_question_and_says_why(fields: dict[str, Any], words: str) -> None:
    assert re.search(words, reason(line(**fields)))


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"approval_needed","question":"Go?"',
        b'{"type": "approval_needed", question: "Go?"}',
        b'{"protocol":1,"type":"approval_needed","question":',
        b'{"type":"approval_needed","question":"Go?"} and more',
        b'{"type":"approval_needed","question":"Go?","n":NaN}',
        b'{"type":"approval_needed","question":"caf\xe9?"}',
        b'{"type":"approval_needed","question":"half \\ud83d"}',
        b'{"type":"approval_needed","question":' + b"[" * 100_000,
    ],
)
def test_a_question_that_is_not_json_in_utf8_is_malformed(data: bytes) -> None:
    assert "JSON" in reason(data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b" {}", b'{"a": 1}', b"\xff\xfe", b'\xef\xbb\xbf{"type":"approval_needed"}']
)
def test_output_is_no_event(data: bytes) -> None:
    assert read(data, NOON) is None


def test_the_last_of_two_equal_names_counts() -> None:
    assert question(b'{"type":"approval_needed","question":"a","question":"b"}').question == "b"


def test_the_same_question() -> None:
    first = question(line(options=["a"]))
    assert first.is_same_as(question(line(options=["a"], preview="x", risk="low")))
    assert not first.is_same_as(question(line(options=["b"])))
    assert not first.is_same_as(question(line(options=["a"], key="k")))
    assert question(line(key="k")).is_same_as(question(line(question="Other words?", key="k")))


def test_how_an_answer_is_given() -> None:
    assert protocol.answer_environment("b", "k") == {"AUTO_APPROVAL": "b", "AUTO_APPROVAL_KEY": "k"}
    assert protocol.answer_environment("b", None) == {"AUTO_APPROVAL": "b"}
    assert protocol.answer_argument("b c") == "--approval-decision=b c"


def test_the_page_numbers_what_is_checked() -> None:
    numbered = re.findall(r"^\| (T\d+) \|", PAGE, re.MULTILINE)
    assert numbered == list(TOOLS)


@pytest.mark.parametrize("limit", ["4,096", "32,768", "65,536", "31,536,000", "at most 20", "256 characters", "2,048"])
def test_the_page_names_the_limits(limit: str) -> None:
    assert limit in PAGE


def test_what_the_page_shows_is_read() -> None:
    shown = re.findall(r"\{\"type\": [^…\n]*?\}(?=['\s])", PAGE)
    assert len(shown) >= 2
    for text in shown:
        assert isinstance(read(text.encode(), NOON), Emitted)
        SCHEMA.validate(json.loads(text))


# --- whatever a tool prints --------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
plausible = st.fixed_dictionaries(
    {"question": st.text(max_size=40) | anything},
    optional={
        "protocol": st.sampled_from([1, 1, 1, 2, "1"]),
        "options": st.lists(
            st.text(max_size=5)
            | st.fixed_dictionaries(
                {"value": st.text(max_size=5) | anything}, optional={"label": st.text(max_size=5) | anything}
            ),
            max_size=22,
        )
        | anything,
        "default": st.text(max_size=5) | anything,
        "expires_s": st.floats() | anything,
        "expires_at": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | anything,
        "risk": st.sampled_from(protocol.RISKS) | anything,
        "preview": st.text(max_size=40) | anything,
        "key": st.text(max_size=10) | anything,
        "more": anything,
    },
)


@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b'{"type":"approval_needed",', b'{"event":']))
@example(b'"x":1}', b'{"type":"approval_needed",')
def test_no_bytes_are_a_question_by_accident(rest: bytes, start: bytes) -> None:
    found = read(start + rest, NOON)
    if start.startswith(b'{"type"'):
        assert found is not None
    if isinstance(found, Emitted) and found.asks:
        assert json.loads(start + rest)["question"]


@given(
    line=plausible.map(lambda fields: json.dumps({"type": "approval_needed", **fields}).encode()), cut=st.integers(1)
)
def test_a_cut_line_is_never_a_question(line: bytes, cut: int) -> None:
    found = read(line[: cut % len(line)], NOON)
    assert found is None or isinstance(found, Malformed)


@given(plausible)
def test_a_question_is_whole_and_clean_and_the_schema_takes_it(fields: dict[str, Any]) -> None:
    document = {"type": "approval_needed", **fields}
    found = read(json.dumps(document).encode(), NOON)
    if not isinstance(found, Emitted) or found.asks is None:
        assert isinstance(found, Malformed)
        assert found.of == "approval_needed"
        assert found.reason.endswith(".")
        return
    asked = found.asks
    assert asked.question.strip()
    assert asked.default is None or asked.default in asked.values
    assert asked.expires_s is None or 0 < asked.expires_s <= protocol.EXPIRES_LIMIT_S
    assert len(set(asked.values)) == len(asked.values)
    for value in asked.values:
        assert value.isprintable()
        assert value == value.strip()
    for text in (asked.question, asked.preview or "", *(option.label for option in asked.options)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    if document.get("risk") is not None and document["risk"] not in protocol.RISKS:
        document["risk"] = "high"
    assert list(SCHEMA.iter_errors(document)) == []
    assert read(json.dumps(asked.payload() | {"type": "approval_needed"}).encode(), NOON) == found


@pytest.mark.parametrize(
    "document",
    [
        {"type": "approval_needed"},
        {"event": "approval_needed", "question": ""},
        {"type": "approval_needed", "question": "q", "protocol": 2},
        {"type": "approval_needed", "question": "q", "options": [{"label": "x"}]},
        {"type": "approval_needed", "question": "q", "options": ["a\nb"]},
        {"type": "approval_needed", "question": "q", "expires_s": 0},
        {"type": "approval_needed", "question": "q", "expires_s": 5, "expires_at": "2030-01-01T00:00:00Z"},
        {"type": "approval_decided"},
        {"type": "permission_asked"},
        {"type": ""},
        {"question": "q"},
    ],
)
def test_the_schema_refuses_it_too(document: dict[str, Any]) -> None:
    assert list(SCHEMA.iter_errors(document))
    assert not isinstance(read(json.dumps(document).encode(), NOON), Emitted)


def test_the_schema_takes_other_events() -> None:
    SCHEMA.check_schema(SCHEMA.schema)
    for document in (
        {"type": "progress", "done": 1}, {"event": "my.kind"}, {"type": 3, "event": "x"}, {"type": "heartbeat"},
    ):  # fmt: skip
        SCHEMA.validate(document)
        assert isinstance(read(json.dumps(document).encode(), NOON), Emitted)


@given(
    kind=st.sampled_from(["progress", "tool_output", "message", "error", "heartbeat", "my.kind"]),
    fields=st.fixed_dictionaries(
        {},
        optional={
            "done": anything,
            "of": anything,
            "text": st.text(max_size=3) | anything,
            "stream": st.sampled_from(["stdout", "stdin"]) | anything,
            "severity": st.sampled_from(["info", "loud"]) | anything,
        },
    ),
)
def test_the_check_doubts_of_other_events_what_the_schema_forbids(kind: str, fields: dict[str, Any]) -> None:
    document = {"type": kind, **fields}
    assert bool(list(doubts(kind, document))) is bool(list(SCHEMA.iter_errors(document)))


def test_the_check_doubts_a_risk_that_is_not_known() -> None:
    for risk, doubtful in (("critical", True), ("high", False), (None, False)):
        assert bool(list(doubts("approval_needed", {"question": "Go?", "risk": risk}))) is doubtful
