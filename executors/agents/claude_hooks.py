"""What the inputs of Claude's hooks mean."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from executors.agents.limits import reset_time, says_limit_reached
from executors.agents.shapes import NO_TOKENS, Origin, prose, word
from supervisor.model.events import NewEvent


def events(payload: dict[str, object], time: int) -> Sequence[NewEvent]:
    """Return the events of one hook input; never raises, an unknown hook is kept."""
    origin = Origin(time, "hook")
    tool, given = payload.get("tool_name"), payload.get("tool_input", {})
    match payload.get("hook_event_name"):
        case "SessionStart":
            return (origin.agent_session(payload.get("session_id"), payload.get("model")),)
        case "UserPromptSubmit":
            return (origin.message_delivered(payload.get("prompt")),)
        case "PreToolUse":
            return (origin.tool_use(payload.get("tool_use_id"), tool, given),)
        case "PostToolUse":
            text = _response(payload.get("tool_response"))
            return (origin.tool_result(payload.get("tool_use_id"), text, is_error=False, tool=tool, given=given),)
        case "PostToolUseFailure":
            call, error = payload.get("tool_use_id"), payload.get("error")
            return (origin.tool_result(call, error, is_error=True, tool=tool, given=given),)
        case "PermissionRequest":
            return (origin.permission_asked(None, tool, given),)
        case "Notification":
            return _notification(origin, payload)
        case "Stop":
            return _stop(origin, prose(payload.get("last_assistant_message")))
        case "StopFailure":
            return _stop_failure(origin, payload)
        case "SessionEnd":
            return (origin.idle(f"The agent's session ended: {word(payload.get('reason')) or 'unknown'}."),)
    return (origin.unknown(msgspec.json.encode(payload).decode()),)


def _notification(origin: Origin, payload: dict[str, object]) -> Sequence[NewEvent]:
    message = prose(payload.get("message"))
    match payload.get("notification_type"):
        case "permission_prompt":
            return (origin.permission_asked(None, None, message),)
        case "idle_prompt":
            return (origin.idle(message),)
    return (origin.progress(message),)


def _stop(origin: Origin, said: str) -> Sequence[NewEvent]:
    ended = origin.turn_ended(is_error=False, subtype="success", text=said, tokens=dict(NO_TOKENS))
    idle = origin.idle("The turn ended.")
    return (origin.message(said), ended, idle) if said else (ended, idle)


def _stop_failure(origin: Origin, payload: dict[str, object]) -> Sequence[NewEvent]:
    kind = word(payload.get("error")) or "error"
    text = prose(payload.get("last_assistant_message"))
    events = [origin.error(text, kind)]
    if kind == "rate_limit" or says_limit_reached(text):
        events.append(origin.usage_limit("rejected", reset_time(text, origin.time), text))
    events.append(origin.turn_ended(is_error=True, subtype=kind, text=text, tokens=dict(NO_TOKENS)))
    return events


def _response(response: object) -> str:
    """Return what a tool answered: the output of a command, or the whole answer as JSON."""
    if isinstance(response, dict) and "stdout" in response:
        return "\n".join(filter(None, (prose(response.get("stdout")), prose(response.get("stderr")))))
    return prose(response) or prose(msgspec.json.encode(response).decode())
