"""What is remembered of a review: files by their change, comments, nothing of a damaged file."""

from __future__ import annotations

from pathlib import Path

import pytest

from panels.reviews import KEPT, Reviews
from panels.view.comments import Comment
from supervisor.model.errors import QuarterdeckError

COMMENT = Comment("a.py", "new", 3, "+x", "why? [b]漢字[/b]")


def test_a_reviewed_change_is_remembered_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "app-reviews.json"
    assert Reviews(path, "s").toggle("a.py", "one")
    again = Reviews(path, "s")
    assert again.is_reviewed("a.py", "one")
    assert not again.is_reviewed("a.py", "two")
    assert not Reviews(path, "other").is_reviewed("a.py", "one")
    assert not again.toggle("a.py", "one")
    assert not Reviews(path, "s").is_reviewed("a.py", "one")


def test_comments_are_remembered_until_they_are_sent(tmp_path: Path) -> None:
    path = tmp_path / "app-reviews.json"
    Reviews(path, "s").keep_comments([COMMENT])
    assert Reviews(path, "s").comments == [COMMENT]
    Reviews(path, "s").keep_comments([])
    assert Reviews(path, "s").comments == []


def test_two_apps_do_not_forget_each_others_sessions(tmp_path: Path) -> None:
    path = tmp_path / "app-reviews.json"
    one, two = Reviews(path, "one"), Reviews(path, "two")
    one.toggle("a", "1")
    two.toggle("b", "2")
    one.toggle("c", "3")
    assert Reviews(path, "two").is_reviewed("b", "2")
    assert Reviews(path, "one").is_reviewed("a", "1")


@pytest.mark.parametrize(
    "damage", ["", "{", "[1]", '{"s": 3}', '{"s": {"reviewed": [], "comments": [{"path": 1}, 2]}}']
)
def test_a_damaged_file_remembers_nothing_and_is_written_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "app-reviews.json"
    path.write_text(damage)
    reviews = Reviews(path, "s")
    assert reviews.comments == []
    reviews.toggle("a", "1")
    assert Reviews(path, "s").is_reviewed("a", "1")


def test_the_longest_untouched_sessions_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "app-reviews.json"
    for number in range(KEPT + 1):
        Reviews(path, f"s{number}").toggle("a", "1")
    assert not Reviews(path, "s0").is_reviewed("a", "1")
    assert Reviews(path, "s1").is_reviewed("a", "1")


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    with pytest.raises(QuarterdeckError, match="cannot be kept"):
        Reviews(tmp_path / "missing" / "app-reviews.json", "s").toggle("a", "1")
