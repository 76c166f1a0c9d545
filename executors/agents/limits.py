"""What agents say when a usage limit is reached, and when they say that it ends."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_REACHED = re.compile(
    r"usage limit|hit your (?:\w+ )?limit|limit reached|insufficient_quota|quota exceeded"
    r"|exceeded your current quota|status: 429|credit balance is too low|out of (?:extra usage|credits)",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"\|(\d{10,13})\b")
_SPAN = re.compile(r"(\d+)\s*(day|hour|minute|second|d|h|m|s)s?\b", re.IGNORECASE)
_IN = re.compile(r"(?:try again|resets?) in ([^.]+)", re.IGNORECASE)
_AT = re.compile(
    r"(?:try again at|resets?(?: at)?)\s+"
    r"(?:(?P<month>[a-z]{3})[a-z]* (?P<day>\d{1,2})(?:st|nd|rd|th)?,?(?: (?P<year>\d{4}))?,?(?: at)? )?"
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?\s*(?P<half>am|pm)"
    r"(?: \((?P<zone>[\w/+-]+)\))?",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def says_limit_reached(text: str) -> bool:
    """Return whether an error's text is about a usage limit or quota, so that asking again is no use."""
    return _REACHED.search(text) is not None


def reset_time(text: str, now: int) -> int | None:
    """Return when a limit ends (ms), read from an error's text that was written at ``now`` (ms).

    Understands ``…|<epoch>`` (older Claude), ``resets 3pm (Europe/Berlin)`` (Claude), ``try again at
    3:51 PM``, ``try again at Nov 21st, 2026 3:51 PM`` and ``try again in 2 hours 5 minutes`` (Codex).
    A time without a zone is local time. None when nothing, or nothing sensible, is said.
    """
    if epoch := _EPOCH.search(text):
        return epoch_ms(int(epoch[1]))
    if span := _IN.search(text):
        parts = {_UNITS[unit[0].lower()]: int(count) for count, unit in _SPAN.findall(span[1])}
        return now + int(timedelta(**parts).total_seconds() * 1000) if parts else None
    if at := _AT.search(text):
        try:
            return _clock_time(at, now)
        except (ValueError, OverflowError, ZoneInfoNotFoundError):
            return None
    return None


def epoch_ms(value: int | float) -> int:
    """Return milliseconds since the epoch for a time that is in seconds or already in milliseconds."""
    return int(value if value > 10**11 else value * 1000)


def _clock_time(at: re.Match[str], now: int) -> int:
    zone = ZoneInfo(at["zone"]) if at["zone"] else None
    today = datetime.fromtimestamp(now / 1000, zone).replace(second=0, microsecond=0)
    hour = int(at["hour"]) % 12 + (12 if at["half"].lower() == "pm" else 0)
    moment = today.replace(hour=hour, minute=int(at["minute"] or 0))
    if at["month"]:
        month = _MONTHS.index(at["month"].lower()) + 1
        moment = moment.replace(year=int(at["year"] or today.year), month=month, day=int(at["day"]))
    elif moment < today:
        moment += timedelta(days=1)
    return int(moment.timestamp() * 1000)
