"""What the new-session dialog offers, and the request that its fields make."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from supervisor.model.errors import InvalidInput
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]

EXECUTORS: Final = {
    "": "as the agent's profile says",
    "local": "local: on this machine, headless",
    "tmux": "tmux: a terminal that can be attached to",
    "docker": "docker: in a container",
}
"""Where a session may run, by the API's names; the empty one leaves it to the profile."""

COMMAND: Final = "command"
"""The adapter of agents that are command lines."""

SCRIPTED: Final = "scripted"


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the dialog, as it was typed."""

    agent: str
    is_command: bool
    folder: str
    prompt: str
    command: str
    executor: str = ""
    image: str = ""
    base: str = ""
    branch: str = ""
    name: str = ""
    budget: str = ""


FOR_SHELLS: Final = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "|&", "&>"})
"""Words that only a shell understands. Who writes one believes that there is a shell."""


class WrongField(InvalidInput):
    """A field makes no sense; ``field`` is the name that `Fields` has for it."""

    def __init__(self, field: str, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.field = field


def request(fields: Fields, environment: Mapping[str, str]) -> Json:
    """Return the body of the request that starts it; WrongField, with what to do, when one makes no sense."""
    if not fields.agent:
        raise WrongField("agent", "No agent is chosen.", hint="Choose one; 7 Settings says what is missing.")
    folder = Path(fields.folder.strip() or ".").expanduser().absolute()
    if not folder.is_dir():
        raise WrongField("folder", f"{folder} is not a folder.", hint="Give the folder of a git repository.")
    body: Json = {"cwd": str(folder), "agent": fields.agent, "environment": dict(environment)}
    if fields.is_command:
        body["argv"] = _words(fields.command)
    elif fields.prompt.strip():
        body["prompt"] = fields.prompt.strip()
    optional = {
        "executor": fields.executor,
        "image": fields.image.strip() if fields.executor == "docker" else "",
        "base": fields.base.strip(),
        "branch": fields.branch.strip(),
        "name": fields.name.strip(),
        "budget_usd": _dollars(fields.budget),
    }
    return body | {name: value for name, value in optional.items() if value}


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        problem = f"The command line cannot be split: {error}."
        raise WrongField("command", problem, hint="Close the quotes.") from error
    if meant := next((word for word in words if word in FOR_SHELLS), None):
        problem = f"No shell reads this: `{meant}` would be a word for {words[0]}."
        raise WrongField("command", problem, hint=f"For a shell: sh -c {shlex.quote(command.strip())}")
    return words


def _dollars(budget: str) -> float | None:
    text = budget.strip().removeprefix("$").strip()
    if not text:
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 < amount <= 1e9:
        hint = "Give an amount in US dollars above 0, or leave it empty."
        raise WrongField("budget", f"{text!r} is no budget.", hint=hint)
    return amount


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be started, and why. ``field`` is what was wrong with it; empty when that may be any of them."""

    fields: Fields
    field: str = ""

    def is_over(self, fields: Fields) -> bool:
        """Whether it says nothing any more of what stands in the dialog now: what it is about was changed."""
        if not self.field:
            return fields != self.fields
        # A command line means nothing to an agent that takes a prompt.
        about = ("command", "agent") if self.field == "command" else (self.field,)
        return any(getattr(fields, name) != getattr(self.fields, name) for name in about)


def in_order(agents: Iterable[Json]) -> list[Json]:
    """Return agents as they are offered: those that are installed first, the scripted one behind the others."""
    return sorted(agents, key=lambda agent: (not agent["installed"], agent["name"] == SCRIPTED, agent["name"]))


def first_agent(agents: Sequence[Json], remembered: str, *, has_prompt: bool) -> str:
    """Return the agent that is preselected: the last one used, or one that can take the prompt there is."""
    offered = [agent for agent in in_order(agents) if agent["installed"]]
    able = [agent for agent in offered if not (has_prompt and agent["adapter"] == COMMAND)]
    names = [agent["name"] for agent in able]
    if remembered in names:
        return remembered
    real = [agent["name"] for agent in able if agent["adapter"] != COMMAND and agent["name"] != SCRIPTED]
    return next(iter([*real, *names]), "")


def agent_line(agent: Json, now: int) -> str:
    """Return what is said of an agent: what it is, why it cannot be chosen, or until when it is held back."""
    if not agent["installed"]:
        return f"{agent['name']}  ✕ not installed. {one_line(agent['install_hint'])}"
    until = agent.get("paused_until")
    if until and from_rfc3339(until) > now:
        return f"{agent['name']}  ‖ held back: {one_line(agent['pause_reason'] or 'its usage limit is reached')}"
    return f"{agent['name']}  {one_line(agent['description'])}"


def first_folder(here: Path, remembered: str, projects: Sequence[str] = ()) -> str:
    """Return the folder that is proposed: where the app stands when that is in a repository, else the last used."""
    if any((folder / ".git").exists() for folder in (here, *here.parents)):
        return str(here)
    if remembered and Path(remembered).is_dir():
        return remembered
    return next(iter(projects), "")


def as_last_time(fields: Fields, remembered: str) -> str:
    """Return that it runs where it ran the last time, when that is not where the agent's profile says."""
    if not fields.executor or fields.executor != remembered:
        return ""
    return f"Runs in {EXECUTORS[fields.executor].partition(':')[0]}, as last time; More changes it."


def more_title(fields: Fields) -> str:
    """Return what stands on the folded part: what of it is not as usual, so that nothing applies unseen."""
    chosen = [
        fields.executor,
        fields.image.strip() if fields.executor == "docker" else "",
        f"from {fields.base.strip()}" if fields.base.strip() else "",
        f"on {fields.branch.strip()}" if fields.branch.strip() else "",
        fields.name.strip(),
        f"${fields.budget.strip().removeprefix('$')}" if fields.budget.strip() else "",
    ]
    said = ", ".join(filter(None, chosen))
    return f"More: {one_line(said)}" if said else "More: where, branch, budget"
