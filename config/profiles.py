"""Profiles: how an agent is started, and what a container may do. Data files hold the values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A model that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Timeouts(Strict):
    """Named timeouts of an attempt, in seconds; None means no limit.

    ``start_to_close`` bounds the whole attempt, ``no_output`` the silence between two outputs,
    ``heartbeat`` the silence of the runner before the attempt counts as stalled, ``stop_grace`` the
    time between SIGTERM and SIGKILL, ``schedule_to_start`` the wait in the queue.
    """

    schedule_to_start: float | None = Field(None, gt=0)
    start_to_close: float | None = Field(None, gt=0)
    no_output: float | None = Field(None, gt=0)
    heartbeat: float = Field(90, gt=0)
    stop_grace: float = Field(5, ge=0)


class ScreenPattern(Strict):
    """One pattern of a terminal screen and the state that it means (the fallback signal)."""

    name: str
    state: Literal["working", "asking", "idle", "retrying", "limited"]
    title: str | None = Field(None, description="regular expression on the terminal title")
    text: str | None = Field(None, description="regular expression on the last screenful")


class AgentProfile(Strict):
    """How one agent is driven."""

    name: str
    adapter: Literal["claude", "codex", "acp", "command"]
    description: str = ""
    command: tuple[str, ...] = Field((), description="program and leading arguments")
    arguments: tuple[str, ...] = Field((), description="added to every start")
    executor: Literal["local", "tmux", "docker"] = "local"
    container: str = Field("default", description="name of a container profile")
    image: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    pass_secrets: tuple[str, ...] = Field((), description="configured secrets this agent is given")
    model: str | None = None
    repository_settings: bool = Field(
        False, description="whether a repository's own settings of the agent count: its hooks, rules, MCP servers"
    )
    heartbeat_s: Annotated[float, Field(gt=0)] = 30
    timeouts: Timeouts = Timeouts()
    screen: tuple[ScreenPattern, ...] = ()
    install_hint: str = ""
    approval_flag: str | None = Field(
        None,
        pattern=r"^--?[A-Za-z][A-Za-z0-9-]*$",
        description="flag that gives a tool the answer it exited to ask for",
    )


class ContainerProfile(Strict):
    """What a container is given. The defaults are the hardened ones."""

    name: str
    image: str = "debian:stable-slim"
    user: str = "1000:1000"
    network: str = Field("none", description="none, or the name of a Docker network with its own egress rules")
    memory_mb: int = Field(4096, gt=0)
    cpus: float = Field(2.0, gt=0)
    pids: int = Field(512, gt=0)
    tmpfs_mb: int = Field(512, gt=0)
    read_only: bool = True
    pass_environment: tuple[str, ...] = Field((), description="the only variables that the container sees")
    ssh_keys: bool = Field(False, description="mount ~/.ssh read-only: a risk, shown as such")
