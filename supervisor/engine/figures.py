"""What a session's events add up to: activity, tokens, cost, status. Pure.

`fold` is applied inside the transaction that stores the events, so the figures can never
disagree with the log, whatever is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from supervisor.model.entities import Activity, Reason, Session, Stats
from supervisor.model.events import EventType as T
from supervisor.model.events import NewEvent
from supervisor.model.statuses import SessionStatus

R = TypeVar("R", Session, Stats)

UNKNOWN_LIMIT_MS = 15 * 60 * 1000
"""How long an agent is left alone when its usage limit does not say when it ends."""


def fold(session: Session, events: Sequence[NewEvent]) -> Session:
    """Return the session as it is after these events."""
    for event, following in zip_longest(events, events[1:]):
        step = _STEPS.get(event.type)
        # Of a run of output lines only the last one shows: the others need not be looked at.
        if step is _output and following is not None and following.type == event.type:
            step = None
        if step is not None:
            session = step(session, event)
        if event.severity in ("error", "critical", "warning"):
            errors = session.stats.errors
            counted = {**errors, event.severity: errors.get(event.severity, 0) + 1}
            session = changed(session, stats=changed(session.stats, errors=counted))
    return session


def changed(record: R, **changes: Any) -> R:
    """Return a changed copy, as `dataclasses.replace` does.

    That one looks at each of the forty fields, twice; in ingest it took half of the time.
    """
    copy: R = object.__new__(type(record))
    copy.__dict__.update(record.__dict__, **changes)
    return copy


def new_process(session: Session) -> Session:
    """Return the session as a fresh agent process finds it: its own cost counter is at zero."""
    stats = changed(session.stats, process_cost_usd=0.0, process_turns=0, turn_refusals=0, turn_error=None)
    return changed(session, stats=stats, activity=Activity("starting"))


def _working(session: Session, event: NewEvent, tool: str | None = None, argument: str | None = None) -> Session:
    session = changed(session, activity=Activity("working", tool, argument, event.time))
    if session.status is SessionStatus.WAITING:
        reason = Reason(event.source, "It works again.", event.time)
        session = changed(session, status=SessionStatus.RUNNING, reason=reason)
    return session


def _output(session: Session, event: NewEvent) -> Session:
    """Show a command's last line as what it does now; an agent says so itself."""
    if session.work.prompt is not None:
        return session
    return _working(session, event, None, (_text(event, "text") or "").strip()[:200] or None)


def _message(session: Session, event: NewEvent) -> Session:
    stats = changed(session.stats, messages=session.stats.messages + 1)
    return changed(_working(session, event), stats=stats)


def _thinking(session: Session, event: NewEvent) -> Session:
    return _working(session, event, "thinking")


def _tool_use(session: Session, event: NewEvent) -> Session:
    tool = str(event.payload.get("tool") or "unknown")
    used = session.stats.tools_used
    stats = changed(session.stats, tools_used={**used, tool: used.get(tool, 0) + 1})
    return changed(_working(session, event, tool, _text(event, "argument")), stats=stats)


def _tool_result(session: Session, event: NewEvent) -> Session:
    return _working(session, event)


def _agent_session(session: Session, event: NewEvent) -> Session:
    name = _text(event, "id")
    if not name or name in session.agent_session_ids:
        return session
    return changed(session, agent_session_ids=(*session.agent_session_ids, name))


def _turn_ended(session: Session, event: NewEvent) -> Session:
    stats = session.stats
    tokens, conversations = _new_tokens(session, event)
    denials = event.payload.get("denials") or ()
    spent = event.payload.get("process_cost_usd")
    # The figure is cumulative per process: what is new is the difference to the last one.
    fresh = max(0.0, float(spent) - stats.process_cost_usd) if spent is not None else 0.0
    stats = changed(
        stats,
        turns=stats.turns + 1,
        process_turns=stats.process_turns + 1,
        tokens_input=stats.tokens_input + tokens["input"],
        tokens_output=stats.tokens_output + tokens["output"],
        tokens_cached=stats.tokens_cached + tokens["cached"],
        conversations=conversations,
        # What a rule of the agent's own denied was never asked; it is only in the list at the end of the turn.
        permissions_refused=stats.permissions_refused + max(0, len(denials) - stats.turn_refusals),
        turn_refusals=0,
        cost_usd=stats.cost_usd + fresh,
        process_cost_usd=float(spent) if spent is not None else stats.process_cost_usd,
        turn_error=(_text(event, "text") or "no reason given") if event.payload.get("is_error") else None,
    )
    resume_at = session.resume_at if stats.turn_error else None
    return _idle(changed(session, stats=stats, resume_at=resume_at), event)


def _new_tokens(session: Session, event: NewEvent) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the tokens of this turn alone, and the conversations' figures as they are now."""
    given: dict[str, Any] = event.payload.get("tokens") or {}
    tokens = {kind: int(given.get(kind) or 0) for kind in ("input", "output", "cached")}
    known = session.stats.conversations
    if event.payload.get("tokens_of") != "conversation":
        return tokens, known
    conversation = session.agent_session_ids[-1] if session.agent_session_ids else ""
    before = known.get(conversation, {})
    fresh = {kind: max(0, count - before.get(kind, 0)) for kind, count in tokens.items()}
    return fresh, {**known, conversation: tokens}


def _idle(session: Session, event: NewEvent) -> Session:
    return changed(_working(session, event), activity=Activity("idle", None, None, event.time))


def _asked(session: Session, event: NewEvent) -> Session:
    """Show a question that a terminal asks on its screen; of others the desk says whether a person must answer."""
    if session.mode != "dispatch":
        return session
    activity = Activity("asking", _text(event, "tool"), _text(event, "argument"), event.time)
    text = f"It asks for permission: {activity.tool or 'a tool'} {activity.argument or ''}".strip()
    return _waiting(changed(session, activity=activity), event, text)


def _waiting(session: Session, event: NewEvent, text: str) -> Session:
    """Only a terminal keeps a question open on its own screen."""
    if session.mode != "dispatch" or session.status is not SessionStatus.RUNNING:
        return session
    return changed(session, status=SessionStatus.WAITING, reason=Reason(event.source, text, event.time))


def _screen_read(session: Session, event: NewEvent) -> Session:
    state = str(event.payload["state"])
    session = _working(session, event)
    if state == "asking":
        session = _waiting(session, event, f"Its screen shows a {event.payload['pattern']}.")
    return changed(session, activity=Activity(state, at=event.time))


def _stalled(session: Session, event: NewEvent) -> Session:
    return changed(session, activity=Activity("stalled", None, _text(event, "text"), event.time))


def _refused(session: Session, event: NewEvent) -> Session:
    stats = session.stats
    refused = changed(stats, permissions_refused=stats.permissions_refused + 1, turn_refusals=stats.turn_refusals + 1)
    return changed(session, stats=refused)


def _retry(session: Session, event: NewEvent) -> Session:
    return changed(session, activity=Activity("retrying", None, _text(event, "error"), event.time))


def _limited(session: Session, event: NewEvent) -> Session:
    if event.payload.get("status") != "rejected":
        return session
    # An agent may tell of one limit twice, and only once when it ends.
    known = session.resume_at if session.resume_at and session.resume_at > event.time else None
    resume_at = int(event.payload.get("resets_at") or known or event.time + UNKNOWN_LIMIT_MS)
    return changed(session, resume_at=resume_at, activity=Activity("limited", None, _text(event, "text"), event.time))


def _text(event: NewEvent, key: str) -> str | None:
    value = event.payload.get(key)
    return None if value is None else str(value)


_STEPS: dict[str, Callable[[Session, NewEvent], Session]] = {
    T.MESSAGE: _message,
    T.OUTPUT: _output,
    T.THINKING: _thinking,
    T.TOOL_USE: _tool_use,
    T.TOOL_RESULT: _tool_result,
    T.AGENT_SESSION: _agent_session,
    T.TURN_ENDED: _turn_ended,
    T.IDLE: _idle,
    T.PERMISSION_ASKED: _asked,
    T.PERMISSION_REFUSED: _refused,
    T.RETRY: _retry,
    T.USAGE_LIMIT: _limited,
    T.SCREEN_READ: _screen_read,
    T.STALLED: _stalled,
    T.MESSAGE_DELIVERED: _thinking,
}
