"""How far sessions are really isolated from the person who runs them, said plainly.

An approval binds, and a token is out of reach, only where the agent cannot act as this user: in a container
without the socket, the token and the state folder. Everywhere else isolation is advice.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal

from config.paths import Paths
from config.profiles import ContainerProfile
from config.settings import Settings
from executors.check import Check
from supervisor.model.entities import ExecutorName

Isolation = Literal["enforced", "advisory"]

ISOLATION: dict[ExecutorName, Isolation] = {"local": "advisory", "tmux": "advisory", "docker": "enforced"}


def examine_isolation(paths: Paths, settings: Settings) -> list[Check]:
    """Return one check per executor and container profile, and one per file that must be private."""
    checks = [_same_user(executor) for executor, kind in ISOLATION.items() if kind == "advisory"]
    checks.append(Check("isolation docker", "ok", "enforced: no socket, no token, no state folder inside"))
    checks += [_container(profile) for profile in settings.containers.values()]
    private = {
        "state folder": (paths.state, 0o700),
        "runtime folder": (paths.run, 0o700),
        "socket": (paths.socket, 0o600),
        "token": (paths.token_file, 0o600),
    }
    return checks + [_private(name, path, mode) for name, (path, mode) in private.items()]


def _same_user(executor: ExecutorName) -> Check:
    who = "root, with all of its rights" if os.geteuid() == 0 else "your own user"
    detail = f"advisory: what runs there runs as {who}, and could read the token and change the database"
    return Check(f"isolation {executor}", "warning", detail, "Use --executor docker for what you do not trust.")


def _container(profile: ContainerProfile) -> Check:
    name = f"container {profile.name}"
    weak = [
        words
        for is_so, words in (
            (profile.user.split(":")[0] in ("", "0", "root"), "runs as root inside"),
            (profile.network != "none", f"reaches the network {profile.network}"),
            (not profile.read_only, "may change its root file system"),
            (profile.ssh_keys, "reads your ssh keys"),
        )
        if is_so
    ]
    if weak:
        return Check(name, "warning", ", ".join(weak), f"See `containers.{profile.name}` in the configuration.")
    return Check(name, "ok", "not root, no network, read-only root, bounded memory, processors and processes")


def _private(name: str, path: Path, mode: int) -> Check:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return Check(name, "ok", f"{path} does not exist yet")
    if found.st_uid != os.geteuid():
        return Check(name, "error", f"{path} belongs to uid {found.st_uid}", "Find out who put it there.")
    actual = stat.S_IMODE(found.st_mode)
    if actual & ~mode:
        hint = f"Take the rights of others away: chmod {mode:o} {path}"
        return Check(name, "error", f"{path} has mode {actual:o}, which lets others in", hint)
    return Check(name, "ok", f"{path} has mode {actual:o}")
