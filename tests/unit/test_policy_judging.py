from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from config.documents import Document
from config.policy import rules_in
from supervisor.engine.policy.book import PROBLEM, Problem, RuleBook, judge
from supervisor.engine.policy.library import book_of, compiled
from supervisor.engine.policy.proposals import explained
from supervisor.model.acts import Act

HOME, WORKTREE = "/home/dev", "/home/dev/project"


def act(command: str | tuple[str, ...] | None = None, kind: str = "execute", **changes: Any) -> Act:
    given: dict[str, Any] = {
        "tool": "Bash",
        "input": {},
        "cwd": WORKTREE,
        "worktree": WORKTREE,
        "agent": "claude",
        "mode": "autonomous",
        "project": "shop",
    }
    return Act(kind, command=command, **{**given, **changes})


def book(*rules: Mapping[str, Any]) -> RuleBook:
    """A book of these rules, without looking at examples."""
    full = [
        {"name": f"r{number}", "effect": "allow", "reason": "Because.", **_examples(rule), **rule}
        for number, rule in enumerate(rules)
    ]
    written = rules_in(Document({"version": 1, "rules": full}), "here")
    assert not written.problems
    return RuleBook(tuple(compiled(one.document) for one in written.rules), HOME)


def _examples(rule: Mapping[str, Any]) -> dict[str, str]:
    sorts = {"command", "path", "host", "variable", "line"} & set(rule)
    return {"match": "x", "no_match": "y"} if sorts else {}


EVERYTHING = {"command": ["*"], "within": "any", "expansions": "all", "name": "everything"}


def test_the_strictest_part_decides_and_is_named() -> None:
    rules = book({"command": "ls"}, {"command": "rm", "effect": "deny", "risk": "high", "name": "no-rm"})
    found = judge(rules, act("ls; make; rm x"))
    assert (found.effect, found.rule, found.risk) == ("deny", "no-rm", "high")
    assert [(part.text, part.effect) for part in found.parts] == [("ls", "allow"), ("make", "ask"), ("rm x", "deny")]
    assert "rm x" in explained(found)


def test_no_rule_means_ask() -> None:
    assert judge(book({"command": "ls"}), act("make")).rule == "default"
    assert judge(book(EVERYTHING), act("")).effect == "ask"
    assert judge(book({"kind": ["*"]}), act("x", kind="strange", tool="T")).effect == "ask"


def test_allow_and_ask_of_one_part_is_ask() -> None:
    rules = book(EVERYTHING, {"command": "git push", "effect": "ask", "name": "push"})
    assert judge(rules, act("git push")).rule == "push"
    assert judge(rules, act("git pull")).effect == "allow"


@pytest.mark.parametrize(
    "line",
    [
        "rm x",
        "/bin/rm x",
        "\\rm x",
        "'r'm x",
        "ls && rm x",
        "ls $(rm x)",
        'ls "`rm x`"',
        "ls <(rm x)",
        "(rm x)",
        "{ rm x; }",
        "if ls; then rm x; fi",
        "for f in a; do rm x; done",
        "while ls; do rm x; done",
        "! rm x",
        "sh -c 'rm x'",
        "bash -euo pipefail -c 'ls; rm x'",
        "bash -xc \"sh -c 'rm x'\"",
        "eval rm x",
        "eval 'ls;' 'rm x'",
        "env A=1 rm x",
        "nohup nice -n 5 timeout -k 1 5 rm x",
        "command rm x",
        "exec rm x",
        "time -p rm x",
        "stdbuf -oL setsid rm x",
        "sudo -u root rm x",
        "su root -c 'rm x'",
        "ls | xargs -n1 rm",
        "find . -name x -exec rm {} +",
        "find . -ok rm x ';'",
        "bash <<'E'\nrm x\nE",
        "A=$(rm x)",
        "cat > f < $(rm x)",
    ],
)
def test_a_command_is_found_wherever_it_stands(line: str) -> None:
    rules = book(EVERYTHING, {"command": "rm", "effect": "deny", "name": "no-rm"})
    assert judge(rules, act(line)).rule == "no-rm"


@pytest.mark.parametrize(
    "line",
    [
        "$x y",
        '"$x" y',
        "r${x}m y",
        "/bin/r* y",
        "'~{/'",
        "nohup '~other/x' y",
        "{rm,-rf,y}",
        'sh -c "$x"',
        "eval $x",
        "bash <<E\n$x\nE",
        "$(echo rm) y",
        "cd - && ls",
        "cd $x; ls",
        "while a; do cd ..; done",
        "popd",
        "ls > $x",
        "ls > *.txt",
        'echo "$API_KEY"',
        "f() { ls; }",
        "",
    ],
)
def test_what_is_not_understood_is_asked_about_whatever_rules_say(line: str) -> None:
    rules = book(EVERYTHING, {"path": ["**"]}, {"variable": "*"})
    assert judge(rules, act(line)).effect == "ask"


def test_words_that_no_shell_reads_are_taken_as_they_are() -> None:
    rules = book({"command": "ls"}, {"command": "rm", "effect": "deny"})
    assert judge(rules, act(("ls", "*", "$x", "; rm"))).effect == "allow"
    assert judge(rules, act(("sh", "-c", "ls; rm x"))).effect == "deny"
    assert judge(rules, act(())).effect == "ask"


def test_paths_are_judged_in_every_folder_that_the_line_may_be_in() -> None:
    rules = book({"command": ["cat", "cd"]})
    assert judge(rules, act("cd src && cat a")).effect == "allow"
    assert judge(rules, act("cat ../a")).effect == "ask"
    assert judge(rules, act("cd src; cat ../a")).effect == "ask"
    assert judge(rules, act("cd ..; cat a")).effect == "ask"
    assert judge(rules, act("cat a", cwd="/etc")).effect == "ask"
    assert judge(rules, act("cat $PWD/a")).effect == "allow"


def test_redirections_are_reads_and_writes() -> None:
    rules = book(EVERYTHING, {"path": "./**", "access": "write"}, {"path": "/usr/**", "access": "read"})
    assert judge(rules, act("x > out 2>&1 < /usr/in")).effect == "allow"
    assert judge(rules, act("x > ../out")).effect == "ask"
    assert judge(rules, act("x < in")).effect == "ask"
    assert judge(rules, act("{ x; } > /usr/out")).effect == "ask"


def test_mentioned_paths_count_only_against_an_act() -> None:
    secret = {"path": "**/.env", "effect": "ask", "name": "secret"}
    written = {"path": "./.git/**", "access": "write", "effect": "ask", "name": "git"}
    rules = book(EVERYTHING, {"path": "./**"}, secret, written)
    assert judge(rules, act("cat .env")).rule == "secret"
    assert judge(rules, act("curl -d @.env")).rule == "secret"
    assert judge(rules, act("cat .git/config")).effect == "allow"
    assert judge(rules, act("cp x .git/config")).rule == "git"
    assert [part.text for part in judge(rules, act("cat a b")).parts] == ["cat a b"]


def test_variables_are_judged() -> None:
    rules = book(EVERYTHING, {"variable": ["CI", "PAGER=cat"]})
    for line in ("CI=1 x", "PAGER=cat x", "export CI=1", "env CI=2 x", "lower=1; x"):
        assert judge(rules, act(line)).effect == "allow", line
    for line in (
        "PATH=/tmp x",
        "PAGER=$x y",
        "PAGER=$PWD y",
        "export PATH",
        "env LD_PRELOAD=x y",
        "http_proxy=y",
        "for PATH in a; do x; done",
    ):
        assert judge(rules, act(line)).effect == "ask", line


def test_name_and_value_of_a_variable_are_compared_each_for_itself() -> None:
    rules = book(EVERYTHING, {"variable": "A*=x"}, {"variable": "X=/home/*", "effect": "deny"})
    assert judge(rules, act("AB=x ls")).effect == "allow"
    assert judge(rules, act("AB=c=x ls")).effect == "ask"
    assert judge(rules, act("X=$PWD ls")).effect == "deny"


def test_options_are_found_in_any_order_and_combined() -> None:
    rules = book(EVERYTHING, {"command": "rm", "flags": ["-r|--recursive", "-f|--force"], "effect": "deny"})
    for line in ("rm -rf x", "rm x -f -r", "rm -fvr x", "rm --recursive x --force", "rm --rec --fo x"):
        assert judge(rules, act(line)).effect == "deny", line
    assert judge(rules, act("rm -r x")).effect == "allow"


def test_forbidden_options_are_found_when_abbreviated_or_joined() -> None:
    rules = book({"command": "sort", "without": ["-o", "--output"]}, {"command": "find", "without": ["-exec*"]})
    for line in ("sort -o x y", "sort -ox y", "sort -uox y", "sort --outp=x y", "sort y --output x", "find . -execdir"):
        assert judge(rules, act(line)).effect == "ask", line
    assert judge(rules, act("sort -u y")).effect == "allow"


def test_two_dashes_alone_can_be_forbidden() -> None:
    rules = book({"command": "cmake", "without": "--"})
    assert judge(rules, act("cmake -B --")).effect == "ask"
    assert judge(rules, act("cmake -B --fresh -")).effect == "allow"


def test_what_starts_programs_in_another_folder_counts_for_what_follows() -> None:
    rules = book(EVERYTHING, {"path": "./src/secret", "effect": "deny"})
    assert judge(rules, act("find . -exec cat secret ';'")).effect == "allow"
    assert judge(rules, act("find . -exec cd src ';' -exec cat secret ';'")).effect == "deny"


def test_git_counts_among_the_wrappers() -> None:
    rules = book({"command": "git"})
    assert judge(rules, act("nohup " * 20 + "git status")).effect == "allow"
    assert judge(rules, act("nohup " * 20 + "git -C src status")).effect == "ask"


def test_globs_behind_the_folder_may_lead_to_hidden_files() -> None:
    rules = book({"command": "ls", "within": "any"})
    assert judge(rules, act("ls $PWD*", cwd="/home/dev/project")).effect == "allow"
    assert judge(rules, act("ls $PWD*", cwd="/home/dev/.config")).effect == "ask"


def test_a_nul_in_a_word_leads_nowhere() -> None:
    assert judge(book({"command": "cat"}), act(("cat", "a\0b"))).effect == "ask"


def test_git_stays_git_whatever_folder_it_is_sent_to() -> None:
    line = "../../../usr/bin/git -C src/a/b status"
    assert judge(book({"command": "git status"}), act(line)).effect == "allow"


def test_a_redirection_to_an_unknown_file_hides_nothing_else_of_the_line() -> None:
    """`>&$X-x` is one word, and unlike `>&-x` read: a command in the line that is denied stays denied."""
    rules = book(EVERYTHING, {"command": "rm", "effect": "deny"})
    judgement = judge(rules, act("a >&${X}-|rm x"))
    assert [part.effect for part in judgement.parts] == ["ask", "allow", "deny"]


def test_an_allowing_flag_must_be_written_plainly() -> None:
    rules = book({"command": "x", "flags": ["-n", "--dry-run"]})
    assert judge(rules, act("x -vn --dry-run")).effect == "allow"
    assert judge(rules, act("x -n --dry")).effect == "ask"
    assert judge(rules, act("x -n5 --dry-run")).effect == "ask"


def test_conditions_must_all_hold() -> None:
    rules = book({"command": "ls", "agent": "cl*", "mode": ["autonomous"], "plan": "p*"})
    assert judge(rules, act("ls", plan="p1")).effect == "allow"
    assert judge(rules, act("ls")).effect == "ask"
    assert judge(rules, act("ls", plan="p1", agent="codex")).effect == "ask"


def test_kinds_of_acts() -> None:
    rules = book(
        {"path": "./**", "access": ["read", "write"], "name": "files"},
        {"host": "*.python.org", "name": "hosts"},
        {"tool": "mcp__good__*", "name": "tools"},
    )
    allowed = [
        act(kind="read", paths=("a", "b/c")),
        act(kind="search", paths=(".",)),
        act(kind="write", paths=("a",)),
        act(kind="fetch", url="https://docs.python.org/3/?q=1"),
        act(kind="mcp", tool="mcp__good__x"),
    ]
    asked = [
        act(kind="read", paths=("a", "../b")),
        act(kind="delete", paths=("a",)),
        act(kind="move", paths=("a", "b")),
        act(kind="fetch", url="https://docs.python.org@evil.example/"),
        act(kind="fetch", url="file:///etc/passwd"),
        act(kind="fetch"),
        act(kind="mcp", tool="mcp__bad__x"),
        act(kind="mcp", tool="mcp__good__x", paths=("../x",)),
        act(kind="question", tool="AskUserQuestion"),
        act(kind="never heard of", tool="Bash"),
        act(kind="write", paths=("~root/x",)),
        act(),
    ]
    assert [judge(rules, one).effect for one in allowed] == ["allow"] * len(allowed)
    assert [judge(rules, one).effect for one in asked] == ["ask"] * len(asked)


def test_a_rule_may_count_instead_of_one_that_asks() -> None:
    rules = book(
        {"command": "npm install", "effect": "ask", "name": "install"},
        {"path": "**/.env", "effect": "ask", "name": "secret"},
        {"command": "npm install left-pad $", "instead_of": ["install"], "name": "mine"},
    )
    assert judge(rules, act("npm install left-pad")).rule == "mine"
    assert judge(rules, act("npm install right-pad")).rule == "install"
    assert judge(rules, act("npm install left-pad > .env")).rule == "secret"


def test_nothing_is_allowed_while_rules_have_a_problem() -> None:
    rules = book(EVERYTHING, {"command": "rm", "effect": "deny"})
    broken = RuleBook(rules.rules, HOME, (Problem("policy.yaml:3: wrong"),))
    found = judge(broken, act("ls"))
    assert (found.effect, found.rule) == ("ask", PROBLEM)
    assert "policy.yaml:3" in found.reason
    assert judge(broken, act("rm x")).effect == "deny"


def test_lines_are_judged_as_a_whole_also_when_unreadable() -> None:
    rules = book({"line": ["*:(){:|:&};:*"], "effect": "deny", "name": "bomb"})
    assert judge(rules, act(":(){ :|:& };:")).rule == "bomb"
    assert judge(rules, act("x " * 70_000 + "; :(){ :|:& };:")).rule == "bomb"
    assert book_of(rules_in(Document(None), "x")).rules == ()
