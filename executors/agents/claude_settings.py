"""The settings that every Claude session is given: what it must ask for, and the hooks that report and ask."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from config.profiles import AgentProfile
from supervisor.model.errors import InvalidInput

HEADLESS: Final = (
    "-p",
    "--input-format", "stream-json",
    "--output-format", "stream-json",
    "--verbose",
    "--replay-user-messages",
    "--permission-prompt-tool", "stdio",
)  # fmt: skip
"""The arguments with which Claude speaks, and asks, over its stdio."""

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

_OWN: Final = ("--settings", "--managed-settings", "--setting-sources", "--permission-prompt-tool")
_UNASKED: Final = ("--dangerously-skip-permissions", "--allow-dangerously-skip-permissions")
_MODES: Final = ("acceptEdits", "auto", "bypassPermissions")


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


def sources(cwd: Path, *, repository: bool) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and variables that say whose settings count besides these.

    A repository's own (``.claude/settings.json``, ``.mcp.json``, its hooks, agents and skills) do not, unless the
    profile says so: a hook of its own could allow what is asked, and its MCP servers would be started unasked. Its
    CLAUDE.md is read all the same, as that of an additional folder.
    """
    if repository:
        return [], {}
    arguments = ["--setting-sources", "user", "--add-dir", str(cwd)]
    return arguments, {"CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD": "1"}


def check_arguments(profile: AgentProfile) -> None:
    """Refuse arguments of a profile that would take the questions away. Raises InvalidInput."""
    for name, value in _options((*profile.command[1:], *profile.arguments)):
        if name in _OWN:
            raise InvalidInput(
                f"The agent {profile.name!r} is given {name}, which would replace the rules of what it must ask for.",
                hint="Put such settings into ~/.claude/settings.json, or set repository_settings in the profile.",
            )
        if name in _UNASKED or (name == "--permission-mode" and value in _MODES):
            raise InvalidInput(
                f"The agent {profile.name!r} is given {' '.join(filter(None, (name, value)))}, "
                "with which it would run tools unasked.",
                hint="Let policy allow what needs no question: see `quarterdeck policy`.",
            )


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each argument as an option with the value that it may have."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if not equals and name == "--permission-mode":
            value = arguments[index + 1] if index + 1 < len(arguments) else ""
        yield name, value


def _base(asked: Sequence[str]) -> dict[str, Any]:
    return {
        "permissions": {"ask": list(asked), "defaultMode": "default"},
        # In Claude's own sandbox a command would run without a question, whatever the rules say.
        "sandbox": {"autoAllowBashIfSandboxed": False},
        "disableAllHooks": False,  # a project's own settings could turn them off
    }


def _json(settings: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(settings), indent=2).decode()
