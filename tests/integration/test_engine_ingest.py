"""What becomes of odd logs, and that every record is taken exactly once, however the rounds are cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executors.agents.registry import adapter_for
from supervisor.engine import logfile, tail
from supervisor.engine.bus import Bus
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.logfile import read_slice
from supervisor.engine.spool import LINE_LIMIT, Record, SpoolReader
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.store import events, sessions
from tests.support.agents import profile
from tests.support.desks import a_desk
from tests.support.stores import a_session, store
from tests.support.supervised import Supervised

pytestmark = pytest.mark.timeout(60)

STAMP = b"2026-11-21T09:05:00.123456Z"
ADAPTER = adapter_for(profile("command"))


def record(text: bytes, tag: bytes = b"F", stream: bytes = b"stdout") -> bytes:
    return b"%s %s %s %s\n" % (STAMP, stream, tag, text)


class Log:
    """A session's spool as its runner would write it, and its ingest."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger = ledger
        self.path = folder / "stream.log"

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as log:
            log.write(data)

    async def take(self, *, last: bool = False) -> None:
        def take(transaction: Transaction) -> bool:
            return tail.ingest(transaction, "ses_1", ADAPTER, a_desk(), last=last).more

        while await self.ledger.commit(take):
            continue

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        found = await self.ledger.store.read(events.since)
        return [(event.type, msgspec.json.decode(event.payload)) for event in found]

    async def texts(self) -> list[str]:
        return [payload["text"] for kind, payload in await self.events() if kind == EventType.OUTPUT]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    async with store(tmp_path) as opened:
        session = a_session("ses_1", status=SessionStatus.RUNNING, folder=str(tmp_path))
        await opened.submit(lambda conn: sessions.insert(conn, session))
        yield Log(Ledger(opened, Bus()), tmp_path)


async def test_a_record_is_taken_when_it_is_whole_and_only_once(log: Log) -> None:
    await log.take()
    log.write(record(b"one") + record(b"two")[:-5])
    await log.take()
    assert await log.texts() == ["one"]
    log.write(record(b"two")[-5:])
    await log.take()
    await log.take()
    assert await log.texts() == ["one", "two"]


async def test_the_parts_of_a_line_are_joined_across_rounds_and_streams(log: Log) -> None:
    log.write(record(b"be", b"P") + record(b"other", stream=b"stderr"))
    await log.take()
    log.write(record(b"gin", b"P"))
    await log.take()
    log.write(record(b" end"))
    await log.take()
    assert await log.texts() == ["other", "begin end"]


async def test_a_line_that_never_ended_is_taken_at_the_end(log: Log) -> None:
    log.write(record(b"no newline", b"P"))
    await log.take()
    assert await log.texts() == []
    await log.take(last=True)
    await log.take(last=True)
    assert await log.texts() == ["no newline"]


async def test_what_is_no_record_is_kept_as_malformed(log: Log) -> None:
    log.write(b"nonsense\n" + record(b"fine") + b"2026-99-99T09:05:00.123456Z stdout F x\n\xff\xfe\n" + record(b"too"))
    await log.take()
    assert await log.texts() == ["fine", "too"]
    assert [kind for kind, _ in await log.events()].count(EventType.MALFORMED_RECORD) == 3


async def test_what_is_not_utf8_is_kept_and_said(log: Log) -> None:
    log.write(record(b"caf\xe9"))
    await log.take()
    ((_, payload),) = await log.events()
    assert payload["not_utf8"] is True
    assert payload["text"].startswith("caf")


async def test_a_line_that_is_too_long_is_counted_and_its_neighbours_are_whole(log: Log) -> None:
    part = record(b"x" * 60_000, b"P")
    log.write(record(b"before") + part * 20 + record(b"y") + record(b"after"))
    await log.take()
    kinds = [kind for kind, _ in await log.events()]
    assert kinds == [EventType.OUTPUT, EventType.LINE_TOO_LONG, EventType.OUTPUT]
    payload = (await log.events())[1][1]
    assert payload["size"] == 20 * 60_000 + 1 > LINE_LIMIT
    assert await log.texts() == ["before", "after"]


async def test_a_truncated_log_is_read_anew_and_that_is_said(log: Log) -> None:
    log.write(record(b"one") * 3)
    await log.take()
    log.path.write_bytes(record(b"new"))
    await log.take()
    assert await log.texts() == ["one"] * 3 + ["new"]
    assert [kind for kind, _ in await log.events()].count(EventType.LOG_TRUNCATED) == 1


async def test_a_rotated_log_is_read_to_its_end_first(log: Log) -> None:
    log.write(record(b"one"))
    await log.take()
    log.write(record(b"two"))
    log.path.rename(log.path.with_name("stream.log.1"))
    await log.take()
    log.write(record(b"three"))
    await log.take()
    assert await log.texts() == ["one", "two", "three"]
    assert [payload for kind, payload in await log.events() if kind == EventType.LOG_ROTATED] == [{"complete": True}]


async def test_a_log_whose_former_file_is_lost_says_that_something_may_be_missing(log: Log) -> None:
    log.write(record(b"one"))
    await log.take()
    log.path.rename(log.path.with_name("kept-elsewhere"))
    await log.take()
    log.write(record(b"two"))
    await log.take()
    assert await log.texts() == ["one", "two"]
    assert [payload for kind, payload in await log.events() if kind == EventType.LOG_ROTATED] == [{"complete": False}]


async def test_a_log_that_is_gone_gives_nothing(log: Log) -> None:
    log.write(record(b"one"))
    await log.take()
    log.path.unlink()
    await log.take(last=True)
    assert await log.texts() == ["one"]


async def test_a_record_without_an_end_is_cut(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "CHUNK", 64)
    log.write(b"z" * 150 + b"\n" + record(b"fine"))
    await log.take()
    assert await log.texts() == ["fine"]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.binary(max_size=20), st.sampled_from([b"F", b"P"]), st.sampled_from([b"stdout", b"tty"]))),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_any_way_of_cutting_a_spool_gives_the_same_lines(
    parts: list[tuple[bytes, bytes, bytes]], cuts: list[int]
) -> None:
    whole = b"".join(record(text.replace(b"\n", b""), tag, stream) for text, tag, stream in parts)
    lines = (
        whole.splitlines(keepends=True) if b"\r" not in whole else [line + b"\n" for line in whole.split(b"\n")[:-1]]
    )
    expected = list(SpoolReader().read(whole, 0))
    reader, found, offset, begin = SpoolReader(), list[Record](), 0, 0
    for cut in [*sorted(min(cut, len(lines)) for cut in cuts), len(lines)]:
        chunk = b"".join(lines[begin:cut])
        found += reader.read(chunk, offset)
        offset, begin = offset + len(chunk), cut
    assert found == expected


def test_a_slice_of_nothing_is_empty(tmp_path: Path) -> None:
    part = read_slice(tmp_path / "stream.log", 0, 0)
    assert (part.inode, part.data, part.more) == (0, b"", False)


async def test_a_line_of_a_hundred_megabytes_passes_and_what_follows_is_whole(supervised: Supervised) -> None:
    script = "echo before; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo after; exit 4"
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    assert session.exit_code == 4
    kinds = [event.type for event in await supervised.events(session, EventType.OUTPUT, EventType.LINE_TOO_LONG)]
    assert kinds == [EventType.OUTPUT, EventType.LINE_TOO_LONG, EventType.OUTPUT]
    (long,) = await supervised.payloads(session, EventType.LINE_TOO_LONG)
    assert long["size"] == 100_000_000
