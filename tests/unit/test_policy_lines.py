from __future__ import annotations

import pytest

from supervisor.engine.policy.commands import Simple
from supervisor.engine.policy.grammar import doubt
from supervisor.engine.policy.lines import DEEPEST, read_line
from supervisor.engine.policy.words import Unreadable


def words(line: str) -> list[list[str]]:
    """The commands of a line; an unknown word is None's stand-in `?`, a glob word has a star in front."""
    found = read_line(line, "/home/dev")
    assert not doubt(line, found), line
    return [[_shown(one) for one in command.words] for command in found if command.words]


def _shown(word: object) -> str:
    text, known, glob = (getattr(word, name) for name in ("text", "known", "glob"))
    return "?" if not known else f"*{text}" if glob else text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ls -la | head -3 && git log", [["ls", "-la"], ["head", "-3"], ["git", "log"]]),
        ("r'm' \"-r\"f \\x", [["rm", "-rf", "x"]]),
        ("echo $HOME/a ~/b '~/c'", [["echo", "/home/dev/a", "/home/dev/b", "~/c"]]),
        ('echo "$x" ${x%.py} $1 $((1 + 2)) {a,b}', [["echo", "?", "?", "?", "?", "?"]]),
        ("echo {a} a,b {}", [["echo", "{a}", "a,b", "{}"]]),
        ("ls *.py '*.py' .*", [["ls", "**.py", "*.py", "?"]]),
        ("echo $(date; id) `who`", [["date"], ["id"], ["who"], ["echo", "?", "?"]]),
        ("diff <(sort a) b", [["sort", "a"], ["diff", "/dev/fd/63", "b"]]),
        ("(cd a && make) & wait", [["cd", "a"], ["make"], ["wait"]]),
        ("{ ls; } 2>&1", [["ls"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("for x in a b; do c; done; while d; do e; done", [["c"], ["d"], ["e"]]),
        ("! grep -q x y || exit 1", [["grep", "-q", "x", "y"], ["exit", "1"]]),
        ("ls \\\n  -la # all", [["ls", "-la"]]),
        ("make -j$(nproc)", [["nproc"], ["make", "-j0"]]),
        ("echo $? a$", [["echo", "0", "a$"]]),
        ("git commit -m 'Grüße ✓'", [["git", "commit", "-m", "Grüße ✓"]]),
        ("echo if then fi", [["echo", "if", "then", "fi"]]),
        ("", []),
        ("# only a comment", []),
    ],
)
def test_commands_of_a_line(line: str, expected: list[list[str]]) -> None:
    assert words(line) == expected


def test_a_here_document_in_a_substitution() -> None:
    line = "git commit -m \"$(cat <<'EOF'\nIt's (done)\n\nEOF\n)\" && ls"
    assert words(line) == [["cat"], ["git", "commit", "-m", "?"], ["ls"]]
    assert read_line(line, "/h")[0].document == "It's (done)\n\n"


def test_redirections_and_assignments_belong_to_their_command() -> None:
    (command,) = read_line("A=1 B=$x c < in > out 2>> err &> both", "/h")
    assert [(one.operator, one.target.text) for one in command.redirections] == [
        ("<", "in"),
        (">", "out"),
        (">>", "err"),
        ("&>", "both"),
    ]
    assert [(one.name, one.value and one.value.text) for one in command.assignments] == [("A", "1"), ("B", None)]


def test_redirections_of_compounds_follow_as_a_command_without_words() -> None:
    *_, last = read_line("for f in a; do b; done > out < in", "/h")
    assert not last.words
    assert [one.target.text for one in last.redirections] == ["out", "in"]


def test_commands_in_loops_are_marked() -> None:
    found = read_line("a; while b; do c; done; d", "/h")
    assert [(command.words[0].text, command.loop) for command in found] == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("d", False),
    ]


def test_a_variable_with_the_name_of_a_secret_is_noted() -> None:
    assert [one.secret for one in read_line('echo "$API_TOKEN" $x', "/h") if one.secret] == ["API_TOKEN"]


@pytest.mark.parametrize(
    "line",
    [
        "$'\\x72m' x",
        '$"rm" x',
        "f() { ls; }",
        "function f { ls; }",
        "case x in y) ls;; esac",
        "[[ -f x ]]",
        "((x = 1))",
        "echo $((x))",
        "echo $[x]",
        "echo ${x@P}",
        "echo ${!x}",
        "echo ${x:$(ls)}",
        "x=(a b)",
        "x[0]=1",
        "cat <<< x",
        "cat << EOF\nno end",
        "cat <<EOF\n$(ls)\nEOF",
        "cat <<EOF\n$[x]\nEOF",
        "cat <<EOF; >&1\nx\nEOF",
        "cat <<A <<B\nA\nB",
        "a ;; b",
        "a & & b",
        "a |",
        "a && ",
        "(ls",
        "ls)",
        "if a; then; fi",
        "{ ls }",
        "echo 'x",
        'echo "x',
        "echo `ls",
        "echo `echo \\`ls\\``",
        "ls é",
        "ls '\u202e'",
        "ls \r\n",
        "ls \x1b",
        "a\\\nb",
        "echo $\\\nHOME",
        "ls +(a|b)",
        "a<(b)",
        "a >&-x",
        "a >&'-x'",
        "fi",
        "select x in a; do b; done",
        "for ((;;)); do a; done",
        "$(" * (DEEPEST + 1) + "ls" + ")" * (DEEPEST + 1),
        "echo " + "x" * 70_000,
    ],
)
def test_what_is_outside_of_the_language_is_unreadable(line: str) -> None:
    with pytest.raises(Unreadable):
        read_line(line, "/home/dev")


def test_two_readers_that_differ_are_noticed() -> None:
    commands = [Simple(words=list(command.words)) for command in read_line("a; b", "/h")]
    assert doubt("a; b; c", commands).startswith("two readers differ")
    assert not doubt("a; b", commands)
    assert doubt("a é '", commands).startswith("two readers differ")
