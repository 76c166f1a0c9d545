"""When something is due: cron expressions in time zones. Pure; the only place that knows the cron library.

Moments are milliseconds since the epoch. Hours are those that clocks on the wall show. A time that the clocks leave out
in spring counts once, at the moment to which they jump; one that they show twice in autumn counts once, the first time.
Only what runs in every hour (``*`` as the hour) goes by the time that passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from supervisor.model.errors import InvalidInput

EXPRESSION: Final = re.compile(r"[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4}")
LONGEST: Final = 200
FIELDS: Final = "minute, hour, day of the month, month, day of the week"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression that can be due, in a time zone."""

    expression: str
    timezone: str

    def after(self, moment: int) -> Iterator[int]:
        """Yield each moment at which it is due after this one, in order; it may end, in fifty years or so.

        Raises InvalidInput for an expression or a time zone that this version does not know.
        """
        last = moment
        try:
            zone = ZoneInfo(self.timezone)
            # From a little before: what is looked for by the clocks on the wall may have been shown before already.
            begin = datetime.fromtimestamp(moment / 1000, UTC).astimezone(zone) - timedelta(hours=3)
            times = CronSim(_by_the_wall(self.expression), begin)
        except (CronSimError, ValueError, OSError, KeyError) as error:
            what = str(error).replace("Bad ", "this is no ")
            raise InvalidInput(
                f"The cron expression {self.expression!r} cannot be read: {what}.",
                hint=f'Its fields are {FIELDS}: "30 2 * * 1-5" is half past two on weekdays.',
            ) from error
        for found in times:
            due = round(found.timestamp() * 1000)
            if due > last:
                last = due
                yield due

    def next(self, moment: int) -> int | None:
        """Return when it is due next after a moment; None when it never is."""
        return next(self.after(moment), None)

    def between(self, after: int, until: int) -> list[int]:
        """Return the moments after one and up to another at which it is due, in order."""
        found = []
        for due in self.after(after):
            if due > until:
                break
            found.append(due)
        return found


def cron(expression: str, timezone: str, now: int) -> Cron:
    """Return an expression that was checked. Raises InvalidInput that says what is wrong with it."""
    expression = " ".join(expression.split())
    try:
        # ZoneInfo reads files: what is no name of a zone does not get that far.
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,99}", timezone) is None:
            raise ValueError(timezone)
        ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        raise InvalidInput(
            f"There is no time zone {timezone!r}.", hint="Write it like Europe/Berlin or America/New_York, or UTC."
        ) from error
    if len(expression) > LONGEST or EXPRESSION.fullmatch(expression) is None:
        raise InvalidInput(
            f"The cron expression {expression[:LONGEST]!r} has not five fields.",
            hint=f'They are {FIELDS}: "30 2 * * 1-5" is half past two on weekdays.',
        )
    made = Cron(expression, timezone)
    if made.next(now) is None:
        raise InvalidInput(f"{expression!r} is never due.", hint="Is there such a day in that month?")
    return made


def _by_the_wall(expression: str) -> str:
    """Return an expression that the library takes by the clocks on the wall, unless it is due in every hour.

    It does so where neither minute nor hour begins with a star: ``*/20 2`` is written as ``0-59/20 2`` for it.
    """
    minute, hour, *others = expression.split()
    if hour == "*":
        return expression
    return " ".join([_without_stars(minute, 59), _without_stars(hour, 23), *others])


def _without_stars(field: str, last: int) -> str:
    return ",".join(re.sub(r"^\*", f"0-{last}", term) for term in field.split(","))
