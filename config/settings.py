"""Every setting, its unit, its limits and its default.

The defaults of agents and containers are data files beside this module (`agents/`, `containers/`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.profiles import AgentProfile, ContainerProfile, Strict
from supervisor.model.errors import ConfigError

SHORTEST_SECRET = 6
"""Characters. Removing a shorter value from every output would remove ordinary text."""

_TAKEN_PREFIXES = (
    "QUARTERDECK_", "GIT_", "LD_", "DYLD_", "PYTHON", "NODE_", "BASH_", "SSH_", "XDG_",
    # Whose settings an agent takes, and where its key is sent.
    "ANTHROPIC_", "CLAUDE", "CODEX_", "GEMINI_", "OPENAI_", "OPENCODE_",
)  # fmt: skip
_TAKEN = frozenset({"PATH", "HOME", "SHELL", "USER", "IFS", "ENV", "PWD", "TMPDIR", "TMUX", "TERM"})


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("a variable's name has only letters, digits and _")
    return name


def _free_variable(name: str) -> str:
    if _variable(name).upper().startswith(_TAKEN_PREFIXES) or name.upper() in _TAKEN:
        raise ValueError("this variable steers other programs, so worktrees may not set it")
    return name


def _template(text: str) -> str:
    known = {"session", "branch", "project"}
    if any(field is not None and field not in known for _, field, _, _ in Formatter().parse(text)):
        raise ValueError("only {session}, {branch} and {project} can stand in braces")
    return text


def _inside(pattern: str) -> str:
    if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        raise ValueError("a pattern stays inside the repository: neither an absolute path nor ..")
    return pattern


def _hours(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("quiet hours are written as 22:00-07:00")
    if len(set(text.split("-"))) == 1:
        raise ValueError("quiet hours begin and end at different times; null means none, all doors off means always")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
FreeVariable = Annotated[str, AfterValidator(_free_variable)]
Template = Annotated[str, AfterValidator(_template)]
InsidePattern = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Hours = Annotated[str, AfterValidator(_hours)]
Port = Annotated[int, Field(ge=1024, le=65535)]


class Queue(Strict):
    """How many autonomous sessions there may be. Terminal sessions are not limited."""

    concurrent: int = Field(3, ge=1, le=1000, description="sessions that run at once")
    waiting: int = Field(10, ge=0, le=10_000, description="sessions that wait; one more is refused")


class Approvals(Strict):
    """How long questions wait for a person."""

    expires_s: float | None = Field(
        86_400, gt=0, description="seconds after which an agent's or a tool's question expires; null means never"
    )


class Limits(Strict):
    """How much may be used; null means no limit."""

    cost_usd: float | None = Field(None, ge=0, le=1e9, allow_inf_nan=False, description="US dollars")
    tokens: int | None = Field(None, ge=0, le=10**15, description="tokens, read and written together")
    api_calls: int | None = Field(None, ge=0, le=10**12, description="calls of a model")
    time_s: float | None = Field(
        None, gt=0, le=3e8, allow_inf_nan=False, description="seconds of work, of all sessions and commands together"
    )


class Budgets(Strict):
    """What may be used before a breaker trips. Plans and sessions bring budgets of their own."""

    day: Limits = Field(Limits(), description="what everything together may use in a day")
    project: Limits = Field(Limits(), description="what each project may use in a day")
    warn_at: float = Field(0.8, gt=0, le=1, description="part of a limit at which a warning is given, once")


class Storage(Strict):
    """Limits of what is kept on disk."""

    free_disk_floor_mb: int = Field(500, ge=0, description="MiB; nothing new is started while less than this is free")
    # More than what tasks may be repeated for is read from: that is never a log with something missing.
    command_log_mb: int = Field(
        16, ge=8, description="MiB of the log of one command of a plan; of more its beginning and its end are kept"
    )


class Checkpoints(Strict):
    """States of worktrees that can be gone back to."""

    keep: int = Field(20, ge=1, le=1000, description="checkpoints that are kept of each plan and of each session")
    ignored: tuple[InsidePattern, ...] = Field(
        (), description="patterns of ignored files that are in every checkpoint, for example .env"
    )


class Docker(Strict):
    """How the Docker Engine is reached."""

    host: str | None = Field(
        None,
        pattern=r"^unix:///.+",
        description="socket, for example unix:///run/docker.sock; null means DOCKER_HOST or Docker's own",
    )


class Provisioning(Strict):
    """What a new worktree is given beyond what git has."""

    copy_files: tuple[InsidePattern, ...] = Field(
        (), description="patterns of ignored files that are copied from the main worktree"
    )
    setup: str | None = Field(None, description="shell command that is run once in a new worktree")
    setup_timeout_s: float = Field(600, gt=0, description="seconds that the set-up command may take")
    ports: tuple[FreeVariable, ...] = Field((), description="variables that each get a TCP port no other worktree has")
    port_range: tuple[Port, Port] = Field((20_000, 29_999), description="first and last port that is given out")
    names: dict[FreeVariable, Template] = Field(
        default_factory=dict,
        description="variables and their values, in which {session}, {branch} and {project} are filled in",
    )

    @model_validator(mode="after")
    def _enough_ports(self) -> Provisioning:
        first, last = self.port_range
        if last - first + 1 < max(1, len(self.ports)):
            raise ValueError("port_range has fewer ports than there are names in ports")
        return self


class Worktrees(Provisioning):
    """The worktrees of a project's sessions. A project's own file may set these, and only these."""

    pool_size: int = Field(
        0,
        ge=0,
        le=20,
        description="worktrees that are kept ready, which makes starts in large repositories fast",
    )


class Notifications(Strict):
    """How the app tells a person who looks elsewhere that something waits for them or went wrong."""

    bell: bool = Field(True, description="whether the terminal's bell rings")
    terminal: bool = Field(True, description="whether the terminal is asked to show a notification (OSC 9 and OSC 777)")
    desktop: bool = Field(
        True, description="whether notify-send shows one, where it is installed and there is a desktop"
    )
    quiet: Hours | None = Field(
        None, description="local hours in which nothing is told, as 22:00-07:00; null means none"
    )
    min_severity: Literal["low", "medium", "high"] = Field(
        "medium", description="alerts below this are not told: `low`, `medium` or `high`"
    )


class Settings(Strict):
    """All settings."""

    default_agent: str = Field("claude", description="the agent of `run --prompt` without --agent")
    queue: Queue = Queue()
    approvals: Approvals = Approvals()
    budgets: Budgets = Budgets()
    storage: Storage = Storage()
    checkpoints: Checkpoints = Checkpoints()
    docker: Docker = Docker()
    notifications: Notifications = Notifications()
    secrets: tuple[Variable, ...] = Field(
        (),
        description="environment variables that sessions do not get; output is cleared of their values",
    )
    worktrees: Worktrees = Worktrees()
    agents: dict[str, AgentProfile] = Field(default_factory=dict, description="agent profiles by name")
    containers: dict[str, ContainerProfile] = Field(default_factory=dict, description="container profiles by name")

    def secret_values(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the secrets that ``environ`` holds, by name.

        Raises ConfigError for a value too short to be removed from output without harm.
        """
        values = {name: environ[name] for name in self.secrets if environ.get(name)}
        for name, value in values.items():
            if len(value) < SHORTEST_SECRET:
                raise ConfigError(
                    f"The value of the secret {name} has fewer than {SHORTEST_SECRET} characters.",
                    hint=f"Use a longer value, or take {name} out of `secrets`.",
                )
        return values
