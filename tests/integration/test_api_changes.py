"""What a session changed, over the API: its files, and its commits pushed or written to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.api.client import Client, at
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.times import from_rfc3339, now_ms
from supervisor.store import tokens
from tests.support.git import git, write
from tests.support.supervised import Supervised


@pytest.fixture
async def session(supervised: Supervised) -> Session:
    """One that changed a file and made another."""
    session = await supervised.run("sh", "-c", "echo new > new.txt; echo more >> a.txt", name="work")
    return await supervised.ended(session)


async def committed(supervised: Supervised) -> str:
    commit: str = (await supervised.client.post(at("session", "work", "commit"), {"message": "Work"}))["commit"]
    return commit


async def audited(supervised: Supervised, action: str) -> list[dict[str, Any]]:
    entries = (await supervised.client.get("/audit"))["entries"]
    return [entry["after"] for entry in entries if entry["action"] == action]


def remote(supervised: Supervised, tmp_path: Path) -> Path:
    path = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", path)
    git(supervised.repository, "remote", "add", "origin", path)
    return path


async def test_the_files_and_what_is_in_them(supervised: Supervised, session: Session) -> None:
    found = await supervised.client.get(at("session", "work", "files"))
    assert found == {
        "session": session.id,
        "base_commit": session.base_commit,
        "files": [
            {"path": ".gitignore", "status": "unchanged", "before": None},
            {"path": "a.txt", "status": "modified", "before": None},
            {"path": "folder/b.txt", "status": "unchanged", "before": None},
            {"path": "new.txt", "status": "added", "before": None},
        ],
        "truncated": False,
    }
    content = await supervised.client.get(at("session", "work", "files/content"), path="new.txt")
    assert content == {"path": "new.txt", "text": "new\n", "size": 4, "binary": False, "truncated": False}


@pytest.mark.parametrize(
    ("path", "error"),
    [("../x", InvalidInput), ("/etc/passwd", InvalidInput), ("", InvalidInput), ("a\0b", InvalidInput),
     (None, InvalidInput), ("x" * 5000, InvalidInput), ("folder", InvalidInput), ("none", NotFound), (".git", Refused)],
)  # fmt: skip
async def test_a_path_that_is_no_file_of_the_session_is_refused(
    supervised: Supervised, session: Session, path: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await supervised.client.get(at("session", "work", "files/content"), path=path)


async def test_files_of_a_worktree_that_is_gone_are_not_found(supervised: Supervised, session: Session) -> None:
    await committed(supervised)
    git(supervised.repository, "worktree", "remove", "--force", str(session.worktree))
    for what in ("files", "files/content"):
        with pytest.raises(NotFound, match="not there any more"):
            await supervised.client.get(at("session", "work", what), path="a.txt")


async def test_a_branch_is_pushed_and_the_audit_log_says_so(
    supervised: Supervised, session: Session, tmp_path: Path
) -> None:
    there = remote(supervised, tmp_path)
    with pytest.raises(Refused, match="no commits"):
        await supervised.client.post(at("session", "work", "push"), {})
    commit = await committed(supervised)
    write(Path(session.worktree or "") / "later.txt", "l\n")
    done = await supervised.client.post(at("session", "work", "push"), {"remote": None})
    pushed = {"remote": "origin", "branch": session.branch, "commit": commit}
    assert done == {**pushed, "change": "created", "messages": [], "uncommitted": 1}
    assert git(there, "rev-parse", session.branch or "") == commit
    assert await audited(supervised, "session.push") == [{**pushed, "pushed": True}]
    (entry,) = [e for e in (await supervised.client.get("/audit"))["entries"] if e["action"] == "session.push"]
    assert (entry["actor"], entry["subject"]) == ("person", session.id)


async def test_a_push_that_is_refused_says_why_and_what_to_do(
    supervised: Supervised, session: Session, tmp_path: Path
) -> None:
    await committed(supervised)
    with pytest.raises(Refused, match="has no remote"):
        await supervised.client.post(at("session", "work", "push"), {})
    there = remote(supervised, tmp_path)
    with pytest.raises(NotFound, match="no remote 'fork'"):
        await supervised.client.post(at("session", "work", "push"), {"remote": "fork"})
    write(there / "hooks/pre-receive", "#!/bin/sh\necho Not on Sunday; exit 1\n").chmod(0o755)
    with pytest.raises(Refused, match=r"pre-receive hook declined\. It says: Not on Sunday"):
        await supervised.client.post(at("session", "work", "push"), {})
    (there / "hooks/pre-receive").unlink()
    await supervised.client.post(at("session", "work", "push"), {})
    git(Path(session.worktree or ""), "commit", "-q", "--amend", "-m", "Rewritten")
    with pytest.raises(Refused, match="non-fast-forward") as caught:
        await supervised.client.post(at("session", "work", "push"), {})
    assert "never forced" in caught.value.hint
    assert [after["pushed"] for after in await audited(supervised, "session.push")] == [False, True, False]


async def test_a_branch_is_pushed_when_its_worktree_is_gone(
    supervised: Supervised, session: Session, tmp_path: Path
) -> None:
    there = remote(supervised, tmp_path)
    commit = await committed(supervised)
    git(supervised.repository, "worktree", "remove", "--force", str(session.worktree))
    done = await supervised.client.post(at("session", "work", "push"), {})
    assert done["uncommitted"] == 0
    assert git(there, "rev-parse", session.branch or "") == commit


async def test_a_bundle_is_written_once(supervised: Supervised, session: Session, tmp_path: Path) -> None:
    commit = await committed(supervised)
    path = tmp_path / "work.bundle"
    done = await supervised.client.post(at("session", "work", "bundle"), {"path": str(path)})
    assert done == {
        "path": str(path),
        "branch": session.branch,
        "commit": commit,
        "base_commit": session.base_commit,
        "commits": 1,
        "size": path.stat().st_size,
        "uncommitted": 0,
    }
    assert await audited(supervised, "session.bundle") == [
        {"path": str(path), "branch": session.branch, "commit": commit}
    ]
    with pytest.raises(Refused, match="exists already"):
        await supervised.client.post(at("session", "work", "bundle"), {"path": str(path)})
    with pytest.raises(InvalidInput, match="not an absolute path"):
        await supervised.client.post(at("session", "work", "bundle"), {"path": "work.bundle"})


async def test_who_only_reads_sees_files_and_shares_nothing(supervised: Supervised, session: Session) -> None:
    await supervised.engine.services.ledger.commit(
        lambda t: tokens.add(t.conn, "reads", role="viewer", now=now_ms(), session=None)
    )
    async with Client(supervised.paths.socket, token="reads") as viewer:
        assert (await viewer.get(at("session", "work", "files")))["files"]
        for what, body in (("push", {}), ("bundle", {"path": "/tmp/x"})):
            with pytest.raises(Refused, match="may not operate"):
                await viewer.post(at("session", "work", what), body)


async def test_before_it_has_a_branch_there_is_nothing_to_share(supervised: Supervised) -> None:
    for number in range(3):
        await supervised.run("sleep", "60", name=f"s{number}")
    await supervised.run("true", name="waits")
    for what, body in (("push", {}), ("bundle", {"path": "/tmp/x"})):
        with pytest.raises(NotFound, match="no branch yet"):
            await supervised.client.post(at("session", "waits", what), body)
    with pytest.raises(NotFound, match="no worktree yet"):
        await supervised.client.get(at("session", "waits", "files"))
    await supervised.client.post("/stop", {"all": True})


async def test_a_session_says_where_its_branch_was_merged_the_last_time(
    supervised: Supervised, session: Session
) -> None:
    show = at("session", "work")
    assert (await supervised.client.get(show))["session"]["merged"] is None
    await committed(supervised)
    merged = await supervised.client.post(at("session", "work", "merge"), {})
    said = (await supervised.client.get(show))["session"]["merged"]
    assert (said["into"], said["commit"]) == ("main", merged["commit"])
    assert from_rfc3339(said["at"]) <= now_ms()
    (listed,) = (await supervised.client.get("/sessions"))["sessions"]
    assert listed["merged"] == said
    assert await supervised.payloads(session, "branch_merged") == [
        {"into": "main", "commit": merged["commit"], "merged": True}
    ]


async def test_a_merge_that_was_refused_is_none(supervised: Supervised, session: Session) -> None:
    await committed(supervised)
    write(supervised.repository / "a.txt", "another end\n")
    git(supervised.repository, "commit", "-qam", "Another end")
    with pytest.raises(Refused):
        await supervised.client.post(at("session", "work", "merge"), {})
    assert (await supervised.client.get(at("session", "work")))["session"]["merged"] is None
    assert await supervised.events(session, "branch_merged") == []
