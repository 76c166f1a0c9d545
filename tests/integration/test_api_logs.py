"""A session's log over the API: onwards, and backwards from its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import Client, at
from supervisor.api.logs import PAGE_MIN
from supervisor.engine import beginnings
from supervisor.engine.spool import LINE_LIMIT
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput
from tests.support.supervised import Supervised

STAMP = b"2026-11-21T09:05:00.123456Z"


def record(stream: str, tag: str, text: str) -> bytes:
    return b"%s %s %s %s\n" % (STAMP, stream.encode(), tag.encode(), text.encode())


@pytest.fixture
async def session(supervised: Supervised) -> Session:
    return await supervised.ended(await supervised.run("true", name="writer"))


def write_log(session: Session, *records: bytes) -> int:
    data = b"".join(records)
    Path(session.log_path).write_bytes(data)
    return len(data)


async def page(client: Client, session: Session, **query: Any) -> dict[str, Any]:
    return await client.get(at("session", session.id, "logs"), **query)


async def backwards(client: Client, session: Session, limit: int) -> list[dict[str, Any]]:
    """Every page, the last one first, as one reads who begins at the end."""
    end = (await page(client, session, end=2**53, limit=1))["size"]
    pages: list[dict[str, Any]] = []
    while end > 0:
        pages.append(await page(client, session, end=end, limit=limit))
        assert pages[-1]["next_offset"] == end
        assert pages[-1]["offset"] < end
        end = pages[-1]["offset"]
    return pages


def texts(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(line["stream"], line["text"]) for line in found["lines"]]


async def test_pages_from_the_end_hold_every_line_once_and_whole(supervised: Supervised, session: Session) -> None:
    """Lines of many parts, on two streams at once, over every border of a page."""
    records, expected = [], []
    for number in range(400):
        begin, middle, end = (f"{number:03}{part}" + part * 500 for part in "abc")
        records += [
            record("stdout", "P", begin),
            record("stderr", "F", f"between {number}"),
            record("stdout", "P", middle),
            record("stdout", "F", end),
        ]
        expected += [("stderr", f"between {number}"), ("stdout", begin + middle + end)]
    size = write_log(session, *records)
    torn = 0
    for more in range(0, 2_000, 400):
        pages = await backwards(supervised.client, session, PAGE_MIN + more)
        assert len(pages) > 4
        assert [line for each in reversed(pages) for line in texts(each)] == expected
        assert all(each["continues"] == [] and each["size"] == size for each in pages)
        torn += sum(bool(each["partial"]) for each in pages)
    assert torn, "no border fell into a line: the test checks nothing"


async def test_an_answer_says_where_it_begins_and_how_long_the_log_is(supervised: Supervised, session: Session) -> None:
    first, second = record("stdout", "F", "one"), record("stdout", "F", "two")
    size = write_log(session, first, second)
    onwards = await page(supervised.client, session, offset=len(first))
    assert texts(onwards) == [("stdout", "two")]
    assert {key: onwards[key] for key in ("offset", "next_offset", "size")} == {
        "offset": len(first), "next_offset": size, "size": size,
    }  # fmt: skip
    assert (await page(supervised.client, session))["offset"] == 0


@pytest.mark.parametrize(
    ("end", "shown"),
    [(0, []), (10, []), (-1, ["one"]), (0.5, ["one"]), (1, ["one", "two"]), (99, ["one", "two"])],
    ids=["nothing", "inside the first", "at a border", "inside the last", "the size", "beyond the size"],
)
async def test_an_end_is_moved_back_to_where_a_record_ends(
    supervised: Supervised, session: Session, end: float, shown: list[str]
) -> None:
    first, second = record("stdout", "F", "one"), record("stdout", "F", "two")
    size = write_log(session, first, second)
    asked = {-1: len(first), 0.5: size - 3, 1: size, 99: size + 1_000}.get(end, int(end))
    found = await page(supervised.client, session, end=asked)
    assert [line["text"] for line in found["lines"]] == shown
    assert (found["offset"], found["next_offset"]) == (0, len(shown) * len(first))


async def test_what_has_not_ended_is_partial_also_when_it_began_before_the_page(
    supervised: Supervised, session: Session
) -> None:
    filler = record("stderr", "F", "x" * 1_000)
    size = write_log(session, record("stdout", "P", "Really? "), filler * 200, record("stdout", "P", "[y/N] "))
    found = await page(supervised.client, session, end=size, limit=PAGE_MIN)
    assert found["offset"] > 0
    assert found["partial"] == {"stdout": "Really? [y/N] "}
    assert found["continues"] == []
    assert (await page(supervised.client, session, end=found["offset"]))["partial"] == {"stdout": "Really? "}


async def test_a_line_that_ended_before_the_page_is_not_taken_for_its_beginning(
    supervised: Supervised, session: Session
) -> None:
    filler = record("stderr", "F", "x" * 1_000)
    size = write_log(
        session,
        record("stdout", "P", "old "),
        record("stdout", "F", "line"),
        filler * 200,
        record("stdout", "F", "new"),
    )
    found = await page(supervised.client, session, end=size, limit=PAGE_MIN)
    assert texts(found)[-1] == ("stdout", "new")


async def test_a_line_that_began_too_far_back_is_said_to_go_on(supervised: Supervised, session: Session) -> None:
    part = record("tty", "P", "y" * 60_000)
    count = LINE_LIMIT // 60_000 + 10
    size = write_log(session, part * count, record("tty", "F", "end"))
    found = await page(supervised.client, session, end=size, limit=PAGE_MIN)
    assert found["continues"] == ["tty"]
    (line,) = found["lines"]
    assert line["text"].startswith("yyy")
    assert len(line["text"]) == LINE_LIMIT


async def test_where_looking_back_ends_without_an_answer_the_stream_is_named(
    supervised: Supervised, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginnings, "LOOK_BACK", 50_000)
    filler = record("stderr", "F", "x" * 1_000)
    size = write_log(session, record("stdout", "P", "far "), filler * 200, record("stdout", "F", "away"))
    found = await page(supervised.client, session, end=size, limit=PAGE_MIN)
    assert texts(found)[-1] == ("stdout", "away")
    assert found["continues"] == ["stdout"]


async def test_a_damaged_log_does_not_keep_a_reader_from_going_back(supervised: Supervised, session: Session) -> None:
    write_log(session, record("stdout", "F", "before"), b"#" * 3 * PAGE_MIN + b"\n", record("stdout", "F", "after"))
    pages = await backwards(supervised.client, session, PAGE_MIN)
    streams = [stream for each in reversed(pages) for stream, _ in texts(each)]
    assert streams == ["stdout", "spool", "stdout"]


async def test_a_log_that_is_not_there_is_empty(supervised: Supervised, session: Session) -> None:
    Path(session.log_path).unlink()  # noqa: ASYNC240 - a test may wait for its disk
    found = await page(supervised.client, session, end=100)
    assert found == {"lines": [], "partial": {}, "offset": 0, "next_offset": 0, "size": 0, "continues": []}


async def test_a_page_has_one_border_only(supervised: Supervised, session: Session) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        await page(supervised.client, session, offset=1, end=5)
