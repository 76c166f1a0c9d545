"""What new worktrees are given."""

# ruff: noqa: ASYNC240 - nothing else runs in the loop of a test

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from executors.git.records import Records
from supervisor.model.errors import QuarterdeckError, Refused
from tests.support.git import Place, commit, git, repository, write
from tests.wait import until


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


async def test_ignored_files_are_copied_with_their_mode(place: Place) -> None:
    place.settings["copy_files"] = (".env*", "folder/**/*.log", "a.txt", "missing")
    write(place.root / ".env", "KEY=1\n").chmod(0o600)
    write(place.root / "folder/deep/x.log", "log")
    write(place.root / "top.log", "not asked for")
    write(place.root / "plain.txt", "not ignored")
    write(place.root / "a.txt", "changed in the main worktree")
    made = await place.prepare()
    assert (made.path / ".env").read_text() == "KEY=1\n"
    assert (made.path / ".env").stat().st_mode & 0o777 == 0o600
    assert (made.path / "folder/deep/x.log").read_text() == "log"
    assert (made.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert not (made.path / "top.log").exists()
    assert not (made.path / "plain.txt").exists()
    assert git(made.path, "status", "--porcelain") == ""


async def test_a_pattern_can_name_a_folder_but_no_repository_in_it(place: Place) -> None:
    commit(place.root, {".gitignore": "cache/\n"})
    place.settings["copy_files"] = ("cache",)
    write(place.root / "cache/one/two", "2")
    repository(place.root / "cache/inner")
    made = await place.prepare()
    assert (made.path / "cache/one/two").read_text() == "2"
    assert not (made.path / "cache/inner").exists()


async def test_links_are_never_followed_out(place: Place, tmp_path: Path) -> None:
    write(tmp_path / "secret", "secret")
    place.settings["copy_files"] = (".env*",)
    (place.root / ".env-out").symlink_to(tmp_path / "secret")
    (place.root / ".env-up").symlink_to("../secret")
    (place.root / ".env-in").symlink_to("a.txt")
    made = await place.prepare()
    assert not os.path.lexists(made.path / ".env-out")
    assert not os.path.lexists(made.path / ".env-up")
    assert (made.path / ".env-in").readlink() == Path("a.txt")
    assert len([warning for warning in made.warnings if "out of the repository" in warning]) == 2


async def test_a_link_in_the_branch_does_not_lead_a_copy_out(place: Place, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    git(place.root, "switch", "-q", "-c", "trap")
    (place.root / "conf").symlink_to(outside)
    commit(place.root, {})
    git(place.root, "switch", "-q", "main")
    write(place.root / "conf/.env", "x")
    place.settings["copy_files"] = ("conf/.env",)
    made = await place.prepare(branch="trap")
    assert "out of the worktree" in made.warnings[0]
    assert list(outside.iterdir()) == []


async def test_set_up_runs_once_in_the_worktree_with_its_variables(place: Place) -> None:
    place.settings |= {
        "setup": 'echo "$PWD $DB"; echo ran >> ran.log',
        "names": {"DB": "{project}_{session}", "REF": "{branch}"},
    }
    write(place.log, "before\n")
    made = await place.prepare()
    assert made.env == {"DB": "prj_ses_1", "REF": "qd/ses_1"}
    assert place.log.read_text() == f"before\n{made.path} prj_ses_1\n"
    assert (await place.prepare()).env == made.env
    assert (made.path / "ran.log").read_text() == "ran\n"


async def test_failed_set_up_says_so_and_is_tried_again(place: Place) -> None:
    place.settings["setup"] = "echo first; echo no such package >&2; exit 3"
    with pytest.raises(QuarterdeckError, match=r"failed \(exit 3\). It said: first / no such package") as caught:
        await place.prepare()
    assert str(place.log) in caught.value.hint
    assert caught.value.specific_code == "setup_failed"
    place.settings["setup"] = "true"
    assert (await place.prepare()).reused


async def test_set_up_killed_by_a_signal(place: Place) -> None:
    place.settings["setup"] = "kill -9 $$"
    with pytest.raises(QuarterdeckError, match=r"failed \(SIGKILL\)"):
        await place.prepare()


async def test_set_up_that_takes_too_long_is_killed_with_all_it_started(place: Place, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    sleeper = f"sh -c 'echo $$ >> {pids}; exec sleep 60'"
    place.settings |= {
        "setup": f"{sleeper} & setsid {sleeper} & (setsid {sleeper} &); wait",
        "setup_timeout_s": 0.5,
    }
    with pytest.raises(QuarterdeckError, match=r"stopped after 0\.5 s"):
        await place.prepare()
    started = pids.read_text().split()
    assert len(started) == 3
    await until(lambda: not any(_runs(pid) for pid in started))


def _runs(pid: str) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_ports_are_unique_and_stay(place: Place) -> None:
    place.settings |= {"ports": ("WEB_PORT", "DB_PORT"), "port_range": (28_000, 28_007)}
    made = [await place.prepare(f"ses_{number}") for number in range(4)]
    ports = [port for each in made for port in each.env.values()]
    assert len(set(ports)) == 8
    assert (await place.prepare("ses_2")).env == made[2].env
    with pytest.raises(Refused, match="All ports from 28000 to 28007 are taken"):
        await place.prepare("ses_9")


async def test_ports_are_free_again_after_removal(place: Place) -> None:
    place.settings |= {"ports": ("PORT",), "port_range": (28_010, 28_010)}
    made = await place.prepare()
    await place.workspaces.remove(place.root, made.path, made.branch, made.base_commit)
    assert (await place.prepare("ses_2")).env == {"PORT": "28010"}


async def test_sessions_in_one_worktree_share_its_ports(place: Place, tmp_path: Path) -> None:
    place.settings |= {"ports": ("PORT",), "port_range": (28_030, 28_031)}
    git(place.root, "worktree", "add", "-q", "-b", "feature/x", tmp_path / "x")
    first, second = [await place.prepare(f"ses_{number}", task="do-x") for number in range(2)]
    assert first.env == second.env
    assert (await place.prepare("ses_9")).env != first.env


async def test_a_port_that_something_listens_on_is_passed_over(place: Place) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 28_020))
        listening.listen()
        place.settings |= {"ports": ("PORT",), "port_range": (28_020, 28_021)}
        assert (await place.prepare()).env == {"PORT": "28021"}


async def test_a_worktree_found_by_its_task_is_left_as_it_is(place: Place, tmp_path: Path) -> None:
    place.settings |= {"setup": "exit 1", "copy_files": (".env",), "ports": ("PORT",)}
    write(place.root / ".env", "x")
    git(place.root, "worktree", "add", "-q", "-b", "feature/x", tmp_path / "x")
    made = await place.prepare(task="do-x")
    assert list(made.env) == ["PORT"]
    assert not (made.path / ".env").exists()
    record = Records(place.worktrees).read("ses_1")
    assert record is not None
    assert not record.ours


# --- submodules and large files ------------------------------------------------------------


async def test_submodules_are_filled_without_a_network(place: Place, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(place.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    commit(place.root, {})
    library.rename(tmp_path / "offline")
    config = (place.root / ".git/config").read_text()
    made = await place.prepare()
    assert (made.path / "lib/a.txt").exists()
    assert made.warnings == ()
    assert git(made.path / "lib", "config", "remote.origin.url") == str(library)
    assert (place.root / ".git/config").read_text() == config


async def test_a_submodule_that_is_nowhere_is_a_warning(place: Place, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(place.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    commit(place.root, {})
    git(tmp_path, "clone", "-q", "project", "fresh")
    fresh = Place(tmp_path / "fresh", tmp_path / "more")
    made = await fresh.prepare()
    assert "submodule lib is empty" in made.warnings[0]
    assert "submodule update --init" in made.warnings[0]


async def test_large_file_pointers_are_a_warning_without_the_filter(place: Place) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    commit(place.root, {".gitattributes": "*.bin filter=lfs diff=lfs -text\n", "x.bin": pointer})
    made = await place.prepare()
    assert "git-lfs" in made.warnings[0]
    git(place.root, "config", "filter.lfs.smudge", "cat")
    assert (await place.prepare("ses_2")).warnings == ()
