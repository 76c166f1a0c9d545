"""The doctor: is everything here that sessions need, and does it work?

Every check answers in words within a deadline; none raises and none changes anything that lasts.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import shutil
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from config.paths import Paths
from config.profiles import AgentProfile
from config.settings import Settings
from executors.agents.program import program
from executors.check import Check
from executors.isolation import examine_isolation
from executors.runner.tree import make_cgroup
from supervisor.model.errors import QuarterdeckError

DEADLINE_S = 10.0
OLDEST_GIT = (2, 38)  # `git merge-tree --write-tree` merges without touching a worktree
OLDEST_TMUX = (3, 2)
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
FIXED_SQLITE = (3, 51, 3)  # earlier ones can damage a WAL database that two connections write

Probe = Callable[[], Awaitable[Check]]


async def examine(
    paths: Paths,
    settings: Settings,
    *,
    security: bool = False,
    environ: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return all checks, in a fixed order. With ``security`` also how far sessions are really isolated."""
    environ = os.environ if environ is None else environ
    probes: dict[str, Probe] = {
        "git": _git,
        "tmux": _tmux,
        "docker": lambda: _docker(settings),
        "sqlite": lambda: asyncio.to_thread(_sqlite),
        **{
            f"agent {profile.name}": _agent_probe(profile)
            for profile in settings.agents.values()
            if profile.command or profile.adapter != "command"
        },
        "disk": lambda: asyncio.to_thread(_disk, paths, settings),
        "sockets": lambda: asyncio.to_thread(_sockets, paths),
        "processes": lambda: asyncio.to_thread(_processes),
        "secrets": lambda: asyncio.to_thread(_secrets, settings, environ),
    }
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_answer(name, probe)) for name, probe in probes.items()]
    checks = [task.result() for task in tasks]
    if security:
        checks += await asyncio.to_thread(examine_isolation, paths, settings)
    return checks


async def _answer(name: str, probe: Probe) -> Check:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await probe()
    except TimeoutError:
        return Check(name, "error", f"no answer within {DEADLINE_S:.0f} s", "Look at what keeps it busy.")
    except QuarterdeckError as error:
        return Check(name, "error", error.message, error.hint)
    except OSError as error:
        return Check(name, "error", str(error), "Look at the permissions of what it names.")


async def _git() -> Check:
    if not await _is_installed("git"):
        return Check("git", "error", "not installed", "Install it: sudo apt install git")
    text = await _output("git", "--version")
    if _version(text) < OLDEST_GIT:
        return Check("git", "warning", f"{_shown(text)} is older than 2.38: merges are slower", "Update git.")
    return Check("git", "ok", _shown(text))


async def _tmux() -> Check:
    hint = "Install it, for sessions in a terminal: sudo apt install tmux"
    if not await _is_installed("tmux"):
        return Check("tmux", "warning", "not installed", hint)
    text = await _output("tmux", "-V")
    if _version(text) < OLDEST_TMUX:
        return Check("tmux", "warning", f"{_shown(text)} is older than 3.2", hint.replace("Install", "Update"))
    return Check("tmux", "ok", _shown(text))


async def _docker(settings: Settings) -> Check:
    from executors.docker.engine import DockerEngine, unreachable

    try:
        address = await DockerEngine(settings.docker.host).address()
        try:
            version = await _engine_version(address.removeprefix("unix://"))
        except (OSError, ValueError, KeyError):
            raise unreachable(address) from None
    except QuarterdeckError as error:
        return Check("docker", "warning", error.message, error.hint)
    return Check("docker", "ok", f"{version} on {address}")


async def _engine_version(path: str) -> str:
    """Ask the engine itself. HTTP/1.0: the answer ends with the connection."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
        answer = await reader.read(-1)
    finally:
        writer.close()
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["Version"])


def _sqlite() -> Check:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Check("sqlite", "error", f"{version} is older than 3.37", "Use a newer Python.")
    if sqlite3.sqlite_version_info < FIXED_SQLITE:
        known = "before 3.51.3 two writers could damage a database; here only the supervisor writes"
        return Check("sqlite", "ok", f"{version} ({known})")
    return Check("sqlite", "ok", version)


def _agent_probe(profile: AgentProfile) -> Probe:
    return lambda: _agent(profile)


async def _agent(profile: AgentProfile) -> Check:
    name, command = f"agent {profile.name}", program(profile, profile.adapter)
    if not await _is_installed(command[0]):
        return Check(name, "warning", f"{command[0]} is not installed", profile.install_hint)
    if len(command) > 1 or profile.adapter == "command":
        return Check(name, "ok", command[0])
    return Check(name, "ok", _shown(await _output(command[0], "--version")))


def _disk(paths: Paths, settings: Settings) -> Check:
    folder = next(place for place in (paths.state, *paths.state.parents) if place.exists())
    free, floor = shutil.disk_usage(folder).free >> 20, settings.storage.free_disk_floor_mb
    detail = f"{free:,} MiB free at {folder}, the floor is {floor:,} MiB"
    if free < floor:
        return Check("disk", "error", detail, "Make room: nothing new is started until then.")
    return Check("disk", "ok" if free >= 2 * floor else "warning", detail, "Make room soon." * (free < 2 * floor))


def _sockets(paths: Paths) -> Check:
    detail = f"{paths.socket} ({len(os.fsencode(paths.socket))} bytes)"
    if not paths.run.exists():
        return Check("sockets", "ok", f"{detail}, made when the supervisor first starts")
    found = paths.run.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        hint = f"Make it private: chmod 700 {paths.run}"
        return Check("sockets", "error", f"{paths.run} is open to other users", hint)
    _bind(paths.run / f"doctor-{os.getpid()}.sock")
    return Check("sockets", "ok", detail)


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(str(path))
        finally:
            path.unlink(missing_ok=True)


def _processes() -> Check:
    group = make_cgroup(f"doctor-{os.getpid()}")
    if group is not None:
        group.remove()
        return Check("processes", "ok", "trees are ended through cgroups (v2)")
    if platform.system() == "Linux":
        return Check("processes", "ok", "trees are ended below a subreaper: no cgroup v2 can be written")
    return Check("processes", "warning", "processes that leave their tree are not found on this system")


def _secrets(settings: Settings, environ: Mapping[str, str]) -> Check:
    known = settings.secret_values(environ)
    if not settings.secrets:
        return Check("secrets", "ok", "none are configured, so sessions get the whole environment")
    return Check("secrets", "ok", f"{len(known)} of {len(settings.secrets)} are set and kept out of all output")


async def _is_installed(name: str) -> bool:
    return await asyncio.to_thread(shutil.which, name) is not None


async def _output(*argv: str) -> str:
    """Return what a short command prints."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return printed.decode(errors="replace").strip()


def _shown(text: str) -> str:
    return text.splitlines()[0][:100] if text else "says nothing about its version"


def _version(text: str) -> tuple[int, ...]:
    """Return the first number with a dot in a text such as ``tmux next-3.4`` or ``git version 2.39.5``."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
