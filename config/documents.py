"""YAML, read safely: bounded, without aliases, anchors, tags or doubled keys, with the line of each key.

Plain scalars follow YAML 1.2's core schema, so ``no`` and ``12:30`` are text, not false and 750.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from config.sources import Key
from supervisor.model.errors import ConfigError

SIZE_LIMIT = 1_000_000
"""Bytes."""

DEPTH_LIMIT = 30
"""Maps and lists inside each other."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"), float),
)


@dataclass(slots=True)
class Document:
    """A YAML document: plain values, and the line (from 1) on which each key or list item begins."""

    value: Any = None
    lines: dict[Key, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """A map or list that has begun and not ended."""

    value: dict[str, Any] | list[Any]
    key: Key
    name: str | None = None


def read_document(path: Path, *, follow_links: bool = True) -> Document | None:
    """Return the document in a file, or None when there is no such file.

    Raises ConfigError naming file and line. Only regular files are read, so a pipe cannot block.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{path} is not a file.", hint="Replace it with a YAML file.")
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", hint="Check the file and its permissions."
        ) from error
    return parse_document(data, str(path))


def parse_document(data: bytes, where: str) -> Document:
    """Return the document in ``data``. Raises ConfigError that names ``where`` and the line."""
    if len(data) > SIZE_LIMIT:
        raise _wrong(where, 1, f"the file is larger than {SIZE_LIMIT:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(where, data.count(b"\n", 0, error.start) + 1, "this line is not UTF-8 text") from error
    document, stack, documents = Document(), list[_Open](), 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _wrong(where, line, "a second document begins here, but there can be only one")
            elif isinstance(event, yaml.NodeEvent):
                _node(event, document, stack, where, line)
            elif isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _wrong(where, line, "this line holds a control character") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _wrong(where, mark.line + 1 if mark else 1, f"this is not YAML: {error.problem}") from error
    return document


def _node(event: yaml.NodeEvent, document: Document, stack: list[_Open], where: str, line: int) -> None:
    """Take one scalar, or the beginning of a map or list."""
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _wrong(where, line, "anchors (&) and aliases (*) are not allowed")
    if (tag := getattr(event, "tag", None)) not in (None, "!"):
        raise _wrong(where, line, f"the tag {tag!r} is not allowed")
    holder = stack[-1] if stack else None
    if holder is not None and isinstance(holder.value, dict) and holder.name is None:
        holder.name = _key(event, holder, where, line)
        document.lines[(*holder.key, holder.name)] = line
        return
    value: Any = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
    if isinstance(event, yaml.CollectionStartEvent):
        if len(stack) >= DEPTH_LIMIT:
            raise _wrong(where, line, f"more than {DEPTH_LIMIT} levels inside each other")
        value = {} if isinstance(event, yaml.MappingStartEvent) else []
    key = _put(holder, value, document, line)
    if isinstance(event, yaml.CollectionStartEvent):
        stack.append(_Open(value, key))


def _put(holder: _Open | None, value: Any, document: Document, line: int) -> Key:
    """Store a value where it belongs and return its key."""
    if holder is None:
        document.value = value
        document.lines[()] = line
        return ()
    if isinstance(holder.value, list):
        key = (*holder.key, str(len(holder.value)))
        holder.value.append(value)
        document.lines[key] = line
        return key
    name, holder.name = holder.name or "", None
    holder.value[name] = value
    return (*holder.key, name)


def _key(event: yaml.NodeEvent, holder: _Open, where: str, line: int) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise _wrong(where, line, "a key must be plain text")
    name = str(event.value)
    if name in holder.value:
        raise _wrong(where, line, f"the key `{'.'.join((*holder.key, name))}` is here a second time")
    return name


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    if not event.style:
        for pattern, convert in _CORE:
            if pattern.fullmatch(text):
                return convert(text)
    return text


def _wrong(where: str, line: int, what: str) -> ConfigError:
    return ConfigError(f"{where}:{line}: {what}.", hint="Correct this line.")
