"""Templates of plans: a plan document with parameters. Some are shipped, a person's own are beside their configuration.

docs/plan-templates.md says how they are written; `supervisor.engine.templates` puts the parameters in.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, ValidationError, model_validator

from config.documents import Document, read_document
from config.paths import Paths
from config.profiles import Strict
from config.sources import Key
from supervisor.model.errors import ConfigError, InvalidInput, NotFound

SHIPPED: Final = Path(__file__).parent / "plans"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
TEXT_LIMIT: Final = 100_000
LINE_LIMIT: Final = 500

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK: Final = re.compile(r"[\t\n\u2028\u2029]")
_HINT: Final = "Correct this line; `docs/plan-templates.md` says what a template may hold."

Type = Literal["text", "line", "name", "command", "number", "flag"]
Value = str | int | bool


class Parameter(Strict):
    """Something that a template leaves open. One without default that is not required may be left out."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    description: str = Field(min_length=1, max_length=LINE_LIMIT)
    type: Type = "line"
    required: bool = False
    default: StrictBool | StrictInt | StrictStr | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Parameter:
        if self.required and self.default is not None:
            raise ValueError("what has a default is not required; keep one of them")
        wanted = {"number": int, "flag": bool}.get(self.type, str)
        if self.default is not None and type(self.default) is not wanted:
            raise ValueError(f"the default is no {self.type}; texts that look like numbers need quotes")
        if isinstance(self.default, str):
            self.value(self.default)
        return self

    def value(self, text: str) -> Value:
        """Return the value that a text means. Raises ValueError in words when it cannot be one."""
        if self.type == "number":
            if _NUMBER.fullmatch(text) is None:
                raise ValueError("this is no whole number")
            return int(text)
        if self.type == "flag":
            if text not in ("true", "false"):
                raise ValueError("write true or false")
            return text == "true"
        if not text.strip():
            raise ValueError("it says nothing")
        if self.type == "name" and _WORD.fullmatch(text) is None:
            raise ValueError("a name begins with a letter or digit and holds letters, digits, `.`, `_` and `-`")
        if _CONTROL.search(text):
            raise ValueError("it holds a control character, or is not UTF-8")
        if self.type == "line" and (_BREAK.search(text) or len(text) > LINE_LIMIT):
            raise ValueError(f"this is one line of at most {LINE_LIMIT} characters, without tabs")
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"it is longer than {TEXT_LIMIT:,} characters")
        return text


class TemplateDocument(Strict):
    """A template as it is written."""

    title: str = Field(min_length=1, max_length=LINE_LIMIT)
    description: str = Field("", max_length=TEXT_LIMIT)
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=100)] = ()
    plan: dict[str, Any]

    @model_validator(mode="after")
    def _each_once(self) -> TemplateDocument:
        names = [parameter.name for parameter in self.parameters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the parameter `{name}` is declared twice")
        return self


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read. ``own`` is whether it is the person's; ``lines`` are those of the plan's keys."""

    name: str
    path: Path
    own: bool
    document: TemplateDocument
    lines: dict[Key, int]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What it leaves open, by name."""
        return {parameter.name: parameter for parameter in self.document.parameters}

    def where(self, key: Key) -> str:
        """Return the place of a key of its plan, or of what holds it: ``file:line``."""
        found = (self.lines.get(key[:length]) for length in range(len(key), -1, -1))
        return f"{self.path}:{next((line for line in found if line), 1)}"


def own_folder(paths: Paths) -> Path:
    """Return where the person's own templates are: beside their configuration."""
    return paths.config_file.with_name("templates")


def template_files(paths: Paths) -> dict[str, tuple[Path, bool]]:
    """Return the file of each template by name, and whether it is the person's: theirs stand before shipped ones."""
    found = {}
    for folder, own in ((SHIPPED, False), (own_folder(paths), True)):
        try:
            files = sorted(folder.glob("*.yaml"))
        except OSError as error:
            raise ConfigError(f"{folder} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
        found.update({file.stem: (file, own) for file in files if NAME.fullmatch(file.stem)})
    return dict(sorted(found.items()))


def find_template(paths: Paths, name: str) -> Template:
    """Return a template by its name. Raises NotFound, and ConfigError naming file and line when it is wrong."""
    files = template_files(paths)
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        hint = f"Did you mean {near[0]}?" if near else "`quarterdeck plan template list` shows them."
        raise NotFound(f"There is no template {name!r}.", hint=hint)
    return read_template(*files[name])


def read_template(path: Path, own: bool) -> Template:
    """Return the template in a file. Raises ConfigError naming file and line."""
    document = read_document(path)
    if document is None:
        raise NotFound(f"The template {path} is not there any more.", hint="`quarterdeck plan template list`")
    try:
        read = TemplateDocument.model_validate(document.value)
    except ValidationError as error:
        raise _explained(error, document, path) from error
    lines = {key[1:]: line for key, line in document.lines.items() if key[:1] == ("plan",)}
    return Template(path.stem, path, own, read, lines)


def given_values(template: Template, given: dict[str, str]) -> dict[str, Value]:
    """Return the values of parameters, defaults included. Raises InvalidInput for what is unknown or cannot be one."""
    known = template.parameters
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known) or 'none'}."
            raise InvalidInput(f"The template {template.name} has no parameter {name!r}.", hint=hint)
    values: dict[str, Value] = {}
    for name, parameter in known.items():
        if name in given:
            try:
                values[name] = parameter.value(given[name])
            except ValueError as error:
                raise InvalidInput(f"The parameter {name}: {error}.", hint=parameter.description) from error
        elif parameter.default is not None:
            values[name] = parameter.default
    return values


def _explained(error: ValidationError, document: Document, path: Path) -> ConfigError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    key = tuple(str(part) for part in first["loc"])
    found = (document.lines.get(key[:length]) for length in range(len(key), -1, -1))
    line = next((line for line in found if line), 1)
    what = {"extra_forbidden": "there is no such key", "missing": "this is needed, and it is absent"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    name = f" `{'.'.join(key)}`:" if key else ""
    return ConfigError(f"{path}:{line}:{name} {what[:1].lower()}{what[1:]}.", hint=_HINT)
