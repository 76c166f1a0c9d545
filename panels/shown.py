"""How times, money and sizes are written, in as few cells as can be read at a glance."""

from __future__ import annotations

from datetime import datetime

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def span(seconds: float) -> str:
    """Return a length of time in its largest unit: 5s, 3m, 2h, 4d."""
    whole = max(0, int(seconds))
    for size, unit in _UNITS:
        if whole >= size:
            return f"{whole // size}{unit}"
    return "0s"


def exact_span(seconds: int) -> str:
    """Return a length of time in all of its units: 90s is 1m30s."""
    found = ""
    for size, unit in _UNITS:
        if seconds >= size:
            found += f"{seconds // size}{unit}"
            seconds %= size
    return found or "0s"


def age(since: int | None, now: int) -> str:
    """Return how long something is ago; times in milliseconds since the epoch. ``-`` when it never was."""
    return "-" if since is None else span((now - since) / 1000)


def clock(ms: int) -> str:
    """Return a time of day, local."""
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%H:%M:%S")


def date_and_clock(ms: int) -> str:
    """Return a day of the year and a time of day, local."""
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%m-%d %H:%M")


def money(usd: float) -> str:
    """Return dollars; nothing where nothing was spent, or less than is worth a word."""
    if usd < 0.005:
        return ""
    return f"${usd:.2f}" if usd < 100 else f"${usd:.0f}"


def spent(usd: float, budget: float | None) -> str:
    """Return dollars, and of how many where there is a budget."""
    return f"{money(usd) or '$0'} of {money(budget)}" if budget else money(usd)


def count(number: int) -> str:
    """Return a number in four cells at most: 950, 9.5k, 120k, 3.1M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            value = number / size
            return f"{value:.1f}{unit}" if value < 10 else f"{value:.0f}{unit}"
    return str(number)


def lines(added: int | None, removed: int | None) -> str:
    """Return the size of a diff, +12-3; nothing when it is empty or not known."""
    return f"+{count(added or 0)}-{count(removed or 0)}" if added or removed else ""
