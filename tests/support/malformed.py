"""Plan documents that are broken in every way that people, programs and disks break them; the same ones each time."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from config.documents import parse_document

SAMPLES = Path(__file__).parents[1] / "samples" / "plans"

Break = Callable[[random.Random, Any], Any]


def large_plan(tasks: int) -> dict[str, Any]:
    """Return a valid plan whose tasks use most of what a task can say."""
    return {
        "id": "plan-large",
        "title": "Many tasks",
        "policies": {"requireGateForProd": True},
        "pools": {"cpu": 4},
        "metadata": {"anything": [1, {"deep": True}]},
        "tasks": [_task(number) for number in range(tasks)],
    }


def _task(number: int) -> dict[str, Any]:
    task: dict[str, Any] = {
        "id": f"task-{number:05}",
        "title": f"Task number {number}",
        "needs": [f"task-{before:05}" for before in (number - 1, number // 2) if 0 <= before < number],
    }
    if number % 10 == 9:
        return {**task, "kind": "gate", "checks": ["test -f a.txt"], "approval": True}
    return {
        **task,
        "kind": "implement",
        "command": "make test > a.txt",
        "timeout": "30m",
        "environment": {"LEVEL": "1"},
        "resources": {"cpu": 1},
        "retry": {"attempts": 2, "delay": 5},
        "budget": {"timeMin": 30, "costUSD": 5},
    }


def malformed(count: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield how each document was broken, the name of its file, and the document. A few are valid all the same."""
    sources = [(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.[jpy]*"))]
    sources.append(("large.json", json.dumps(large_plan(60), indent=1).encode()))
    sources.append(("large.yaml", yaml.safe_dump(large_plan(60)).encode()))
    for number in range(count):
        chance = random.Random(number)  # noqa: S311 - the same documents each time
        name, source = chance.choice(sources)
        kinds = _BYTES if name.endswith(".plan") else [*_STRUCTURE, *_BYTES]
        broken = kinds[number % len(kinds)]
        if broken in _BYTES:
            yield f"{number} {broken.__name__}", name, broken(chance, source)
        else:
            value = broken(chance, parse_document(source, name).value)
            yield f"{number} {broken.__name__}", "broken.json", json.dumps(value, indent=1, default=str).encode()


def _maps(value: Any) -> list[dict[str, Any]]:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [*([value] if isinstance(value, dict) and value else []), *(each for part in below for each in _maps(part))]


def dropped_key(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    del where[chance.choice(list(where))]
    return value


def mistyped_key(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    key = chance.choice(list(where))
    place = chance.randrange(len(key))
    where[key[:place] + chance.choice("xyz_ ") + key[place + chance.randrange(2) :]] = where.pop(key)
    return value


def second_spelling(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    key = chance.choice(["needs", "depends_on", "dependsOn", "tasks", "nodes", "id", "plan_id", "timeMin", "time"])
    where[key] = chance.choice([[], ["task-00001"], "x", 5])
    return value


def wrong_type(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    where[chance.choice(list(where))] = chance.choice(
        [None, True, -1, 0, 1.5, 10**30, "", "x", [], {}, [[]], [None], [{}], {"": 1}, {"a": {"b": []}}, ["a", 1]]
    )
    return value


def repeated_task(chance: random.Random, value: Any) -> Any:
    for where in _maps(value):
        for each in where.values():
            if isinstance(each, list) and each:
                each.append(copy.deepcopy(chance.choice(each)))
    return value


def turned_needs(chance: random.Random, value: Any) -> Any:
    tasks = [each for each in _maps(value) if "kind" in each or "needs" in each or "depends_on" in each]
    ids = [each["id"] for each in tasks if isinstance(each.get("id"), str)] + ["nobody", "", "a b", "../x"]
    for each in tasks:
        each.pop("depends_on", None)
        each["needs"] = [chance.choice(ids) for _ in range(3)]
    return value


def huge_text(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    key = chance.choice(list(where))
    if chance.random() < 0.5:
        where[key] = "x" * 200_000
    else:
        where["k" * 100_000] = where.pop(key)
    return value


def control_characters(chance: random.Random, value: Any) -> Any:
    where = chance.choice(_maps(value))
    where[chance.choice(list(where))] = chance.choice(
        ["\x00", "a\x1b[31m", "\u202e", "\x7f", "\u2028", "\ud800", "é\x85"]
    )
    return value


def deep_nesting(chance: random.Random, value: Any) -> Any:
    deep: Any = []
    for _ in range(chance.choice([5, 40, 400])):
        deep = chance.choice([[deep], {"subplan": deep}, {"tasks": [deep]}])
    chance.choice(_maps(value))[chance.choice(["subplan", "metadata", "tasks", "inputs"])] = deep
    return value


def another_document(chance: random.Random, value: Any) -> Any:
    return chance.choice(
        [None, [], {}, "text", 5, [value], {"plan": value}, {"tasks": value}, {"task_sequence": value}]
    )


def cut_bytes(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def random_bytes(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + chance.randbytes(chance.randrange(1, 30)) + data[place + chance.randrange(5) :]


def moved_lines(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    place = chance.randrange(len(lines))
    lines[place] = chance.choice([b"", b"  ", b"\t", b"- ", b"{", b"'"]) + lines[place] * chance.randrange(3)
    return b"".join(lines)


def odd_syntax(chance: random.Random, data: bytes) -> bytes:
    place = chance.randrange(len(data))
    odd = [
        b"&a ",
        b"*a",
        b"!!python/object:x ",
        b"\x00",
        b"\xff\xfe",
        b"\n---\n",
        b"? ",
        b": ",
        b"[" * 1000,
        b"%YAML 9\n",
    ]
    return data[:place] + chance.choice(odd) + data[place:]


_BYTES: list[Break] = [cut_bytes, random_bytes, moved_lines, odd_syntax]
_STRUCTURE: list[Break] = [
    dropped_key,
    mistyped_key,
    second_spelling,
    wrong_type,
    repeated_task,
    turned_needs,
    huge_text,
    control_characters,
    deep_nesting,
    another_document,
]
