"""The index leaves out no rule that matches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from config.paths import Paths
from supervisor.engine.policy import index
from supervisor.engine.policy.apart import take_apart
from supervisor.engine.policy.book import RuleBook
from supervisor.engine.policy.facts import CommandFact
from supervisor.engine.policy.index import CommandIndex
from supervisor.engine.policy.library import load_book
from supervisor.engine.policy.matching import matches
from supervisor.engine.policy.rules import Rule
from supervisor.model.acts import Act

HOME, WORKTREE = "/home/dev", "/home/dev/project"
HERE = Path(__file__).parent


@pytest.fixture
def book(tmp_path: Path) -> RuleBook:
    return load_book(Paths(tmp_path, tmp_path / "config.yaml", tmp_path), home=HOME)


def commands() -> Iterator[str]:
    """Every command of the corpora, and each cut short: words that a rule needs may be missing."""
    for name in ("dangerous", "everyday", "found"):
        for entry in yaml.safe_load((HERE / f"{name}.yaml").read_text()):
            command = entry if isinstance(entry, str) else entry["command"]
            yield command
            yield command.split(" ")[0]


def facts() -> list[CommandFact]:
    """The simple commands in them."""
    acts = [
        Act("execute", "Bash", WORKTREE, WORKTREE, "claude", "autonomous", "shop", command=command)
        for command in commands()
    ]
    return [fact for act in acts for fact in take_apart(act, HOME) if isinstance(fact, CommandFact)]


def test_the_index_leaves_out_no_rule_that_matches(book: RuleBook) -> None:
    rules = [rule for rule in book.rules if rule.sort in ("command", "any")]
    found = facts()
    assert len(found) > 1000
    looked_at = 0
    for fact in found:
        candidates = book.rules_for(fact)
        looked_at += len(candidates)
        assert [rule for rule in candidates if matches(rule, fact)] == [rule for rule in rules if matches(rule, fact)]
    assert looked_at < len(found) * len(rules) / 4, "most rules need not be held against a command"


def test_the_index_remembers_so_many_programs_and_no_more(book: RuleBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PROGRAMS_KEPT", 3)
    small = CommandIndex(tuple(rule for rule in book.rules if rule.sort == "command"))
    for fact in facts()[:200]:
        assert list(small.rules_for(fact)) == [rule for rule in book.rules_for(fact) if rule.sort == "command"]
    assert len(small._by_program) <= 3


@pytest.mark.parametrize(
    ("patterns", "command", "found"),
    [
        (["sed <sed>"], "sed s/a/b/", True),
        (["git status", "git d*"], "git diff", True),
        (["git status", "git log"], "git diff", False),
        (["git status"], "git", False),
        (["git"], "git", True),
        (["git $"], "git", True),
        (["*/git status"], "/opt/git status", True),
        (["git status"], "git $WORD", False),
        (["git *"], "git $WORD", True),
    ],
)
def test_a_rule_is_found_by_what_it_needs(patterns: list[str], command: str, found: bool) -> None:
    rule = Rule("one", "deny", "Because.", "high", "command", tuple(patterns), {})
    act = Act("execute", "Bash", WORKTREE, WORKTREE, "claude", "autonomous", "shop", command=command)
    [fact] = [fact for fact in take_apart(act, HOME) if isinstance(fact, CommandFact)]
    assert (rule in CommandIndex((rule,)).rules_for(fact)) is found
