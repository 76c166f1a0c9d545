"""The events that agents mean, in one vocabulary (docs/architecture.md, "Events that adapters produce")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from executors.agents.text import clean, clip, clip_value, read_text, telling_argument
from supervisor.model.events import EventType, NewEvent, Phase, Severity

INPUT_LIMIT = 1024 * 1024
"""Bytes of JSON that the input of a tool call may have and still be shown to a person whole."""

NO_TOKENS = {"input": 0, "output": 0, "cached": 0}


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where and when facts were seen; its methods are the facts. Strings are clipped here."""

    time: int
    source: Literal["stream", "hook", "tool"] = "stream"

    def event(self, kind: str, phase: Phase, payload: dict[str, Any], severity: Severity = "info") -> NewEvent:
        """Return an event of this origin."""
        return NewEvent(kind, phase, self.time, severity, self.source, payload)

    def agent_session(self, session_id: object, model: object) -> NewEvent:
        """The agent named its own session; ``id`` is what resumes it."""
        return self.event(EventType.AGENT_SESSION, "telemetry", {"id": word(session_id), "model": word(model)})

    def message(self, text: object) -> NewEvent:
        """The agent said something."""
        return self.event(EventType.MESSAGE, "tool", {"text": prose(text)})

    def thinking(self, text: object) -> NewEvent:
        """The agent thought something."""
        return self.event(EventType.THINKING, "tool", {"text": prose(text)}, "debug")

    def tool_use(self, call: object, tool: object, given: object, argument: str = "") -> NewEvent:
        """The agent calls a tool; ``argument`` where it is not simply one of what is given."""
        payload = {"id": word(call), **_call(tool, given)}
        if argument:
            payload["argument"] = telling_argument(argument)
        return self.event(EventType.TOOL_USE, "tool", payload)

    def tool_result(
        self, call: object, text: object, *, is_error: bool, tool: object = None, given: object = None
    ) -> NewEvent:
        """A tool finished, or was not allowed to run; ``tool`` and what it was given where that is told again."""
        payload = {"id": word(call), "is_error": is_error, "text": prose(text)}
        if tool is not None:
            payload |= {"tool": word(tool), "input": clip_value(given)}
        return self.event(EventType.TOOL_RESULT, "tool", payload, "warning" if is_error else "info")

    def printed(self, data: bytes, stream: str) -> NewEvent:
        """A line that is no event of a protocol: its text, without control codes."""
        text, is_utf8 = read_text(data)
        payload: dict[str, Any] = {"text": clip(clean(text)), "stream": stream}
        if not is_utf8:
            payload["not_utf8"] = True
        return self.event(EventType.OUTPUT, "tool", payload)

    def unread(self, data: bytes, stream: str) -> NewEvent:
        """A line that an agent printed beside its protocol, or a torn one of it."""
        if stream == "stdout" and data.startswith(b"{"):
            text, is_utf8 = read_text(data)
            return self.unknown(text) if is_utf8 else self.unknown(text, not_utf8=True)
        return self.printed(data, stream)

    def progress(self, status: str, **more: Any) -> NewEvent:
        """The agent is busy with something that has no event of its own."""
        return self.event(EventType.PROGRESS, "telemetry", {"status": clip(status), **more}, "debug")

    def retry(self, attempt: object, most: object, delay_ms: object, error: object) -> NewEvent:
        """The agent waits before it asks its model again."""
        payload = {
            "attempt": number(attempt),
            "max": number(most),
            "delay_ms": number(delay_ms),
            "error": prose(error),
        }
        return self.event(EventType.RETRY, "telemetry", payload, "warning")

    def usage_limit(self, status: Literal["warning", "rejected"], resets_at: int | None, text: object) -> NewEvent:
        """A usage limit is near (warning) or reached (rejected); ``resets_at`` in ms or None."""
        payload = {"status": status, "resets_at": resets_at, "text": prose(text)}
        return self.event(EventType.USAGE_LIMIT, "telemetry", payload, "error" if status == "rejected" else "warning")

    def permission_asked(
        self,
        request: object,
        tool: object,
        given: object,
        *,
        act: dict[str, Any] | None = None,
        question: str = "",
        options: Sequence[dict[str, str]] = (),
        default: str | None = None,
    ) -> NewEvent:
        """The agent asks before it runs a tool; without a request id only its own screen or hook can answer.

        ``input`` is kept whole: what is approved must be all that runs. Beyond INPUT_LIMIT bytes of JSON it is left
        out and ``too_large`` says so: that cannot be shown, and is refused. ``act`` says what would be done in the
        words that policy judges (docs/policy.md). A question with options of its own has ``options``
        [{value, label, description}].
        """
        size = len(msgspec.json.encode(given))
        shown = {"input": given} if size <= INPUT_LIMIT else {"input": {}, "too_large": size}
        payload = {
            "request_id": word(request),
            "tool": word(tool),
            "argument": telling_argument(given),
            "act": act or {"kind": "other"},
            **shown,
        }
        if question:
            payload["question"] = clip(question)
        if options:
            payload |= {"options": list(options), "default": default}
        return self.event(EventType.PERMISSION_ASKED, "policy", payload)

    def permission_refused(self, request: object, tool: object, given: object, text: object) -> NewEvent:
        """A tool call was not allowed."""
        payload = {"request_id": word(request), **_call(tool, given), "text": prose(text)}
        return self.event(EventType.PERMISSION_REFUSED, "policy", payload, "warning")

    def permission_withdrawn(self, request: object) -> NewEvent:
        """The question was answered elsewhere, or is no longer asked."""
        return self.event(EventType.PERMISSION_WITHDRAWN, "policy", {"request_id": word(request)})

    def message_delivered(self, text: object) -> NewEvent:
        """The agent took a message in."""
        return self.event(EventType.MESSAGE_DELIVERED, "autonomy", {"text": prose(text)})

    def turn_ended(
        self,
        *,
        is_error: bool,
        subtype: str,
        text: object,
        tokens: dict[str, int],
        turns: int | None = None,
        process_cost_usd: float | None = None,
        severity: Severity | None = None,
        **more: Any,
    ) -> NewEvent:
        """The agent stopped and waits for its next message, or exits."""
        payload = {
            "is_error": is_error,
            "subtype": subtype,
            "text": prose(text),
            "tokens": tokens,
            "process_cost_usd": process_cost_usd,
            "turns": turns,
            **more,
        }
        severity = severity or ("error" if is_error else "info")
        return self.event(EventType.TURN_ENDED, "autonomy", payload, severity)

    def idle(self, why: object) -> NewEvent:
        """The agent does nothing until someone does something."""
        return self.event(EventType.IDLE, "autonomy", {"why": prose(why)})

    def error(self, text: object, kind: object, *, severity: Severity = "error") -> NewEvent:
        """Something went wrong inside the agent; ``kind`` is its own word for it."""
        return self.event(EventType.ERROR, "tool", {"text": prose(text), "kind": word(kind)}, severity)

    def unknown(self, line: str, **more: Any) -> NewEvent:
        """Something that is kept as it is, because it has no meaning here yet."""
        return self.event(EventType.UNKNOWN, "telemetry", {"line": clip(line), **more}, "debug")


def word(value: object) -> str | None:
    """Return a clipped string, or None when it is none."""
    return clip(value) if isinstance(value, str) and value else None


def prose(value: object) -> str:
    """Return the clipped text of a string or of a list of content blocks; empty when there is none."""
    if isinstance(value, str):
        return clip(value)
    if isinstance(value, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in value)
        return clip("\n".join(part for part in parts if isinstance(part, str)))
    return ""


def number(value: object) -> int:
    """Return a whole number that is not negative; 0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 < value < 2**53 else 0


def _call(tool: object, given: object) -> dict[str, Any]:
    return {"tool": word(tool), "input": clip_value(given), "argument": telling_argument(given)}
