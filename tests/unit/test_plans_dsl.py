from __future__ import annotations

import random
import re
import string
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import SIZE_LIMIT, Document
from supervisor.engine.plans import dsl
from supervisor.engine.plans.dsl import write
from supervisor.engine.plans.dsl_words import ID, INPUT
from supervisor.model.errors import ConfigError, InvalidInput

SMALL = """\
task collect "Collect sources" kind:research using:shell
  input:
    query: retries
  run: |
    echo "$query" > sources.txt
  expect:
    - test -s sources.txt
  on failure -> broaden
  on success -> design
task broaden "Broaden the query" kind:research using:shell
  run: |
    echo more > sources.txt
task design "Design options" kind:analyze using:shell
  needs: collect
  run: |
    wc -l sources.txt > design.txt
"""

EVERYTHING = """\
# A comment
plan plan-all "All of \\"it\\""

task a "First" kind:implement agent:claude priority:5 timeout:90.5
    # indented as one likes
    prompt: |-
        Join "a" # no comment
          indented

        and b
    output:
      - a, b.txt
      - "quoted" stays
    reads: x.txt, y z.txt
    writes:
      - out/

task gaps-deep-dive-* using:"two words" approval:true
  needs: a,  b.c
  input:
    number: 5
    text: "5"
    empty: ""
    flag: false
    lines: "one\\ntwo"
    plain: http://x.y/#z "q"
  check:
    - test -f 'x' # a shell's comment
  run: | grep x
  on failure->a
  on failure -> b.c
"""


def parse(text: str) -> Document:
    return dsl.parse(text.encode(), "x.plan")


def test_the_sample() -> None:
    assert parse(SMALL).value == {
        "tasks": [
            {
                "id": "collect",
                "title": "Collect sources",
                "kind": "research",
                "using": "shell",
                "inputs": {"query": "retries"},
                "command": 'echo "$query" > sources.txt\n',
                "success_criteria": ["test -s sources.txt"],
                "next": [{"on": "failure", "to": "broaden"}, {"on": "success", "to": "design"}],
            },
            {
                "id": "broaden",
                "title": "Broaden the query",
                "kind": "research",
                "using": "shell",
                "command": "echo more > sources.txt\n",
            },
            {
                "id": "design",
                "title": "Design options",
                "kind": "analyze",
                "using": "shell",
                "needs": ["collect"],
                "command": "wc -l sources.txt > design.txt\n",
            },
        ]
    }
    assert write(parse(SMALL).value) == SMALL.replace("\ntask", "\n\ntask")


def test_the_example_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/plan-language.md").read_text()
    example = textwrap.dedent(page.split("\n## ")[0].split("\n\n", 2)[2])
    assert [task["id"] for task in parse(example).value["tasks"]] == ["collect", "broaden", "design", "ok"]
    assert parse(write(parse(example).value)).value == parse(example).value


def test_everything_that_can_be_said() -> None:
    assert parse(EVERYTHING).value == {
        "id": "plan-all",
        "title": 'All of "it"',
        "tasks": [
            {
                "id": "a",
                "title": "First",
                "kind": "implement",
                "agent": "claude",
                "priority": 5,
                "timeout": 90.5,
                "prompt": 'Join "a" # no comment\n  indented\n\nand b',
                "outputs": ["a, b.txt", '"quoted" stays'],
                "reads": ["x.txt", "y z.txt"],
                "writes": ["out/"],
            },
            {
                "id": "gaps-deep-dive-*",
                "using": "two words",
                "approval": True,
                "needs": ["a", "b.c"],
                "inputs": {
                    "number": 5,
                    "text": "5",
                    "empty": "",
                    "flag": False,
                    "lines": "one\ntwo",
                    "plain": 'http://x.y/#z "q"',
                },
                "checks": ["test -f 'x' # a shell's comment"],
                "command": "| grep x",
                "next": [{"on": "failure", "to": "a"}, {"on": "failure", "to": "b.c"}],
            },
        ],
    }


def test_each_key_and_item_has_its_line() -> None:
    document = parse(EVERYTHING)
    lines = document.lines
    assert lines[()] == lines[("id",)] == lines[("title",)] == 2
    assert lines[("tasks",)] == lines[("tasks", "0")] == lines[("tasks", "0", "timeout")] == 4
    assert lines[("tasks", "0", "prompt")] == 6
    assert (lines[("tasks", "0", "outputs")], lines[("tasks", "0", "outputs", "1")]) == (11, 13)
    assert lines[("tasks", "0", "reads", "1")] == 14
    assert lines[("tasks", "1", "needs")] == lines[("tasks", "1", "needs", "1")] == 19
    assert lines[("tasks", "1", "inputs", "text")] == 22
    assert lines[("tasks", "1", "next")] == 30
    assert lines[("tasks", "1", "next", "1")] == lines[("tasks", "1", "next", "1", "to")] == 31
    assert set(lines) == set(keys(document.value))


def keys(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key and item of a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(key for name, item in inner for key in keys(item, (*at, str(name))))]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "   \n\t\n"])
def test_nothing_is_a_plan_without_tasks(text: str) -> None:
    assert parse(text) == Document({"tasks": []}, {(): 1, ("tasks",): 1})


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    assert dsl.parse(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode(), "f").value == parse(SMALL).value


def test_a_block_keeps_tabs_and_deeper_lines_and_ends_at_the_first_line_that_is_not_its_own() -> None:
    found = parse(
        "task a\n  run: |\n\n     if x; then\n       \ty\n     # not a comment\n\n\n  # a comment\n  needs: b\n"
    )
    assert found.value["tasks"] == [{"id": "a", "command": "\nif x; then\n  \ty\n# not a comment\n", "needs": ["b"]}]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("tusk a\n", 1, "`tusk a` is not understood: a task begins with the word task"),
        ("task\n", 1, "a name is missing"),
        ("task a\n\nplan x\n", 3, "a plan is named once, before its first task"),
        ("plan x\nplan y\n", 2, "a plan is named once"),
        ("plan x kind:y\n", 1, "a plan has only a name"),
        ("  task a\n", 1, "belongs to no task"),
        ("task a kind:x 'Title'\n", 1, "`'Title'` is not understood here"),
        ("task a kind: research\n", 1, "`kind: research` is not understood here"),
        ('task a kind:x "Title"\n', 1, "not understood here"),
        ('task a "Title\n', 1, "not understood here"),
        ('task a "\\q"\n', 1, "not a text in double quotes"),
        ('task a "\\ud800"\n', 1, "not a text in double quotes"),
        ('task a "\\u001b[1m"\n', 1, "not a text in double quotes"),
        ("task a kin:x\n", 1, "there is no field `kin`; did you mean kind"),
        ("task a kind:x kind:y\n", 1, "`tasks.0.kind` is here a second time, after line 1"),
        ("task a\n  needs: b\n\n  needs: c\n", 4, "`tasks.0.needs` is here a second time, after line 2"),
        ("task a\n  input:\n    b: 1\n    b: 2\n", 4, "`tasks.0.inputs.b` is here a second time, after line 3"),
        ("task a\n  expects:\n    - x\n", 2, "no field `expects`; did you mean expect"),
        ("task a\n  zzz: x\n", 2, "no field `zzz`; known: needs, input, run"),
        ("task a\n  needs b\n", 2, "`needs b` is not understood: a field is"),
        ("task a\n  on error -> b\n", 2, "`on error -> b` is not understood"),
        ("task a\n  on failure -> b c\n", 2, "is not understood"),
        ("task a\n  needs: b,\n", 2, "missing beside a comma"),
        ("task a\n  needs: b c\n", 2, "`b c` is not the name of a task"),
        ("task a\n  needs:\n    - b c\n", 2, "`b c` is not the name of a task"),
        ("task a\n  run:\n", 2, "run has nothing"),
        ("task a\n  run: |\ntask b\n", 2, "run has nothing"),
        ("task a\n  expect: x\n", 2, "expect has nothing"),
        ("task a\n  expect:\n  run: x\n", 2, "expect has nothing"),
        ("task a\n  input: x\n", 2, "input has nothing"),
        ("task a\n  expect:\n    x\n", 3, "`x` is not understood: each line here is `- text`"),
        ("task a\n  expect:\n    -\n", 3, "each line here is `- text`"),
        ("task a\n  expect:\n    - x\n      - y\n", 4, "not indented like the one before"),
        ("task a\n  input:\n    x\n", 3, "each line here is `name: text`"),
        ("task a\n  input:\n    x:\n", 3, "each line here is `name: text`"),
        ("task a\n  run: x\n   needs: b\n", 3, "not indented like the field before"),
        ("task a\n  run: |\n     x\n    y\n", 4, "indented less than its block's first"),
        ("task a\n\trun: x\n", 2, "indented with a tab"),
        ("task a\n  run: \x07\n", 2, "control character"),
        ("task a\rtask b\n", 1, "control character"),
    ],
)
def test_what_is_refused_names_file_and_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(what)) as error:
        parse(text)
    assert error.value.message.startswith(f"x.plan:{line}: ")
    assert error.value.hint


def test_text_that_is_not_utf_8_names_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^f:2: this line is not UTF-8"):
        dsl.parse(b"task a\n  run: \xff\n", "f")


def test_size_is_bounded() -> None:
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        dsl.parse(b"#" * (SIZE_LIMIT + 1), "f")


def test_the_number_of_keys_and_items_is_bounded() -> None:
    assert len(parse("task a\n" * 49_999).value["tasks"]) == 49_999
    with pytest.raises(ConfigError, match=r"x\.plan:50000: this is more than 100,000 keys and items"):
        parse("task a\n" * 60_000)


def test_errors_repeat_long_texts_in_part() -> None:
    for length, shown in ((60, "x" * 60), (61, "x" * 59 + "…")):
        with pytest.raises(ConfigError, match=f"`{shown}` is not understood"):
            parse("x" * length)


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ({"budget": {"cost": 5}}, "tasks.0.budget"),
        ({"description": "x"}, "tasks.0.description"),
        ({"id": "a b"}, "tasks.0.id"),
        ({"id": None}, "tasks.0.id"),
        ({"title": 5}, "tasks.0.title"),
        ({"title": "\x1b"}, "tasks.0.title"),
        ({"needs": ["a,b"]}, "tasks.0.needs.0"),
        ({"needs": "b"}, "tasks.0.needs"),
        ({"outputs": {"x": "y"}}, "tasks.0.outputs"),
        ({"reads": ["x", " y"]}, "tasks.0.reads.1"),
        ({"checks": ["one\ntwo"]}, "tasks.0.checks.0"),
        ({"inputs": {"a b": 1}}, "tasks.0.inputs.a b"),
        ({"inputs": {"a": [1]}}, "tasks.0.inputs.a"),
        ({"inputs": {"a": float("nan")}}, "tasks.0.inputs.a"),
        ({"inputs": {"a": 10**20}}, "tasks.0.inputs.a"),
        ({"inputs": ["a"]}, "tasks.0.inputs"),
        ({"priority": [1]}, "tasks.0.priority"),
        ({"command": ""}, "tasks.0.command"),
        ({"command": "  a\nb"}, "tasks.0.command"),
        ({"command": "a\n\n"}, "tasks.0.command"),
        ({"command": ["a"]}, "tasks.0.command"),
        ({"prompt": "\x00"}, "tasks.0.prompt"),
        ({"next": [{"on": "success", "to": "b", "when": 1}]}, "tasks.0.next.0"),
        ({"next": [{"on": "skipped", "to": "b"}]}, "tasks.0.next.0"),
        ({"next": [{"on": "success", "to": 5}]}, "tasks.0.next.0.to"),
        ({"next": ["b"]}, "tasks.0.next.0"),
    ],
)
def test_what_cannot_be_said_is_named(task: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^The plan language cannot say {re.escape(field)}: ") as error:
        write({"tasks": [{"id": "a"} | task]})
    assert error.value.hint == "Write this plan as YAML."


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        ({"tasks": [], "objective": "x"}, "objective"),
        ({"tasks": [], "title": "x"}, "title"),
        ({"tasks": {}}, "tasks"),
        ({"tasks": ["a"]}, "tasks.0"),
    ],
)
def test_what_a_plan_cannot_say_is_named(plan: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=rf"cannot say {field}: "):
        write(plan)


def test_fields_that_say_nothing_are_left_out() -> None:
    assert write(
        {"id": None, "objective": None, "tasks": [{"id": "a", "needs": [], "inputs": {}, "budget": None}]}
    ) == ("task a\n")


def test_outputs_that_are_named_by_themselves_are_a_list() -> None:
    written = write({"tasks": [{"id": "a", "outputs": {"x": "x", "y": "y"}}]})
    assert parse(written).value == {"tasks": [{"id": "a", "outputs": ["x", "y"]}]}


VISIBLE = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff")
TEXT = st.text(VISIBLE | st.sampled_from(' \t\n"#|:-\\'))
ITEM = st.text(VISIBLE).map(lambda text: text.strip(" \t")).filter(bool)
NAME = st.from_regex(ID.pattern, fullmatch=True)
BLOCK = (
    TEXT.map(lambda text: text.lstrip(" ").rstrip(" \t\n"))
    .filter(lambda text: text.strip(" \t\n"))
    .map(lambda text: re.sub(r"\A([ \t]*\n)* +", "", text))
    .filter(bool)
)
PLAIN = (
    TEXT | st.integers(-(10**17), 10**17) | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False)
)
SAID = TEXT | st.integers(-(10**17), 10**17) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
ITEMS = st.lists(ITEM, min_size=1, max_size=3)
TASK = st.fixed_dictionaries(
    {"id": NAME},
    optional={
        "title": TEXT,
        **dict.fromkeys(("kind", "using", "agent", "priority", "timeout", "approval"), SAID),
        "needs": st.lists(NAME, min_size=1, max_size=3),
        "inputs": st.dictionaries(st.from_regex(INPUT.pattern, fullmatch=True), PLAIN, min_size=1, max_size=3),
        **{name: BLOCK | BLOCK.map(lambda text: text + "\n") for name in ("command", "prompt")},
        **dict.fromkeys(("success_criteria", "checks", "outputs", "reads", "writes"), ITEMS),
        "next": st.lists(
            st.fixed_dictionaries({"on": st.sampled_from(["success", "failure"]), "to": NAME}), min_size=1, max_size=3
        ),
    },
)
TASKS = st.lists(TASK, max_size=3)
PLAN = st.fixed_dictionaries({"tasks": TASKS}) | st.fixed_dictionaries(
    {"id": NAME, "tasks": TASKS}, optional={"title": TEXT}
)


@given(PLAN)
def test_what_is_written_is_read_as_the_same(plan: dict[str, Any]) -> None:
    document = parse(write(plan))
    assert document.value == plan
    assert set(document.lines) == set(keys(plan))
    assert write(document.value) == write(plan)


def mutated(dice: random.Random, text: str) -> bytes:
    """Return a text with some lines, signs or bytes changed, doubled, moved or lost."""
    pieces = [
        "\t",
        '"',
        "|",
        "- ",
        ":",
        "\n",
        "  ",
        "#",
        "->",
        "\x00",
        "é",
        "\u2028",
        "\\",
        "task ",
        "on ",
        "run: |\n",
        "*",
    ]
    for _ in range(dice.randint(1, 6)):
        at, to = sorted(dice.randrange(len(text) + 1) for _ in range(2))
        to = min(to, at + dice.randint(0, 40))
        new = dice.choice([dice.choice(pieces), dice.choice(string.printable), text[at:to] * 2, ""])
        text = text[:at] + new + text[to:]
    data = bytearray(text.encode())
    if data and dice.random() < 0.05:
        data[dice.randrange(len(data))] = dice.randrange(256)
    return bytes(data)


def outcome(data: bytes) -> Document | str:
    """Return what was read, or why it was refused."""
    try:
        return dsl.parse(data, "f")
    except ConfigError as error:
        return error.message


def test_any_text_is_read_or_refused_with_a_line() -> None:
    dice = random.Random(5)  # noqa: S311 - the same texts each time
    found = [outcome(mutated(dice, dice.choice([SMALL, EVERYTHING]))) for _ in range(2_000)]
    read = [document.value for document in found if isinstance(document, Document)]
    assert 100 < len(read) < 1_900
    assert all(isinstance(document, Document) or re.match(r"f:[1-9]\d*: ", document) for document in found)
    assert all(parse(write(value)).value == value for value in read)


@pytest.mark.parametrize(
    "text",
    [
        "task a\n" * 49_000,
        "task a\n" * 140_000,
        "task a\n  run: |\n" + "    x\n" * 160_000,
        "task a\n  expect:\n" + "    - x\n" * 120_000,
        "task " + "a" * 990_000,
        "task a" + " " * 990_000 + ".",
        'task a "' + "\\" * 900_000,
        "task a " + "k" * 900_000,
        "task a\n  on failure" + " " * 900_000,
        "task a\n  needs: " + "b," * 400_000 + "c",
        "task a\n  " + "z" * 900_000 + ": x",
        "task a\n  run: |\n" + "\n" * 900_000,
        '"' * 990_000,
    ],
)
def test_a_million_bytes_take_little_time(text: str) -> None:
    began = time.process_time()
    found = outcome(text.encode())
    assert isinstance(found, Document) or len(found) < 300
    assert time.process_time() - began < 5
