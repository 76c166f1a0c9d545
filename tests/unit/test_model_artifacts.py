"""What artifacts may be called, and how long they are kept."""

from __future__ import annotations

import pytest

from supervisor.model.artifacts import check_name, check_retention, check_type, expiry, is_sha256
from supervisor.model.errors import InvalidInput

DAY = 86_400_000


@pytest.mark.parametrize(
    "name", ["a", "report.html", "reports/unit.html", "…", "👩‍🚀 log", "ä" * 127, ".hidden", "a..b"]
)
def test_a_name_may_be_anything_that_a_person_can_read(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "a\0b", "a\nb", "\x1b[31mred", "x" * 300,
     "ä" * 128, "\ud800", "a\u202eb", " a", "a  b"],
)  # fmt: skip
def test_a_hostile_name_is_refused_in_one_plain_line(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of an artifact") as caught:
        check_name(name)
    assert str(caught.value).isprintable()


def test_a_type_is_a_word_or_a_media_type() -> None:
    assert check_type("text/html; charset=utf-8") == "text/html; charset=utf-8"
    assert check_type("list[url]") == "list[url]"
    for wrong in ("", "a\nb", "x" * 128, "a\0"):
        with pytest.raises(InvalidInput, match="cannot be the type"):
            check_type(wrong)


def test_a_retention_is_a_word_or_a_time() -> None:
    assert [expiry(each, 5) for each in ("2h", "30d", "1w")] == [5 + DAY // 12, 5 + 30 * DAY, 5 + 7 * DAY]
    for word in ("task", "plan", "project", "forever"):
        assert expiry(check_retention(word, of_plan=True), 5) is None
    for wrong in ("", "0d", "30", "-1d", "1y", "100000d", "plan "):
        with pytest.raises(InvalidInput, match="is no retention"):
            check_retention(wrong, of_plan=True)
    with pytest.raises(InvalidInput, match="it belongs to none"):
        check_retention("plan", of_plan=False)


def test_a_hash_has_64_small_hexadecimal_digits() -> None:
    assert is_sha256("0a" * 32)
    assert not any(map(is_sha256, ("0A" * 32, "0a" * 31, "0a" * 33, "../" + "0" * 61, "0" * 64 + "\n")))
