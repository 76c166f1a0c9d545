"""YAML, read safely: bounded, without aliases, anchors, tags or doubled keys, with the line of each key.

Plain scalars follow YAML 1.2's core schema, so ``no`` and ``12:30`` are text, not false and 750.
"""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
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

VALUE_LIMIT = 100_000
"""Keys, values, maps and lists together: a small file can hold many, and each costs time."""

_SHOWN = 100
"""Characters of a name that an error repeats."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALAR, _MAP, _LIST = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
_MAP_END, _LIST_END = yaml.MappingEndEvent, yaml.SequenceEndEvent
_VALUES = frozenset({_SCALAR, _MAP, _LIST, yaml.AliasEvent})
_NO_KEY: Key = ()
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_NUMERIC = frozenset("+-.0123456789")

# What JSON may hold inside its quotes and YAML reads as something else: line breaks of Unicode, surrogate pairs, and
# escapes of letters, six characters each, of which YAML takes only so many in a key.
_UNLIKE_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\\u[0-9a-fA-F]")
_ESCAPED = re.compile(r"(\\\\)|\\u([0-9a-fA-F]{4})")
_PAIR = re.compile(r"(\\\\)|\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_ODD = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(slots=True)
class Document:
    """A YAML document: plain values, and the line (from 1) on which each key or list item begins."""

    value: Any = None
    lines: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a document may hold: bytes, and keys, values, maps and lists together."""

    size: int = SIZE_LIMIT
    values: int = VALUE_LIMIT


class Unreadable(ConfigError):
    """A document cannot be read at all. ``line`` counts from 1, ``what`` says what is wrong there."""

    def __init__(self, where: str, line: int, what: str) -> None:
        super().__init__(f"{where}:{line}: {what}.", hint="Correct this line.")
        self.line = line
        self.what = what


@dataclass(slots=True)
class _Open:
    """A map or list that has begun and not ended; ``name`` is the key whose value comes next."""

    value: Any
    key: Key
    is_map: bool
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


def parse_document(data: bytes, where: str, limits: Limits = Limits()) -> Document:
    """Return the document in ``data``. Raises Unreadable that names ``where`` and the line."""
    if len(data) > limits.size:
        raise Unreadable(where, 1, f"the file is larger than {limits.size:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(where, line, "this line is not UTF-8 text") from error
    text = _json_as_yaml(text)
    try:
        return _document(text, where, limits.values)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(where, line, "this line holds a control character") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = min(mark.line, text.count("\n")) + 1 if mark else 1  # the parser may name a line behind the last one
        raise Unreadable(
            where, line, f"this is not {'JSON' if where.endswith('.json') else 'YAML'}: {error.problem}"
        ) from error


def _document(text: str, where: str, limit: int) -> Document:
    """Build the document from the parser's events. One loop without calls: plans have a hundred thousand of them."""
    document, documents, values = Document(), 0, 0
    lines = document.lines
    stack: list[_Open] = []
    holder: _Open | None = None
    loader = _LOADER(text)
    next_event = loader.get_event
    try:
        while True:
            event = next_event()
            sort = type(event)
            if sort is _MAP_END or sort is _LIST_END:
                stack.pop()
                holder = stack[-1] if stack else None
                continue
            if sort not in _VALUES:
                if sort is yaml.StreamEndEvent:
                    return document
                if sort is yaml.DocumentStartEvent:
                    documents += 1
                    if documents > 1:
                        what = "a second document begins here, but there can be only one"
                        raise Unreadable(where, event.start_mark.line + 1, what)
                continue
            line = event.start_mark.line + 1
            values += 1
            if values > limit:
                raise Unreadable(where, line, f"more than {limit:,} keys and values before this line")
            if event.anchor is not None:  # an alias has one, too
                raise Unreadable(where, line, "anchors (&) and aliases (*) are not allowed")
            if event.tag is not None and event.tag != "!":
                raise Unreadable(where, line, f"the tag {_shown(event.tag)!r} is not allowed")
            value: Any
            if sort is _SCALAR:
                value = event.value
                if holder is not None and holder.is_map and holder.name is None:
                    key = (*holder.key, value)
                    if value in holder.value:
                        raise Unreadable(where, line, f"the key `{_shown('.'.join(key))}` is here a second time")
                    holder.name = value
                    lines[key] = line
                    continue
                if not event.style:
                    value = _plain(value)
            else:
                if holder is not None and holder.is_map and holder.name is None:
                    raise Unreadable(where, line, "a key must be plain text")
                if len(stack) >= DEPTH_LIMIT:
                    raise Unreadable(where, line, f"more than {DEPTH_LIMIT} levels inside each other")
                value = {} if sort is _MAP else []
            if holder is None:
                key = ()
                document.value = value
                lines[key] = line
            elif holder.is_map:
                holder.value[holder.name] = value
                key = _NO_KEY if sort is _SCALAR else (*holder.key, holder.name or "")
                holder.name = None
            else:
                key = (*holder.key, str(len(holder.value)))
                holder.value.append(value)
                lines[key] = line
            if sort is not _SCALAR:
                holder = _Open(value, key, sort is _MAP)
                stack.append(holder)
    finally:
        loader.dispose()


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _plain(text: str) -> Any:
    """Return what text without quotes means."""
    if text[:1] in _NUMERIC:
        if _WHOLE.fullmatch(text):
            return int(text)
        if _FRACTION.fullmatch(text):
            return float(text)
        return text
    return _WORDS.get(text, text)


def _json_as_yaml(text: str) -> str:
    """Return JSON so that YAML reads the same from it; lines stay where they are. Anything else stays as it is."""
    if text.lstrip()[:1] not in ("{", "[") or not _UNLIKE_YAML.search(text):
        return text
    try:
        json.loads(text, parse_int=str)
    except (ValueError, RecursionError):
        return text
    text = _ESCAPED.sub(_unescaped, _PAIR.sub(_joined, text))
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _unescaped(escape: re.Match[str]) -> str:
    """Return the letter that an escape stands for; what cannot stand for itself in quotes stays escaped."""
    if escape[1]:
        return escape[1]
    letter = chr(int(escape[2], 16))
    return letter if letter.isalnum() or unicodedata.category(letter).startswith("M") else escape[0]


def _joined(pair: re.Match[str]) -> str:
    """Return one long escape for the two of a surrogate pair; an escaped backslash before them is not theirs."""
    if pair[1]:
        return pair[1]
    return f"\\U{0x10000 + (int(pair[2], 16) - 0xD800) * 0x400 + int(pair[3], 16) - 0xDC00:08x}"
