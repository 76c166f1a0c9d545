"""Names of sessions, tasks and branches."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.git.convention import branch_of_session, branch_of_task, check_name, reference_name
from executors.git.leftover import named_in
from supervisor.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("task", "branch"),
    [
        ("implement-auth-05A", "feature/auth-05A"),
        ("fix-x", "feature/x"),
        ("implement", None),
        ("implement-", None),
        ("", None),
    ],
)
def test_branch_of_a_task(task: str, branch: str | None) -> None:
    assert branch_of_task(task) == branch


def test_branch_of_a_session() -> None:
    assert branch_of_session("ses_1") == "qd/ses_1"


@pytest.mark.parametrize("name", ["ses_01k2", "a", "A-b.c_d", "x" * 100])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-x", ".x", "a/b", "a b", "a..b", "a.", "a.lock", "ü", "a\n", "x" * 101]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name"):
        check_name(name)


def test_reference_names_stay_apart() -> None:
    assert reference_name(Path("/w/ses_1")) == "ses_1"
    odd = reference_name(Path("/w/my tree"))
    assert odd.startswith("my-tree-")
    assert odd != reference_name(Path("/w/my  tree"))


@pytest.mark.parametrize(
    ("complaint", "lock"),
    [
        ("fatal: Unable to create '/r/.git/index.lock': File exists.", "/r/.git/index.lock"),
        ("error: could not lock config file .git/config: File exists", "/r/.git/config.lock"),
        ("fatal: cannot lock ref 'x': Unable to create '/r/.git/refs/x.lock': File exists.", "/r/.git/refs/x.lock"),
        ("fatal: Unable to create '/r/.git/index.lock': No space left on device", None),
        ("fatal: not a git repository", None),
    ],
)
def test_lock_that_a_complaint_names(complaint: str, lock: str | None) -> None:
    assert named_in(complaint, Path("/r")) == (Path(lock) if lock else None)
