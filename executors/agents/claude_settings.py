"""The settings that every Claude session is given: what it must ask for, and the hooks that report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

GATED_TOOLS = ("Bash", "Write", "Edit", "NotebookEdit", "WebFetch", "WebSearch", "mcp__*")
"""Tools that change or reach something. An ask rule beats every allow rule of a project.

``Edit`` covers every tool that edits files; a name that Claude does not know is a warning at each start."""

REPORTED = (
    "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
    "PermissionRequest", "Notification", "Stop", "StopFailure", "SessionEnd",
)  # fmt: skip
"""Hooks that report. One name that Claude does not know would drop the ask rules as well."""

HOOK_TIMEOUT_S = 10


def settings_json(hook_command: Sequence[str]) -> str:
    """Return the settings file: ask rules always, hooks when there is a command for them.

    ``hook_command`` is a prefix: ``hook claude`` is added to it.
    """
    settings: dict[str, object] = {
        "permissions": {"ask": list(GATED_TOOLS)},
        "disableAllHooks": False,  # a project's own settings could turn them off
    }
    if hook_command:
        hook = {
            "type": "command",
            "command": shlex.join([*hook_command, "hook", "claude"]),
            "timeout": HOOK_TIMEOUT_S,
        }
        settings["hooks"] = {name: [{"hooks": [hook]}] for name in REPORTED}
    return msgspec.json.format(msgspec.json.encode(settings), indent=2).decode()
