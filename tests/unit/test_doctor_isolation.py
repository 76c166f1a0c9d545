from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.paths import Paths
from config.profiles import ContainerProfile
from config.settings import Settings
from executors.check import Check
from executors.isolation import ISOLATION, examine_isolation


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths.below(tmp_path / "home", {})
    paths.create()
    return paths


def look(paths: Paths, *profiles: ContainerProfile) -> dict[str, Check]:
    settings = Settings(containers={profile.name: profile for profile in profiles})
    return {check.name: check for check in examine_isolation(paths, settings)}


def test_only_containers_enforce(paths: Paths) -> None:
    found = look(paths)
    assert ISOLATION == {"local": "advisory", "tmux": "advisory", "docker": "enforced"}
    assert [found[f"isolation {name}"].status for name in ISOLATION] == ["warning", "warning", "ok"]


@pytest.mark.parametrize(("uid", "words"), [(0, "root, with all of its rights"), (1000, "your own user")])
def test_whose_rights_a_plain_session_has_is_said(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, uid: int, words: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert words in look(paths)["isolation local"].detail


def test_a_hardened_profile_is_ok(paths: Paths) -> None:
    assert look(paths, ContainerProfile(name="default"))["container default"].status == "ok"


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (ContainerProfile(name="x", user="0:0"), "runs as root"),
        (ContainerProfile(name="x", user="root"), "runs as root"),
        (ContainerProfile(name="x", network="bridge"), "reaches the network bridge"),
        (ContainerProfile(name="x", read_only=False), "root file system"),
        (ContainerProfile(name="x", ssh_keys=True), "reads your ssh keys"),
    ],
)
def test_what_weakens_a_profile_is_named(paths: Paths, profile: ContainerProfile, words: str) -> None:
    check = look(paths, profile)["container x"]
    assert check.status == "warning"
    assert words in check.detail
    assert "containers.x" in check.hint


def test_private_files_are_checked(paths: Paths) -> None:
    found = look(paths)
    assert found["token"].detail.endswith("does not exist yet")
    assert found["state folder"].detail.endswith("has mode 700")
    paths.token_file.write_text("t")
    paths.token_file.chmod(0o644)
    check = look(paths)["token"]
    assert check.status == "error"
    assert check.hint.endswith(f"chmod 600 {paths.token_file}")
    paths.token_file.chmod(0o400)
    assert look(paths)["token"].status == "ok"


def test_somebody_elses_file_is_an_error(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to uid" in look(paths)["state folder"].detail
