"""What the commands of a plan see: the environment of who started it, what the document adds, and where they are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from supervisor.engine.reach import with_command
from supervisor.engine.services import Services
from supervisor.model.plan.task import Task
from supervisor.model.protocol import ANSWER_VARIABLE, KEY_VARIABLE

FILE: Final = "environment.json"
COMMAND_AGENT: Final = "command"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def keep_environment(folder: Path, environment: Mapping[str, str]) -> None:
    """Keep the environment of who started a plan. Blocks."""
    keep(folder, FILE, json.dumps(dict(environment)))


def keep(folder: Path, name: str, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all. Blocks."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{name}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
    temporary.replace(folder / name)


def started_with(folder: Path) -> dict[str, str]:
    """Return the environment of who started a plan. Blocks."""
    found: dict[str, str] = json.loads((folder / FILE).read_text())
    return found


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every command of a plan sees, and the secret values that are taken out of what they print."""

    variables: Mapping[str, str]
    secrets: tuple[str, ...]

    def of(self, task: Task) -> dict[str, str]:
        """Return the environment of a task's commands."""
        found = {**self.variables, **_inputs(task), **task.environment, "QUARTERDECK_TASK": task.id}
        # Only a decision answers: what a person's shell exports would approve every question there is.
        return {name: value for name, value in found.items() if name not in (ANSWER_VARIABLE, KEY_VARIABLE)}


def surroundings(services: Services, settings: Settings, plan: str, folder: Path, token: str) -> Surroundings:
    """Return what the commands of a plan see; ``token`` is theirs. Blocks."""
    profile = settings.agents[COMMAND_AGENT]
    secrets = services.secrets.of(plan, settings.secrets)
    granted = {name: secrets[name] for name in profile.pass_secrets if name in secrets}
    found = {**started_with(folder), **profile.environment, **granted, "QUARTERDECK_PLAN": plan, "HEADLESS": "1"}
    # They may report and keep things, and never decide: what an agent wrote must not approve itself.
    found |= {"QUARTERDECK_TOKEN": token, "QUARTERDECK_SOCKET": str(services.paths.socket)}
    if services.paths.home is not None:
        found["QUARTERDECK_HOME"] = str(services.paths.home)
    if (path := with_command(found.get("PATH"), services.paths.state)) is not None:
        found["PATH"] = path
    return Surroundings(found, tuple(secrets.values()))


def _inputs(task: Task) -> dict[str, str]:
    """Return what a task is given, by name; the items of a list are lines."""
    return {name: _text(value) for name, value in task.inputs.items() if _VARIABLE.fullmatch(name)}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(map(_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
