"""What a container is given: the body of the create request, and its record. Pure.

Everything not named here is the engine's default: the default seccomp profile stays in force, no device,
no socket and no folder of the host is visible except those mounted below.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from config.profiles import ContainerProfile
from supervisor.engine.ports.processes import ContainerLaunch, Launch
from supervisor.model.errors import InvalidInput

WORKSPACE = "/workspace"
HOME = "/home/agent"
# The relay can resume a log of this size exactly after its runner was killed (`attach.KEPT_LOG_BYTES`).
LOG = {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "2"}}
MEGABYTE = 1024 * 1024


def create_body(launch: Launch, container: ContainerLaunch) -> dict[str, Any]:
    """Return the body of `POST /containers/create`; InvalidInput when the profile would open the container."""
    profile = container.profile
    _check_network(profile)
    home = launch.env.get("HOME", HOME)
    return {
        "Image": container.image,
        "Entrypoint": [launch.argv[0]],
        "Cmd": list(launch.argv[1:]),
        "Env": [f"{name}={value}" for name, value in ({"HOME": home} | launch.env).items()],
        "User": profile.user,
        "WorkingDir": _working_folder(launch.cwd, container.clone),
        "Labels": _labels(launch),
        "Tty": False,
        "AttachStdin": launch.stdin == "pipe",
        "OpenStdin": launch.stdin == "pipe",
        "StdinOnce": launch.stdin == "pipe",  # so that the end of stdin arrives
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ReadonlyRootfs": profile.read_only,
            "Init": True,
            "NetworkMode": profile.network,
            "IpcMode": "private",
            "PidsLimit": profile.pids,
            "Memory": profile.memory_mb * MEGABYTE,
            "MemorySwap": profile.memory_mb * MEGABYTE,  # memory and swap together: no swap
            "NanoCpus": round(profile.cpus * 1_000_000_000),
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            # Owned by the user: an image whose /tmp is not open to all would pass its mode on.
            "Tmpfs": {path: _tmpfs(profile) for path in ("/tmp", home)},  # noqa: S108 - the container's
            "Mounts": list(_mounts(container, home)),
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
            "LogConfig": LOG,
        },
    }


def effective(body: dict[str, Any], created: dict[str, Any]) -> dict[str, Any]:
    """Return what is recorded with the attempt: the flags in force, never a value of the environment.

    ``warnings`` are the engine's own: a limit that its kernel does not support is named there.
    """
    host = body["HostConfig"]
    return {
        "container": created["Id"],
        "image": body["Image"],
        "user": body["User"],
        "environment": sorted(entry.partition("=")[0] for entry in body["Env"]),
        "network": host["NetworkMode"],
        "capabilities": "none",
        "no_new_privileges": True,
        "seccomp": "default",
        "read_only_root": host["ReadonlyRootfs"],
        "init": True,
        "pids": host["PidsLimit"],
        "memory_bytes": host["Memory"],
        "cpus": host["NanoCpus"] / 1_000_000_000,
        "tmpfs": host["Tmpfs"],
        "mounts": [
            {"source": mount["Source"], "target": mount["Target"], "read_only": mount["ReadOnly"]}
            for mount in host["Mounts"]
        ],
        "warnings": list(created.get("Warnings") or ()),
    }


def _labels(launch: Launch) -> dict[str, str]:
    """Return whose the container is; ``home`` is the state folder, of which a machine may have several."""
    return {
        "quarterdeck.session": launch.session,
        "quarterdeck.attempt": launch.attempt,
        "quarterdeck.token": str(launch.token),
        "quarterdeck.home": str(launch.folder.parent.parent),
    }


def _check_network(profile: ContainerProfile) -> None:
    if profile.network in ("host", "default", "bridge") or profile.network.startswith("container:"):
        raise InvalidInput(
            f"The container profile {profile.name} asks for the network {profile.network!r}, which has no"
            " egress rules of its own.",
            hint="Use `network: none`, or the name of a network that you made with `docker network create`.",
        )


def _working_folder(cwd: Path, clone: Path) -> str:
    """Return the folder inside, for one that is given by its path inside or on this machine."""
    if cwd.is_relative_to(WORKSPACE):
        return str(cwd)
    below = cwd.relative_to(clone) if cwd.is_relative_to(clone) else PurePosixPath()
    return str(PurePosixPath(WORKSPACE) / below)


def _tmpfs(profile: ContainerProfile) -> str:
    options = f"rw,exec,nosuid,nodev,size={profile.tmpfs_mb}m"
    user, _, group = profile.user.partition(":")
    if user.isdecimal() and (not group or group.isdecimal()):
        return f"{options},mode=0700,uid={user},gid={group or user}"
    return f"{options},mode=1777"


def _mounts(container: ContainerLaunch, home: str) -> list[dict[str, Any]]:
    mounts = [_bind(container.clone, WORKSPACE, read_only=False)]
    mounts += [_bind(folder, str(folder), read_only=True) for folder in container.shared_objects]
    if container.profile.ssh_keys:
        mounts.append(_bind(Path.home() / ".ssh", f"{home}/.ssh", read_only=True))
    return mounts


def _bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }
