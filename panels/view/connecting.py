"""Why nothing is live, in words that are true in the app: it starts a supervisor itself, or cannot, and tries again."""

from __future__ import annotations

from typing import Final

from supervisor.model.errors import QuarterdeckError, SupervisorUnreachable

CRASHED: Final = "The supervisor is gone; what runs goes on. Another one is being started."
STOPPED: Final = (
    "The supervisor was stopped; what runs goes on. "
    "To start it: open the app again, or `quarterdeck serve` in another terminal."
)
STARTING: Final = (
    "No supervisor answers yet: the app is starting one. What there is appears here as soon as it answers."
)
AGAIN: Final = "The app tries again until it answers."


def why_away(error: QuarterdeckError, *, was_live: bool, crashed: bool) -> str:
    """Return what an empty panel says. ``was_live`` when one has answered before; ``crashed`` when that one is gone
    without having been stopped.

    One that somebody stopped while the app is open stays stopped; else the app starts one by itself.
    """
    if not isinstance(error, SupervisorUnreachable) or error.specific_code != SupervisorUnreachable.code:
        return str(error)
    if not was_live:
        return STARTING
    return CRASHED if crashed else STOPPED


def why_not_started(error: QuarterdeckError) -> str:
    """Return what is said when the app could not start one: it tries again."""
    return f"{error} {AGAIN}"
