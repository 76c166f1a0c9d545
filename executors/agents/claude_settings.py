"""The settings that every Claude session is given: what it must ask for, and the hooks that report and ask."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, Final

import msgspec

EVERY_TOOL: Final = ("*",)
"""Headless: every call is asked about, reads too, and policy answers what needs no person."""

GATED_TOOLS: Final = ("Bash", "Write", "Edit", "NotebookEdit", "WebFetch", "WebSearch", "mcp__*")
"""In a terminal: tools that change or reach something. An ask rule beats every allow rule.

Each is a dialog until it is answered, so reads within the folder are left out, and so is AskUserQuestion: a rule for
it would undo a hook's answer, which is a changed input. A name that Claude does not know is a warning at each start.
"""

REPORTED: Final = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
    "Notification", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip
"""Hooks that report. One name that Claude does not know would drop the ask rules as well."""

ASKS: Final = "PermissionRequest"
"""The hook that asks and waits, while Claude's own dialog stays on the screen."""

HOOK_TIMEOUT_S: Final = 10
WAIT_TIMEOUT_S: Final = 14 * 24 * 3600
"""How long Claude waits for the hook that asks. Beyond 2,147,483 s it would not wait at all."""


def headless_settings() -> str:
    """Return the settings of a session that asks over its stdio."""
    return _json(_base(EVERY_TOOL))


def terminal_settings(hook_command: Sequence[str]) -> str:
    """Return the settings of a session in a terminal: hooks when there is a command for them.

    ``hook_command`` is a prefix: ``hook claude`` or ``permission claude`` is added to it.
    """
    settings = _base(GATED_TOOLS)
    if hook_command:
        report, ask = (
            {"type": "command", "command": shlex.join([*hook_command, verb, "claude"]), "timeout": seconds}
            for verb, seconds in (("hook", HOOK_TIMEOUT_S), ("permission", WAIT_TIMEOUT_S))
        )
        settings["hooks"] = {name: [{"hooks": [report]}] for name in REPORTED} | {ASKS: [{"hooks": [ask]}]}
    return _json(settings)


def _base(asked: Sequence[str]) -> dict[str, Any]:
    return {
        "permissions": {"ask": list(asked), "defaultMode": "default"},
        # In Claude's own sandbox a command would run without a question, whatever the rules say.
        "sandbox": {"autoAllowBashIfSandboxed": False},
        "disableAllHooks": False,  # a project's own settings could turn them off
    }


def _json(settings: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(settings), indent=2).decode()
