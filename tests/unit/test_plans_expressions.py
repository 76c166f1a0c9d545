from __future__ import annotations

import random
import string
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.plans import operations
from supervisor.engine.plans.expressions import (
    DEEPEST,
    LONGEST,
    NotAnExpression,
    is_expression,
    parse,
)
from supervisor.engine.plans.operations import Unknown

FACTS: dict[str, object] = {
    "memory.has_space": 60_000_000,
    "network.online": True,
    "network.metered": False,
    "tasks.build.exit_code": 0,
    "tasks.01-rfc-collect.status": "completed",
    "outputs.sources": ["a", "b", 3],
    "outputs.map": {"count": 2},
    "outputs.text": "one two",
    "outputs.none": None,
    "outputs.huge": 10**5_000,
    "outputs.nan": float("nan"),
    "outputs.odd": object(),
    "outputs.hidden": Unknown("the task has not run"),
    "file:out.txt": True,
    "file:no.txt": False,
    "status": "open",
}


def comes_to(text: str) -> bool | None:
    """Return what a text comes to with the facts; None when that is not known."""
    value = parse(text).evaluate(FACTS.__getitem__)
    return None if isinstance(value, Unknown) else value


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "not false",
        "memory.has_space >= 50MB",
        "memory.has_space <= 60000KB",
        "network.online == true",
        "network.online",
        "not network.metered",
        "tasks.build.exit_code == 0",
        "tasks.01-rfc-collect.status == 'completed'",
        'tasks.01-rfc-collect.status == "compl\\eted"',
        "1.5KB == 1500B",
        "1h == 3600s and 2m == 120s and 0.001GB == 1MB",
        "-5 < -4.5",
        "'b' > 'a'",
        "true != 1",
        "'1' != 1",
        "null == outputs.none",
        "3 in outputs.sources",
        "'count' in outputs.map",
        "'e t' in outputs.text",
        "not ('c' in outputs.sources)",
        "contains(outputs.sources, 'a')",
        "len(outputs.sources) == 3 and len(outputs.map) == 1 and len('x') == 1",
        "matches(outputs.text, 'one*')",
        "not matches(outputs.text, 'one')",
        "exists(outputs.text)",
        "not exists(outputs.none)",
        "not exists(outputs.hidden)",
        "not exists(nothing)",
        "exists('out.txt') and not exists('no.txt')",
        "status == 'open'",
        "false and false or true",
        "true or true and false",
        "not false and true",
        "(true or true) and not (true and false)",
        "outputs.huge > 1",
        "not (outputs.nan == outputs.nan)",
        "\n\t(network.online)  ",
    ],
)
def test_what_holds(text: str) -> None:
    assert comes_to(text) is True
    assert comes_to(f"not ({text})") is False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tasks.x.y", "tasks.x.y is not known"),
        ("tasks.x.y == 1", "tasks.x.y is not known"),
        ("outputs.hidden", "outputs.hidden is not known: the task has not run"),
        ("not tasks.x.y", "tasks.x.y is not known"),
        ("len(tasks.x.y) > 0", "tasks.x.y is not known"),
        ("exists('other.txt')", "exists('other.txt') is not known"),
        ("outputs.text", 'outputs.text is "one two", which is neither true nor false'),
        ("not outputs.none", "outputs.none is null, which is neither true nor false"),
        (
            "outputs.text < 5",
            'outputs.text < 5 makes no sense: a text and a number have no order (outputs.text is "one two")',
        ),
        ("null < 5", "null < 5 makes no sense: null and a number have no order"),
        ("outputs.sources == outputs.sources", "makes no sense: a list and a list cannot be compared"),
        ("outputs.odd == 1", "something else and a number cannot be compared (outputs.odd is something else)"),
        ("1 in outputs.text", "a number cannot be in a text"),
        ("outputs.map in outputs.sources", "a map cannot be in a list"),
        ("len(5) == 1", "a number has no length"),
        ("matches(5, '*')", "only a text can match a text"),
        ("network.online and tasks.x.y", "tasks.x.y is not known"),
        ("tasks.x.y or network.metered", "tasks.x.y is not known"),
    ],
)
def test_what_is_unknown_says_why(text: str, reason: str) -> None:
    value = parse(text).evaluate(FACTS.__getitem__)
    assert isinstance(value, Unknown)
    assert reason in value.reason
    assert parse(text).explain(FACTS.__getitem__) == f"Not known: {value.reason}."


THREE: list[bool | None] = [True, False, None]


@pytest.mark.parametrize("left", THREE)
@pytest.mark.parametrize("right", THREE)
def test_three_valued_logic(left: bool | None, right: bool | None) -> None:
    facts = {name: value for name, value in {"x.l": left, "x.r": right}.items() if value is not None}

    def found(text: str) -> bool | None:
        value = parse(text).evaluate(facts.__getitem__)
        return None if isinstance(value, Unknown) else value

    both = False if False in (left, right) else None if None in (left, right) else True
    either = True if True in (left, right) else None if None in (left, right) else False
    assert found("x.l and x.r") is both
    assert found("x.l or x.r") is either
    assert found("not x.l") is (None if left is None else not left)
    assert found("not (not x.l or not x.r)") is both


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("network.online and len(outputs.x) > 1", "Not known: outputs.x is not known."),
        (
            "network.online and memory.has_space >= 1GB",
            "Does not hold: memory.has_space >= 1GB is false (memory.has_space is 60000000).",
        ),
        (
            "network.online and outputs.map != 'x' or tasks.build.exit_code == 0",
            "Holds: tasks.build.exit_code == 0 is true (tasks.build.exit_code is 0).",
        ),
        ("network.online and not network.metered", "Holds: network.online is true; network.metered is false."),
        ("network.metered or tasks.x.y", "Not known: tasks.x.y is not known."),
        ("tasks.x.y or network.online", "Holds: network.online is true."),
        ("not network.online", "Does not hold: network.online is true."),
        ("len(outputs.sources) > 5", "Does not hold: len(outputs.sources) > 5 is false (len(outputs.sources) is 3)."),
        (
            "contains(outputs.sources, 'x')",
            "Does not hold: contains(outputs.sources, 'x') is false (outputs.sources is a list of 3).",
        ),
        ("outputs.huge < 0", "Does not hold: outputs.huge < 0 is false (outputs.huge is a number)."),
        ("exists('no.txt')", "Does not hold: exists('no.txt') is false."),
        ("false", "Does not hold: it says false."),
    ],
)
def test_an_explanation_names_the_part_that_decided(text: str, explained: str) -> None:
    assert parse(text).explain(FACTS.__getitem__) == explained


def test_an_explanation_is_short_and_plain_whatever_the_values_are() -> None:
    facts = {"x.y": "\x1b[31m" + "long\n" * 1_000_000}
    explained = parse("x.y == 'a'").explain(facts.__getitem__)
    assert len(explained) < 120
    assert explained.isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**18 - 1, "999999999999999999"),
        (10**18, "a number"),
        (1 - 10**18, "-999999999999999999"),
        (0.5, "0.5"),
        ("x" * 60, '"' + "x" * 60 + '"'),
        ("x" * 61, '"' + "x" * 59 + '…"'),
        ("a\n b", '"a b"'),
        (None, "null"),
        (True, "true"),
        ({"a": 1}, "a map of 1"),
        ({1, 2}, "a list of 2"),
        (object(), "something else"),
    ],
)
def test_values_are_shown_in_few_words(value: object, shown: str) -> None:
    assert operations.shown(value) == shown


def test_names_are_listed_once_in_their_order() -> None:
    text = "b.c and (not a.b or len(x) > a.b) and exists(q) and exists('f.txt') and contains(y, 'z') and 1 in w.w"
    assert parse(text).names() == ["b.c", "a.b", "x", "q", "file:f.txt", "y", "w.w"]


def test_only_lookup_errors_mean_that_a_name_is_unknown() -> None:
    def broken(_: str) -> object:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        parse("a.b").evaluate(broken)


PROSE = [
    "top10 is empty",
    ">= 5 canonical sources (IETF)",
    ">= 5 canonical sources (IETF, official repos)",
    ">= 2 independent confirmations",
    "No critical contradictions across primary sources",
    "Each source has title, link, reason",
    "test -f a.txt",
    "test -s sources.txt",
    "make",
    "pytest -q tests",
    "./run.sh",
    "echo $x > y",
    "true && false",
    "title in summary",
    "network and disk",
    "not finished",
    "done",
    "5",
    "'quoted'",
    "coverage > target",
    "all tests pass",
    "a.b c.d",
    "grep -q x y.txt && test -f z",
    "",
    "   ",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_and_commands_are_no_expressions(text: str) -> None:
    assert not is_expression(text)


@pytest.mark.parametrize(
    "text", ["memory.has_space >= 50MB", "network.online == true", "exists('a.txt')", "len(x) > 5"]
)
def test_comparisons_are_expressions(text: str) -> None:
    assert is_expression(text)


def test_the_examples_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs/plan-expressions.md").read_text()
    examples = [line.strip() for line in page.split("\n## ")[0].splitlines() if line.startswith("    ")]
    assert len(examples) == 5
    assert all(is_expression(example) for example in examples)


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "the end stands where a value must stand"),
        ("a.b ==", 7, "the end stands where a value must stand"),
        ("a.b == == 1", 8, "== stands where a value"),
        ("a.b and", 8, "the end stands"),
        ("(a.b", 5, "a closing parenthesis is missing"),
        ("a.b)", 4, ") is not expected here"),
        ("a.b c.d", 5, "c.d is not expected here"),
        ("1 < a.b < 3", 9, "only two things can be compared"),
        ("a.b in c in d", 10, "only two things"),
        ("word and a.b", 1, "word is no condition"),
        ("a.b and not word", 13, "word is no condition"),
        ("a.b or len(c)", 8, "len(c) is no condition"),
        ("a.b and 5", 9, "5 is no condition"),
        ("null", 1, "null is no condition"),
        ("left == right", 1, "left and right are plain words"),
        ("size(a) > 1", 1, "there is no function size"),
        ("exists(5)", 8, "exists needs a name, or a path in quotes"),
        ("exists(not)", 8, "exists needs a name"),
        ("exists(a, b)", 9, "a closing parenthesis is missing"),
        ("contains(a)", 11, "contains needs 2 values"),
        ("len(a, b) > 1", 6, "a closing parenthesis"),
        ("a.b == 'x", 8, "'x is not understood"),
        ("a.b == 5TB", 8, "5TB is not understood"),
        ("a.b = 5", 5, "= 5 is not understood"),
        ("a.b == é", 8, "é is not understood"),
        ("a.b == \x00", 8, "is not understood"),
        ("a..b", 1, "a..b is not understood"),
        ("and", 1, "and stands where a value"),
    ],
)
def test_errors_say_where_and_what(text: str, column: int, what: str) -> None:
    with pytest.raises(NotAnExpression) as error:
        parse(text)
    assert error.value.column == column
    assert f"column {column}: " in error.value.message
    assert what in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    "nested",
    [
        lambda depth: "(" * depth + "true" + ")" * depth,
        lambda depth: "not " * depth + "true",
        lambda depth: "len(" * depth + "x" + ")" * depth + " > 1",
    ],
)
def test_depth_is_bounded(nested: Callable[[int], str]) -> None:
    assert parse(f"{nested(DEEPEST)} or {nested(DEEPEST)}").names() == parse(nested(DEEPEST)).names()
    for before in ("", "not not (true) and contains('a', 'b') and exists(c) and "):
        with pytest.raises(NotAnExpression, match="more than 50 levels"):
            parse(before + nested(DEEPEST + 1))


def test_length_is_bounded() -> None:
    parse("true or " * 249 + "true".ljust(8))
    with pytest.raises(NotAnExpression, match=r"longer than 2,000 characters") as error:
        parse("x" * 1_000_000)
    assert error.value.column == LONGEST + 1
    assert len(error.value.message) < 200


TOKENS = st.sampled_from(
    [
        *(
            "a.b",
            "x",
            "5",
            "1.5MB",
            "'t'",
            '"',
            "'",
            "(",
            ")",
            ",",
            "==",
            "<",
            "=",
            "in",
            "and",
            "or",
            "not",
            "true",
            "null",
        ),
        *(
            "exists(",
            "len(",
            "contains(",
            "matches(",
            " ",
            "\\",
            ".",
            "-",
            "é",
            "\n",
            "outputs.sources",
            "outputs.hidden",
        ),
    ]
)
WORDS = st.lists(TOKENS, max_size=20)


@given(st.text() | WORDS.map(" ".join) | WORDS.map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    if not is_expression(text):
        with pytest.raises(NotAnExpression) as error:
            parse(text)
        assert 1 <= error.value.column <= len(text) + 1
        return
    expression = parse(text)
    assert isinstance(expression.evaluate(FACTS.__getitem__), bool | Unknown)
    assert expression.explain(FACTS.__getitem__).startswith(("Holds: ", "Does not hold: ", "Not known: "))
    assert expression.names() == list(dict.fromkeys(expression.names()))


KNOWN = list(FACTS)[:-3]
SCALARS = st.sampled_from(["1", "-2.5KB", "'a'", "null", "true", "false", *(name for name in KNOWN if "." in name)])
VALUES = st.recursive(
    SCALARS,
    lambda inner: inner.map("len({})".format) | st.tuples(inner, inner).map("contains({0[0]}, {0[1]})".format),
    max_leaves=4,
)
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"])
CONDITIONS = st.recursive(
    st.tuples(VALUES, SIGNS, VALUES).map(" ".join),
    lambda inner: (
        inner.map("not ({})".format)
        | st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]}) {0[1]} ({0[2]})".format)
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_whatever_is_well_formed_is_read_and_comes_to_something(text: str) -> None:
    if len(text) > LONGEST:
        return
    value = parse(text).evaluate(FACTS.__getitem__)
    opposite = parse(f"not ({text})").evaluate(FACTS.__getitem__) if len(text) < LONGEST - 6 else None
    assert opposite is None or (opposite == value if isinstance(value, Unknown) else opposite is not value)


def test_mutated_texts_take_little_time() -> None:
    dice = random.Random(7)  # noqa: S311 - the same texts each time
    source = "not (memory.has_space >= 50MB and len(outputs.x) > 3) or matches(tasks.a.log, '*ok*') " * 20
    began = time.process_time()
    for _ in range(300):
        at = dice.randrange(len(source))
        is_expression((source[:at] + dice.choice(string.printable) + source[at:])[:LONGEST])
    for text in ("'" * LONGEST, "\\" * LONGEST, "a." * 1_000, "a-" * 1_000, "9" * LONGEST, "'" + "\\x" * 990):
        assert not is_expression(text)
    assert time.process_time() - began < 5
