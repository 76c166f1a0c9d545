"""Attempts in containers. The container holds the work, a local runner holds its stdio and exit record.

A runner that dies takes nothing with it: the container goes on, its log keeps what it prints, and `find` or
`watch` give it a new runner. For that the launch is kept beside the runner's files; ``<attempt>.started`` of
the dead runner is renamed, so that the new one takes the attempt by the same rules (exclusive file, token).
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from executors.docker import kept
from executors.docker.engine import DockerEngine
from executors.docker.hardening import create_body, effective
from supervisor.engine.ports.processes import AttemptRef, Executor, ExitRecord, Found, Launch, Signal, Started
from supervisor.model.entities import ExecutorName
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused, Unavailable
from supervisor.model.times import from_rfc3339, now_ms

ATTACH = Path(__file__).with_name("attach.py")
# The engine ends the container within the grace; the runner waits longer before it ends the relay.
STOP_MARGIN_S = 15.0
KILLED = 137
RUNNING = ("running", "paused", "restarting")
REMOVED = "Its container was removed, and its runner left no exit record."


class DockerExecutor:
    """Executor for containers. ``local`` runs the relays."""

    name: ExecutorName = "docker"

    def __init__(self, local: Executor, address: str | None = None) -> None:
        """``address`` is the engine's; without one Docker's own configuration counts."""
        self._local = local
        self._engine = DockerEngine(address)
        self._adopting = asyncio.Lock()

    async def check(self, launch_image: str | None = None) -> None:
        """Raise Unavailable unless the engine answers and has the image."""
        await self._engine.check(launch_image)

    async def start(self, launch: Launch) -> Started:
        """Create the container and start the runner that starts it."""
        container = launch.container
        if container is None:
            raise InvalidInput("A container's attempt was given no container.")
        body = create_body(launch, container)
        created = await self._create(container.name, body)
        flags = json.dumps(effective(body, created), indent=2)
        await asyncio.to_thread((launch.folder / f"container-{launch.number}.json").write_text, flags)
        relay = await self._relay(launch, created["Id"])
        await asyncio.to_thread(kept.keep, relay)
        try:
            started = await self._local.start(relay)
        except QuarterdeckError:
            await self._remove_unstarted(created["Id"])
            raise
        return replace(started, handle=created["Id"])

    async def find(self, ref: AttemptRef) -> Found:
        """Say what became of an attempt; a container whose runner is gone gets a new one."""
        found = await self._local.find(ref)
        if found.exit is not None:
            return await self._settle(ref, found.exit)
        if found.state == "alive":
            return _with_handle(found, ref)
        try:
            about = await self._inspect(ref)
        except Unavailable as error:
            return replace(found, detail=f"{found.detail} {error.message}".strip())
        if about is None:
            return found if found.state == "not_started" else replace(found, detail=REMOVED)
        if found.state == "not_started" and about["State"]["Status"] == "created":
            return found
        return await self._adopt(ref, about)

    async def watch(self, ref: AttemptRef) -> AsyncIterator[Signal]:
        """Yield news; the end of a runner alone is none."""
        while True:
            async for news in self._local.watch(ref):
                if news.kind not in ("exited", "gone"):
                    yield news
            found = await self.find(ref)
            if found.state != "alive":
                yield Signal("exited" if found.exit else "gone", exit=found.exit, at=now_ms())
                return

    async def write(self, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        """Write to the container's stdin."""
        await self._local.write(ref, data, close=close)

    async def signal(self, ref: AttemptRef, number: int) -> None:
        """Send a signal to the container's command."""
        await self._engine.kill(_handle(ref), number)

    async def pause(self, ref: AttemptRef) -> None:
        """Freeze the container, and its relay, so that its limits do not run on."""
        if not await self._is_paused(ref):
            await self._engine.pause(_handle(ref))
        await self._local.pause(ref)

    async def resume(self, ref: AttemptRef) -> None:
        """Thaw both."""
        await self._local.resume(ref)
        if await self._is_paused(ref):
            await self._engine.unpause(_handle(ref))

    async def hold(self, ref: AttemptRef, *, held: bool) -> None:
        """Stop the clocks of the attempt's timeouts, or let them run on; its runner keeps them."""
        await self._local.hold(ref, held=held)

    async def stop(self, ref: AttemptRef, *, grace_s: float) -> None:
        """Have the relay stop the container: SIGTERM, the grace, SIGKILL."""
        await asyncio.to_thread(_grace_file(ref.run, ref.attempt).write_text, str(grace_s))
        await self._local.stop(ref, grace_s=grace_s + STOP_MARGIN_S)

    async def type_text(self, ref: AttemptRef, text: str) -> None:
        """Refuse: there is no terminal."""
        raise Refused("A session in a container has no terminal to type into.", hint="Use `quarterdeck send`.")

    async def screen(self, ref: AttemptRef) -> tuple[str, str] | None:
        """Return None: there is no terminal."""
        return None

    def attach_command(self, ref: AttemptRef) -> list[str]:
        """Return the command for a shell in the container."""
        docker = shutil.which("docker")
        if docker is None:
            raise Refused(
                "A shell in the container needs the docker command, which is not installed.",
                hint="Install it (`apt install docker.io`), or follow `quarterdeck logs`.",
            )
        return [docker, "--host", self._engine.known_address(), "exec", "-it", _handle(ref), "sh"]

    async def release(self, ref: AttemptRef) -> None:
        """Remove the container of an ended attempt and what its runner left."""
        if (await self._local.find(ref)).state == "alive":
            raise Refused("The attempt still runs.", hint="Cancel it first.")
        await self._engine.remove(_handle(ref), force=True)
        await self._local.release(ref)
        await asyncio.to_thread(kept.forget, ref.run, ref.attempt)

    async def close(self) -> None:
        """Let go of the connections to the engine; containers stay."""
        await self._engine.close()

    # --- starting --------------------------------------------------------------------------

    async def _create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._engine.create(name, body)
        except Refused:
            about = await self._engine.inspect(name)
            if about is None:
                return await self._engine.create(name, body)
            if _labels(about) == body["Labels"]:
                return about
            raise Refused(
                f"There is a container {name} that this attempt did not make.",
                hint=f"Look at it, then remove it with `docker rm -f {name}`.",
            ) from None

    async def _relay(self, launch: Launch, container: str) -> Launch:
        """Return the launch of the runner whose child is the relay."""
        socket = (await self._engine.address()).removeprefix("unix://")
        grace = _grace_file(launch.run, launch.attempt)
        await asyncio.to_thread(grace.write_text, str(launch.stop_grace_s))
        spool = launch.folder / "stream.log"
        offset, inode = await asyncio.to_thread(_end_of, spool)
        program = (sys.executable, "-I", "-S", str(ATTACH))
        return replace(
            launch,
            argv=(*program, socket, container, str(grace), str(spool), str(offset), str(inode)),
            env={},
            cwd=launch.folder,
            stop_grace_s=launch.stop_grace_s + STOP_MARGIN_S,
            container=None,
        )

    async def _remove_unstarted(self, container: str) -> None:
        # Without force: should it run after all, it stays.
        try:
            await self._engine.remove(container)
        except QuarterdeckError:
            return

    # --- finding ---------------------------------------------------------------------------

    async def _inspect(self, ref: AttemptRef) -> dict[str, Any] | None:
        """Return this attempt's container; one of the same name that is another's does not count."""
        about = await self._engine.inspect(_handle(ref))
        return about if about and _labels(about).get("quarterdeck.attempt") == ref.attempt else None

    async def _adopt(self, ref: AttemptRef, about: dict[str, Any]) -> Found:
        state = about["State"]
        relay = await asyncio.to_thread(kept.recall, ref.run, ref.attempt)
        if relay is None:
            # Another boot: the runtime folder is empty, and with it the secrets to remove from a log.
            if state["Status"] in RUNNING:
                await self._engine.kill(about["Id"], signal.SIGKILL)
                return Found("gone", detail="What its container needs to go on was lost, so it was ended.")
            if state["Status"] == "created":
                return Found("gone", detail="Its container was made, but never started.")
            return Found("ended", exit=_exit(ref, state), detail="Its container ended without its runner.")
        async with self._adopting:
            found = await self._local.find(ref)
            if found.state == "alive":
                return _with_handle(found, ref)
            await asyncio.to_thread(kept.set_aside, ref)
            started = await self._local.start(_for_the_rest(relay, state))
        return Found("alive", started=replace(started, handle=about["Id"]), detail="It was given a new runner.")

    async def _settle(self, ref: AttemptRef, exit_record: ExitRecord) -> Found:
        """Return the end that a record tells of, unless it is only the relay's."""
        if exit_record.exit_code != KILLED:
            return Found("ended", exit=exit_record)
        try:
            about = await self._inspect(ref)
        except Unavailable:
            about = None
        if about is None:
            return Found("ended", exit=exit_record)
        state = about["State"]
        relay_killed = exit_record.signal is not None
        if relay_killed and state["Status"] in RUNNING:
            if exit_record.cause == "exit":
                return await self._adopt(ref, about)
            await self._engine.kill(about["Id"], signal.SIGKILL)
        elif relay_killed:
            exit_record = replace(exit_record, exit_code=int(state["ExitCode"]), signal=None)
        if state.get("OOMKilled"):
            exit_record = replace(exit_record, message="The container went out of memory.")
        return Found("ended", exit=exit_record)

    async def _is_paused(self, ref: AttemptRef) -> bool:
        about = await self._inspect(ref)
        if about is None or about["State"]["Status"] not in RUNNING:
            raise Refused("The container does not run.", hint="`quarterdeck sessions explain ID` says why.")
        return bool(about["State"]["Paused"])


def name_of(ref: AttemptRef) -> str:
    """Return the name of an attempt's container."""
    return f"qd-{ref.session}-{ref.number}"


def _handle(ref: AttemptRef) -> str:
    return ref.handle or name_of(ref)


def _with_handle(found: Found, ref: AttemptRef) -> Found:
    return replace(found, started=replace(found.started, handle=_handle(ref)) if found.started else None)


def _for_the_rest(relay: Launch, state: dict[str, Any]) -> Launch:
    """Return the launch with what is left of its time."""
    if relay.start_to_close_s is None or state["Status"] == "created":
        return relay
    used = (now_ms() - _time(state["StartedAt"])) / 1000
    return replace(relay, start_to_close_s=max(relay.start_to_close_s - used, 0.001))


def _labels(about: dict[str, Any]) -> dict[str, str]:
    return cast("dict[str, str]", about["Config"].get("Labels") or {})


def _grace_file(run: Path, attempt: str) -> Path:
    return run / f"{attempt}.grace"


def _end_of(spool: Path) -> tuple[int, int]:
    try:
        about = spool.stat()
    except FileNotFoundError:
        return 0, 0
    return about.st_size, about.st_ino


def _exit(ref: AttemptRef, state: dict[str, Any]) -> ExitRecord:
    return ExitRecord(
        attempt=ref.attempt,
        token=ref.token,
        exit_code=int(state["ExitCode"]),
        cause="exit",
        started_at=_time(state["StartedAt"]),
        ended_at=_time(state["FinishedAt"]),
        message="The container went out of memory." if state.get("OOMKilled") else "",
    )


def _time(text: str) -> int:
    # Nanoseconds are more than Python reads.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return from_rfc3339(f"{whole}.{fraction[:6]:0<6}+00:00")
