"""A branch pushed to a remote, and written to a bundle."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from supervisor.engine.ports.workspaces import Workspace
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused, Unavailable
from tests.support.git import Place, commit, git, repository, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


@pytest.fixture
async def made(place: Place) -> Workspace:
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    return made


@pytest.fixture
def remote(place: Place, tmp_path: Path) -> Path:
    path = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", path)
    git(place.root, "remote", "add", "origin", path)
    return path


def hook(remote: Path, script: str) -> None:
    write(remote / "hooks/pre-receive", f"#!/bin/sh\n{script}\n").chmod(0o755)


async def test_a_branch_is_created_updated_and_left_as_it_is(place: Place, made: Workspace, remote: Path) -> None:
    head = git(made.path, "rev-parse", "HEAD")
    hook(remote, "echo Make a request at https://example.org/new")
    done = await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert (done.pushed, done.remote, done.commit, done.change) == (True, "origin", head, "created")
    assert done.messages == ("Make a request at https://example.org/new",)
    assert git(remote, "rev-parse", made.branch) == head
    assert git(place.root, "rev-parse", "--abbrev-ref", f"{made.branch}@{{upstream}}") == f"origin/{made.branch}"
    again = await place.workspaces.push(place.root, made.branch, made.base_commit, "origin")
    assert (again.pushed, again.change) == (True, "unchanged")
    head = commit(made.path, {"more.txt": "m\n"})
    more = await place.workspaces.push(place.root, made.branch, made.base_commit, "origin")
    assert (more.change, git(remote, "rev-parse", made.branch)) == ("updated", head)


async def test_only_the_branch_goes_out(place: Place, made: Workspace, remote: Path) -> None:
    git(made.path, "tag", "-a", "-m", "t", "v1")
    git(place.root, "config", "push.followTags", "true")
    await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert git(remote, "for-each-ref", "--format=%(refname)") == f"refs/heads/{made.branch}"


async def test_nothing_is_ever_forced(place: Place, made: Workspace, remote: Path) -> None:
    await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    there = git(remote, "rev-parse", made.branch)
    git(made.path, "commit", "-q", "--amend", "-m", "another")
    git(place.root, "config", "--add", "remote.origin.push", "+refs/heads/*:refs/heads/*")
    refused = await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert (refused.pushed, refused.detail) == (False, "non-fast-forward")
    assert git(remote, "rev-parse", made.branch) == there


async def test_what_the_remote_refuses_is_told_in_its_words(place: Place, made: Workspace, remote: Path) -> None:
    hook(remote, "echo No pushes on Sunday >&2; exit 1")
    refused = await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert (refused.pushed, refused.detail) == (False, "pre-receive hook declined")
    assert "No pushes on Sunday" in refused.messages
    assert git(place.root, "config", f"branch.{made.branch}.remote", check=False) == ""


async def test_the_remote_is_named_or_plain(place: Place, made: Workspace, tmp_path: Path) -> None:
    async def push(remote: str | None) -> str:
        return (await place.workspaces.push(place.root, made.branch, made.base_commit, remote)).remote

    with pytest.raises(Refused, match="has no remote"):
        await push(None)
    for name in ("fork", "other"):
        git(tmp_path, "init", "-q", "--bare", tmp_path / name)
    git(place.root, "remote", "add", "fork", tmp_path / "fork")
    assert await push(None) == "fork"
    git(place.root, "remote", "add", "other", tmp_path / "other")
    with pytest.raises(InvalidInput, match="several remotes") as caught:
        await push(None)
    assert "fork, other" in caught.value.hint
    assert await push("other") == "other"
    for name in (str(tmp_path / "fork"), "--mirror", "nowhere"):
        with pytest.raises(NotFound, match="no remote"):
            await push(name)


async def test_without_commits_there_is_nothing_to_share(place: Place, remote: Path, tmp_path: Path) -> None:
    made = await place.prepare("ses_2")
    with pytest.raises(Refused, match="no commits since its base"):
        await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    with pytest.raises(Refused, match="no commits since its base"):
        await place.workspaces.bundle(place.root, made.branch, made.base_commit, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    with pytest.raises(NotFound, match="no branch gone"):
        await place.workspaces.push(place.root, "gone", made.base_commit, None)


class Locked(BaseHTTPRequestHandler):
    """Wants a password."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base
        """Say nothing."""


@pytest.fixture
def locked() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Locked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_nobody_is_asked_for_a_password(
    place: Place, made: Workspace, locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker = write(tmp_path / "ask", f"#!/bin/sh\ntouch {tmp_path}/asked\nsleep 300\n")
    asker.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(asker))
    monkeypatch.setenv("DISPLAY", ":0")
    git(place.root, "config", "core.askPass", asker)
    git(place.root, "remote", "add", "origin", f"http://{locked}/shop.git")
    with pytest.raises(Unavailable, match="was not pushed to origin") as caught:
        await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert "password" in caught.value.hint
    assert not (tmp_path / "asked").exists()


async def test_a_password_in_an_address_is_not_repeated(place: Place, made: Workspace) -> None:
    git(place.root, "remote", "add", "origin", "http://ada:topsecret@127.0.0.1:1/shop.git")
    with pytest.raises(Unavailable) as caught:
        await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    assert "topsecret" not in str(caught.value)


async def test_ssh_asks_nobody_either(
    place: Place, made: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w')); sys.exit(255)"
    monkeypatch.setenv("GIT_SSH_COMMAND", f'python3 -c "{code}" {tmp_path}/environment')
    git(place.root, "remote", "add", "origin", "ssh://nowhere.invalid/shop.git")
    with pytest.raises(Unavailable):
        await place.workspaces.push(place.root, made.branch, made.base_commit, None)
    seen = json.loads((tmp_path / "environment").read_text())
    assert (seen["SSH_ASKPASS"], seen["SSH_ASKPASS_REQUIRE"]) == ("false", "force")


async def test_a_bundle_holds_the_commits_since_the_base(place: Place, made: Workspace, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--branch", "main", place.root, clone)
    head = commit(made.path, {"more.txt": "m\n"})
    path = tmp_path / "work of ada.bundle"
    done = await place.workspaces.bundle(place.root, made.branch, made.base_commit, path)
    assert (done.path, done.commit, done.commits, done.size) == (path, head, 2, path.stat().st_size)
    git(clone, "fetch", "-q", path, f"{made.branch}:received")
    assert git(clone, "rev-parse", "received") == head
    assert not path.with_name(f"{path.name}.lock").exists()


async def test_a_bundle_overwrites_nothing_and_leaves_nothing_half_made(
    place: Place, made: Workspace, tmp_path: Path
) -> None:
    taken = write(tmp_path / "taken", "mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (taken, tmp_path, link):
        with pytest.raises(Refused, match="exists already"):
            await place.workspaces.bundle(place.root, made.branch, made.base_commit, path)
    assert taken.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(NotFound, match="no folder"):
        await place.workspaces.bundle(place.root, made.branch, made.base_commit, tmp_path / "none" / "b")
    write(tmp_path / "b.lock", "somebody else writes it")
    with pytest.raises(QuarterdeckError):
        await place.workspaces.bundle(place.root, made.branch, made.base_commit, tmp_path / "b")
    assert not (tmp_path / "b").exists()
