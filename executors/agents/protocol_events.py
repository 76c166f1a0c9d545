"""Reads the lines of tools that speak the approval protocol (docs/approval-protocol.md). Pure.

What cannot be read, breaks a limit or is of another version is `Malformed`, with the reason: never a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from executors.agents.text import clean, clip_value, read_object, read_text
from supervisor.model import protocol
from supervisor.model.approvals import Option
from supervisor.model.events import EventType
from supervisor.model.protocol import ApprovalNeeded
from supervisor.model.times import from_rfc3339

_TORN = re.compile(rb'\{\s*"(?:type|event)"\s*:(?:\s*"([^"\\]{1,100})")?')
_strict = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event that a tool emitted. ``asks`` is its question, when it is an `approval_needed`."""

    kind: str
    payload: dict[str, Any]
    asks: ApprovalNeeded | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that began as an event and is none. ``of`` is the type it claims, when it can be told."""

    line: str
    reason: str
    of: str | None = None


def read(line: bytes, time: int) -> Emitted | Malformed | None:
    """Return what a line without its newline says; None when it is output and no event.

    ``time`` is when it was printed, in milliseconds since the epoch.
    """
    if not line.startswith(b"{"):
        return None
    data = read_object(line)
    if data is None:
        return _torn(line)
    if "type" not in data and "event" not in data:
        return None
    name = "type" if isinstance(data.get("type"), str) else "event"
    kind = data.get(name)
    if not isinstance(kind, str) or not kind or len(kind) > protocol.TYPE_LIMIT or not kind.isprintable():
        return _malformed(data, f"Its type is no printable string of 1 to {protocol.TYPE_LIMIT} characters.")
    if protocol.is_reserved(kind):
        return _malformed(data, f"{kind} is said by the supervisor, not by tools.", kind)
    if kind != EventType.APPROVAL_NEEDED:
        return Emitted(kind, clip_value({key: value for key, value in data.items() if key != name}))
    try:
        asks = _question(line, data, time)
    except ValueError as problem:
        return _malformed(data, str(problem), kind)
    return Emitted(kind, asks.payload(), asks)


def _torn(line: bytes) -> Malformed | None:
    """Tell an event that was cut, or written wrongly, from output that only begins with a brace."""
    if b'"approval_needed"' in line:
        claimed: str | None = EventType.APPROVAL_NEEDED
    elif found := _TORN.match(line):
        claimed = found[1].decode(errors="replace") if found[1] else None
    else:
        return None
    return Malformed(read_text(line)[0], "It is not a JSON object.", claimed)


def _malformed(data: Mapping[str, Any], reason: str, of: str | None = None) -> Malformed:
    return Malformed(msgspec.json.encode(data).decode(), reason, of)


def _question(line: bytes, data: Mapping[str, Any], time: int) -> ApprovalNeeded:
    if len(line) > protocol.LINE_LIMIT:
        raise ValueError(f"Its line is longer than {protocol.LINE_LIMIT} bytes.")
    try:
        _strict(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("It is not JSON in UTF-8.") from None
    version = data.get("protocol")
    if version is not None and (isinstance(version, bool) or version != protocol.VERSION):
        raise ValueError(f"It speaks protocol {_shown(version)}; version {protocol.VERSION} is understood.")
    question = _prose(data, "question", protocol.QUESTION_LIMIT)
    if question is None:
        raise ValueError("It has no question.")
    options = _options(data.get("options"))
    return ApprovalNeeded(
        question=question,
        options=options,
        default=_default(data.get("default"), options),
        expires_s=_expiry(data, time),
        risk=_risk(data.get("risk")),
        preview=_prose(data, "preview", protocol.PREVIEW_LIMIT),
        key=_word(data["key"], "Its key", protocol.KEY_LIMIT) if data.get("key") is not None else None,
    )


def _options(given: object) -> tuple[Option, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise ValueError("Its options are no list.")
    if len(given) > protocol.OPTIONS_LIMIT:
        raise ValueError(f"It has more than {protocol.OPTIONS_LIMIT} options.")
    options = tuple(map(_option, given))
    if len({option.value for option in options}) < len(options):
        raise ValueError("Two of its options have the same value.")
    return options


def _option(given: object) -> Option:
    if isinstance(given, str):
        given = {"value": given}
    if not isinstance(given, dict):
        raise ValueError("One of its options is neither an object nor a string.")
    value = _word(given.get("value"), "An option's value", protocol.VALUE_LIMIT)
    label = " ".join((_prose(given, "label", protocol.LABEL_LIMIT) or value).split())
    return Option(value, label, _prose(given, "description", protocol.DESCRIPTION_LIMIT) or "")


def _default(given: object, options: tuple[Option, ...]) -> str | None:
    """Without options there is nothing to preselect, whatever the default says."""
    if given is not None and not isinstance(given, str):
        raise ValueError("Its default is no text.")
    if given is None or not options:
        return None
    found = next((option.value for option in options if option.value == given), None)
    if found is None:
        raise ValueError("Its default is none of its options.")
    return found


def _expiry(data: Mapping[str, Any], time: int) -> float | None:
    seconds, moment = data.get("expires_s"), data.get("expires_at")
    if seconds is not None and moment is not None:
        raise ValueError("It has both expires_s and expires_at.")
    if moment is not None:
        try:
            seconds = (from_rfc3339(moment) - time) / 1000
        except (ValueError, TypeError, OverflowError):
            raise ValueError("Its expires_at is no RFC 3339 time with a zone.") from None
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ValueError("Its expires_s is no number.")
    if not 0 < seconds <= protocol.EXPIRES_LIMIT_S:
        raise ValueError("It expires in the past, or in more than 365 days.")
    return float(seconds)


def _risk(given: object) -> str | None:
    """A word that is not known here counts as the highest risk."""
    if given is None:
        return None
    if not isinstance(given, str):
        raise ValueError("Its risk is no word.")
    return given if given in protocol.RISKS else protocol.RISKS[-1]


def _prose(data: Mapping[str, Any], name: str, limit: int) -> str | None:
    """Return a text without control characters; None when there is none, or nothing to be seen in it."""
    text = data.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"Its {name} is no text.")
    if len(text) > limit:
        raise ValueError(f"Its {name} is longer than {limit} characters.")
    cleaned = "\n".join(map(clean, text.split("\n")))
    return cleaned if cleaned.strip() else None


def _word(given: object, name: str, limit: int) -> str:
    """Return what goes into an environment and back, unchanged: it must be clean as it is."""
    if not isinstance(given, str):
        raise ValueError(f"{name} is missing or no text.")
    if not 0 < len(given) <= limit or not given.isprintable() or given != given.strip():
        raise ValueError(f"{name} is not 1 to {limit} printable characters without space around them: {_shown(given)}.")
    return given


def _shown(value: object) -> str:
    return clean(msgspec.json.encode(value).decode()[:80])
