"""A plan drawn from left to right."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len

from panels.view.plan import Edge, Kind, TaskView
from panels.view.plandrawing import Drawing, drawing, label, spans
from panels.view.planlayout import LANES, layout

Needs = dict[str, list[str]]


def tasks_of(needs: Needs, **titles: str) -> list[TaskView]:
    layers: dict[str, int] = {}
    for task, before in needs.items():
        layers[task] = 1 + max((layers[each] for each in before), default=-1)
    return [
        TaskView(
            task, titles.get(task, task), "gate" if task == "ok" else "implement", layers[task], tuple(before),
            tuple(before), "pending", "", None, 0, None, {}, None, None,
        )
        for task, before in needs.items()
    ]  # fmt: skip


def edges_of(needs: Needs) -> list[Edge]:
    return [Edge(before, task, "needs") for task, each in needs.items() for before in each]


def rows_of(drawn: Drawing, tasks: list[TaskView], first: int = 0, width: int = 200) -> list[str]:
    known = {task.id: task for task in tasks}
    found = []
    for row in range(drawn.layout.height):
        begins, parts = spans(drawn, row, first, width, lambda task: (("●", ""), (label(known[task]), "")))
        found.append("".join(text for text, _ in parts)[first - begins :].rstrip())
    return found


def picture(needs: Needs, *ways: tuple[str, str, Kind], **titles: str) -> list[str]:
    tasks = tasks_of(needs, **titles)
    return rows_of(drawing(tasks, edges_of(needs) + [Edge(*way) for way in ways]), tasks)


def test_two_in_parallel_a_gate_and_a_join() -> None:
    assert picture({"a": [], "b": [], "ok": ["a", "b"], "join": ["ok"]}) == [
        "● a ─┬─ ● ◇ ok ── ● join",
        "● b ─┘",
    ]


def test_what_is_apart_stays_apart_and_one_way_of_a_crossing_is_interrupted() -> None:
    assert picture({"a1": [], "a2": [], "a3": [], "b1": ["a3"], "b2": ["a1"], "c": ["b1", "b2"], "d": ["a2"]}) == [
        "● a1 ── ● b2 ─┬─ ● c",
        "● a2 ── ● d   │",
        "● a3 ── ● b1 ─┘",
    ]


def test_a_long_way_takes_a_row_of_the_columns_that_it_passes() -> None:
    assert picture({"a": [], "z": [], "b": ["a"], "c": ["b"], "d": ["c", "z"]}) == [
        "● a ── ● b ── ● c ─┬─ ● d",
        "● z ───────────────┘",
    ]


def test_what_follows_from_other_needs_is_not_drawn() -> None:
    assert picture({"a": [], "b": ["a"], "c": ["a", "b"]}) == ["● a ── ● b ── ● c"]


def test_a_way_that_is_not_always_taken_is_dashed() -> None:
    tasks = tasks_of({"a": [], "b": ["a"], "fix": []})
    tasks[2].layer = 1
    drawn = drawing(tasks, [Edge("a", "b", "needs"), Edge("a", "fix", "failure")])
    assert rows_of(drawn, tasks) == ["● a ─┬─ ● b", "     └╌ ● fix"]


def test_wide_letters_and_long_names_keep_the_columns() -> None:
    drawn = picture({"a": [], "b": [], "c": ["a", "b"]}, a="你好", b="x" * 90)
    assert cell_len(drawn[0].partition("┬")[0]) == cell_len(drawn[1].partition("┘")[0])
    assert drawn[1].startswith("● xxx")


def test_hostile_text_stays_one_line() -> None:
    assert picture({"a": []}, a="[red]x[/]\n\x1b[2J\u202ey") == ["● [red]x[/] y"]


def test_a_part_of_a_row_begins_at_any_cell() -> None:
    needs = {"a": [], "b": ["a"], "c": ["b"]}
    tasks = tasks_of(needs)
    drawn = drawing(tasks, edges_of(needs))
    whole = rows_of(drawn, tasks)[0]
    for first in range(len(whole)):
        (part,) = rows_of(drawn, tasks, first, 6)
        assert part.startswith(whole[first : first + 6].rstrip())


def test_what_is_where() -> None:
    needs = {"a": [], "b": [], "ok": ["a", "b"]}
    drawn = drawing(tasks_of(needs), edges_of(needs))
    assert [drawn.task_at(0, 0), drawn.task_at(1, 2), drawn.task_at(0, drawn.starts[1] + 1)] == ["a", "b", "ok"]
    assert drawn.task_at(1, drawn.starts[1] + 1) is None
    assert drawn.task_at(5, 0) is None
    first, end = drawn.cells("ok")
    assert end == drawn.width
    assert drawn.task_at(0, first) == drawn.task_at(0, end - 1) == "ok"


@pytest.mark.parametrize("seed", range(20))
def test_no_two_take_the_same_place_and_each_stands_behind_its_needs(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same plans each time
    names = [f"t{number}" for number in range(60)]
    needs = {name: chance.sample(names[:at], min(at, chance.randint(0, 3))) for at, name in enumerate(names)}
    tasks = tasks_of(needs)
    found = layout({task.id: task.layer for task in tasks}, edges_of(needs))
    assert len(set(found.places.values())) == len(tasks)
    for task, before in needs.items():
        assert all(found.places[each][0] < found.places[task][0] for each in before)
    for number, column in enumerate(found.columns):
        assert all(found.columns[number].rows[row] for row in column.rows)
        here, there = set(column.rows.values()), set(found.columns[number + 1].rows.values()) if column.links else set()
        assert all(source in here and set(targets) <= there for (source, _), targets in column.links.items())
    assert found.left_out == 0


def test_a_chain_and_a_fan_of_ten_thousand() -> None:
    chain: Needs = {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(10_000)}
    drawn = drawing(tasks_of(chain), edges_of(chain))
    assert (drawn.layout.height, len(drawn.starts)) == (1, 10_000)
    fan: Needs = {"first": [], **{f"t{number}": ["first"] for number in range(9_998)}}
    fan["last"] = list(fan)[1:]
    drawn = drawing(tasks_of(fan), edges_of(fan))
    assert drawn.layout.height == 9_998
    assert drawn.layout.places["last"] == (2, 4_998)


def test_ways_that_would_take_too_many_rows_are_left_out_and_counted() -> None:
    length = 210
    chain: Needs = {f"c{number}": [f"c{number - 1}"] if number else [] for number in range(length)}
    chain.update({f"r{number}": [] for number in range(length)})
    chain["last"] = [f"c{length - 1}", *(f"r{number}" for number in range(length))]
    found = layout({task.id: task.layer for task in tasks_of(chain)}, edges_of(chain))
    assert found.left_out == length - LANES // (length - 1)
