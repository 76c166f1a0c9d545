"""The entities of the domain. Times are milliseconds since the epoch (`times`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from supervisor.model.statuses import AttemptStatus, SessionStatus

Mode = Literal["autonomous", "dispatch"]
ExecutorName = Literal["local", "tmux", "docker"]


@dataclass(frozen=True, slots=True)
class Project:
    """A git repository that was added. ``root`` is its main worktree, absolute."""

    id: str
    name: str
    root: str
    default_branch: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something has its status: the signal that set it, in words, and when.

    ``signal`` is one of ``person``, ``queue``, ``runner``, ``exit``, ``stream``, ``hook``,
    ``screen``, ``watchdog``, ``recovery``, ``limit``, ``budget``, ``workspace``, ``policy``; for a plan's task also
    ``plan``, ``check``, ``unchanged`` (it was not run), ``rollback``.
    """

    signal: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Activity:
    """What a session does now. ``state`` is starting, working, idle, asking, retrying, limited or stalled."""

    state: str = "idle"
    tool: str | None = None
    argument: str | None = None
    at: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What a person asked for: a command, or a prompt for an agent.

    ``argv`` is set for commands, ``prompt`` for agents; never both. ``answer`` is what a tool that exited to ask is
    started again with, ``answer_key`` the name that it gave its question.
    """

    argv: tuple[str, ...] = ()
    prompt: str | None = None
    answer: str | None = None
    answer_key: str | None = None


@dataclass(frozen=True)  # no slots: ingest copies its __dict__ for every event
class Stats:
    """What a session's stream added up to. Money in US dollars.

    ``process_cost_usd`` is the cumulative figure of the agent process that runs now (it restarts at
    zero with each process); ``cost_usd`` is the sum over all of them. ``turn_error`` is what the last turn of
    the process that runs now failed with, ``process_turns`` how many turns it has ended, ``turn_refusals`` how
    many permissions were refused since the last one. ``conversations`` holds the last figures of agents that count
    tokens over the whole conversation, by the agent's own session id.
    """

    messages: int = 0
    tools_used: dict[str, int] = field(default_factory=dict)
    tokens_input: int = 0
    tokens_output: int = 0
    tokens_cached: int = 0
    cost_usd: float = 0.0
    process_cost_usd: float = 0.0
    turns: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    permissions_refused: int = 0
    turn_error: str | None = None
    process_turns: int = 0
    turn_refusals: int = 0
    conversations: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)  # no slots: ingest copies its __dict__ for every event
class Session:
    """A place where an agent or tool works: worktree + executor + log, over one or more attempts."""

    id: str
    name: str
    project: str
    mode: Mode
    agent: str
    executor: ExecutorName
    work: Work
    status: SessionStatus
    reason: Reason
    created_at: int
    folder: str
    task: str | None = None
    parent: str | None = None
    priority: int = 0
    activity: Activity = Activity()
    stats: Stats = Stats()
    agent_session_ids: tuple[str, ...] = ()
    worktree: str | None = None
    branch: str | None = None
    base_ref: str | None = None
    base_commit: str | None = None
    image: str | None = None
    container: str | None = None
    tmux_target: str | None = None
    budget_usd: float | None = None
    timeout_s: float | None = None
    attempts: int = 0
    exit_code: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    last_output_at: int | None = None
    last_heartbeat_at: int | None = None
    resume_at: int | None = None

    @property
    def log_path(self) -> str:
        """The spool that every attempt of this session appends to."""
        return f"{self.folder}/stream.log"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution, of a session or of a step of a plan's task. Claimed (stored, with its fencing token) before
    anything is spawned.

    ``intent`` is what a person wants of it that has not happened yet; ``input_closed_at`` is when its stdin
    was ended, after which nothing more can be sent.
    """

    id: str
    session: str | None
    number: int
    fencing_token: int
    executor: ExecutorName
    status: AttemptStatus
    boot_id: str
    claimed_at: int
    work: Work = Work()
    handle: str | None = None
    pid: int | None = None
    pid_started_at: int | None = None
    exit_code: int | None = None
    reason: str | None = None
    last_error: str | None = None
    intent: Literal["cancel"] | None = None
    input_closed_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    last_output_at: int | None = None
    last_heartbeat_at: int | None = None
    plan: str | None = None
    task: str | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An append-only record, chained: ``hash`` covers everything in it and ``prev_hash``."""

    seq: int
    time: int
    actor: str
    action: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    prev_hash: str
    hash: str
