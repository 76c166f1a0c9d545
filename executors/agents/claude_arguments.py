"""The arguments that every Claude session is given, and those that none may have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

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

_OWN: Final = ("--settings", "--managed-settings", "--setting-sources", "--permission-prompt-tool")
_UNASKED: Final = ("--dangerously-skip-permissions", "--allow-dangerously-skip-permissions")
_MODES: Final = ("acceptEdits", "auto", "bypassPermissions")


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
