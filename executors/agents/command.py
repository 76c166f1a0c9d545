"""Any other command-line tool: its output, and the events that it emits as JSON lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from executors.agents.program import program
from executors.agents.shapes import Origin
from executors.agents.text import clip, clip_value, read_object, read_text
from supervisor.engine.ports import Invocation, Line, Turn, Verdict
from supervisor.model.errors import InvalidInput
from supervisor.model.events import EventType, NewEvent, Phase, Severity

_PHASES: dict[str, Phase] = {
    "approval_needed": "policy",
    "tool_output": "tool",
    "message": "tool",
    "error": "tool",
}
_TORN = re.compile(rb'\{\s*"(?:type|event)"\s*:')
_SEVERITIES = ("debug", "info", "warning", "error", "critical")


class CommandAdapter:
    """A tool that knows nothing of Quarterdeck, or emits one JSON object per line."""

    name = "command"

    def invocation(self, turn: Turn) -> Invocation:
        """Start the command as given, behind the profile's own program when it has one."""
        profile = turn.profile
        argv = [*(program(profile, "") if profile.command else ()), *profile.arguments, *turn.argv]
        if turn.prompt is not None:
            argv.append(turn.prompt)
        if not argv:
            raise InvalidInput("There is no command to run.", hint="Put it after --, e.g. `-- make test`.")
        return Invocation(tuple(argv), env={"HEADLESS": "1"} if turn.mode == "autonomous" else {})

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the event of a JSON line that names its type, else the line as output."""
        if line.data.startswith(b"{") and line.stream != "stderr":
            origin = Origin(line.time, "tool")
            data = read_object(line.data)
            if data is not None and ("type" in data or "event" in data):
                return (_emitted(origin, data),)
            if data is None and _TORN.match(line.data):
                return (_malformed(origin, read_text(line.data)[0]),)
        printed = Origin(line.time).printed(line.data, line.stream)
        if line.stream == "tty" and not printed.payload["text"].strip():
            return ()
        return (printed,)

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the input as it is: a tool has no hooks."""
        return (Origin(time, "hook").unknown(msgspec.json.encode(payload).decode()),)

    def message(self, text: str) -> None:
        """A tool reads no messages."""

    def interrupt(self) -> None:
        """A signal must do it."""

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> None:
        """A tool asks by its exit code, not over stdin."""

    def permission(self, payload: dict[str, Any], time: int) -> None:
        """It makes no blocking requests."""

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return the verdict as it is."""
        return {"allow": verdict.allow, "choice": verdict.choice, "message": verdict.message}


def _emitted(origin: Origin, data: dict[str, Any]) -> NewEvent:
    key = "type" if isinstance(data.get("type"), str) else "event"
    kind = data.get(key)
    if not isinstance(kind, str) or not kind or len(kind) > 100 or not kind.isprintable():
        return _malformed(origin, msgspec.json.encode(data).decode())
    payload = {name: value for name, value in data.items() if name != key}
    said = payload.get("severity")
    severity: Severity = said if said in _SEVERITIES else "info"
    return origin.event(kind, _PHASES.get(kind, "telemetry"), clip_value(payload), severity)


def _malformed(origin: Origin, line: str) -> NewEvent:
    return origin.event(EventType.MALFORMED_EVENT, "telemetry", {"line": clip(line)}, "warning")
