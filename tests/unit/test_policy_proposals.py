from __future__ import annotations

from pathlib import Path

import pytest

from config.documents import parse_document
from config.paths import Paths
from config.policy import RuleDocument, rules_in
from supervisor.engine.policy.book import RuleBook, judge
from supervisor.engine.policy.library import load_book, with_rule
from supervisor.engine.policy.proposals import propose, suggestions, what_matches
from supervisor.engine.policy.versions import as_text, differences, text_difference
from supervisor.model.acts import Act

W = "/home/dev/project"


def act(command: str | None = None, kind: str = "execute", tool: str = "Bash", **more: str) -> Act:
    return Act(kind, tool, W, W, "claude", "autonomous", "shop", command=command, url=more.get("url"))


@pytest.fixture
def book(tmp_path: Path) -> RuleBook:
    return load_book(Paths.below(tmp_path, {}), home="/home/dev")


def proposed(book: RuleBook, one: Act) -> RuleDocument:
    rule = propose(book, one).rule
    assert rule is not None
    return rule


@pytest.mark.parametrize(
    ("command", "pattern"),
    [
        ("npm ci", "npm ci $"),
        ("terraform plan -out x", "terraform plan -out x $"),
        ("./scripts/seed.sh unit", "./scripts/seed.sh unit $"),
        ("gh pr view 12", "gh pr view"),
        ("ls && npm ci", "npm ci $"),
    ],
)
def test_a_proposal_names_exactly_what_was_approved(book: RuleBook, command: str, pattern: str) -> None:
    rule = proposed(book, act(command))
    assert rule.command == (pattern,)
    assert judge(with_rule(book, rule), act(command)).effect == "allow"
    assert judge(with_rule(book, rule), act(f"sudo {command}")).effect == "ask"


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "sudo ls",
        "python x.py",
        "python3.11 x.py",
        "bash x.sh",
        "rm -rf src",
        "git push --force",
        "git reset --hard",
        "git push && npm ci",
        "npm install $x",
        "$x",
        "env",
        "curl https://example.com",
        "foo *",
        "foo 'a b'",
        "foo > /etc/x",
        "cat ~/.ssh/id_rsa",
        "foo 1 2 3 4 5 6 7 8 9",
        "rm -rf /",
    ],
)
def test_nothing_is_proposed_for_what_can_do_more_than_it_says(book: RuleBook, command: str) -> None:
    proposal = propose(book, act(command))
    assert proposal.rule is None
    assert proposal.why_not


def test_hosts_and_tools_are_proposed_by_their_exact_name(book: RuleBook) -> None:
    assert proposed(book, act(kind="fetch", tool="WebFetch", url="https://docs.python.org/3/")).host == (
        "docs.python.org",
    )
    assert proposed(book, act(kind="mcp", tool="mcp__x__y")).tool == ("mcp__x__y",)


def test_what_a_rule_would_have_meant_for_the_past(book: RuleBook) -> None:
    rule = proposed(book, act("npm ci"))
    past = [act("npm ci"), act("cd web && npm ci"), act("npm ci && npm publish"), act("npm install")]
    found = what_matches(book, rule, past)
    assert [(one.before, one.after) for one in found] == [
        ("ask", "allow"),
        ("ask", "allow"),
        ("ask", "ask"),
        ("ask", "ask"),
    ]
    assert [one.matched for one in found] == [("npm ci",), ("npm ci",), ("npm ci",), ()]


def test_names_stay_unique(book: RuleBook) -> None:
    rule = proposed(book, act("npm ci"))
    assert rule.name == "always-npm-ci"
    taken = with_rule(book, rule.model_copy(update={"mode": ("dispatch",)}))
    assert proposed(taken, act("npm ci")).name == "always-npm-ci-2"


def test_what_is_often_approved_is_suggested(book: RuleBook) -> None:
    approved = [act("npm ci")] * 3 + [act("terraform plan")] * 2 + [act("sudo ls")] * 5
    assert [(rule.name, count) for rule, count in suggestions(book, approved)] == [("always-npm-ci", 3)]


def test_two_versions_are_told_apart(book: RuleBook) -> None:
    one, other = proposed(book, act("npm ci")), proposed(book, act("terraform plan"))
    changed = one.model_copy(update={"reason": "Other."})
    found = differences([one], [changed, other])
    assert [(item.name, item.change) for item in found] == [
        ("always-npm-ci", "changed"),
        ("always-terraform-plan", "added"),
    ]
    assert found[0].keys == {"reason": ("Approved for always: npm ci", "Other.")}
    assert [item.change for item in differences([one], [])] == ["removed"]
    assert differences([one], [one]) == []
    assert "+  reason: Other." in text_difference([one], [changed])
    assert text_difference([one], [one]) == ""


def test_rules_written_as_text_are_read_again(book: RuleBook) -> None:
    one = proposed(book, act("npm ci"))
    written = rules_in(parse_document(as_text([one]).encode(), "x"), "x")
    assert [rule.document for rule in written.rules] == [one]
