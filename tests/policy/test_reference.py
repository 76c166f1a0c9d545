"""The engine and the reference evaluator say the same about every act.

POLICY_CASES (100,000) says how many random acts are judged. Half of them follow from a fixed seed, half from
POLICY_SEED, which may be given to look further; a failure names the seed to repeat it with. A tenth as many are
judged besides that are made of rare things.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import yaml

from config.policy import SHIPPED, RuleDocument
from supervisor.engine.policy import book, library
from supervisor.model import acts
from tests.policy.cases import HOME, WORKTREE, Cases, corpus
from tests.policy.parts import Act
from tests.policy.rare import RareCases
from tests.policy.reference import STRICTNESS, Reference, Verdict

_CASES = int(os.environ.get("POLICY_CASES", "100000"))
_SEED = int(os.environ.get("POLICY_SEED", "2"))
_FIXED = 20_261_129
_CHUNK = 5_000
_BOOKS = 20

Rules = list[dict[str, Any]]


@dataclass(frozen=True)
class Evaluators:
    """The two, with the same rules."""

    engine: book.RuleBook
    reference: Reference

    def differ(self, act: Act) -> tuple[Verdict, Verdict] | None:
        """What engine and reference say when it is not the same."""
        engine = _verdict(book.judge(self.engine, _for_engine(act)))
        reference = self.reference.judge(act)
        if engine.risk is None:
            reference = replace(reference, risk=None)
        return None if engine == reference else (engine, reference)


def _verdict(judged: acts.Judgement) -> Verdict:
    """The engine's judgement without what its second reader adds, which only makes it stricter."""
    parts = [part for part in judged.parts if "two readers differ" not in part.reason]
    if len(parts) == len(judged.parts):
        return Verdict(judged.effect, judged.rule, judged.risk, tuple((part.effect, part.rule) for part in parts))
    deciding = max(parts, key=lambda part: STRICTNESS[part.effect]) if parts else None
    return Verdict(
        deciding.effect if deciding else "ask",
        deciding.rule if deciding else "default",
        None,
        tuple((part.effect, part.rule) for part in parts),
    )


def _for_engine(act: Act) -> acts.Act:
    fields = {name: getattr(act, name) for name in act.__dataclass_fields__}
    return acts.Act(input={}, **fields)


@cache
def shipped() -> Rules:
    rules: Rules = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["rules"]
    return rules


def evaluators(rules: Rules) -> Evaluators:
    documents = [RuleDocument.model_validate(_with_examples(rule)) for rule in rules]
    engine = book.RuleBook(rules=tuple(library.compiled(document) for document in documents), home=HOME)
    return Evaluators(engine, Reference(rules, HOME))


def _with_examples(rule: dict[str, Any]) -> dict[str, Any]:
    """Random rules have no examples; documents ask for some."""
    sorts = any(sort in rule for sort in ("command", "path", "host", "variable", "line"))
    return {"match": "x", "no_match": "x"} | rule if sorts else rule


def _report(rules: Rules, act: Act, seed: str) -> str:
    """The smallest act and book that still differ, and what the two say of them."""
    rules = list(_shrunk(rules, lambda some: bool(some) and evaluators(some).differ(act) is not None))
    both = evaluators(rules)
    if isinstance(act.command, str):
        text = "".join(_shrunk(list(act.command), lambda some: _differs(both, replace(act, command="".join(some)))))
        act = replace(act, command=text)
        rules = list(_shrunk(rules, lambda some: bool(some) and evaluators(some).differ(act) is not None))
    found = evaluators(rules).differ(act)
    if found is None:
        return f"{seed}: {act} differs, and differs no more when looked at again"
    small = {key: value for rule in rules for key, value in rule.items() if key not in ("match", "no_match")}
    shown = small if len(rules) == 1 else f"{len(rules)} rules"
    return (
        f"{seed}\n  act        {act}\n  line       {act.command!r}\n  rules      {shown}\n"
        f"  engine     {found[0]}\n  reference  {found[1]}"
    )


def _differs(both: Evaluators, act: Act) -> bool:
    return both.differ(act) is not None


def _shrunk(items: list[Any], keeps: Callable[[list[Any]], bool]) -> list[Any]:
    """The list without all that can be left out while `keeps` holds."""
    size = len(items) // 2
    while size:
        at = 0
        while at < len(items):
            fewer = items[:at] + items[at + size :]
            if keeps(fewer):
                items = fewer
            else:
                at += size
        size //= 2
    return items


def _chunks() -> Iterator[tuple[str, int]]:
    for number in range(max(1, _CASES // _CHUNK)):
        yield ("fixed" if number % 2 == 0 else "drawn"), number


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("source", "number"), list(_chunks()))
def test_random_acts_are_judged_alike(source: str, number: int) -> None:
    seed = _FIXED if source == "fixed" else _SEED
    name = f"POLICY_SEED={seed}" if source == "drawn" else f"the fixed seed {seed}"
    _judged_alike(Cases(seed * 1_000 + number, _BOOKS), f"{name}, chunk {number}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(max(1, _CASES // _CHUNK // 10)))
def test_rare_acts_are_judged_alike(number: int) -> None:
    _judged_alike(RareCases(_SEED * 1_000 + number, _BOOKS), f"POLICY_SEED={_SEED}, rare chunk {number}")


def _judged_alike(cases: Cases, name: str) -> None:
    """Fail with the first of the cases that engine and reference judge differently."""
    books = [shipped(), *cases.books]
    both = [evaluators(rules) for rules in books]
    effects: Counter[str] = Counter()
    for at in range(min(_CASES, _CHUNK)):
        case = cases.case()
        if both[case.book].differ(case.act) is not None:
            pytest.fail(_report(books[case.book], case.act, f"{name}, case {at}, book {case.book}"))
        effects[both[case.book].reference.judge(case.act).effect if at % 10 == 0 else "unseen"] += 1
    assert {"allow", "ask", "deny"} <= set(effects), f"one-sided cases: {effects}"


@pytest.mark.parametrize("name", ["dangerous", "everyday"])
def test_corpora_are_judged_alike(name: str) -> None:
    both = evaluators(shipped())
    differing = []
    for command in corpus(name):
        act = Act("execute", "Bash", WORKTREE, WORKTREE, command=command)
        if both.differ(act) is not None:
            differing.append(_report(shipped(), act, name))
    assert not differing, "\n".join(differing)


_EVERYTHING: Rules = [
    {"name": "all", "effect": "allow", "reason": "Because.", "command": "*", "within": "any", "expansions": "all"},
    {"name": "no-rm", "effect": "deny", "reason": "Because.", "command": "rm"},
    {"name": "no-secret", "effect": "deny", "reason": "Because.", "path": ["./src/secret", "./É"]},
    {"name": "variables", "effect": "allow", "reason": "Because.", "variable": "*"},
    {"name": "no-home", "effect": "deny", "reason": "Because.", "variable": ["X=/home/*", "A*=x"]},
    {"name": "no-evil", "effect": "deny", "reason": "Because.", "line": "*evil*"},
]


@pytest.mark.parametrize(
    "command",
    [
        "cmake -B --",
        "'~{/'",
        "nohup '~other/x' y",
        "sh -c 'e>&${X}-'",
        ">&${X}-|rm x",
        "a >&'…-x'; rm x",
        "a >&-x; rm x",
        "../../../usr/bin/git -C src/a/b status",
        "cat <<E\n$[x]\nE",
        "cat <<E; >&1\nx\nE",
        "bash <<'E'\nls \\\nE",
        "X=$PWD ls",
        "AB=c=x ls",
        "find . -exec cd src ';' -exec cat secret ';'",
        f"{'nohup ' * 20}git -C src status",
        f"{'nohup ' * 20}git status",
        f"ls {'x' * 70_000} evil",
        f"ls {'a/' * 62}$PWD/*",
        "ls $PWD*",
        "for X #a\\\ndo ls; done",
        "cat './é'*",
        f"{'( ' * 14}echo `bash -c '( ( ( ( ls ) ) ) )'`{' )' * 14}",
        f"{'( ' * 15}echo `bash -c '( ( ( ( ls ) ) ) )'`{' )' * 15}",
        f"{'( ' * 18}for x in $(ls); do ls; done{' )' * 18}",
        f"{'( ' * 19}for x in $(ls); do ls; done{' )' * 19}",
        ("cat", "a\0b"),
    ],
)
@pytest.mark.parametrize("folder", ["", "/.config"])
def test_what_was_once_judged_differently_is_judged_alike(command: str | tuple[str, ...], folder: str) -> None:
    act = Act("execute", "Bash", WORKTREE + folder, WORKTREE, command=command)
    for rules in (shipped(), _EVERYTHING):
        assert evaluators(rules).differ(act) is None, _report(rules, act, "found")
