"""The supervisor process: the only place where everything is wired together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import importlib.metadata
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self, TextIO

import uvicorn

from config.live import LiveConfig
from config.paths import Paths
from config.profiles import AgentProfile
from executors.agents.claude_probe import probe
from executors.agents.program import HOOK_COMMAND, program
from executors.agents.registry import adapter_for
from executors.agents.screen import read_screen
from executors.docker.executor import DockerExecutor
from executors.doctor import examine
from executors.git.workspaces import GitWorkspaces
from executors.local import LocalExecutor
from executors.owned import OwnedRuns, end_left, journal
from executors.runner.identity import boot_id
from executors.tmux.executor import TmuxExecutor
from supervisor.api.auth import Gate, owner_token
from supervisor.api.peers import PeerCheckedProtocol, bind
from supervisor.api.server import build
from supervisor.api.state import ServerState
from supervisor.engine.bus import Bus
from supervisor.engine.engine import Engine
from supervisor.engine.ledger import Ledger
from supervisor.engine.policies import Policies
from supervisor.engine.ports.agents import PolicyPort
from supervisor.engine.secrets import SecretVault
from supervisor.engine.services import Services
from supervisor.engine.tasks import Tasks
from supervisor.model.errors import Refused
from supervisor.model.times import to_rfc3339
from supervisor.notify import Notifier
from supervisor.store import pauses
from supervisor.store.database import Store

log = logging.getLogger(__name__)

VERSION = importlib.metadata.version("quarterdeck")
SHUTDOWN_S = 2
SWITCH_S = 0.0005
LOCK_TRIES, LOCK_PAUSE_S = 20, 0.01


class Daemon:
    """One supervisor, from lock to last byte. Use as an asynchronous context."""

    def __init__(self, paths: Paths, policy: PolicyPort | None = None) -> None:
        self._paths = paths
        self._policy = policy
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def wait(self) -> None:
        """Wait until a client asks the supervisor to stop."""
        await self.state.stop.wait()

    def stop(self) -> None:
        """Ask the supervisor to stop."""
        self.state.stop.set()

    async def _start(self) -> None:
        paths = self._paths
        paths.create()
        self._stack.enter_context(_only_one(paths))
        config = LiveConfig(paths)
        config.current(None)
        store = await Store.open(paths.database, paths.backups)
        self._stack.push_async_callback(store.close)
        self.engine = await self._engine(store, config)
        self._stack.push_async_callback(self.engine.close)
        self.state = ServerState(
            self.engine, VERSION, self._doctor(config), self._agents(config), lambda: config.problem
        )
        adopted = await self.engine.start()
        if adopted:
            log.info("%d running attempts were adopted", adopted)
        await self._listen(store)

    async def _engine(self, store: Store, config: LiveConfig) -> Engine:
        paths = self._paths
        bus = Bus()
        local = LocalExecutor()
        self._stack.push_async_callback(local.dismiss, paths.run)
        tmux = TmuxExecutor(paths.run)
        self._stack.push_async_callback(tmux.close)
        docker = DockerExecutor(local, config.current(None).settings.docker.host)
        self._stack.push_async_callback(docker.close)
        ledger = Ledger(store, bus)
        policies = Policies(ledger, paths)
        services = Services(
            ledger=ledger,
            paths=paths,
            executors={"local": local, "tmux": tmux, "docker": docker},
            workspaces=GitWorkspaces(lambda root: config.current(root).settings.worktrees),
            adapter_for=adapter_for,
            read_screen=lambda profile, title, text: read_screen(profile.screen, title, text),
            probe=self._probe,
            config_for=config.current,
            policy=self._policy or policies,
            commands=lambda: OwnedRuns(paths.run, local),
            journal=journal,
            end_left=end_left,
            secrets=SecretVault(paths.run, os.environ),
            tasks=Tasks(),
            boot_id=boot_id(),
        )
        return Engine(services, bus, HOOK_COMMAND, policies)

    async def _probe(self, profile: AgentProfile, environment: Mapping[str, str]) -> None:
        if profile.adapter == "claude":
            await probe(program(profile, "claude"), environment, self._paths.state / "probes")

    async def _listen(self, store: Store) -> None:
        paths = self._paths
        app = build(self.state, Gate(owner_token(paths.token_file), store))
        server = _Server(
            uvicorn.Config(
                app,
                http=PeerCheckedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        listener = bind(paths.socket)
        self._stack.callback(paths.socket.unlink, missing_ok=True)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="api")
        # Without its API a supervisor is of no use: it ends, and what `close` awaits says why.
        serving.add_done_callback(lambda _: self.stop())

        async def close() -> None:
            self.engine.bus.close()
            server.should_exit = True
            await serving

        self._stack.push_async_callback(close)

    def _doctor(self, config: LiveConfig) -> Callable[[bool], Awaitable[list[dict[str, Any]]]]:
        async def look(security: bool) -> list[dict[str, Any]]:
            checks = await examine(self._paths, config.current(None).settings, security=security)
            return [asdict(check) for check in checks]

        return look

    def _agents(self, config: LiveConfig) -> Callable[[], Awaitable[list[dict[str, Any]]]]:
        async def look() -> list[dict[str, Any]]:
            loaded = config.current(None)
            paused = {pause.agent: pause for pause in await self.engine.store.read(pauses.find)}
            return [_agent(profile, paused.get(profile.name)) for profile in loaded.settings.agents.values()]

        return look


def _agent(profile: AgentProfile, pause: pauses.Pause | None) -> dict[str, Any]:
    argv = program(profile, profile.adapter)
    path = None if profile.adapter == "command" and not profile.command else shutil.which(argv[0])
    return {
        "name": profile.name,
        "adapter": profile.adapter,
        "description": profile.description,
        "executor": profile.executor,
        "installed": path is not None or (profile.adapter == "command" and not profile.command),
        "path": path,
        "install_hint": profile.install_hint,
        "paused_until": to_rfc3339(pause.until) if pause else None,
        "pause_reason": pause.reason if pause else None,
    }


class _Server(uvicorn.Server):
    """Leaves signals to the daemon."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


@contextlib.contextmanager
def _only_one(paths: Paths) -> Iterator[None]:
    """Hold the lock of this state folder; Refused when another supervisor has it."""
    paths.lock.touch(mode=0o600)
    with paths.lock.open("a+") as lock:
        if not _locked(lock):
            lock.seek(0)
            raise Refused(
                f"A supervisor already runs (pid {lock.read().strip() or 'unknown'}).",
                hint="`quarterdeck status` shows it; `quarterdeck stop` ends it.",
                code="already_running",
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        # The file stays: removing it would let two supervisors lock two files of one name.
        yield


def _locked(lock: TextIO) -> bool:
    """Take the lock. Clients that look whether it is taken hold it for an instant: that is waited out."""
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOCK_PAUSE_S)
    return False


async def serve(paths: Paths) -> None:
    """Run a supervisor until it is asked to stop, by a client or by SIGTERM or SIGINT."""
    notifier = Notifier.take()
    async with Daemon(paths) as daemon:
        # What is loaded now stays: a full collection that looks at it again holds up every request for 30 ms.
        gc.collect()
        gc.freeze()
        # The loop answers while the writer's thread parses: it must not wait 5 ms for each turn.
        sys.setswitchinterval(SWITCH_S)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.stop)
        notifier.send("READY=1")
        watchdog = asyncio.create_task(_ping(daemon, notifier), name="watchdog") if notifier.watchdog_s else None
        await daemon.wait()
        notifier.send("STOPPING=1")
        if watchdog is not None:
            watchdog.cancel()


async def _ping(daemon: Daemon, notifier: Notifier) -> None:
    """Ping systemd's watchdog, only after a real write and a living scheduler."""
    while True:
        health, _ = await daemon.engine.health()
        if health != "unhealthy":
            notifier.send("WATCHDOG=1")
        await asyncio.sleep(notifier.watchdog_s / 3)
