from __future__ import annotations

from pathlib import Path

import pytest

from config.loading import load
from config.paths import Paths
from config.policy import plain, rule_from, shipped_rules, user_policy_file
from supervisor.engine.policy.book import RuleBook
from supervisor.engine.policy.library import load_book
from supervisor.model.errors import ConfigError

RULE = """\
  - name: {name}
    effect: {effect}
    reason: Because.
    command: terraform plan
    match: terraform plan -out x
    no_match: terraform apply
"""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.below(tmp_path / "home", {})
    found.create()
    return found


def user(paths: Paths, text: str, applied: tuple[object, ...] = ()) -> RuleBook:
    user_policy_file(paths).write_text(text)
    return load_book(paths, home="/home/dev")


def only_problem(book: RuleBook) -> str:
    assert len(book.problems) == 1, book.problems
    return f"{book.problems[0].message} {book.problems[0].hint}"


def test_shipped_rules_are_sound(paths: Paths) -> None:
    book = load_book(paths, home="/home/dev")
    assert book.problems == ()
    assert 80 <= len(book.rules) <= 130
    assert {rule.layer for rule in book.rules} == {"shipped"}
    assert all(rule.document.reason.endswith((".", "first.")) for rule in shipped_rules().rules)


def test_the_persons_own_rules_are_added(paths: Paths) -> None:
    book = user(paths, "version: 1\nrules:\n" + RULE.format(name="mine", effect="allow"))
    rule = book.rule("mine")
    assert rule is not None
    assert (rule.layer, rule.source) == ("user", f"{user_policy_file(paths)}:3")
    assert book.problems == ()


def test_a_rule_replaces_a_shipped_one(paths: Paths) -> None:
    text = "version: 1\nrules:\n" + RULE.format(name="mine", effect="allow") + "    replaces: network\n"
    book = user(paths, text)
    assert book.rule("network") is None
    assert book.rule("mine") is not None
    assert "no rule `netwrok`" in only_problem(user(paths, text.replace("network", "netwrok")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 2\n", "policy.yaml:1: `version`"),
        ("rules: []\n", "`version`: this is needed"),
        ("version: 1\nrules: 3\n", "policy.yaml:2: `rules`: this is not a list"),
        ("- a\n", "policy.yaml:1:"),
        ("version: 1\nrulez: []\n", "Did you mean `rules`?"),
        ("version: 1\nrules:\n  - name: x\n    effect: allow\n", "`rules.0.reason`: this is needed"),
        ("version: [\n", "this is not YAML"),
        ("version: 1\nrules:\n" + RULE.format(name="x", effect="alow"), "policy.yaml:4: `rules.0.effect`"),
        (
            "version: 1\nrules:\n" + RULE.format(name="x", effect="ask").replace("command", "comand"),
            "Did you mean `command`?",
        ),
        (
            "version: 1\nrules:\n" + RULE.format(name="x", effect="ask").replace("plan -out x", "destroy"),
            "policy.yaml:7: `match` of `x`: the rule must match `terraform destroy`, and it does not",
        ),
        (
            "version: 1\nrules:\n" + RULE.format(name="x", effect="ask").replace("apply", "plan"),
            "policy.yaml:8: `no_match` of `x`: the rule must not match `terraform plan`, and it does",
        ),
        ("version: 1\nrules:\n" + RULE.format(name="network", effect="ask"), "the rule `network` is there already"),
        (
            "version: 1\nrules:\n" + RULE.format(name="x", effect="ask") + "    access: read\n",
            "`access` stands only with `path`",
        ),
        ("version: 1\nrules:\n" + RULE.format(name="x", effect="ask") + "    host: x\n", "only one of command, host"),
        ("version: 1\nrules:\n  - {name: x, effect: ask, reason: R.}\n", "says nothing about what it matches"),
        (
            "version: 1\nrules:\n  - {name: x, effect: ask, reason: R., path: src, match: a, no_match: b}\n",
            "begins with none of",
        ),
        (
            "version: 1\nrules:\n  - {name: x, effect: ask, reason: R., path: ./a/, match: a, no_match: b}\n",
            "ends with a slash",
        ),
        (
            "version: 1\nrules:\n  - {name: x, effect: ask, reason: R., host: a, match: b}\n",
            "`no_match` needs at least one",
        ),
        (
            "version: 1\nrules:\n  - {name: x, effect: allow, reason: R., line: a, match: a, no_match: b}\n",
            "`line` cannot allow",
        ),
        ("version: 1\nrules:\n  - {name: x, effect: ask, reason: R., tool: a, match: b}\n", "has no meaning"),
        (
            "version: 1\nrules:\n  - {name: x, effect: allow, reason: R., tool: a, instead_of: read-files}\n",
            "no ask rule `read-files`",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_key(paths: Paths, text: str, expected: str) -> None:
    assert expected in only_problem(user(paths, text))


def test_one_wrong_rule_leaves_the_others_in_force(paths: Paths) -> None:
    book = user(
        paths, "version: 1\nrules:\n" + RULE.format(name="good", effect="deny") + RULE.format(name="Bad", effect="deny")
    )
    assert book.rule("good") is not None
    assert len(book.problems) == 1


def test_a_projects_own_rules_can_only_be_stricter(paths: Paths, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    file = project / "quarterdeck.yaml"

    def with_rules(effect: str, more: str = "") -> RuleBook:
        rule = RULE.format(name="theirs", effect=effect).replace("\n", "\n  ").rstrip(" ")
        file.write_text(f"policy:\n  version: 1\n  rules:\n  {rule}{more}")
        return load_book(paths, project, home="/home/dev")

    strict = with_rules("deny")
    assert strict.problems == ()
    assert strict.rule("theirs") is not None
    load(paths, project, environ={})  # the section is no setting, and no mistake either
    assert "can only ask and deny" in only_problem(with_rules("allow"))
    assert with_rules("allow").rule("theirs") is None
    assert "`replaces`" in only_problem(with_rules("ask", "      replaces: network\n"))
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere.yaml")
    assert only_problem(load_book(paths, project, home="/home/dev"))


def test_applied_rules_come_between(paths: Paths) -> None:
    rule = rule_from({"name": "x", "effect": "allow", "reason": "R.", "tool": ["mcp__a"]}, "stored")
    book = load_book(paths, applied=[rule], home="/home/dev")
    found = book.rule("x")
    assert found is not None
    assert found.layer == "applied"
    assert rule_from(plain(rule), "again") == rule
    with pytest.raises(ConfigError, match="effect"):
        rule_from({"name": "x"}, "stored")
