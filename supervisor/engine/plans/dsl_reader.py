"""Reads a plan in the plan language, line by line (dsl.py has the grammar)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from config.documents import Document, Unreadable
from config.sources import Key
from supervisor.engine.plans.dsl_words import ATTRIBUTES, BLANKS, CONTROL, FIELDS, ID, INPUT, plain

_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_NAME = re.compile(r"[a-z]+")
_HEAD = re.compile(rf"[ \t]+({ID.pattern})(?:[ \t]+({_QUOTED.pattern}))?(?=[ \t]|$)")
_ATTRIBUTE = re.compile(rf'[ \t]+([a-z]+):({_QUOTED.pattern}(?=[ \t]|$)|[^ \t"]+)')
_FIELD = re.compile(r"([a-z]+):(?:[ \t]+|$)(.*)", re.DOTALL)
_ON = re.compile(rf"on[ \t]+(success|failure)[ \t]*->[ \t]*({ID.pattern})")
_INPUT = re.compile(rf"({INPUT.pattern}):(?:[ \t]+|$)(.*)", re.DOTALL)


def wrong(where: str, line: int, what: str) -> NoReturn:
    """Raise the error that names a line."""
    raise Unreadable(where, line, what)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    text: str


class Reader:
    """Reads one text from its first line to its last."""

    def __init__(self, text: str, where: str) -> None:
        self._lines = text.split("\n")
        self._where = where
        self._next = 0
        self._document = Document({"tasks": []}, {(): 1, ("tasks",): 1})

    def read(self) -> Document:
        """Return the plan with the line of each key and item. Raises ConfigError that names the line."""
        plan, lines = self._document.value, self._document.lines
        first = True
        while line := self._take(0):
            word = _NAME.match(line.text)
            if word and word[0] == "plan" and first:
                self._head(line, word.end(), plan, ())
            elif word and word[0] == "task":
                if not plan["tasks"]:
                    lines[("tasks",)] = line.number
                self._task(line, word.end())
            elif word and word[0] == "plan":
                self._wrong(line, "a plan is named once, before its first task")
            else:
                self._wrong(line, f"{_short(line.text)} is not understood: a task begins with the word task")
            if first:
                lines[()] = line.number
            first = False
        return self._document

    def _task(self, line: _Line, at: int) -> None:
        task: dict[str, Any] = {}
        key = ("tasks", str(len(self._document.value["tasks"])))
        self._document.value["tasks"].append(task)
        self._document.lines[key] = line.number
        self._head(line, at, task, key)
        indent = None
        while field := self._take(1):
            if field.indent != (indent := indent or field.indent):
                self._wrong(field, "this line is not indented like the field before it")
            self._field(field, task, key)

    def _head(self, line: _Line, at: int, holder: dict[str, Any], key: Key) -> None:
        """Take id, title and attributes behind the word that begins a plan or a task."""
        head = _HEAD.match(line.text, at)
        if head is None:
            self._wrong(line, f'a name is missing: write {line.text[:at]} name "Title"')
        self._put(holder, key, "id", head[1], line)
        if head[2] is not None:
            self._put(holder, key, "title", self._unquoted(head[2], line), line)
        at = head.end()
        while at < len(line.text):
            found = _ATTRIBUTE.match(line.text, at)
            if found is None or not key:
                allowed = "kind:research, behind the title" if key else 'a plan has only a name and a "title"'
                self._wrong(line, f"{_short(line.text[at:].strip(BLANKS))} is not understood here: {allowed}")
            name = ATTRIBUTES.get(found[1]) or self._unknown(line, found[1], ATTRIBUTES)
            self._put(holder, key, name, self._plain(found[2], line), line)
            at = found.end()

    def _field(self, line: _Line, task: dict[str, Any], key: Key) -> None:
        if leads := _ON.fullmatch(line.text):
            ways = task.setdefault("next", [])
            self._document.lines.setdefault((*key, "next"), line.number)
            way = (*key, "next", str(len(ways)))
            ways.append({"on": leads[1], "to": leads[2]})
            self._document.lines |= {way: line.number, (*way, "on"): line.number, (*way, "to"): line.number}
            return
        found = _FIELD.fullmatch(line.text)
        if found is None:
            forms = "a field is `name: …`, or `on failure -> name`"
            self._wrong(line, f"{_short(line.text)} is not understood: {forms}")
        name, form = FIELDS.get(found[1]) or self._unknown(line, found[1], [*FIELDS, "on failure ->", "on success ->"])
        rest, at = found[2], (*key, name)
        value: list[str] | dict[str, Any] | str
        if form == "text":
            value = self._block(line, keep_end=rest == "|") if rest in ("|", "|-") else rest
        elif form == "map":
            value = {} if rest else self._inputs(line, at)
        elif form == "lines" or not rest:
            value = [] if rest else self._items(line, at)
        else:
            value = [piece.strip(BLANKS) for piece in rest.split(",")]
            self._document.lines |= {(*at, str(index)): line.number for index in range(len(value))}
            if not all(value):
                self._wrong(line, "a name is missing beside a comma")
        if not value:
            lower = {"map": "`name: text`", "text": "text"}.get(form, "`- text`")
            self._wrong(line, f"{found[1]} has nothing that belongs to it: write {lower} on lines below it, indented")
        if form == "ids" and (odd := next((need for need in value if not ID.fullmatch(need)), None)):
            self._wrong(line, f"{_short(odd)} is not the name of a task")
        self._put(task, key, name, value, line)

    def _items(self, field: _Line, key: Key) -> list[str]:
        """Take the lines ``- text`` below a field."""
        found: list[str] = []
        for line in self._below(field):
            text = line.text[1:].strip(BLANKS)
            if line.text[:1] != "-" or line.text[1:2] not in BLANKS or not text:
                self._wrong(line, f"{_short(line.text)} is not understood: each line here is `- text`")
            self._document.lines[(*key, str(len(found)))] = line.number
            found.append(text)
        return found

    def _inputs(self, field: _Line, key: Key) -> dict[str, Any]:
        """Take the lines ``name: text`` below a field."""
        found: dict[str, Any] = {}
        for line in self._below(field):
            pair = _INPUT.fullmatch(line.text)
            if pair is None or not pair[2]:
                self._wrong(
                    line, f'{_short(line.text)} is not understood: each line here is `name: text`, or `name: ""`'
                )
            self._put(found, key, pair[1], self._plain(pair[2], line), line)
        return found

    def _below(self, field: _Line) -> list[_Line]:
        """Take the lines that are indented deeper than a field, all alike."""
        found: list[_Line] = []
        while line := self._take(field.indent + 1):
            if found and line.indent != found[0].indent:
                self._wrong(line, "this line is not indented like the one before it")
            found.append(line)
        return found

    def _block(self, field: _Line, *, keep_end: bool) -> str:
        """Take the text below a field, without what all of it is indented, and without empty lines at its end."""
        found: list[str] = []
        indent = whole = 0
        while self._next < len(self._lines):
            line = self._lines[self._next]
            deep = len(line) - len(line.lstrip(" "))
            if line.strip(BLANKS):
                if deep <= field.indent:
                    break
                indent = indent or deep
                if deep < indent:
                    self._wrong(
                        _Line(self._next + 1, deep, line), "this line is indented less than its block's first one"
                    )
                whole = len(found) + 1
            found.append(line)
            self._next += 1
        return "\n".join(line[indent:] for line in found[:whole]) + ("\n" if keep_end and whole else "")

    def _take(self, least: int) -> _Line | None:
        """Take the next line that says something, when it is indented at least so far."""
        while self._next < len(self._lines):
            raw = self._lines[self._next]
            text = raw.lstrip(" ")
            line = _Line(self._next + 1, len(raw) - len(text), text.rstrip(BLANKS))
            if line.text and not line.text.lstrip("\t").startswith("#"):
                if line.text.startswith("\t"):
                    self._wrong(line, "this line is indented with a tab: use spaces")
                if line.indent < least:
                    return None
                if not least and line.indent:
                    self._wrong(line, "this line is indented, but belongs to no task")
                self._next += 1
                return line
            self._next += 1
        return None

    def _put(self, holder: dict[str, Any], key: Key, name: str, value: Any, line: _Line) -> None:
        if name in holder:
            first = self._document.lines[(*key, name)]
            self._wrong(line, f"{_short('.'.join((*key, name)))} is here a second time, after line {first}")
        holder[name] = value
        self._document.lines[(*key, name)] = line.number

    def _plain(self, text: str, line: _Line) -> Any:
        return self._unquoted(text, line) if text.startswith('"') else plain(text)

    def _unquoted(self, text: str, line: _Line) -> str:
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            value = None
        if not isinstance(value, str) or CONTROL.search(value):
            self._wrong(line, f"{_short(text)} is not a text in double quotes, written as in JSON")
        return value

    def _unknown(self, line: _Line, name: str, known: Iterable[str]) -> NoReturn:
        near = get_close_matches(name[:40], list(known), 1)
        meant = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        self._wrong(line, f"there is no field {_short(name)}; {meant}")

    def _wrong(self, line: _Line, what: str) -> NoReturn:
        wrong(self._where, line.number, what)


def _short(text: str) -> str:
    return f"`{text if len(text) <= 60 else text[:59] + '…'}`"
