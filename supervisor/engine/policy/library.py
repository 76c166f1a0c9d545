"""From written rules to the rule book of a project: all layers, with their examples checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from config.loading import PROJECT_FILE
from config.paths import Paths
from config.policy import (
    CONDITIONS,
    RuleDocument,
    WrittenRule,
    WrittenRules,
    project_rules,
    shipped_rules,
    user_rules,
)
from supervisor.engine.policy.apart import take_apart
from supervisor.engine.policy.book import Problem, RuleBook
from supervisor.engine.policy.facts import PathFact, VariableFact
from supervisor.engine.policy.matching import matches
from supervisor.engine.policy.rules import WITHIN, Layer, Rule
from supervisor.model.acts import Act
from supervisor.model.errors import ConfigError

_HOME, _WORKTREE = "/home/dev", "/home/dev/project"
_RISKS = {"allow": "low", "ask": "medium", "deny": "high"}


def load_book(
    paths: Paths, project_root: Path | None = None, applied: Iterable[RuleDocument] = (), home: str | None = None
) -> RuleBook:
    """Return the rules in force for a project: shipped, the person's own, applied ones, the project's.

    Nothing is raised: what is wrong is in the book's ``problems``, and while there are any nothing is allowed.
    """
    layers: list[tuple[Layer, WrittenRules]] = [
        ("user", user_rules(paths)),
        ("applied", WrittenRules([WrittenRule(one, f"applied rule {one.name}") for one in applied])),
    ]
    if project_root is not None:
        layers.append(("project", project_rules(project_root / PROJECT_FILE)))
    rules, problems = _shipped()
    return _assembled(rules, problems, layers, home or str(Path.home()))


def with_rule(book: RuleBook, document: RuleDocument) -> RuleBook:
    """Return the book as it would be with one more applied rule; a rule that is wrong becomes a problem of it."""
    written = WrittenRules([WrittenRule(document, f"the rule {document.name}")])
    return _assembled(book.rules, book.problems, [("applied", written)], book.home)


def book_of(written: WrittenRules, home: str = _HOME, layer: Layer = "user") -> RuleBook:
    """Return a book of one document alone."""
    return _assembled((), (), [(layer, written)], home)


def compiled(document: RuleDocument, layer: Layer = "user", source: str = "") -> Rule:
    """Return a rule with its defaults filled in."""
    allow = document.effect == "allow"
    sort = document.sort
    within: tuple[str, ...] | None
    if document.within == "any":
        within = None
    elif document.within is not None:
        within = document.within
    else:
        within = WITHIN if allow and sort == "command" else None
    return Rule(
        name=document.name,
        effect=document.effect,
        reason=document.reason,
        risk=document.risk or _RISKS[document.effect],  # type: ignore[arg-type]
        sort=sort,  # type: ignore[arg-type]
        patterns=() if sort == "any" else getattr(document, sort),
        conditions={key: patterns for key in CONDITIONS if (patterns := getattr(document, key)) is not None},
        access=frozenset(document.access or ("read", "write", "delete")),
        flags=document.flags or (),
        without=document.without or (),
        operands=document.operands or (),
        within=within,
        text=document.text or 0,
        expansions=document.expansions or ("globs" if allow else "all"),
        instead_of=frozenset(document.instead_of or ()),
        layer=layer,
        source=source,
    )


def failed_examples(document: RuleDocument) -> list[tuple[str, int, str]]:
    """Return the examples of a rule that do not do as they must: key, number and what is wrong."""
    rule = compiled(document)
    failed: list[tuple[str, int, str]] = []
    for key, examples in (("match", document.match), ("no_match", document.no_match)):
        for number, example in enumerate(examples or ()):
            hits = _hits(rule, example)
            if key == "match" and not (hits and (any(hits) if rule.sort != "path" else all(hits))):
                failed.append((key, number, f"the rule must match `{example}`, and it does not"))
            if key == "no_match" and any(hits):
                failed.append((key, number, f"the rule must not match `{example}`, and it does"))
    return failed


def _hits(rule: Rule, example: str) -> list[bool]:
    act = Act("execute", "Bash", _WORKTREE, _WORKTREE, "", "", "", command=example)
    if rule.sort == "path":
        name_of = [
            fact.name
            for fact in take_apart(replace(act, kind="read", command=None, paths=(example,)), _HOME)
            if isinstance(fact, PathFact)
        ]
        return [matches(rule, PathFact(name, access)) for name in name_of for access in sorted(rule.access)]  # type: ignore[arg-type]
    if rule.sort == "host":
        act = replace(act, kind="fetch", command=None, url=example)
    if rule.sort == "variable":
        name, _, value = example.partition("=")
        return [matches(rule, VariableFact(name, value))]
    return [matches(rule, fact) for fact in take_apart(act, _HOME)]


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[Rule, ...], tuple[Problem, ...]]:
    book = _assembled((), (), [("shipped", shipped_rules())], _HOME)
    return book.rules, book.problems


def _assembled(
    rules: Sequence[Rule], problems: Sequence[Problem], layers: Iterable[tuple[Layer, WrittenRules]], home: str
) -> RuleBook:
    kept = {rule.name: rule for rule in rules}
    found = list(problems)
    for layer, written in layers:
        found += [_problem(error) for error in written.problems]
        for one in written.rules:
            if (error := _wrong(one, kept)) is not None:
                found.append(error)
                continue
            for name in one.document.replaces or ():
                del kept[name]
            kept[one.document.name] = compiled(one.document, layer, one.source)
    return RuleBook(tuple(kept.values()), home, tuple(found))


def _wrong(one: WrittenRule, kept: dict[str, Rule]) -> Problem | None:
    document = one.document
    for number, name in enumerate(document.replaces or ()):
        if name not in kept:
            return Problem(f"{one.where('replaces', str(number))}: `replaces`: there is no rule `{name}`.")
    for number, name in enumerate(document.instead_of or ()):
        if name not in kept or kept[name].effect != "ask":
            return Problem(f"{one.where('instead_of', str(number))}: `instead_of`: there is no ask rule `{name}`.")
    if document.name in kept and document.name not in (document.replaces or ()):
        return Problem(
            f"{one.where('name')}: `name`: the rule `{document.name}` is there already ({kept[document.name].source}).",
            "Choose another name, or say that it `replaces` the other.",
        )
    for key, number, what in failed_examples(document):
        return Problem(
            f"{one.where(key, str(number))}: `{key}` of `{document.name}`: {what}.", "Correct rule or example."
        )
    return None


def _problem(error: ConfigError) -> Problem:
    return Problem(error.message, error.hint)
