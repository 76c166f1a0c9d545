"""The program that a profile names."""

from __future__ import annotations

import sys
from pathlib import Path

from config.profiles import AgentProfile

SCRIPTED = Path(__file__).with_name("scripted.py")
HOOK_COMMAND = (sys.executable, "-I", "-S", str(Path(__file__).parents[1] / "hookclient.py"))
"""The command that reports to the supervisor; ``hook AGENT`` is added by an agent's adapter."""


def program(profile: AgentProfile, default: str) -> list[str]:
    """Return a profile's program and leading arguments.

    ``{python}`` stands for the interpreter that runs now and ``{scripted}`` for the shipped
    scripted agent, so that a data file can name both.
    """
    places = {"{python}": sys.executable, "{scripted}": str(SCRIPTED)}
    return [places.get(part, part) for part in profile.command or (default,)]
