"""Where a container's log is resumed: counted in lines, so that redaction does not matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.docker.position import Position, read_spool

TIME = "2026-11-21T09:05:00.123456Z"


def spool(tmp_path: Path, *records: str) -> tuple[str, int]:
    path = tmp_path / "stream.log"
    path.write_text("".join(f"{TIME} {record}\n" for record in records))
    return str(path), path.stat().st_ino


def test_lines_and_the_unfinished_one_are_counted() -> None:
    position = Position()
    for data in (b"one\ntw", b"o", b"\nthree"):
        position.advance(data)
    assert (position.lines, position.tail) == (2, 5)


@pytest.mark.parametrize("cut", range(0, 20))
@pytest.mark.parametrize("chunk", [1, 2, 7, 100])
def test_a_skip_gives_exactly_what_is_new_at_every_cut_and_chunk(cut: int, chunk: int) -> None:
    log = b"one\n\ntwo\nthree\nx\nfour"
    position = Position()
    position.advance(log[:cut])
    new = b"".join(position.skip(log[at : at + chunk]) for at in range(0, len(log), chunk))
    assert new == log[cut:]


def test_a_copy_can_be_used_up_without_the_original() -> None:
    position = Position(lines=1, tail=2)
    assert position.copy().skip(b"a\nbcd") == b"d"
    assert (position.lines, position.tail) == (1, 2)


def test_an_unfinished_line_that_redaction_made_longer_ends_at_its_newline() -> None:
    assert Position(lines=0, tail=50).skip(b"short\nnext\n") == b"\nnext\n"


def test_records_of_both_streams_are_counted_apart(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F one", "stderr F oops", "stdout P tw", "stdout P o", "tty F no")
    spooled = read_spool(path, 0, inode)
    assert (spooled.positions[1].lines, spooled.positions[1].tail) == (1, 3)
    assert (spooled.positions[2].lines, spooled.positions[2].tail) == (1, 0)
    assert spooled.whole
    assert spooled.last == 1795251900.123456


def test_only_the_attempts_own_part_counts(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F before")
    offset = Path(path).stat().st_size
    with Path(path).open("a") as file:
        file.write(f"{TIME} stdout F mine\n")
    assert read_spool(path, offset, inode).positions[1].lines == 1


def test_torn_and_strange_records_do_not_count(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F one", "noise", "", "stdout F")
    with Path(path).open("ab") as file:
        file.write(b"\xff\xfe\n" + f"{TIME} stdout F torn".encode())
    assert read_spool(path, 0, inode).positions[1].lines == 1


def test_an_empty_line_counts(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F ", "stdout F ")
    assert read_spool(path, 0, inode).positions[1].lines == 2


def test_a_spool_that_was_replaced_or_cut_is_not_whole(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F one")
    assert not read_spool(path, 0, inode + 1).whole
    assert not read_spool(path, 10_000, inode).whole


def test_a_missing_spool_is_whole_only_when_there_never_was_one(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert read_spool(missing, 0, 0).whole
    assert not read_spool(missing, 0, 5).whole


def test_the_bound_of_the_engines_log_is_generous(tmp_path: Path) -> None:
    path, inode = spool(tmp_path, "stdout F " + "x" * 100)
    assert read_spool(path, 0, inode).log_size >= 600
