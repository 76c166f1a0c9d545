"""What the engine works with, put together once by the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.loading import Loaded
from config.paths import Paths
from config.profiles import AgentProfile
from supervisor.engine.desk import Desk
from supervisor.engine.ledger import Ledger
from supervisor.engine.planruns.ports import Connect, EndLeft, Journal
from supervisor.engine.ports.agents import AgentAdapter, PolicyPort
from supervisor.engine.ports.processes import AttemptRef, Executor
from supervisor.engine.ports.workspaces import Workspaces
from supervisor.engine.secrets import SecretVault
from supervisor.engine.tasks import Tasks
from supervisor.model.entities import Attempt, Session


@dataclass(frozen=True, slots=True)
class Services:
    """The engine's surroundings. ``boot_id`` names this boot of the machine.

    ``read_screen`` returns what a terminal's title and last screenful mean to a profile: the state and the name
    of the pattern that says so. ``probe`` checks, with the environment of a session, that an agent's program does not
    run what it was denied; it raises Refused when it does. ``commands`` connects to the host of short commands,
    ``journal`` reads the ends that are recorded of them, ``end_left`` ends what outlived its host.
    """

    ledger: Ledger
    paths: Paths
    executors: Mapping[str, Executor]
    workspaces: Workspaces
    adapter_for: Callable[[AgentProfile], AgentAdapter]
    read_screen: Callable[[AgentProfile, str, str], tuple[str, str] | None]
    probe: Callable[[AgentProfile, Mapping[str, str]], Awaitable[None]]
    config_for: Callable[[Path | None], Loaded]
    policy: PolicyPort
    commands: Connect
    journal: Journal
    end_left: EndLeft
    secrets: SecretVault
    tasks: Tasks
    boot_id: str

    @property
    def desk(self) -> Desk:
        """Where questions arrive."""
        return Desk(self.policy, lambda: self.config_for(None).settings)

    def executor(self, session: Session) -> Executor:
        """Return the executor that a session runs on."""
        return self.executors[session.executor]

    def ref(self, attempt: Attempt, session: Session) -> AttemptRef:
        """Name an attempt to its executor."""
        return AttemptRef(
            attempt=attempt.id,
            session=session.id,
            number=attempt.number,
            token=attempt.fencing_token,
            boot_id=attempt.boot_id,
            run=self.paths.run,
            folder=Path(session.folder),
            handle=attempt.handle,
        )
