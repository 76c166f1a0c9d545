"""Claude Code: headless over stream-json, or in a terminal with hooks that report and ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from executors.agents import claude_hooks, claude_stream
from executors.agents.claude_arguments import HEADLESS, check_arguments, sources
from executors.agents.claude_questions import ELICITATION, QUESTION, answered, elicited
from executors.agents.claude_settings import headless_settings, terminal_settings
from executors.agents.program import program
from executors.agents.shapes import Origin
from executors.runner.redact import MARK
from supervisor.engine.ports.agents import Invocation, Line, Turn, Verdict
from supervisor.model.errors import InvalidInput
from supervisor.model.events import NewEvent

REFUSAL = "This was not allowed. Do without it, or say what you would need it for."
TOO_LARGE = "This was not allowed: its input cannot be shown whole to anybody. Do it in smaller steps."
NOT_SHOWN = (
    "This was not allowed: its input holds a secret's value (or the mark that stands for one), which nobody is "
    "shown. Use the variable that holds it."
)
UNCLEAR = "The question was answered, but not in a form that fits it. The answer was: {}"


class ClaudeAdapter:
    """Claude Code 2.1 and the shapes of older versions."""

    name = "claude"

    def invocation(self, turn: Turn) -> Invocation:
        """Start headless with the prompt as its first message, or in a terminal with it as argument."""
        if turn.argv:
            raise InvalidInput(
                f"The agent {turn.profile.name!r} takes a prompt, not a command.",
                hint="Give it a prompt, or choose the agent command.",
            )
        profile = turn.profile
        check_arguments(profile)
        terminal = turn.mode == "dispatch"
        settings = terminal_settings(turn.hook_command) if terminal else headless_settings()
        files = {}
        if turn.executor == "docker":  # the session's folder is not in the container
            given = settings
        else:
            path = turn.folder / "claude-settings.json"
            files[path] = settings
            given = str(path)
        argv = program(profile, "claude")
        if not terminal:
            argv += HEADLESS
        extra, env = sources(turn.cwd, repository=profile.repository_settings)
        argv += ["--settings", given, *extra]
        if profile.model:
            argv += ["--model", profile.model]
        if turn.resume:
            argv += ["--resume", turn.resume]
        argv += profile.arguments
        if terminal:
            argv += ["--", turn.prompt] if turn.prompt else []
            return Invocation(tuple(argv), env=env, files=files)
        if turn.prompt is None:
            raise InvalidInput(f"The agent {profile.name!r} needs a prompt.", hint="Give it a prompt.")
        return Invocation(tuple(argv), env=env, stdin="pipe", first_input=self.message(turn.prompt), files=files)

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the events of one line of stream-json; what a terminal shows has none."""
        return claude_stream.events(line)

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the events that a hook's input means."""
        return claude_hooks.events(payload, time)

    def message(self, text: str) -> bytes:
        """Return a user message as a line for stdin."""
        content = [{"type": "text", "text": text}]
        return _line({"type": "user", "message": {"role": "user", "content": content}})

    def interrupt(self) -> bytes:
        """Return the control request that ends the turn and keeps the process."""
        return _line({"type": "control_request", "request_id": "interrupt", "request": {"subtype": "interrupt"}})

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> bytes | None:
        """Return the control response; None for a question that only its screen or its hook answers.

        Claude takes the first answer to a request and no second one. What runs is ``updatedInput``, which is
        exactly the input that was asked about: Claude refuses an answer that lacks it, and takes an empty one to
        mean the call as it holds it, which for an input that was not kept would be something nobody saw.
        """
        request = asked.get("request_id")
        if not request:
            return None
        if asked.get("tool") == ELICITATION:
            answer = _elicitation(asked, verdict)
        else:
            answer = _decision(asked, verdict)
            if answer["behavior"] == "allow":
                answer.setdefault("updatedInput", asked["input"])
        response = {"subtype": "success", "request_id": request, "response": answer}
        return _line({"type": "control_response", "response": response})

    def permission(self, payload: dict[str, Any], time: int) -> NewEvent | None:
        """Return the question that a PermissionRequest hook means."""
        if payload.get("hook_event_name") != "PermissionRequest":
            return None
        return claude_stream.question(
            Origin(time, "hook"), None, payload.get("tool_name"), payload.get("tool_input", {})
        )

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return what a PermissionRequest hook prints; without another input Claude runs its own, which was asked."""
        decision = _decision(asked, verdict)
        return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


def _decision(asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Return what Claude is told of a tool call; a question's answers are its changed input."""
    if not verdict.allow:
        return _denied(verdict.message or REFUSAL, verdict)
    given = asked.get("input")
    if asked.get("too_large") or not isinstance(given, dict):
        return _denied(TOO_LARGE, verdict)
    if MARK in msgspec.json.encode(given):
        return _denied(NOT_SHOWN, verdict)
    if asked.get("tool") != QUESTION:
        return {"behavior": "allow"}
    changed = answered(given, verdict.choice)
    if changed is None:
        return _denied(UNCLEAR.format(verdict.choice), verdict)
    return {"behavior": "allow", "updatedInput": changed}


def _denied(message: str, verdict: Verdict) -> dict[str, Any]:
    return {"behavior": "deny", "message": message, "interrupt": verdict.interrupt}


def _elicitation(asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    """Return the answer to what an MCP server asks for; a choice that does not fill its form declines."""
    if verdict.interrupt:
        return {"action": "cancel"}
    given = asked.get("input")
    if not verdict.allow or asked.get("too_large") or not isinstance(given, dict):
        return {"action": "decline"}
    content = elicited(given, verdict.choice)
    return {"action": "decline"} if content is None else {"action": "accept", "content": content}


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
