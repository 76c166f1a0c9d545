"""Agents that speak a protocol of their own over stdio, each through its peer (executors/peers).

The peer is what the runner starts: it outlives the supervisor, speaks the agent's protocol with it, and prints
and reads lines in our vocabulary. What it prints is validated here all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from executors.agents.limits import reset_time
from executors.agents.program import program
from executors.agents.shapes import Origin, number, prose, word
from executors.agents.text import clip, clip_value, read_object, telling_argument
from supervisor.engine.ports.agents import Invocation, Line, Turn, Verdict
from supervisor.model.errors import InvalidInput
from supervisor.model.events import EventType, NewEvent, Severity

KINDS = ("execute", "write", "delete", "move", "read", "search", "fetch", "mcp", "question", "other")
"""What an act may be (docs/policy.md)."""

_SEVERITIES: tuple[Severity, ...] = ("debug", "info", "warning", "error", "critical")


class PeerAdapter:
    """Codex and the agents of the Agent Client Protocol; a new kind of agent is a new peer."""

    def __init__(self, name: str) -> None:
        self.name = name

    def invocation(self, turn: Turn) -> Invocation:
        """Start the peer, which starts the agent; in a terminal Codex alone, with its own screen."""
        profile = turn.profile
        if turn.argv:
            raise InvalidInput(
                f"The agent {profile.name!r} takes a prompt, not a command.",
                hint="Give it a prompt, or choose the agent command.",
            )
        if turn.mode == "dispatch":
            return self._terminal(turn)
        if turn.prompt is None:
            raise InvalidInput(f"The agent {profile.name!r} needs a prompt.", hint="Give it a prompt.")
        if turn.executor == "docker":
            raise InvalidInput(
                f"The agent {profile.name!r} cannot run headless in a container: the program that speaks its "
                "protocol runs outside of it.",
                hint="Run it elsewhere than in docker, or use an agent that can, such as claude.",
            )
        # -E and -P: nothing is imported from the session's folder, whatever its environment says.
        argv = [sys.executable, "-E", "-P", "-m", f"executors.peers.{self.name}"]
        argv += ["--resume", turn.resume] if turn.resume else []
        argv += ["--model", profile.model] if profile.model else []
        argv += ["--", *program(profile, self.name), *profile.arguments]
        return Invocation(tuple(argv), stdin="pipe", first_input=self.message(turn.prompt))

    def _terminal(self, turn: Turn) -> Invocation:
        profile = turn.profile
        if self.name != "codex":
            raise InvalidInput(
                f"The agent {profile.name!r} has no terminal here: it is spoken to by protocol.",
                hint="Run it elsewhere than in tmux.",
            )
        argv = [*program(profile, "codex"), *(["resume"] if turn.resume else [])]
        argv += ["--no-daemon", "-a", "on-request", *(["--model", profile.model] if profile.model else [])]
        argv += [*profile.arguments, "--", *(part for part in (turn.resume, turn.prompt) if part)]
        return Invocation(tuple(argv))

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the event of one line of the peer; what a terminal shows has none."""
        if line.stream == "tty" or not line.data.strip():
            return ()
        origin = Origin(line.time)
        data = read_object(line.data) if line.stream == "stdout" else None
        if data is None:
            return (origin.unread(line.data, line.stream),)
        kind = data.get("type")
        read = _READERS.get(kind) if isinstance(kind, str) else None
        return (read(origin, data) if read else origin.unknown(msgspec.json.encode(data).decode()),)

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the input as it is: these agents are not given hooks."""
        return (Origin(time, "hook").unknown(msgspec.json.encode(payload).decode()),)

    def message(self, text: str) -> bytes:
        """Return the line that says something to the agent."""
        return _line({"type": "message", "text": text})

    def interrupt(self) -> bytes:
        """Return the line that ends the turn and keeps the agent."""
        return _line({"type": "interrupt"})

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> bytes | None:
        """Return the line that answers; the peer takes a second one for none."""
        request = asked.get("request_id")
        if not request:
            return None
        answer = {"allow": verdict.allow, "message": verdict.message}
        answer |= {"choice": verdict.choice, "interrupt": verdict.interrupt}
        return _line({"type": "answer", "request_id": request, **answer})

    def permission(self, payload: dict[str, Any], time: int) -> None:
        """It makes no blocking requests."""

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return the verdict as it is."""
        return {"allow": verdict.allow, "choice": verdict.choice, "message": verdict.message}


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _permission_asked(origin: Origin, data: dict[str, Any]) -> NewEvent:
    default, given = data.get("default"), data.get("input", {})
    act = _act(data.get("act"))
    asked = origin.permission_asked(
        data.get("request_id"),
        data.get("tool"),
        given if isinstance(given, dict) else {"input": given},
        act=act,
        question=prose(data.get("question")),
        options=_options(data.get("options")),
        default=default if isinstance(default, str) else None,
    )
    about = act.get("command") or act.get("paths") or act.get("url")
    if about:
        asked.payload["argument"] = telling_argument(about if isinstance(about, str) else " ".join(about))
    if size := number(data.get("too_large")):
        asked.payload["too_large"] = size
    return asked


def _act(given: object) -> dict[str, Any]:
    """Return an act; one that is not understood is `other`, which is never allowed on trust."""
    if not isinstance(given, dict) or given.get("kind") not in KINDS:
        return {"kind": "other"}
    act = {key: given[key] for key in ("kind", "command", "paths", "url", "cwd") if given.get(key) is not None}
    command, paths = act.get("command", ""), act.get("paths", [])
    sound = _strings([act.get("url", ""), act.get("cwd", "")]) and _strings(paths)
    sound = sound and (isinstance(command, str) or (bool(command) and _strings(command)))
    return act if sound else {"kind": "other"}


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _options(given: object) -> list[dict[str, str]]:
    options = []
    for option in given if isinstance(given, list) else ():
        if isinstance(option, dict) and isinstance(value := option.get("value"), str):
            label, description = word(option.get("label")), word(option.get("description"))
            options.append({"value": value, "label": label or clip(value), "description": description or ""})
    return options


def _turn_ended(origin: Origin, data: dict[str, Any]) -> NewEvent:
    given = data.get("tokens")
    counted = given if isinstance(given, dict) else {}
    tokens = {kind: number(counted.get(kind)) for kind in ("input", "output", "cached")}
    ended = origin.turn_ended(
        is_error=data.get("is_error") is not False,
        subtype=word(data.get("subtype")) or "success",
        text=data.get("text"),
        tokens=tokens,
        process_cost_usd=_dollars(data.get("process_cost_usd")),
        severity=_severity(data),
    )
    if data.get("tokens_of") == "conversation":
        ended.payload["tokens_of"] = "conversation"
    return ended


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 1e9 else None


def _usage_limit(origin: Origin, data: dict[str, Any]) -> NewEvent:
    text = prose(data.get("text"))
    resets_at = number(data.get("resets_at")) or reset_time(text, origin.time)
    return origin.usage_limit("warning" if data.get("status") == "warning" else "rejected", resets_at, text)


def _severity(data: dict[str, Any]) -> Severity | None:
    return next((severity for severity in _SEVERITIES if severity == data.get("severity")), None)


def _progress(origin: Origin, data: dict[str, Any]) -> NewEvent:
    more = {key: value for key, value in data.items() if key not in ("type", "status")}
    return origin.event(
        EventType.PROGRESS, "telemetry", clip_value({"status": prose(data.get("status")), **more}), "debug"
    )


def _plan_update(origin: Origin, data: dict[str, Any]) -> NewEvent:
    given = data.get("entries")
    entries = [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
    return origin.event(EventType.PLAN_UPDATE, "plan", {"entries": clip_value(entries)})


_READERS: dict[str, Callable[[Origin, dict[str, Any]], NewEvent]] = {
    "agent_session": lambda origin, data: origin.agent_session(data.get("id"), data.get("model")),
    "message": lambda origin, data: origin.message(data.get("text")),
    "thinking": lambda origin, data: origin.thinking(data.get("text")),
    "tool_use": lambda origin, data: origin.tool_use(
        data.get("id"), data.get("tool"), data.get("input", {}), prose(data.get("argument"))
    ),
    "tool_result": lambda origin, data: origin.tool_result(
        data.get("id"), data.get("text"), is_error=data.get("is_error") is not False
    ),
    "retry": lambda origin, data: origin.retry(
        data.get("attempt"), data.get("max"), data.get("delay_ms"), data.get("error")
    ),
    "usage_limit": _usage_limit,
    "permission_asked": _permission_asked,
    "permission_withdrawn": lambda origin, data: origin.permission_withdrawn(data.get("request_id")),
    "message_delivered": lambda origin, data: origin.message_delivered(data.get("text")),
    "turn_ended": _turn_ended,
    "progress": _progress,
    "plan_update": _plan_update,
    "error": lambda origin, data: origin.error(data.get("text"), data.get("kind"), severity=_severity(data) or "error"),
    "unknown": lambda origin, data: origin.unknown(prose(data.get("line"))),
}
