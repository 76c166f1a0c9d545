"""When something is due, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.cron import Cron, cron
from supervisor.model.errors import InvalidInput

BERLIN = "Europe/Berlin"


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def due(expression: str, after: str, until: str, zone: str = BERLIN) -> list[str]:
    """When an expression is due, as the clocks of its zone show it with their offset."""
    found = Cron(expression, zone).between(ms(after), ms(until))
    return [f"{datetime.fromtimestamp(each / 1000, ZoneInfo(zone)):%d %H:%M%z}" for each in found]


SPRING = ("2026-03-28T12:00+01:00", "2026-03-30T12:00+02:00")
AUTUMN = ("2026-10-24T12:00+02:00", "2026-10-26T12:00+01:00")


class TestSpring:
    """On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00."""

    def test_a_time_that_does_not_exist_counts_once_at_the_next_moment_there_is(self) -> None:
        assert due("30 2 * * *", *SPRING) == ["29 03:00+0200", "30 02:30+0200"]

    def test_times_beside_it_are_as_usual(self) -> None:
        assert due("59 1 * * *", *SPRING) == ["29 01:59+0100", "30 01:59+0200"]
        assert due("0 3 * * *", *SPRING) == ["29 03:00+0200", "30 03:00+0200"]

    def test_several_of_which_one_does_not_exist_are_due_once_each(self) -> None:
        assert due("0 2,3 * * *", *SPRING) == ["29 03:00+0200", "30 02:00+0200", "30 03:00+0200"]
        assert due("30 */2 * * *", "2026-03-29T00:00+01:00", "2026-03-29T05:00+02:00") == [
            "29 00:30+0100", "29 03:00+0200", "29 04:30+0200",
        ]  # fmt: skip

    def test_minutes_of_an_hour_that_does_not_exist_count_once(self) -> None:
        assert due("*/20 2 * * *", "2026-03-29T00:00+01:00", "2026-03-29T12:00+02:00") == ["29 03:00+0200"]

    def test_every_hour_goes_by_the_time_that_passes(self) -> None:
        assert due("30 * * * *", "2026-03-29T00:45+01:00", "2026-03-29T04:00+02:00") == [
            "29 01:30+0100", "29 03:30+0200",
        ]  # fmt: skip


class TestAutumn:
    """On 2026-10-25 the clocks of Berlin go from 03:00 back to 02:00."""

    def test_a_time_that_comes_twice_counts_once(self) -> None:
        assert due("30 2 * * *", *AUTUMN) == ["25 02:30+0200", "26 02:30+0100"]
        assert due("*/30 2 * * *", "2026-10-25T00:00+02:00", "2026-10-25T12:00+01:00") == [
            "25 02:00+0200", "25 02:30+0200",
        ]  # fmt: skip

    @pytest.mark.parametrize("after", ["2026-10-25T02:30+02:00", "2026-10-25T02:45+02:00", "2026-10-25T02:10+01:00"])
    def test_also_when_one_looks_between_the_two(self, after: str) -> None:
        assert due("30 2 * * *", after, AUTUMN[1]) == ["26 02:30+0100"]

    def test_before_the_first_it_is_the_first(self) -> None:
        assert due("30 2 * * *", "2026-10-25T02:29:59.999+02:00", AUTUMN[1])[0] == "25 02:30+0200"

    def test_every_hour_goes_by_the_time_that_passes(self) -> None:
        assert due("30 * * * *", "2026-10-25T01:45+02:00", "2026-10-25T04:00+01:00") == [
            "25 02:30+0200", "25 02:30+0100", "25 03:30+0100",
        ]  # fmt: skip


def test_a_day_whose_midnight_does_not_exist() -> None:
    assert due("0 0 * * *", "2026-09-05T12:00-04:00", "2026-09-07T12:00-03:00", "America/Santiago") == [
        "06 01:00-0300", "07 00:00-0300",
    ]  # fmt: skip


def test_utc_knows_no_change() -> None:
    assert due("30 2 * * 1-5", "2026-03-27T00:00Z", "2026-03-31T00:00Z", "UTC") == ["27 02:30+0000", "30 02:30+0000"]


EXPRESSIONS = ["30 2 * * *", "*/20 * * * *", "*/7 1-4 * * *", "0 */5 * * *", "15,45 2,3 * * SUN", "59 23 28-31 * *"]


@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe"]),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    ahead=st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_it_does_not_matter_where_one_begins_to_look(
    expression: str, zone: str, at: datetime, ahead: timedelta
) -> None:
    begin = round(at.replace(tzinfo=UTC).timestamp() * 1000)
    middle = begin + round(ahead.total_seconds() * 1000)
    found = list(islice(Cron(expression, zone).after(begin), 40))
    assert found == sorted(set(found))
    later = [each for each in found if each > middle]
    assert list(islice(Cron(expression, zone).after(middle), len(later))) == later


class TestChecking:
    def test_blanks_do_not_matter(self) -> None:
        assert cron("  30  2 * * mon-fri ", BERLIN, 0) == Cron("30 2 * * mon-fri", BERLIN)

    @pytest.mark.parametrize(
        ("expression", "says"),
        [
            ("60 2 * * *", "this is no minute"),
            ("0 24 * * *", "this is no hour"),
            ("* * * *", "not five fields"),
            ("0 0 12 * * *", "not five fields"),
            ("@daily", "not five fields"),
            ("", "not five fields"),
            ("0 0 30 2 *", "this is no day-of-month"),
            ("*/0 * * * *", "this is no minute"),
            ("0 0 * * 8", "this is no day-of-week"),
            ("0 0 L-1 * *", "this is no day-of-month"),
            ("0 0 * * L", "this is no day-of-week"),
            ("0 0 1/L * *", "this is no day-of-month"),
            ("0 0 L/2 * LL", "this is no day-of-week"),
            ("0,5,* 5-2 * * *", "this is no hour"),
            ("1" * 300 + " 0 * * *", "not five fields"),
        ],
    )
    def test_what_is_no_expression_is_said(self, expression: str, says: str) -> None:
        with pytest.raises(InvalidInput, match=says):
            cron(expression, "UTC", 0)

    @given(fields=st.lists(st.text("0123456789*,/-#LWMONJAN", min_size=1, max_size=6), min_size=5, max_size=5))
    def test_whatever_is_written_is_read_or_refused(self, fields: list[str]) -> None:
        try:
            made = cron(" ".join(fields), BERLIN, 0)
        except InvalidInput:
            return
        assert (made.next(0) or 0) > 0

    @pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "Europe", "/etc/localtime", "a" * 200])
    def test_what_is_no_time_zone_is_said(self, zone: str) -> None:
        with pytest.raises(InvalidInput, match="no time zone"):
            cron("0 0 * * *", zone, 0)
