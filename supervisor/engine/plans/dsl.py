"""The text language of plans: a plan file in few words (docs/plan-language.md tells it to people).

::

    file       = [plan] {task}
    plan       = "plan" id [title]
    task       = "task" id [title] {attribute}  NEWLINE  {field}      fields are indented, all of a task alike
    attribute  = ("kind" | "using" | "agent" | "priority" | "timeout" | "approval") ":" (quoted | word)
    field      = "needs:" id {"," id}
               | ("output:" | "reads:" | "writes:") text {"," text}
               | ("needs:" | "expect:" | "check:" | "output:" | "reads:" | "writes:")  NEWLINE  {"- " text}
               | "input:"  NEWLINE  {key ":" (quoted | text)}
               | ("run:" | "prompt:") (text | ("|" | "|-")  NEWLINE  block)
               | "on" ("failure" | "success") "->" id
    title      = quoted
    quoted     = a JSON string
    id         = letters, digits and _ * . / -, of which the last three do not come first
    key        = letters, digits and _ . -, of which the last two do not come first

A line whose first sign is ``#`` is a comment, but for lines of a block. A word or an input's text that reads as a JSON
number, ``true``, ``false`` or ``null`` is that. Everything else is text as it stands, to the end of its line. Lines of
a block are indented deeper than its field, and keep what they are indented deeper than the first; ``|`` ends the text
with a newline, ``|-`` does not.

The text is read line by line, in time linear to its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from config.documents import SIZE_LIMIT, Document
from supervisor.engine.plans.dsl_reader import Reader, wrong
from supervisor.engine.plans.dsl_words import ATTRIBUTES, BLANKS, CONTROL, FIELDS, ID, INPUT, VALUE_LIMIT, plain
from supervisor.model.errors import InvalidInput

_INDENT = "  "
_WORD = re.compile(r'[^ \t\n"]+')


def parse(data: bytes, where: str) -> Document:
    """Return the plan in ``data``, named as in a plan file, with the line of each key and item.

    Whether the plan makes sense is not looked at. Raises ConfigError that names ``where`` and the line.
    """
    if len(data) > SIZE_LIMIT:
        wrong(where, 1, f"the file is larger than {SIZE_LIMIT:,} bytes")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        wrong(where, data.count(b"\n", 0, error.start) + 1, "this line is not UTF-8 text")
    if hidden := CONTROL.search(text):
        wrong(where, text.count("\n", 0, hidden.start()) + 1, "this line holds a control character")
    document = Reader(text, where).read()
    if len(document.lines) > VALUE_LIMIT:
        line = [*document.lines.values()][VALUE_LIMIT]
        wrong(where, line, f"this is more than {VALUE_LIMIT:,} keys and items: split the plan")
    return document


def write(value: Mapping[str, Any]) -> str:
    """Return a plan in the plan language: what ``parse`` reads back as the same value.

    Fields that are None or empty lists and maps say nothing and are left out; a map in which each name stands for
    itself is written as the list that it came from. Raises InvalidInput that names the field which the language has no
    words for.
    """
    for name in value:
        if name not in ("id", "title", "tasks"):
            _unsayable(value[name], name)
    lines: list[str] = []
    if value.get("id") is not None:
        lines.append(f"plan{_head(value, '')}")
    elif value.get("title") is not None:
        raise _refusal("title", "a plan with a title needs an id")
    tasks = value.get("tasks")
    if not isinstance(tasks, list):
        raise _refusal("tasks", "it is no list")
    for index, task in enumerate(tasks):
        at = f"tasks.{index}"
        if not isinstance(task, Mapping):
            raise _refusal(at, "it is no task")
        lines += ["", *_task(task, at)] if lines else _task(task, at)
    return "".join(f"{line}\n" for line in lines)


def _task(task: Mapping[str, Any], at: str) -> Iterator[str]:
    words = [f"task{_head(task, at)}"]
    for word, name in ATTRIBUTES.items():
        if _says(task.get(name)):
            words.append(f"{word}:{_plain(task[name], f'{at}.{name}', spaces=False)}")
    yield " ".join(words)
    for word, (name, form) in FIELDS.items():
        if not _says(task.get(name)):
            continue
        given, where = task[name], f"{at}.{name}"
        if form == "text":
            yield from _text(word, given, where)
        elif form == "map":
            yield f"{_INDENT}{word}:"
            yield from _inputs(given, where)
        elif form == "ids":
            needs = [_id(need, f"{where}.{index}") for index, need in enumerate(_list(given, where))]
            yield f"{_INDENT}{word}: {', '.join(needs)}"
        else:
            yield f"{_INDENT}{word}:"
            yield from (f"{_INDENT * 2}- {_line(item, f'{where}.{i}')}" for i, item in enumerate(_list(given, where)))
    for index, way in enumerate(_list(task.get("next") or [], f"{at}.next")):
        where = f"{at}.next.{index}"
        if not isinstance(way, Mapping) or set(way) != {"on", "to"} or way["on"] not in ("success", "failure"):
            raise _refusal(where, "it can say `on: success` or `on: failure`, with `to`")
        yield f"{_INDENT}on {way['on']} -> {_id(way['to'], f'{where}.to')}"
    known = {"id", "title", "next", *ATTRIBUTES.values(), *(name for name, _ in FIELDS.values())}
    for name in task:
        if name not in known:
            _unsayable(task[name], f"{at}.{name}")


def _head(holder: Mapping[str, Any], at: str) -> str:
    dot = f"{at}." if at else ""
    title = holder.get("title")
    if title is not None and not isinstance(title, str):
        raise _refusal(f"{dot}title", "it is no text")
    return f" {_id(holder.get('id'), f'{dot}id')}" + ("" if title is None else f" {_quoted(title, f'{dot}title')}")


def _inputs(given: Any, where: str) -> Iterator[str]:
    if not isinstance(given, Mapping):
        raise _refusal(where, "it is no map")
    for name, value in given.items():
        if not isinstance(name, str) or not INPUT.fullmatch(name):
            raise _refusal(f"{where}.{name}", "the name holds other signs than letters, digits and _ . -")
        yield f"{_INDENT * 2}{name}: {_plain(value, f'{where}.{name}', spaces=True)}"


def _text(word: str, given: Any, where: str) -> Iterator[str]:
    """Write a text on the line of its field where that is possible, and else as a block."""
    text = _seen(given, where)
    if text and "\n" not in text and text == text.strip(BLANKS) and text not in ("|", "|-"):
        yield f"{_INDENT}{word}: {text}"
        return
    lines = text.removesuffix("\n").split("\n")
    if not lines[-1].strip(BLANKS):
        raise _refusal(where, "it is empty, or ends with an empty line")
    if next(line for line in lines if line.strip(BLANKS)).startswith(" "):
        raise _refusal(where, "its first line is indented")
    yield f"{_INDENT}{word}: {'|' if text.endswith(chr(10)) else '|-'}"
    yield from (f"{_INDENT * 2}{line}" if line else "" for line in lines)


def _plain(value: Any, where: str, *, spaces: bool) -> str:
    """Write a word or an input's text, in quotes where it would be read as something else."""
    if isinstance(value, str):
        bare = plain(value) == value and (_WORD.fullmatch(value) or (spaces and _bare_line(value)))
        return value if bare and not CONTROL.search(value) else _quoted(value, where)
    if value is None or isinstance(value, bool | int | float):
        text = json.dumps(value)
        if type(plain(text)) is type(value) and plain(text) == value:
            return text
    raise _refusal(where, "it can be a text, a number, true, false or null")


def _bare_line(text: str) -> bool:
    return bool(text) and "\n" not in text and text == text.strip(BLANKS) and not text.startswith('"')


def _line(value: Any, where: str) -> str:
    text = _seen(value, where)
    if not text or "\n" in text or text != text.strip(BLANKS):
        raise _refusal(where, "it is empty, has several lines, or blanks at an end")
    return text


def _id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise _refusal(where, "a name has letters, digits and _ * . / -, and begins with one of the first four")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if isinstance(value, Mapping) and all(name == item for name, item in value.items()):
        return list(value)
    if not isinstance(value, list):
        raise _refusal(where, "it is no list")
    return value


def _seen(value: Any, where: str) -> str:
    if not isinstance(value, str) or CONTROL.search(value):
        raise _refusal(where, "it is no text, or holds a control character")
    return value


def _quoted(text: str, where: str) -> str:
    return json.dumps(_seen(text, where), ensure_ascii=False)


def _says(value: Any) -> bool:
    return value is not None and value != [] and value != {}


def _unsayable(value: Any, where: str) -> None:
    """Refuse a field that the language has no word for, when it says anything."""
    if _says(value):
        raise _refusal(where, "there is no word for it")


def _refusal(where: str, why: str) -> InvalidInput:
    return InvalidInput(f"The plan language cannot say {where}: {why}.", hint="Write this plan as YAML.")
