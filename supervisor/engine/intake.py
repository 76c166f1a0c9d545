"""Takes new work: checks at once what can be checked, then stores the session."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from config.loading import Loaded
from config.profiles import AgentProfile
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.scheduling import admit, disk_problem
from supervisor.engine.secrets import refuse_secrets
from supervisor.engine.services import Services
from supervisor.model.acts import Act
from supervisor.model.entities import ExecutorName, Mode, Project, Reason, Session, Work
from supervisor.model.errors import InvalidInput, Refused, Unavailable
from supervisor.model.events import EventType
from supervisor.model.ids import new_id
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import projects, queue, sessions

COMMAND_AGENT = "command"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a person asks for. ``cwd`` is where they stand; ``environment`` is theirs.

    ``timeout_s`` bounds an attempt in seconds; ``id`` is what
    the session is to be called inside, where that was decided before; ``worktree`` is one that stands on ``branch``
    and that it shares with others. What is None is decided by the profile.
    """

    cwd: Path
    argv: tuple[str, ...] = ()
    prompt: str | None = None
    agent: str | None = None
    mode: Mode | None = None
    executor: ExecutorName | None = None
    task: str | None = None
    name: str | None = None
    branch: str | None = None
    base: str | None = None
    worktree: Path | None = None
    image: str | None = None
    priority: int = 0
    budget_usd: float | None = None
    timeout_s: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Turns requests into stored sessions."""

    services: Services

    async def project(self, path: Path, actor: str) -> Project:
        """Return the project that holds ``path``; it is added on first use."""
        repository = await self.services.workspaces.inspect(path)

        def store(transaction: Transaction) -> Project:
            known = projects.by_root(transaction.conn, str(repository.root))
            if known is not None:
                return known
            project = Project(
                new_id("prj"),
                repository.name,
                str(repository.root),
                repository.default_branch,
                transaction.now,
            )
            projects.insert(transaction.conn, project)
            transaction.audit(actor, "project.add", project.id, after={"root": project.root})
            return project

        return await self.services.ledger.commit(store)

    async def accept(self, request: RunRequest, actor: str) -> Session:
        """Check a request and store its session: queued, or being prepared when it does not queue."""
        project = await self.project(request.cwd, actor)
        loaded = self.services.config_for(Path(project.root))
        profile = _profile(request, loaded)
        executor, mode = placement(request, profile)
        _check_work(request, profile)
        if request.branch is not None:
            await self.services.workspaces.check_branch(Path(project.root), request.branch)
        image = _image(request, profile, loaded) if executor == "docker" else None
        await self.services.executors[executor].check(image)
        if image is None:
            _check_program(request, profile)
        await self._refuse_denied(request, profile, executor, mode, project)
        if problem := disk_problem(self.services, loaded.settings):
            raise Unavailable(problem, hint="Free some space, or lower storage.free_disk_floor_mb.")
        session = self._session(request, project, profile, executor, mode, image)
        environment, secrets = self.services.secrets.split(request.environment, loaded.settings.secrets)
        loaded.settings.secret_values(secrets)
        given = (request.prompt, request.name, request.task, request.branch, request.base, request.image)
        refuse_secrets(secrets, "request", (*request.argv, *(text for text in given if text)))
        _make_folder(Path(session.folder), environment)
        self.services.secrets.keep(session.id, secrets)
        hit("session.prepared")

        def store(transaction: Transaction) -> Session:
            stored = session
            if mode == "autonomous":
                admit(transaction, loaded.settings)
            else:
                reason = Reason("person", "It was started in a terminal, which does not queue.", transaction.now)
                stored = replace(session, status=SessionStatus.PREPARING, reason=reason)
            if queue.unfinished_named(transaction.conn, stored.name):
                raise Refused(f"A session named {stored.name} is not finished yet.", hint="Choose another name.")
            sessions.insert(transaction.conn, stored)
            transaction.event(
                EventType.SESSION_CREATED, stored, name=stored.name, agent=stored.agent, status=stored.status
            )
            transaction.audit(
                actor,
                "session.create",
                stored.id,
                after={
                    "name": stored.name,
                    "agent": stored.agent,
                    "executor": executor,
                    "argv": list(stored.work.argv),
                },
            )
            return stored

        try:
            stored = await self.services.ledger.commit(store)
        except BaseException:
            self.services.secrets.forget(session.id)
            shutil.rmtree(session.folder, ignore_errors=True)
            raise
        hit("session.stored")
        return stored

    async def _refuse_denied(
        self, request: RunRequest, profile: AgentProfile, executor: ExecutorName, mode: Mode, project: Project
    ) -> None:
        """Refuse a command that a rule denies. What a person types is their decision otherwise: nobody is asked."""
        argv = (*profile.command, *profile.arguments, *request.argv)
        if profile.adapter != COMMAND_AGENT or not argv:
            return
        folder = "/workspace" if executor == "docker" else project.root
        act = Act(
            kind="execute",
            tool=COMMAND_AGENT,
            cwd=folder,
            worktree=folder,
            agent=profile.name,
            mode=mode,
            project=project.name,
            command=argv,
        )
        judgement = await asyncio.to_thread(self.services.policy.judge, act, Path(project.root))
        if judgement.effect == "deny":
            raise Refused(
                f"Policy does not allow this ({judgement.rule}): {judgement.reason}",
                hint="`quarterdeck policy test` shows how a command is judged.",
                code="denied",
            )

    def _session(
        self,
        request: RunRequest,
        project: Project,
        profile: AgentProfile,
        executor: ExecutorName,
        mode: Mode,
        image: str | None,
    ) -> Session:
        identifier = request.id or new_id("ses")
        now = now_ms()
        name = request.name or request.task or f"{profile.name}-{identifier[-6:]}"
        for what, text in (("name", name), ("task", request.task or name)):
            if not _NAME.fullmatch(text):
                raise InvalidInput(
                    f"{text!r} cannot be a {what}.",
                    hint="Up to 64 of a-z, A-Z, 0-9, dot, dash and underscore; it begins with a letter or digit.",
                )
        return Session(
            id=identifier,
            name=name,
            project=project.id,
            mode=mode,
            agent=profile.name,
            executor=executor,
            work=Work(request.argv, request.prompt),
            status=SessionStatus.QUEUED,
            reason=Reason("queue", "It waits for a place in the queue.", now),
            created_at=now,
            folder=str(self.services.paths.sessions / identifier),
            task=request.task,
            priority=request.priority,
            worktree=str(request.worktree) if request.worktree is not None else None,
            branch=request.branch,
            base_ref=request.base,
            image=image,
            budget_usd=request.budget_usd,
            timeout_s=request.timeout_s,
        )


def placement(request: RunRequest, profile: AgentProfile) -> tuple[ExecutorName, Mode]:
    """Decide executor and mode: tmux means dispatch, the others autonomous."""
    executor = request.executor or ("tmux" if request.mode == "dispatch" else None)
    if executor is None:
        executor = profile.executor
        if request.mode == "autonomous" and executor == "tmux":
            executor = "local"
    if executor not in get_args(ExecutorName):
        raise InvalidInput(f"There is no executor {executor}.", hint=f"Known: {', '.join(get_args(ExecutorName))}.")
    mode: Mode = "dispatch" if executor == "tmux" else "autonomous"
    if request.mode is not None and request.mode != mode:
        raise InvalidInput(
            f"--mode {request.mode} and --executor {executor} contradict each other.",
            hint="dispatch runs in tmux; autonomous runs in the other executors. Give one of the two.",
        )
    return executor, mode


def _profile(request: RunRequest, loaded: Loaded) -> AgentProfile:
    name = request.agent or (COMMAND_AGENT if request.argv else loaded.settings.default_agent)
    profile = loaded.settings.agents.get(name)
    if profile is None:
        known = ", ".join(sorted(loaded.settings.agents))
        raise InvalidInput(f"There is no agent {name}.", hint=f"Known agents: {known}.")
    return profile


def _check_work(request: RunRequest, profile: AgentProfile) -> None:
    is_command = profile.adapter == "command"
    if is_command and not (request.argv or profile.command):
        raise InvalidInput(
            "There is no command to run.", hint="Give a command, or choose an agent and give it a prompt."
        )
    if is_command and request.prompt is not None:
        raise InvalidInput("A command takes no prompt.", hint="Choose an agent for it, or leave the prompt out.")
    if not is_command and request.argv:
        raise InvalidInput(
            f"The agent {profile.name} takes a prompt, not a command.",
            hint="Give it a prompt, or choose no agent to run the command.",
        )
    if request.argv and not request.argv[0]:
        raise InvalidInput("The command's name is empty.", hint="Give the command to run.")
    if any("\0" in part for part in request.argv) or "\0" in (request.prompt or ""):
        raise InvalidInput("The command or prompt holds a NUL byte.", hint="Remove it.")
    terminal = request.mode == "dispatch" or request.executor == "tmux"
    if not is_command and not (request.prompt or "").strip() and not terminal:
        raise InvalidInput(
            f"{profile.name} needs a prompt.",
            hint="Give it a prompt, or run it in tmux, where you can type.",
        )


def _check_program(request: RunRequest, profile: AgentProfile) -> None:
    """Say at once that a program is missing. What has a slash may be made by the worktree's set-up."""
    program = (*profile.command, *request.argv)[0] if (profile.command or request.argv) else ""
    if not program or "/" in program or "{" in program:
        return
    path = profile.environment.get("PATH") or request.environment.get("PATH") or os.defpath
    if shutil.which(program, path=path) is None:
        hint = profile.install_hint or "Install it, or give its full path."
        raise Unavailable(f"{program} is not installed, or not on your PATH.", hint=hint)


def _image(request: RunRequest, profile: AgentProfile, loaded: Loaded) -> str:
    container = loaded.settings.containers.get(profile.container)
    if container is None:
        known = ", ".join(sorted(loaded.settings.containers))
        raise InvalidInput(f"There is no container profile {profile.container}.", hint=f"Known: {known}.")
    return request.image or profile.image or container.image


def _make_folder(folder: Path, environment: Mapping[str, str]) -> None:
    """Make the folder of a session. It is there when a supervisor that named the session before has died just after
    it had made it: a plan's session begins again under its name."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "environment.json"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(dict(environment), file)
