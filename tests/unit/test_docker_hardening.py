"""The body of the create request: what a container may do, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.profiles import ContainerProfile
from executors.docker.hardening import create_body, effective
from supervisor.engine.ports.processes import ContainerLaunch, Launch
from supervisor.model.errors import InvalidInput

CONTAINER = ContainerLaunch(
    profile=ContainerProfile(name="default"),
    image="image:1",
    name="qd-ses_1-1",
    clone=Path("/state/clone"),
    shared_objects=(Path("/repo/.git/objects"),),
)
LAUNCH = Launch(
    attempt="att_1",
    session="ses_1",
    number=1,
    token=7,
    run=Path("/run"),
    folder=Path("/home/sessions/ses_1"),
    argv=("tool", "--flag", "a value"),
    env={"KEY": "sk-secret", "ODD": "a=b\nc"},
    cwd=Path("/state/clone"),
    container=CONTAINER,
)


def body(launch: Launch = LAUNCH, **profile: Any) -> dict[str, Any]:
    container = replace(CONTAINER, profile=ContainerProfile(name="p", **profile))
    return create_body(launch, container)


def host(**profile: Any) -> dict[str, Any]:
    found: dict[str, Any] = body(**profile)["HostConfig"]
    return found


def test_nothing_is_allowed_that_was_not_asked_for() -> None:
    flags = host()
    assert flags["CapDrop"] == ["ALL"]
    assert flags["SecurityOpt"] == ["no-new-privileges:true"]
    assert flags["ReadonlyRootfs"] is True
    assert flags["Init"] is True
    assert flags["NetworkMode"] == "none"
    assert flags["AutoRemove"] is False
    assert flags["RestartPolicy"] == {"Name": "no"}
    assert not {"Privileged", "CapAdd", "Devices", "PidMode", "Binds"} & flags.keys()


def test_limits_come_from_the_profile_and_leave_no_swap() -> None:
    flags = host(memory_mb=64, cpus=0.5, pids=20, tmpfs_mb=8)
    assert flags["Memory"] == flags["MemorySwap"] == 64 * 1024 * 1024
    assert flags["NanoCpus"] == 500_000_000
    assert flags["PidsLimit"] == 20
    assert "size=8m" in flags["Tmpfs"]["/tmp"]


def test_the_command_replaces_the_entrypoint_of_the_image() -> None:
    made = body()
    assert made["Entrypoint"] == ["tool"]
    assert made["Cmd"] == ["--flag", "a value"]


def test_the_environment_is_the_launchs_and_a_home() -> None:
    assert body()["Env"] == ["HOME=/home/agent", "KEY=sk-secret", "ODD=a=b\nc"]


def test_a_given_home_is_kept_and_writable() -> None:
    made = body(replace(LAUNCH, env={"HOME": "/h"}))
    assert made["Env"] == ["HOME=/h"]
    assert "uid=1000,gid=1000" in made["HostConfig"]["Tmpfs"]["/h"]


@pytest.mark.parametrize("user", ["node", "node:node", "1000:node"])
def test_the_home_of_a_named_user_is_open_since_its_number_is_not_known(user: str) -> None:
    assert host(user=user)["Tmpfs"]["/home/agent"].endswith("mode=1777")


def test_a_user_without_a_group_owns_the_home_alone() -> None:
    assert host(user="1234")["Tmpfs"]["/home/agent"].endswith("mode=0700,uid=1234,gid=1234")


def test_the_clone_is_writable_and_shared_objects_are_not() -> None:
    mounts = host()["Mounts"]
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("/state/clone", "/workspace", False),
        ("/repo/.git/objects", "/repo/.git/objects", True),
    ]


def test_ssh_keys_are_mounted_only_on_request() -> None:
    assert not any(".ssh" in mount["Source"] for mount in host()["Mounts"])
    mount = host(ssh_keys=True)["Mounts"][-1]
    assert mount["Source"] == str(Path.home() / ".ssh")
    assert mount["Target"] == "/home/agent/.ssh"
    assert mount["ReadOnly"] is True


def test_the_engines_socket_is_never_mounted() -> None:
    assert "docker.sock" not in json.dumps(host(ssh_keys=True))


@pytest.mark.parametrize("network", ["host", "bridge", "default", "container:other"])
def test_a_network_without_egress_rules_is_refused(network: str) -> None:
    with pytest.raises(InvalidInput, match="egress") as refused:
        body(network=network)
    assert "docker network create" in refused.value.hint


def test_a_named_network_is_taken() -> None:
    assert host(network="agents")["NetworkMode"] == "agents"


@pytest.mark.parametrize(
    ("cwd", "inside"),
    [
        ("/state/clone", "/workspace"),
        ("/state/clone/a b/c", "/workspace/a b/c"),
        ("/workspace/sub", "/workspace/sub"),
        ("/elsewhere", "/workspace"),
        ("/state/clone-2", "/workspace"),
    ],
)
def test_the_working_folder_is_the_same_one_inside(cwd: str, inside: str) -> None:
    assert body(replace(LAUNCH, cwd=Path(cwd)))["WorkingDir"] == inside


def test_stdin_is_open_only_where_something_writes_to_it() -> None:
    assert body()["OpenStdin"] is False
    made = body(replace(LAUNCH, stdin="pipe"))
    assert made["OpenStdin"] is True
    assert made["StdinOnce"] is True


def test_labels_say_whose_it_is() -> None:
    assert body()["Labels"] == {
        "quarterdeck.session": "ses_1",
        "quarterdeck.attempt": "att_1",
        "quarterdeck.token": "7",
        "quarterdeck.home": "/home",
    }


def test_the_log_outlives_everything_but_is_bounded() -> None:
    assert host()["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "2"}}


def test_the_record_names_the_flags_and_warnings_but_no_value_of_the_environment() -> None:
    record = effective(body(memory_mb=64), {"Id": "abc", "Warnings": ["no swap limit"]})
    assert record["container"] == "abc"
    assert record["memory_bytes"] == 64 * 1024 * 1024
    assert record["warnings"] == ["no swap limit"]
    assert record["environment"] == ["HOME", "KEY", "ODD"]
    assert "sk-secret" not in json.dumps(record)
