"""Attempts in tmux windows. The runner in the window holds the exit record; tmux holds the terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from executors import link
from executors.local import runner_command
from executors.tmux.control import TmuxError, TmuxGoneError
from executors.tmux.keyboard import type_text
from executors.tmux.server import TmuxServer
from supervisor.engine.ports.processes import AttemptRef, ExitRecord, Found, Launch, Signal, Started
from supervisor.model.entities import ExecutorName
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from supervisor.model.times import now_ms

START_TIMEOUT_S = 15.0
LOOK_EVERY_S = 0.002
LOOK_AT_PANE_S = 0.25
LONGEST_NAME = 60
# tmux expands formats in a window's name, `#(command)` too: only harmless characters are let through.
UNUSUAL = re.compile(r"[^\w.@+-]+")
ABOUT = "#{pane_dead} #{pane_in_mode} #{pane_dead_status}/#{pane_dead_time} #{pane_start_command}"


@dataclass(frozen=True, slots=True)
class Pane:
    """How a pane stands. ``status`` is its program's exit code, None while it runs or when tmux has none."""

    dead: bool
    in_mode: bool
    status: int | None
    ended_at: int


class TmuxExecutor:
    """Executor for windows of the private server of one runtime folder."""

    name: ExecutorName = "tmux"

    def __init__(self, run: Path) -> None:
        self.server = TmuxServer(run)
        self._typing = asyncio.Lock()

    async def check(self, launch_image: str | None = None) -> None:
        """Raise Unavailable when tmux is missing or too old."""
        await self.server.check()

    async def start(self, launch: Launch) -> Started:
        """Open a window whose program is the attempt's runner; returns when the child was spawned."""
        ref = _ref(launch)
        pane = None
        if await asyncio.to_thread(link.read_started, ref) is None:
            path = launch.run / f"{launch.attempt}.launch"
            await asyncio.to_thread(_write_private, path, json.dumps(link.launch_fields(launch)))
            pane = await self.server.new_window(window_name(launch.window), runner_command("window", str(path)))
        return await self._started(replace(ref, handle=pane))

    async def find(self, ref: AttemptRef) -> Found:
        """Say what became of an attempt. A dead pane's exit code counts when the runner left no record."""
        found = await link.find(ref)
        if found.state == "alive" and found.started is not None:
            noted = await asyncio.to_thread(link.read_started, ref) or {}
            pane = ref.handle or await self._own_pane(ref, noted.get("runner_pid", 0))
            return replace(found, started=replace(found.started, handle=pane))
        if found.state != "gone":
            return found
        try:
            left = await self._look(ref)
        except TmuxGoneError:
            return replace(found, detail=f"{found.detail} The tmux server is gone, too.".strip())
        if left is None or left.status is None:
            return found
        return Found("ended", exit=_exit(ref, left), detail="Its window still tells the exit code.")

    async def watch(self, ref: AttemptRef) -> AsyncIterator[Signal]:
        """Yield an attempt's news."""
        async for news in link.watch(ref):
            if news.kind != "gone":
                yield news
                continue
            found = await self.find(ref)
            yield Signal("exited", found.exit, now_ms()) if found.exit else news

    async def write(self, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        """Write to the child's terminal, as if it was typed; ``close`` is a terminal's end of input."""
        await link.write(ref, data + b"\x04" if close else data, close=False)

    async def signal(self, ref: AttemptRef, number: int) -> None:
        """Send a signal to the child alone."""
        await link.send_signal(ref, number)

    async def pause(self, ref: AttemptRef) -> None:
        """Freeze the whole tree."""
        await link.ask(ref, {"op": "pause"})

    async def resume(self, ref: AttemptRef) -> None:
        """Thaw the whole tree."""
        await link.ask(ref, {"op": "resume"})

    async def hold(self, ref: AttemptRef, *, held: bool) -> None:
        """Stop the clocks of the attempt's timeouts, or let them run on."""
        await link.ask(ref, {"op": "hold", "held": held})

    async def stop(self, ref: AttemptRef, *, grace_s: float) -> None:
        """End the whole tree."""
        await link.stop(ref, grace_s=grace_s)

    async def type_text(self, ref: AttemptRef, text: str) -> None:
        """Paste text and press Enter once it is seen."""
        # One at a time: two texts for one prompt must not meet in it.
        async with self._typing:
            try:
                pane = await self._look(ref)
                if pane is None or pane.dead or ref.handle is None:
                    raise Refused("The text did not arrive: the session's terminal has ended.")
                if pane.in_mode:
                    await self.server.command("send-keys", "-t", ref.handle, "-X", "cancel")
                await type_text(self.server.command, ref.handle, text, ref.run)
            except (TmuxError, TmuxGoneError) as error:
                raise QuarterdeckError(
                    f"The text did not arrive: {error}.", hint="`quarterdeck sessions show` tells how it stands."
                ) from error

    async def screen(self, ref: AttemptRef) -> tuple[str, str] | None:
        """Return the terminal's title and what it shows; None when its window is not there."""
        if ref.handle is None:
            return None
        try:
            if await self._look(ref) is None:
                return None
            title, lines = await asyncio.gather(
                self.server.command("display-message", "-p", "-t", ref.handle, "#{pane_title}"),
                self.server.command("capture-pane", "-p", "-t", ref.handle),
            )
        except (TmuxError, TmuxGoneError):
            return None
        return "".join(title), "\n".join(lines)

    def attach_command(self, ref: AttemptRef) -> list[str]:
        """Return the command that shows the window; it works inside another tmux, too."""
        if ref.handle is None:
            raise Refused("The session has no window yet.", hint="Look again in a moment.")
        # The private server is another one than the caller's, so tmux need not fear to be in itself.
        attach = ["attach-session", "-t", ref.handle]
        return ["env", "-u", "TMUX", "tmux", "-u", "-S", str(self.server.socket), *attach]

    async def release(self, ref: AttemptRef) -> None:
        """Close the window of an ended attempt and remove what its runner left."""
        await asyncio.to_thread(link.remove_leftovers, ref)
        try:
            if ref.handle is not None and await self._look(ref) is not None:
                await self.server.command("kill-pane", "-t", ref.handle)
        except (TmuxError, TmuxGoneError):
            return

    async def close(self) -> None:
        """Hang up the connection; windows stay."""
        await self.server.close()

    async def _started(self, ref: AttemptRef) -> Started:
        """Wait for what the runner notes; raise what it says when it could not start the child."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_TIMEOUT_S
        look_at = loop.time() + LOOK_AT_PANE_S
        while True:
            noted = await asyncio.to_thread(link.read_started, ref) or {}
            if "failure" in noted:
                raise Unavailable(noted["failure"], hint="Check the command, its PATH and its folder.")
            if noted.get("pid"):
                return Started(noted["pid"], noted["pid_started_at"], await self._own_pane(ref, noted["runner_pid"]))
            if loop.time() > look_at:
                look_at = loop.time() + LOOK_AT_PANE_S
                pane = await self._look(ref)
                if (pane is None or pane.dead) and await asyncio.to_thread(link.read_started, ref) is None:
                    raise QuarterdeckError("The runner in the window ended at once.", hint=await self._words(ref))
            if loop.time() > deadline:
                raise QuarterdeckError("The runner in the window does not start.", hint=await self._words(ref))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _words(self, ref: AttemptRef) -> str:
        """Return the last thing that the window says."""
        _, text = await self.screen(ref) or ("", "")
        said = [line for line in text.splitlines() if line.strip() and not line.startswith("Pane is dead")]
        return f"It says: {said[-1].strip()}" if said else "See `quarterdeck doctor`."

    async def _own_pane(self, ref: AttemptRef, runner: int) -> str | None:
        """Return the pane that the runner runs in.

        A start that was repeated after a crash may have opened a second window, whose runner left the
        attempt to the first: that one is closed.
        """
        try:
            lines = await self.server.command("list-panes", "-a", "-F", "#{pane_pid} #{pane_id}")
            panes = dict(line.split(" ", 1) for line in lines)
            pane = panes.get(str(runner))
            if ref.handle is not None and pane is not None and ref.handle != pane:
                await self.server.command("kill-pane", "-t", ref.handle)
        except (TmuxError, TmuxGoneError):
            return ref.handle
        return pane or ref.handle

    async def _look(self, ref: AttemptRef) -> Pane | None:
        """Return how the attempt's pane stands, None when it is not there.

        A new server counts its panes from the start: the number alone may name another attempt's.
        """
        if ref.handle is None:
            return None
        try:
            lines = await self.server.command("display-message", "-p", "-t", ref.handle, ABOUT)
        except TmuxError:
            return None
        dead, in_mode, ended, command = (*"".join(lines).split(" ", 3), "", "", "", "")[:4]
        if f"/{ref.attempt}.launch" not in command:
            return None
        status, _, at = ended.partition("/")
        known = int(status) if dead == "1" and status.isdecimal() else None
        return Pane(dead == "1", in_mode not in ("", "0"), known, int(at) * 1000 if at.isdecimal() else now_ms())


def window_name(text: str) -> str:
    """Return a window's name without anything that tmux reads as a format, a style or a target."""
    return UNUSUAL.sub("-", text).strip("-.")[:LONGEST_NAME] or "session"


def _ref(launch: Launch) -> AttemptRef:
    return AttemptRef(launch.attempt, launch.session, launch.number, launch.token, "", launch.run, launch.folder, None)


def _exit(ref: AttemptRef, pane: Pane) -> ExitRecord:
    return ExitRecord(
        attempt=ref.attempt,
        token=ref.token,
        exit_code=pane.status or 0,
        cause="exit",
        started_at=pane.ended_at,
        ended_at=pane.ended_at,
        message="Its runner left no record; this is what tmux kept.",
    )


def _write_private(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
