"""The sample repository, and what its agents do: scripts for the shipped scripted agent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

REPOSITORY: Final = {
    "README.md": "# Lighthouse\n\nKeeps ships off the rocks.\n",
    "lamp.sh": (
        "# Prints what the lamp does at an hour of the day.\n"
        'if [ "$1" -gt 6 ]; then\n'
        "    echo off\n"
        "else\n"
        "    echo on\n"
        "fi\n"
    ),
    "test.sh": (
        "for case in 3:on 12:off 22:on; do\n"
        '    found=$(sh lamp.sh "${case%:*}")\n'
        '    [ "$found" = "${case#*:}" ] || { echo "at ${case%:*} o\'clock the lamp is $found"; exit 1; }\n'
        "done\n"
        'echo "3 tests passed"\n'
    ),
}
"""A small project with a bug in it: files and their text."""


@dataclass(frozen=True, slots=True)
class Job:
    """One session of the demonstration. ``status`` is how it ends; ``terminal`` asks for tmux."""

    name: str
    status: str
    steps: tuple[dict[str, Any], ...]
    terminal: bool = False

    def prompt(self, *, terminal: bool) -> str:
        """Return the script as the scripted agent reads it; in a terminal it would then wait for another message."""
        return json.dumps([*self.steps, {"exit": 0}] if terminal else self.steps)


MERGED: Final = "fix-lamp"
ASKS: Final = MERGED
"""It may only go on when a person allows it, and asks before the supervisor dies."""
REFUSED: Final = "fog-horn"
FAILED: Final = "paint-tower"
CANCELLED: Final = "count-stars"

JOBS: Final = (
    Job(
        MERGED,
        "completed",
        (
            {"think": "The tests say what is wrong."},
            {"delay": 0.3, "ask": {"run": "sh test.sh"}},
            {"delay": 0.5, "say": "In the evening the lamp stays off: only the morning is looked at."},
            {"delay": 0.5, "edit": {"path": "lamp.sh", "old": "-gt 6 ]", "new": '-gt 6 ] && [ "$1" -lt 18 ]'}},
            {"delay": 0.5, "ask": {"run": "git diff --stat"}},
            {"delay": 0.4, "run": "sh test.sh"},
            {"delay": 0.4, "say": "The lamp is on from six in the evening on; all tests pass."},
        ),
    ),
    Job(
        REFUSED,
        "completed",
        (
            {
                "delay": 0.2,
                "write": {"path": "horn.sh", "content": "# Sounds for as long as there is fog.\necho TOOOT\n"},
            },
            {"delay": 0.8, "run": "sh horn.sh"},
            {"delay": 4.8, "ask": {"run": "git push --force origin main"}},
            {"delay": 0.6, "say": "The horn works. I may not push it, so it stays on this branch."},
        ),
    ),
    Job(
        FAILED,
        "failed",
        (
            {"delay": 0.1, "write": {"path": "tower.txt", "content": "red\nwhite\n"}},
            {"delay": 0.2, "retry": {"attempt": 1, "max": 2, "delay_ms": 600, "error": "overloaded"}},
            {"fail": "API Error: 529 overloaded"},
        ),
    ),
    Job(
        "write-guide",
        "completed",
        (
            {"delay": 0.2, "run": "ls"},
            {"delay": 0.6, "write": {"path": "docs/keeping.md", "content": "# Keeping the light\n\nOil it at dusk.\n"}},
            {
                "delay": 5.8,
                "edit": {"path": "README.md", "old": "rocks.\n", "new": "rocks: see [keeping](docs/keeping.md).\n"},
            },
            {"delay": 0.6, "say": "The keeper has a guide now."},
        ),
        terminal=True,
    ),
    Job(
        CANCELLED,
        "cancelled",
        (
            {"delay": 0.1, "write": {"path": "stars.txt", "content": "1\n2\n3\n"}},
            {"delay": 0.2, "run": "sleep 600"},
        ),
    ),
)
