"""Making plans of templates: parameters are put into the parsed document, never into its text.

A value is data wherever it goes, so it cannot change what the document is made of. What a shell or a database would
read takes no values: they reach a command as variables of its environment. Only a parameter of the type `command` may
be a command, and then it is the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from config.documents import Document
from config.sources import Key
from config.templates import Parameter, Template, Type, Value, given_values
from supervisor.engine.plans.problems import nearest
from supervisor.engine.plans.reading import Reading, read_document
from supervisor.engine.plans.spelling import part
from supervisor.model.errors import ConfigError, InvalidInput
from supervisor.model.plan.task import Task

_PLACEHOLDER: Final = re.compile(r"\{\{ *([a-z][a-z0-9_]*) *\}\}")

_CONTEXTS: Final = {
    **dict.fromkeys(
        ("command", "commands", "checks", "preconditions", "success_criteria", "rollback", "failure_modes"), "shell"
    ),
    "git": "git",
    "http": "http",
    "db": "db",
    **dict.fromkeys(("environment", "inputs", "outputs", "metadata"), "data"),
}
"""Who reads what stands below a key of a task, whatever is written above and below it."""

_PLAIN_TYPES: Final = frozenset[Type](("name", "number"))
_DROP: Final = object()


def missing(template: Template, given: Mapping[str, str]) -> list[Parameter]:
    """Return the parameters that are required and not given."""
    return [each for each in template.document.parameters if each.required and each.name not in given]


def filled(template: Template, given: Mapping[str, str]) -> Reading:
    """Return the plan that a template gives with these parameters, or what is wrong with it.

    Raises InvalidInput for parameters that are unknown, wrong or missing, ConfigError for a template that is wrong.
    """
    check(template)
    values = given_values(template, dict(given))
    if absent := [each.name for each in missing(template, given)]:
        raise InvalidInput(
            f"The template {template.name} needs {', '.join(absent)}.",
            hint=" ".join(f"--param {name}=…" for name in absent),
        )
    document = Document(_Filling(template.parameters, values).filled(template.document.plan), template.lines)
    return read_document(document, str(template.path))


def check(template: Template) -> None:
    """Raise ConfigError where a placeholder stands that cannot be put in safely, or a parameter is used nowhere."""
    used: set[str] = set()
    for key, text, is_key in _texts(template.document.plan, ()):
        for found in _PLACEHOLDER.finditer(text):
            name = found[1]
            parameter = template.parameters.get(name)
            if parameter is None:
                near = nearest(name, template.parameters)
                hint = f"Did you mean `{near}`?" if near else "Declare it under `parameters`."
                raise ConfigError(f"{template.where(key)}: there is no parameter `{name}`.", hint=hint)
            what = "a key takes no parameter" if is_key else _unsafe(parameter, found, key)
            if what:
                raise ConfigError(f"{template.where(key)}: `{found[0]}` cannot stand here: {what}.", hint=_hint(key))
            used.add(name)
    if unused := [name for name in template.parameters if name not in used]:
        raise ConfigError(
            f"{template.path}: nothing uses the parameter `{unused[0]}`.", hint="Use it in `plan`, or take it away."
        )


def _unsafe(parameter: Parameter, found: re.Match[str], key: Key) -> str:
    """Return why the value of a parameter cannot be put in here; empty when it can."""
    whole = found[0] == found.string
    if not whole and not parameter.required and parameter.default is None:
        return "a parameter that may be absent stands alone, or has a default"
    context, below = _context(key)
    if context == "shell" and not (whole and parameter.type == "command"):
        return "a shell reads this; only a parameter of the type `command` may be all of it"
    if context == "db":
        return "a database reads this"
    if context == "git" and not any(step.isdecimal() for step in below):
        return "this text is split into words; write the arguments as a list"
    if context == "git" and found.start() == 0 and parameter.type != "name":
        return "git could take it for an option; begin the argument with a text, or use the type `name`"
    if context == "http" and below[:1] != ("body",) and parameter.type not in _PLAIN_TYPES:
        return "an address and headers take only the types `name` and `number`"
    return ""


def _hint(key: Key) -> str:
    if _context(key)[0] == "shell":
        return (
            'Give it to the task as a variable (`environment: {NAME: "{{name}}"}`), and write "$NAME" in the command.'
        )
    return "`docs/plan-templates.md` says where parameters may stand."


def _context(key: Key) -> tuple[str, Key]:
    """Return who reads what stands at a key, and the key below that which says so."""
    for number, step in enumerate(key):
        meant = None if step.isdecimal() else part(Task).meaning(step)
        if meant is not None and meant.name in _CONTEXTS:
            return _CONTEXTS[meant.name], key[number + 1 :]
    return "data", ()


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str, bool]]:
    """Yield each text of a document with its key, and whether it is itself a key."""
    if isinstance(value, str):
        yield key, value, False
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield (*key, name), name, True
            yield from _texts(inner, (*key, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*key, str(number)))


@dataclass(frozen=True, slots=True)
class _Filling:
    """Puts values in, once each: what a value holds is never looked at again."""

    parameters: Mapping[str, Parameter]
    values: Mapping[str, Value] = field(default_factory=dict)

    def filled(self, value: Any) -> Any:
        """Return a part of the document with the values in it; what stands for an absent one is left out."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            inner = {key: self.filled(each) for key, each in value.items()}
            return {key: each for key, each in inner.items() if each is not _DROP}
        if isinstance(value, list):
            return [each for each in map(self.filled, value) if each is not _DROP]
        return value

    def _text(self, text: str) -> Any:
        if whole := _PLACEHOLDER.fullmatch(text):
            return self.values.get(whole[1], _DROP)
        return _PLACEHOLDER.sub(lambda found: _written(self.values[found[1]]), text)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
