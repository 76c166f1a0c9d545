from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents import DEPTH_LIMIT, SIZE_LIMIT, Document, Limits, Unreadable, parse_document, read_document
from supervisor.model.errors import ConfigError


def parse(text: str) -> Document:
    return parse_document(text.encode(), "file.yaml")


def test_maps_lists_and_scalars() -> None:
    document = parse("a: 1\nb: [x, 2.5, true, null]\nc:\n  d: {e: 'no'}\n")
    assert document.value == {"a": 1, "b": ["x", 2.5, True, None], "c": {"d": {"e": "no"}}}


def test_each_key_and_item_has_its_line() -> None:
    lines = parse("# comment\na: 1\nb:\n  - x\n  - y\nc:\n  d: 2\n").lines
    assert lines[("a",)] == 2
    assert lines[("b",)] == 3
    assert lines[("b", "1")] == 5
    assert lines[("c", "d")] == 7


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("-7", -7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("''", ""),
        ("'5'", "5"),
        ("5.", 5.0),
        ("9" * 30, "9" * 30),
    ],
)
def test_plain_text_stays_text(text: str, value: object) -> None:
    found = parse(f"key: {text}").value["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\n\n"])
def test_nothing_is_nothing(text: str) -> None:
    assert parse(text).value is None


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    document = parse_document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f")
    assert document.value == {"a": 1, "b": 2}
    assert document.lines[("b",)] == 2


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: &x 2\n", 2, "anchors"),
        ("a: &x {}\nb: *x\n", 1, "anchors"),
        ("a: 1\nb: 2\na: 3\n", 3, "`a` is here a second time"),
        ("a:\n  b: 1\n  b: 2\n", 3, "`a.b` is here a second time"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        ("a: !secret x\n", 1, "tag"),
        ("[a]: 1\n", 1, "a key must be plain text"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: [1\nb: 2\n", 2, "not YAML"),
        ("a:\n\t- b\n", 2, "not YAML"),
        ("a: 1\nb: \x07\n", 2, "control character"),
        ("a: 'x", 1, "not YAML"),
    ],
)
def test_what_is_refused_names_file_and_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as error:
        parse(text)
    assert error.value.message.startswith(f"file.yaml:{line}: ")
    assert error.value.hint


def test_text_that_is_not_utf_8_names_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^f:2: this line is not UTF-8"):
        parse_document(b"a: 1\nb: \xff\n", "f")


def test_depth_is_bounded() -> None:
    assert parse("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT).value
    with pytest.raises(ConfigError, match="levels"):
        parse("[" * (DEPTH_LIMIT + 1) + "]" * (DEPTH_LIMIT + 1))
    with pytest.raises(ConfigError, match="levels"):
        parse("[" * 100_000)


def test_size_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"#" * (SIZE_LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        read_document(tmp_path / "f")


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_document(tmp_path / "none") is None


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ConfigError):
            read_document(path)


def test_links_are_followed_only_where_that_is_asked(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a: 1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert read_document(tmp_path / "link")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_document(tmp_path / "link", follow_links=False)


def test_without_the_c_parser_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.documents._LOADER", yaml.SafeLoader)
    assert parse("a: [1, {b: c}]").value == {"a": [1, {"b": "c"}]}
    for text in ("a: [1", "a: &x 1", "a: \x07"):
        with pytest.raises(ConfigError, match=r"^file.yaml:1: "):
            parse(text)


FRAGMENTS = [
    "a",
    "key: ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "&x ",
    "*x",
    "!!int ",
    "|",
    ">",
    "'",
    '"',
    "\n",
    "  ",
]
YAMLISH = st.lists(st.sampled_from([*FRAGMENTS, "#", "---", "...", "%YAML 1.1", "\t", "é", "\x85", "? ", "@"])).map(
    "".join
)


def outcome(text: str) -> str:
    try:
        parse_document(text.encode("utf-8", "surrogatepass"), "f")
    except ConfigError as error:
        return error.message
    return ""


@given(YAMLISH | st.text())
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    assert re.match(r"f:[1-9]\d*: |$", outcome(text))


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFF))
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSONISH)
def test_json_is_read_as_json(value: object) -> None:
    assert parse(json.dumps(value)).value == value


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2, "\t"])
@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=20), ANY_TEXT | st.lists(ANY_TEXT | st.floats(-1e9, 1e9)), max_size=4))
def test_json_of_any_text_is_read_as_json(ascii_only: bool, indent: int | str | None, value: object) -> None:
    separators = (",", ":") if indent is None else None
    assert parse(json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators)).value == value


def test_in_json_too_every_key_has_its_line_and_comes_once() -> None:
    text = '{\n  "a": "\\ud83d\\ude00\\\\ud83d",\n  "b": [\n    1,\n    "\u2028"\n  ]\n}\n'
    document = parse(text)
    assert document.value == {"a": "\U0001f600\\ud83d", "b": [1, "\u2028"]}
    assert document.lines[("b", "1")] == 5
    with pytest.raises(ConfigError, match=r"^file.yaml:3: the key `a` is here a second time"):
        parse('{\n  "a": 1,\n  "a": 2\n}')


def test_a_text_that_looks_like_an_escape_stays_where_the_document_is_no_json() -> None:
    assert parse("{a: '\\ud83d\\ude00'}").value == {"a": "\\ud83d\\ude00"}


@pytest.mark.parametrize("number", ["9" * 5_000, "1" + "0" * 400 + ".5", "-" + "9" * 19])
def test_a_huge_number_is_text_or_a_fraction_and_never_an_error(number: str) -> None:
    assert type(parse(f'{{"a": {number}, "b": "\\ud83d\\ude00"}}').value["a"]) in (str, float)


def test_the_number_of_values_is_bounded() -> None:
    assert len(parse_document(b"[1,2,3]", "f", Limits(values=4)).value) == 3
    with pytest.raises(Unreadable, match=r"^f:2: more than 4 keys and values") as error:
        parse_document(b"[1,2,\n3,4]", "f", Limits(values=4))
    assert error.value.line == 2


@pytest.mark.parametrize("text", ["{kk: 1, kk: 2}".replace("kk", "k" * 900), f"a: !{'t' * 5_000} x"])
def test_an_error_never_repeats_a_long_name_whole(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert len(error.value.message) < 200


def test_a_broken_document_is_named_by_what_it_is() -> None:
    with pytest.raises(Unreadable, match="this is not JSON"):
        parse_document(b'{"tasks": [}', "plan.json")


def test_a_long_key_of_foreign_letters_is_one_however_it_is_escaped() -> None:
    value = {"\u0928\u093e\u092e" * 100: "\u00fc"}
    assert parse(json.dumps(value)).value == parse(json.dumps(value, ensure_ascii=False)).value == value
