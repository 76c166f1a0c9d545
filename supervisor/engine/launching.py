"""From a session to a running attempt: worktree, claim, start. Each step can be repeated after a crash."""

from __future__ import annotations

import asyncio
import json
import os
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from config.loading import Loaded
from config.profiles import AgentProfile, ContainerProfile
from supervisor.engine import reruns
from supervisor.engine.desk import waiting
from supervisor.engine.failpoints import hit
from supervisor.engine.figures import new_process
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import Invocation, Turn
from supervisor.engine.ports.processes import ContainerLaunch, Launch, Started
from supervisor.engine.ports.workspaces import Workspace, WorkspaceRequest
from supervisor.engine.reach import with_command
from supervisor.engine.services import Services
from supervisor.model.entities import Activity, Attempt, Project, Session
from supervisor.model.errors import Refused
from supervisor.model.events import EventType
from supervisor.model.protocol import ANSWER_VARIABLE, KEY_VARIABLE, answer_environment
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, tokens

ANSWERS = frozenset({ANSWER_VARIABLE, KEY_VARIABLE})
CONTAINER_WORKSPACE = Path("/workspace")


@dataclass(frozen=True, slots=True)
class Launcher:
    """Prepares and starts attempts. ``hook_command`` is how an agent's hooks report to the supervisor."""

    services: Services
    hook_command: tuple[str, ...]

    async def workspace(self, session: Session, project: Project) -> tuple[Session, Workspace]:
        """Make or find the session's worktree and store where it is."""
        hit("workspace.before")
        services = self.services
        workspace = await services.workspaces.prepare(
            WorkspaceRequest(
                session=session.id,
                project=project.id,
                root=Path(project.root),
                worktrees=services.paths.worktrees / project.id,
                log=Path(session.folder) / "setup.log",
                task=session.task,
                branch=session.branch,
                base=session.base_commit or session.base_ref,
                standing=Path(session.worktree) if session.worktree is not None else None,
            )
        )
        hit("workspace.after")
        if session.worktree == str(workspace.path) and session.base_commit is not None:
            return session, workspace

        def store(transaction: Transaction) -> Session:
            current = replace(
                transaction.session(session.id),
                worktree=str(workspace.path),
                branch=workspace.branch,
                base_commit=workspace.base_commit,
            )
            transaction.save(current)
            transaction.event(
                EventType.WORKTREE_READY,
                current,
                worktree=current.worktree,
                branch=current.branch,
                base_commit=current.base_commit,
                reused=workspace.reused,
                warm=workspace.warm,
                warnings=list(workspace.warnings),
                severity="warning" if workspace.warnings else "info",
            )
            return current

        return await services.ledger.commit(store), workspace

    async def claim(self, session: Session) -> Attempt:
        """Store the attempt, with its fencing token, before anything is spawned."""
        hit("claim.before")

        def store(transaction: Transaction) -> Attempt | str:
            current = new_process(transaction.session(session.id))
            if current.status is not SessionStatus.PREPARING:
                raise Refused(f"{current.name} is {current.status}; it is not started.")
            work, problem = reruns.take(transaction, current)
            if problem:
                return problem
            attempt = attempts.claim(
                transaction.conn,
                session=current.id,
                executor=current.executor,
                work=work,
                boot_id=self.services.boot_id,
                now=transaction.now,
            )
            transaction.save(replace(current, attempts=attempt.number, resume_at=None, exit_code=None))
            return attempt

        attempt = await self.services.ledger.commit(store)
        if isinstance(attempt, str):
            raise Refused(attempt, hint="Run it again.")
        hit("claim.after")
        return attempt

    async def start(self, session: Session, attempt: Attempt, workspace: Workspace, loaded: Loaded) -> Attempt:
        """Start a claimed attempt; a second call for the same one starts nothing more."""
        launch = await self._launch(session, attempt, workspace, loaded)
        hit("start.before")
        started = await self.services.executor(session).start(launch)
        hit("start.after")
        return await self.record_start(session, attempt, started)

    async def record_start(self, session: Session, attempt: Attempt, started: Started) -> Attempt:
        """Store that an attempt runs, and where it is found."""

        def store(transaction: Transaction) -> Attempt:
            running = transaction.move_attempt(
                attempts.get(transaction.conn, attempt.id),
                AttemptStatus.RUNNING,
                handle=started.handle,
                pid=started.pid,
                pid_started_at=started.pid_started_at,
                started_at=transaction.now,
            )
            current = transaction.session(session.id)
            current = replace(
                current,
                started_at=current.started_at or transaction.now,
                ended_at=None,
                # An agent says when it works; a command works from its start on.
                activity=Activity("working", at=transaction.now) if session.work.argv else current.activity,
                tmux_target=started.handle if session.executor == "tmux" else None,
                container=container_name(session, attempt) if session.executor == "docker" else None,
            )
            transaction.event(
                EventType.ATTEMPT_STARTED,
                current,
                attempt.id,
                number=attempt.number,
                executor=session.executor,
                pid=started.pid,
                handle=started.handle,
            )
            text = f"Attempt {attempt.number} was started."
            moved = transaction.move(current, SessionStatus.RUNNING, "runner", text)
            # A program may ask before it is stored that it runs.
            for approval in approvals.open_of_session(transaction.conn, session.id):
                if approval.status is ApprovalStatus.PENDING and approval.channel != "rerun":
                    moved = transaction.keep(moved, waiting(transaction, moved, approval))
            return running

        running = await self.services.ledger.commit(store)
        hit("started.recorded")
        return running

    async def _launch(self, session: Session, attempt: Attempt, workspace: Workspace, loaded: Loaded) -> Launch:
        profile = loaded.settings.agents[session.agent]
        container = await self._container(session, attempt, workspace, loaded, profile)
        cwd = CONTAINER_WORKSPACE if container else workspace.path
        turn = Turn(
            session=session.id,
            profile=profile,
            mode=session.mode,
            executor=session.executor,
            cwd=cwd,
            folder=Path(session.folder),
            prompt=attempt.work.prompt,
            argv=attempt.work.argv,
            resume=session.agent_session_ids[-1] if session.agent_session_ids else None,
            hook_command=self.hook_command,
        )
        invocation = self.services.adapter_for(profile).invocation(turn)
        await asyncio.to_thread(_write_files, session, attempt, invocation)
        secrets = self.services.secrets.of(session.id, loaded.settings.secrets)
        environment = await self._environment(session, attempt, workspace, invocation, profile, container, secrets)
        if container is None:
            await self.services.probe(profile, environment)
        timeouts = profile.timeouts
        return Launch(
            attempt=attempt.id,
            session=session.id,
            number=attempt.number,
            token=attempt.fencing_token,
            run=self.services.paths.run,
            folder=Path(session.folder),
            argv=_with_answer(invocation.argv, attempt, profile),
            env=environment,
            cwd=cwd,
            secrets=tuple(secrets.values()),
            stdin=invocation.stdin,
            first_input=invocation.first_input,
            start_to_close_s=session.timeout_s or timeouts.start_to_close,
            # A person's terminal is silent while it waits for that person.
            no_output_s=None if session.mode == "dispatch" else timeouts.no_output,
            stop_grace_s=timeouts.stop_grace,
            heartbeat_s=profile.heartbeat_s,
            window=f"{session.task or session.name}-{session.mode}",
            container=container,
        )

    async def _container(
        self, session: Session, attempt: Attempt, workspace: Workspace, loaded: Loaded, profile: AgentProfile
    ) -> ContainerLaunch | None:
        if session.executor != "docker":
            return None
        limits: ContainerProfile = loaded.settings.containers[profile.container]
        clone = Path(session.folder) / "clone"
        uid, gid = (int(part) for part in limits.user.split(":"))
        shared = await self.services.workspaces.clone_for_container(workspace.path, clone, uid=uid, gid=gid)
        return ContainerLaunch(
            profile=limits,
            image=session.image or limits.image,
            name=container_name(session, attempt),
            clone=clone,
            shared_objects=shared,
        )

    async def _environment(
        self,
        session: Session,
        attempt: Attempt,
        workspace: Workspace,
        invocation: Invocation,
        profile: AgentProfile,
        container: ContainerLaunch | None,
        secrets: Mapping[str, str],
    ) -> dict[str, str]:
        """Return what the child sees: a container gets only what its profile names."""
        given: dict[str, str] = json.loads((Path(session.folder) / "environment.json").read_text())
        if container is not None:
            given = {name: given[name] for name in container.profile.pass_environment if name in given}
        granted = {name: secrets[name] for name in profile.pass_secrets if name in secrets}
        own = {"QUARTERDECK_SESSION": session.id, "HEADLESS": "1"}
        if attempt.work.answer is not None:
            own |= answer_environment(attempt.work.answer, attempt.work.answer_key)
        if session.mode == "dispatch":
            del own["HEADLESS"]
        if container is None:
            own |= {
                "QUARTERDECK_SOCKET": str(self.services.paths.socket),
                "QUARTERDECK_TOKEN": await self._token(session),
            }
            if self.services.paths.home is not None:
                own["QUARTERDECK_HOME"] = str(self.services.paths.home)
        found = {**given, **profile.environment, **workspace.env, **granted, **invocation.env}
        if container is None and (path := with_command(found.get("PATH"), self.services.paths.state)) is not None:
            found["PATH"] = path
        # Only a decision answers: what a person's shell exports would approve every question there is.
        return {name: value for name, value in found.items() if name not in ANSWERS} | own

    async def _token(self, session: Session) -> str:
        """Make a token with which the session can report, and nothing else."""
        token = random.token_urlsafe(32)
        await self.services.ledger.commit(
            lambda transaction: tokens.add(
                transaction.conn, token, role="agent", now=transaction.now, session=session.id
            )
        )
        return token


def _with_answer(argv: tuple[str, ...], attempt: Attempt, profile: AgentProfile) -> tuple[str, ...]:
    """Add the answer to a command line whose profile asks for it there."""
    if attempt.work.answer is None or profile.approval_flag is None:
        return argv
    return (*argv, f"{profile.approval_flag}={attempt.work.answer}")


def container_name(session: Session, attempt: Attempt) -> str:
    """Return the name by which the container of an attempt is always found."""
    return f"qd-{session.id}-{attempt.number}"


def _write_files(session: Session, attempt: Attempt, invocation: Invocation) -> None:
    """Write what the agent reads at its start, and the fencing token that its runner compares."""
    for path, text in invocation.files.items():
        _write_private(path, text)
    _write_private(Path(session.folder) / "token", str(attempt.fencing_token))


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
