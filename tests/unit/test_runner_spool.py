from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.runner import spool as module
from executors.runner.spool import HELD_BYTES, LONGEST_PART, Spool

RECORD = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (stdout|stderr|tty) ([FP]) (.*)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stream.log"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(str(path))
    yield spool
    spool.close()


@pytest.fixture
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked for at every write, not once a second."""
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)


def records(path: Path) -> list[tuple[bytes, bytes, bytes]]:
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    found = [RECORD.fullmatch(line) for line in lines]
    assert all(found), lines
    return [(match[2], match[3], match[4]) for match in found if match]


def test_lines_and_parts(spool: Spool, path: Path) -> None:
    spool.write(b"stdout", b"one\ntwo\nthr")
    spool.write(b"stderr", b"\n")
    spool.write(b"stdout", b"ee\r\n")
    assert records(path) == [
        (b"stdout", b"F", b"one"),
        (b"stdout", b"F", b"two"),
        (b"stdout", b"P", b"thr"),
        (b"stderr", b"F", b""),
        (b"stdout", b"F", b"ee\r"),
    ]


def test_times_increase_and_are_utc(spool: Spool, path: Path) -> None:
    for _ in range(50):
        spool.write(b"stdout", b"x\n")
    times = [line.split()[0] for line in path.read_bytes().splitlines()]
    assert times == sorted(times)


def test_any_bytes_are_kept(spool: Spool, path: Path) -> None:
    data = bytes(byte for byte in range(256) if byte != 10)
    spool.write(b"tty", data + b"\n")
    assert records_raw(path) == data


def records_raw(path: Path) -> bytes:
    return b"".join(line.split(b" ", 3)[3] for line in path.read_bytes()[:-1].split(b"\n"))


def test_a_long_line_is_cut(spool: Spool, path: Path) -> None:
    data = b"x" * (LONGEST_PART * 2 + 10)
    spool.write(b"stdout", data + b"\nnext\n")
    found = records(path)
    assert [tag for _, tag, _ in found] == [b"P", b"P", b"F", b"F"]
    assert b"".join(part for _, _, part in found[:3]) == data
    assert max(map(len, path.read_bytes().split(b"\n"))) < 65536


def test_the_file_is_private_and_made_late(spool: Spool, path: Path) -> None:
    spool.flush()
    spool.sync()
    spool.follow()
    assert not path.exists()
    spool.write(b"stdout", b"x\n")
    spool.sync()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_record_is_left_alone(spool: Spool, path: Path) -> None:
    path.write_bytes(b"2026-11-21T09:05:00.000000Z stdout F tor")
    spool.write(b"stdout", b"x\n")
    first, second = path.read_bytes().splitlines()
    assert first.endswith(b"tor")
    assert RECORD.fullmatch(second)


def test_an_unfinished_line_ends_with_its_attempt(spool: Spool, path: Path) -> None:
    spool.write(b"stdout", b"prompt> ")
    spool.write(b"stderr", b"whole\n")
    spool.end()
    assert records(path)[-1] == (b"stdout", b"F", b"")
    spool.end()
    assert len(records(path)) == 3


@pytest.mark.usefixtures("attentive")
def test_a_renamed_file_is_opened_anew(spool: Spool, path: Path) -> None:
    spool.write(b"stdout", b"before\n")
    path.rename(path.with_suffix(".1"))
    spool.write(b"stdout", b"after\n")
    assert records(path.with_suffix(".1")) == [(b"stdout", b"F", b"before")]
    assert records(path) == [(b"stdout", b"F", b"after")]


def test_a_beat_notices_a_removed_file(spool: Spool, path: Path) -> None:
    spool.write(b"stdout", b"before\n")
    path.unlink()
    spool.follow()
    assert path.exists()


def test_a_truncated_file_goes_on_at_its_start(spool: Spool, path: Path) -> None:
    spool.write(b"stdout", b"before\n")
    os.truncate(path, 0)
    spool.write(b"stdout", b"after\n")
    assert records(path) == [(b"stdout", b"F", b"after")]


@pytest.mark.usefixtures("attentive")
def test_a_removed_folder_is_borne(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    spool = Spool(str(folder / "stream.log"))
    spool.write(b"stdout", b"before\n")
    (folder / "stream.log").unlink()
    folder.rmdir()
    spool.write(b"stdout", b"after\n")
    assert not spool.behind
    spool.close()


@pytest.mark.usefixtures("attentive")
def test_a_full_disk_holds_then_drops_and_says_so(tmp_path: Path, path: Path, spool: Spool) -> None:
    path.symlink_to("/dev/full")
    spool.write(b"stdout", b"kept\nhal")
    chunk = b"y" * 60000
    for _ in range(HELD_BYTES // len(chunk) + 1):
        spool.write(b"stdout", chunk)
    for _ in range(3):
        spool.write(b"stdout", b"lost\n")
    held = spool.behind
    assert held
    path.unlink()
    spool.flush()
    assert not spool.behind
    found = records(path)
    assert found[0] == (b"stdout", b"F", b"kept")
    assert found[-2] == (b"stdout", b"F", b"")
    assert b"15 bytes of output were lost" in found[-1][2]
    spool.write(b"stdout", b"after\n")
    assert records(path)[-1] == (b"stdout", b"F", b"after")


def test_a_record_that_only_half_fitted_is_completed(spool: Spool, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = [20]
    write = os.write

    def some(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        size = min(room[0], len(data))
        room[0] -= size
        return write(fd, bytes(data[:size]))

    monkeypatch.setattr(os, "write", some)
    spool.write(b"stdout", b"a line\n")
    assert path.stat().st_size == 20
    room[0] = 10**6
    spool.write(b"stdout", b"another\n")
    assert records(path) == [(b"stdout", b"F", b"a line"), (b"stdout", b"F", b"another")]


def test_the_rest_of_a_half_record_does_not_begin_a_new_file(
    spool: Spool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    spool.write(b"stdout", b"first\n")
    answers = iter([lambda fd, data: write(fd, bytes(data[:20]))])

    def some(fd: int, data: bytes) -> int:
        answer = next(answers, None)
        if answer is None:
            raise OSError(28, "No space left on device")
        return answer(fd, data)

    monkeypatch.setattr(os, "write", some)
    spool.write(b"stdout", b"second\nthird\n")
    monkeypatch.setattr(os, "write", write)
    path.rename(path.with_suffix(".1"))
    spool.follow()
    spool.flush()
    assert records(path) == [(b"stdout", b"F", b"third")]


def test_a_spool_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Spool(str(tmp_path / "missing" / "stream.log")).open()


def kept(path: Path) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The lines before and after what was left out, and what is said of it."""
    texts = [text for _, _, text in records(path)]
    said = [place for place, text in enumerate(texts) if text.startswith(b"[quarterdeck:")]
    return texts[: said[0]], [texts[place] for place in said], texts[said[-1] + 1 :]


def test_of_a_log_that_is_too_long_both_ends_are_kept(path: Path) -> None:
    spool = Spool(str(path), 64 * 1024)
    largest = 0
    for number in range(20_000):
        spool.write(b"stdout", b"line %d\n" % number)
        largest = max(largest, path.stat().st_size)
    whole = sum(len(b"2026-01-31T12:00:00.123456Z stdout F line %d\n" % number) for number in range(20_000))
    spool.close()
    assert largest <= 65 * 1024
    first, (said,), last = kept(path)
    assert first == [b"line %d" % number for number in range(len(first))]
    assert last == [b"line %d" % number for number in range(20_000 - len(last), 20_000)]
    assert (len(first) > 100, len(last) > 500) == (True, True)
    note = len(b"2026-01-31T12:00:00.123456Z stderr F \n") + len(said)
    assert int(said.split()[1]) == whole - (path.stat().st_size - note)
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_a_line_that_never_ends_is_cut_too(path: Path) -> None:
    spool = Spool(str(path), 256 * 1024)
    for _ in range(20):
        spool.write(b"stdout", b"x" * 20_000)
    spool.end()
    spool.close()
    found = records(path)
    place = next(n for n, (_, _, text) in enumerate(found) if text.startswith(b"[quarterdeck:"))
    assert [(stream, tag) for stream, tag, _ in found[place - 1 : place + 1]] == [(b"stdout", b"F"), (b"stderr", b"F")]
    assert path.stat().st_size < 256 * 1024


def test_a_log_that_cannot_be_shortened_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(str(path), 16 * 1024)

    def fail(one: str, other: str) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "rename", fail)
    for number in range(500):
        spool.write(b"stdout", b"line %d\n" % number)
    assert len(records(path)) == 500
    assert [path.name for path in path.parent.iterdir()] == [path.name]
    monkeypatch.undo()
    for number in range(500, 600):
        spool.write(b"stdout", b"line %d\n" % number)
    spool.close()
    assert kept(path)[2][-1] == b"line 599"
