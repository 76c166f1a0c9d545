"""Documents of policy rules: their form, and reading them with the file, line and key of whatever is wrong.

docs/policy.md says what rules mean; the policy engine checks their examples.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from config.documents import Document, read_document
from config.paths import Paths
from config.profiles import Strict
from config.sources import Key
from supervisor.model.errors import ConfigError

POLICY_SECTION = "policy"
"""The section of a project's own file that holds its rules."""

SHIPPED = Path(__file__).parent / "policies" / "default.yaml"

SORTS = ("command", "path", "host", "variable", "line")
CONDITIONS = ("tool", "kind", "agent", "mode", "project", "plan")
_COMMAND_KEYS = ("flags", "without", "operands", "within", "text", "expansions")
_NAME = r"^[a-z0-9][a-z0-9-]*$"


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _within(value: Any) -> Any:
    return value if value == "any" else _listed(value)


Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_listed), Field(min_length=1)]
Access = Annotated[tuple[Literal["read", "write", "delete"], ...], BeforeValidator(_listed), Field(min_length=1)]


class RuleDocument(Strict):
    """A rule as it is written. None means that a key is absent."""

    name: str = Field(pattern=_NAME)
    effect: Literal["allow", "ask", "deny"]
    reason: str = Field(min_length=1, description="one sentence for the person who decides")
    risk: Literal["low", "medium", "high"] | None = None
    command: Texts | None = None
    path: Texts | None = None
    host: Texts | None = None
    variable: Texts | None = None
    line: Texts | None = None
    access: Access | None = None
    flags: Texts | None = None
    without: Texts | None = None
    operands: Texts | None = None
    within: Annotated[Literal["any"] | tuple[Text, ...] | None, BeforeValidator(_within)] = None
    text: int | None = Field(None, ge=0, le=20)
    expansions: Literal["none", "globs", "all"] | None = None
    tool: Texts | None = None
    kind: Texts | None = None
    agent: Texts | None = None
    mode: Texts | None = None
    project: Texts | None = None
    plan: Texts | None = None
    match: Texts | None = None
    no_match: Texts | None = None
    replaces: Texts | None = None
    instead_of: Texts | None = None

    @property
    def sort(self) -> str:
        """What kind of thing the rule matches: one of SORTS, or ``any``."""
        return next((sort for sort in SORTS if getattr(self, sort) is not None), "any")

    @model_validator(mode="after")
    def _coherent(self) -> RuleDocument:
        given = [sort for sort in SORTS if getattr(self, sort) is not None]
        if len(given) > 1:
            raise ValueError(f"only one of {', '.join(given)} can stand in a rule")
        if not given and all(getattr(self, name) is None for name in CONDITIONS):
            raise ValueError("the rule says nothing about what it matches")
        for key in _COMMAND_KEYS:
            if self.command is None and getattr(self, key) is not None:
                raise ValueError(f"`{key}` stands only with `command`")
        if self.instead_of is not None and self.effect != "allow":
            raise ValueError("`instead_of` stands only with effect allow")
        if self.access is not None and self.path is None:
            raise ValueError("`access` stands only with `path`")
        if self.line is not None and self.effect == "allow":
            raise ValueError("`line` cannot allow anything")
        for key in ("match", "no_match"):
            if given and not getattr(self, key):
                raise ValueError(f"`{key}` needs at least one example")
            if not given and getattr(self, key):
                raise ValueError(f"`{key}` has no meaning without one of {', '.join(SORTS)}")
        for pattern in self.command or ():
            if pattern != " ".join(pattern.split()) or pattern.startswith("$"):
                raise ValueError(f"the pattern `{pattern}` is not words with single spaces between them")
        within = self.within if isinstance(self.within, tuple) else ()
        for pattern in (*(self.path or ()), *(self.operands or ()), *within):
            if pattern != "/" and pattern.endswith("/"):
                raise ValueError(f"the pattern `{pattern}` ends with a slash")
            if not (pattern in (".", "~") or pattern.startswith(("./", "~/", "/", "**"))):
                raise ValueError(f"the pattern `{pattern}` begins with none of ./ ~/ / **")
        return self


class PolicyDocument(Strict):
    """A file of rules."""

    version: Literal[1]
    rules: tuple[RuleDocument, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule and where it is written: ``file:line`` for the rule and for each key below it."""

    document: RuleDocument
    source: str
    lines: Mapping[Key, str] = field(default_factory=dict, repr=False)

    def where(self, *key: str) -> str:
        """Return the place of a key of the rule, or of what holds it."""
        found = (self.lines.get(key[:length]) for length in range(len(key), 0, -1))
        return next((place for place in found if place), self.source)


@dataclass(slots=True)
class WrittenRules:
    """The rules of one document that are well formed, and what is wrong with the others."""

    rules: list[WrittenRule] = field(default_factory=list)
    problems: list[ConfigError] = field(default_factory=list)


def shipped_rules() -> WrittenRules:
    """Return the rules that come with the program."""
    return _read(SHIPPED)


def user_policy_file(paths: Paths) -> Path:
    """Return the place of the person's own rules: beside their configuration."""
    return paths.config_file.with_name("policy.yaml")


def user_rules(paths: Paths) -> WrittenRules:
    """Return the person's own rules."""
    return _read(user_policy_file(paths))


def project_rules(path: Path) -> WrittenRules:
    """Return the rules in a project's own file. They may only ask and deny: a repository is not trusted."""
    try:
        document = read_document(path, follow_links=False)
    except ConfigError as error:
        return WrittenRules(problems=[error])
    if document is None or not isinstance(document.value, dict) or document.value.get(POLICY_SECTION) is None:
        return WrittenRules()
    at = (POLICY_SECTION,)
    lines = {key[1:]: line for key, line in document.lines.items() if key[:1] == at}
    written = rules_in(Document(document.value[POLICY_SECTION], lines), str(path))
    for rule in list(written.rules):
        key = (
            "effect" if rule.document.effect == "allow" else "replaces" if rule.document.replaces is not None else None
        )
        if key is None:
            continue
        written.rules.remove(rule)
        written.problems.append(
            ConfigError(
                f"{rule.where(key)}: `{key}`: a project's own rules can only ask and deny, "
                "because what a repository holds is not trusted.",
                hint="Put the rule into your own policy.yaml.",
            )
        )
    return written


def _read(path: Path) -> WrittenRules:
    try:
        document = read_document(path)
    except ConfigError as error:
        return WrittenRules(problems=[error])
    return WrittenRules() if document is None else rules_in(document, str(path))


def rules_in(document: Document, where: str) -> WrittenRules:
    """Return the rules of a document that was read; ``where`` names it in problems."""
    written = WrittenRules()
    value = document.value
    if value is None:
        return written

    def place(key: Key) -> str:
        found = (document.lines.get(key[:length]) for length in range(len(key), 0, -1))
        line = next((line for line in found if line), document.lines.get((), 1))
        return f"{where}:{line}"

    try:
        PolicyDocument.model_validate({**value, "rules": []} if isinstance(value, dict) else value)
    except ValidationError as error:
        written.problems.append(_explained(error, place, ()))
    rules = value.get("rules") if isinstance(value, dict) else None
    if rules is None:
        return written
    if not isinstance(rules, list):
        written.problems.append(ConfigError(f"{place(('rules',))}: `rules`: this is not a list.", hint=_HINT))
        return written
    for number, one in enumerate(rules):
        at = ("rules", str(number))
        try:
            rule = RuleDocument.model_validate(one)
        except ValidationError as error:
            written.problems.append(_explained(error, place, at))
            continue
        places = {key[2:]: f"{where}:{line}" for key, line in document.lines.items() if key[:2] == at and key[2:]}
        written.rules.append(WrittenRule(rule, place(at), places))
    return written


def rule_from(data: Mapping[str, Any], where: str) -> RuleDocument:
    """Return a rule from plain values, as they are stored or sent. Raises ConfigError; ``where`` names their place."""
    written = rules_in(Document({"version": 1, "rules": [dict(data)]}), where)
    if written.problems:
        raise written.problems[0]
    return written.rules[0].document


def plain(rule: RuleDocument) -> dict[str, Any]:
    """Return a rule as plain JSON and YAML values, without the keys that are absent."""
    return rule.model_dump(mode="json", exclude_none=True)


_HINT = "Correct this line; `docs/policy.md` says what a rule may hold."


def _explained(error: ValidationError, place: Any, at: Key) -> ConfigError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = (*at, *(str(part) for part in first["loc"]))
    known = RuleDocument.model_fields if at else PolicyDocument.model_fields
    hint = _HINT
    if first["type"] == "extra_forbidden":
        what = "a rule has no such key" if at else "policy has no such key"
        near = difflib.get_close_matches(key[-1], known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Known are: {', '.join(known)}."
    elif first["type"] == "missing":
        what = "this is needed, and it is absent"
    else:
        what = first["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
    return ConfigError(f"{place(key)}: `{'.'.join(key)}`: {what}.", hint=hint)
