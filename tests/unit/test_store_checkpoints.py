"""Checkpoints in the database, and what they are called."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.checkpoints import REFS, CheckpointStatus, name_of, ref_of
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.store import checkpoints
from tests.support.stores import NOON, a_checkpoint, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1") as opened:
        yield opened


def test_what_is_stored_comes_back(conn: sqlite3.Connection) -> None:
    made = a_checkpoint()
    checkpoints.insert(conn, made)
    assert checkpoints.get(conn, "cpt_1") == made
    assert checkpoints.resolve(conn, "cp-cpt_1") == made
    assert made.status is CheckpointStatus.AVAILABLE
    restored = replace(made, restored_at=NOON + 1, size=13)
    checkpoints.update(conn, restored)
    assert checkpoints.get(conn, "cpt_1") == restored
    assert restored.status is CheckpointStatus.RESTORED


def test_the_newest_come_first_and_what_expired_only_when_it_is_wanted(conn: sqlite3.Connection) -> None:
    for number in range(1, 4):
        checkpoints.insert(conn, a_checkpoint(f"cpt_{number}", plan="plan-x" if number == 2 else None))
    checkpoints.update(conn, a_checkpoint("cpt_3", expired_at=NOON))
    assert [each.id for each in checkpoints.find(conn, 10)] == ["cpt_2", "cpt_1"]
    assert [each.id for each in checkpoints.find(conn, 10, expired=True)] == ["cpt_3", "cpt_2", "cpt_1"]
    assert [each.id for each in checkpoints.find(conn, 1, session="ses_1")] == ["cpt_2"]
    assert [each.id for each in checkpoints.find(conn, 10, plan="plan-x")] == ["cpt_2"]
    assert checkpoints.find(conn, 10, project="prj_2") == []
    newest = checkpoints.newest_of_worktree(conn, "/repo/app/worktree")
    assert newest is not None
    assert newest.id == "cpt_2"
    assert checkpoints.newest_of_worktree(conn, "/elsewhere") is None
    assert checkpoints.get(conn, "cpt_3").status is CheckpointStatus.EXPIRED


def test_what_is_not_there_is_said(conn: sqlite3.Connection) -> None:
    for look in (checkpoints.get, checkpoints.resolve):
        with pytest.raises(NotFound, match="no checkpoint"):
            look(conn, "cpt_9")
    with pytest.raises(NotFound):
        checkpoints.update(conn, a_checkpoint("cpt_9"))
    with pytest.raises(Refused, match="cannot be added"):
        checkpoints.insert(conn, a_checkpoint(session="ses_9"))
    checkpoints.insert(conn, a_checkpoint("cpt_1"))
    checkpoints.insert(conn, a_checkpoint("cpt_2"))
    with pytest.raises(InvalidInput, match="can mean 2"):
        checkpoints.resolve(conn, "cpt_")


def test_a_name_says_what_and_when() -> None:
    assert name_of("build.lock", 1_795_262_400_123) == "cp-build-lock-20261121T120000123Z"
    assert name_of("a b/../ü", 1_795_262_400_000) == "cp-a-b-20261121T120000000Z"
    assert ref_of("plan-x", "cp-a") == f"{REFS}plan-x/cp-a"


@given(st.text(min_size=1, max_size=100), st.text(min_size=1, max_size=100))
def test_every_name_makes_a_ref(subject: str, scope: str) -> None:
    ref = ref_of(scope, name_of(subject, NOON))
    assert re.fullmatch(r"[A-Za-z0-9_./-]+", ref)
    assert ".." not in ref
    assert "/." not in ref
    assert not any(part.endswith((".lock", ".")) or part.startswith("-") for part in ref.split("/"))


@pytest.mark.parametrize("subject", ["a..b", ".lock", "x.lock.lock", "-", "@{", "a.", "ü", "~^:?*[", "x" * 300])
def test_git_takes_it(subject: str) -> None:
    ref = ref_of(subject, name_of(subject, NOON))
    assert subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0, ref
