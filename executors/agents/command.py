"""Any other command-line tool: its output, and the events that it emits as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from executors.agents.program import program
from executors.agents.protocol_events import Emitted, Malformed, read
from executors.agents.shapes import Origin
from executors.agents.text import clip
from supervisor.engine.ports.agents import Invocation, Line, Turn, Verdict
from supervisor.model.errors import InvalidInput
from supervisor.model.events import EventType, NewEvent, Phase, Severity

_PHASES: dict[str, Phase] = {
    "approval_needed": "policy",
    "tool_output": "tool",
    "message": "tool",
    "error": "tool",
}
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
            raise InvalidInput("There is no command to run.", hint="Give one, for example: make test.")
        return Invocation(tuple(argv), env={"HEADLESS": "1"} if turn.mode == "autonomous" else {})

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the event of a JSON line that names its type, else the line as output."""
        match read(line.data, line.time):
            case Emitted() as emitted:
                return (_emitted(Origin(line.time, "tool"), emitted),)
            case Malformed(text, reason, of):
                payload = {"line": clip(text), "reason": reason, "of": of}
                return (Origin(line.time, "tool").event(EventType.MALFORMED_EVENT, "telemetry", payload, "warning"),)
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


def _emitted(origin: Origin, emitted: Emitted) -> NewEvent:
    said = emitted.payload.get("severity")
    severity: Severity = said if said in _SEVERITIES else "info"
    return origin.event(emitted.kind, _PHASES.get(emitted.kind, "telemetry"), emitted.payload, severity)
