"""Artifacts: kept whole or not at all, never changed, checked when they are read, cleared away in their time."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.api.client import Client, at
from supervisor.engine.artifacts import UPLOAD_KEPT_MS
from supervisor.engine.uploads import PutRequest
from supervisor.model.artifacts import SIZE_LIMIT, Artifact
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused, StoreError
from supervisor.model.times import now_ms
from supervisor.store import artifacts, plans, tokens, uploads
from tests.support.supervised import PERSON, Home, Supervised

PLAN = """\
id: plan-hello
title: Two tasks
tasks:
  - {id: a, title: First, command: "true"}
  - {id: b, title: Second, needs: [a], command: "true"}
"""
NOT_YOURS = "only its own|not of the token's session|does not work on"
SECRET = "s3cret-value-that-nobody-sees"


@pytest.fixture
async def place(supervised: Supervised) -> Supervised:
    """A supervisor with a plan."""
    await supervised.engine.planning.create(PLAN.encode(), "plan.yaml", supervised.repository, PERSON)
    return supervised


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def rewrite(file: Path, data: bytes) -> None:
    file.write_bytes(data)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stored(place: Supervised | Home) -> dict[str, bytes]:
    """The contents in the store, by their names."""
    return {path.name: path.read_bytes() for path in place.paths.artifacts.glob("??/*")}


def waiting(place: Supervised) -> list[str]:
    return names_in(place.paths.artifacts / "incoming")


def body(place: Supervised, data: bytes, **fields: Any) -> dict[str, Any]:
    given = {"name": "report.txt", "sha256": sha(data), "size": len(data), "cwd": str(place.repository)}
    return {**given, **fields}


async def put(client: Client, asked: dict[str, Any], data: bytes, piece: int = 2**20) -> dict[str, Any]:
    """Put something over the API, in pieces."""
    made = await client.post("/artifacts", asked)
    while made["artifact"] is None:
        offset = made["upload"]["offset"]
        made = await client.put(f"/uploads/{made['upload']['id']}", data[offset : offset + piece], offset=offset)
    artifact: dict[str, Any] = made["artifact"]
    return artifact


async def read(client: Client, ref: str, begin: int = 0) -> bytes:
    return b"".join([data async for data in client.content(at("artifact", ref, "content"), begin)])


async def keep(place: Supervised, file: Path, **fields: Any) -> Artifact:
    given = {"name": "report.txt", "type": "text/plain", "plan": "plan-hello", "task": "a", **fields}
    return await place.engine.artifacts.keep(file, **given)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "work" / "report.txt"
    made.parent.mkdir()
    made.write_bytes(b"all is well\n")
    return made


def fill(folder: Path) -> None:
    """Make a folder with a file, a program, a link and an empty folder."""
    (folder / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "run.sh").write_text("exit")
    (folder / "deep" / "run.sh").chmod(0o700)
    (folder / "link").symlink_to("deep/run.sh")


def tree(folder: Path) -> dict[str, Any]:
    """What is in a folder: files with mode and text, links with where they lead, folders."""

    def said(path: Path) -> Any:
        if path.is_symlink():
            return str(path.readlink())
        return None if path.is_dir() else (stat.S_IMODE(path.stat().st_mode), path.read_text())

    return {str(path.relative_to(folder)): said(path) for path in folder.rglob("*")}


class TestWhatATaskKeeps:
    async def test_it_is_kept_and_passed_on(self, place: Supervised, file: Path, tmp_path: Path) -> None:
        kept = await keep(place, file, provenance={"command": ["make", "report"]})
        assert (kept.version, kept.size, kept.sha256) == (1, 12, sha(b"all is well\n"))
        assert kept.provenance == {"command": ["make", "report"], "revision": 1}
        assert (kept.plan, kept.task, kept.retention, kept.created_by) == ("plan-hello", "a", "plan", "supervisor")
        rewrite(file, b"changed afterwards\n")
        found = await place.engine.artifacts.newest("plan-hello", "a", "report.txt")
        assert found == kept
        target = tmp_path / "other" / "input.txt"
        await place.engine.artifacts.materialize(found, target)
        assert target.read_bytes() == b"all is well\n"
        (event,) = await place.events(None, "artifact_kept")
        assert (event.plan, event.task, event.phase) == ("plan-hello", "a", "plan")
        audited = (await place.client.get("/audit"))["entries"]
        assert [entry["subject"] for entry in audited if entry["action"] == "artifact.put"] == [kept.id]

    async def test_the_same_name_again_is_a_new_version(self, place: Supervised, file: Path) -> None:
        one = await keep(place, file)
        rewrite(file, b"better\n")
        two = await keep(place, file)
        assert (one.version, two.version) == (1, 2)
        assert await place.engine.artifacts.newest("plan-hello", "a", "report.txt") == two
        assert await read(place.client, one.id) == b"all is well\n"
        with pytest.raises(NotFound, match="has kept no artifact"):
            await place.engine.artifacts.newest("plan-hello", "b", "report.txt")

    async def test_nothing_done_to_what_was_passed_on_reaches_the_store(
        self, place: Supervised, file: Path, tmp_path: Path
    ) -> None:
        kept = await keep(place, file)
        target = tmp_path / "inputs" / "input.txt"
        await place.engine.artifacts.materialize(kept, target)
        assert stat.S_IMODE(target.stat().st_mode) == 0o444
        content = place.engine.artifacts.contents.path(kept.sha256)
        assert stat.S_IMODE(content.stat().st_mode) == 0o400
        assert content.stat().st_ino != target.stat().st_ino
        target.chmod(0o600)
        target.write_bytes(b"EVIL IS HERE")
        assert await read(place.client, kept.id) == b"all is well\n"
        # What is there is taken the place of, in one step; a link is not followed.
        elsewhere = file.parent / "elsewhere"
        elsewhere.write_text("mine")
        target.unlink()
        target.symlink_to(elsewhere)
        await place.engine.artifacts.materialize(kept, target)
        assert (elsewhere.read_text(), target.read_bytes()) == ("mine", b"all is well\n")
        assert names_in(target.parent) == ["input.txt"]

    async def test_what_an_attempt_keeps_again_is_what_it_kept(self, place: Supervised, file: Path) -> None:
        session = await place.run("true")
        await place.ended(session)
        (attempt,) = await place.attempts(session)
        one = await keep(place, file, attempt=attempt.id)
        assert await keep(place, file, attempt=attempt.id) == one
        assert (one.session, one.attempt) == (session.id, attempt.id)
        assert len(await place.events(None, "artifact_kept")) == 1
        assert (await keep(place, file)).version == 2

    async def test_the_same_content_is_stored_once(self, place: Supervised, file: Path) -> None:
        kept = await asyncio.gather(*(keep(place, file, name=f"n{number}") for number in range(8)))
        assert len({artifact.id for artifact in kept}) == 8
        assert stored(place) == {sha(b"all is well\n"): b"all is well\n"}
        assert waiting(place) == []

    async def test_a_link_leads_nowhere(self, place: Supervised, file: Path, tmp_path: Path) -> None:
        (tmp_path / "outside.txt").write_text("not yours")
        (file.parent / "link").symlink_to(tmp_path / "outside.txt")
        (file.parent / "folder").symlink_to(tmp_path)
        os.mkfifo(file.parent / "pipe")
        (file.parent / "deep").mkdir()
        (file.parent / "deep" / "x").write_text("ok")
        below = file.parent
        for path in ("link", "folder", "folder/outside.txt", "pipe", "../outside.txt", "deep/../../outside.txt", "."):
            with pytest.raises(InvalidInput):
                await keep(place, below / path, below=below)
        with pytest.raises(NotFound, match="no file"):
            await keep(place, below / "missing", below=below)
        with pytest.raises(InvalidInput, match="it is a link"):
            await keep(place, below / "link")
        assert (await keep(place, below / "deep" / "x", below=below)).size == 2
        assert list(stored(place).values()) == [b"ok"]
        assert waiting(place) == []

    async def test_a_folder_is_one_artifact(self, place: Supervised, tmp_path: Path) -> None:
        made = tmp_path / "made"
        fill(made)
        kept = await keep(place, made, name="site", type="folder")
        assert (kept.form, (await keep(place, made, name="again")).sha256) == ("folder", kept.sha256)
        into = tmp_path / "into" / "site"
        await place.engine.artifacts.materialize(kept, into)
        assert tree(into) == {
            "a.txt": (0o444, "a"), "deep": None, "deep/run.sh": (0o555, "exit"), "empty": None, "link": "deep/run.sh",
        }  # fmt: skip
        assert names_in(into.parent) == ["site"]
        with pytest.raises(Refused, match="There is something at"):
            await place.engine.artifacts.materialize(kept, into)
        file = await keep(place, tmp_path / "made" / "a.txt", name="file")
        for thing, at_place in ((kept, into.parent / "site" / "a.txt"), (file, into)):
            with pytest.raises(Refused, match="There is something at"):
                await place.engine.artifacts.materialize(thing, at_place)
        assert names_in(into.parent) == ["site"]
        assert names_in(into) == ["a.txt", "deep", "empty", "link"]
        listed = (await place.client.get(at("artifact", kept.id)))["artifact"]
        assert listed["form"] == "folder"

    @pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "deep/../../outside"])
    async def test_a_folder_whose_links_lead_out_is_refused(
        self, place: Supervised, tmp_path: Path, target: str
    ) -> None:
        made = tmp_path / "made"
        fill(made)
        (tmp_path / "made" / "out").symlink_to(target)
        with pytest.raises(InvalidInput, match="The link out leads out"):
            await keep(place, made)
        (tmp_path / "made" / "out").unlink()
        os.mkfifo(tmp_path / "made" / "pipe")
        with pytest.raises(InvalidInput, match="pipe cannot be kept"):
            await keep(place, made)
        assert (stored(place), waiting(place)) == ({}, [])

    async def test_it_is_not_larger_than_may_be(
        self, place: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("supervisor.engine.taking.SIZE_LIMIT", 10)
        (tmp_path / "big").write_bytes(b"x" * 11)
        with pytest.raises(InvalidInput, match="larger than"):
            await keep(place, tmp_path / "big")
        assert (stored(place), waiting(place)) == ({}, [])


class TestUploads:
    async def test_pieces_come_to_the_artifact(self, place: Supervised) -> None:
        data = os.urandom(10_000)
        made = await put(place.client, body(place, data, plan="plan-hello", task="a", provenance={"x": 1}), data, 999)
        assert (made["size"], made["version"], made["task"], made["created_by"]) == (10_000, 1, "a", "person")
        assert made["provenance"] == {"x": 1, "revision": 1}
        assert await read(place.client, made["id"]) == data
        assert await read(place.client, made["sha256"], 9_990) == data[9_990:]
        assert waiting(place) == []
        assert (await place.client.get(at("artifact", made["id"])))["artifact"] == made
        listed = await place.client.get("/artifacts", plan="plan-hello", task="a", name="report.txt", kind="artifact")
        assert listed["artifacts"] == [made]
        assert (await place.client.get("/artifacts", kind="evidence"))["artifacts"] == []

    async def test_what_is_there_already_is_done_at_once(self, place: Supervised) -> None:
        await put(place.client, body(place, b"x"), b"x")
        again = await place.client.post("/artifacts", body(place, b"x"))
        assert again["upload"] is None
        assert again["artifact"]["version"] == 2
        nothing = await place.client.post("/artifacts", body(place, b"", name="empty"))
        assert nothing["artifact"]["size"] == 0
        assert await read(place.client, nothing["artifact"]["id"]) == b""

    async def test_it_goes_on_after_a_restart(self, home: Home) -> None:
        data = os.urandom(3000)
        async with home.supervised() as first:
            begun = await first.client.post("/artifacts", body(first, data))
            await first.client.put(f"/uploads/{begun['upload']['id']}", data[:1000], offset=0)
        async with home.supervised() as second:
            # Who puts the same again goes on with it.
            again = await second.client.post("/artifacts", body(second, data))
            assert again["upload"] == {"id": begun["upload"]["id"], "offset": 1000, "size": 3000}
            done = await second.client.put(f"/uploads/{begun['upload']['id']}", data[1000:], offset=1000)
            assert await read(second.client, done["artifact"]["id"]) == data
            # An answer that was lost is given again.
            path = f"/uploads/{begun['upload']['id']}"
            assert (await second.client.get(path))["artifact"] == done["artifact"]
            assert (await second.client.put(path, data[1000:], offset=1000))["artifact"] == done["artifact"]
            assert len((await second.client.get("/artifacts"))["artifacts"]) == 1

    async def test_random_cuts_and_repeated_pieces_give_the_same(self, place: Supervised) -> None:
        loop = asyncio.get_running_loop()

        async def check(data: bytes, pieces: list[tuple[int, int]], name: str) -> None:
            made = await place.client.post("/artifacts", body(place, data, name=name))
            for start, length in pieces:
                if made["artifact"] is not None:
                    break
                path, there = f"/uploads/{made['upload']['id']}", made["upload"]["offset"]
                begin = min(start, len(data))
                sending = place.client.put(path, data[begin : begin + length], offset=begin)
                if begin > there:
                    with pytest.raises(Refused, match=f"is at {there}, not at {begin}"):
                        await sending
                    assert (await place.client.get(path)) == made
                else:
                    made = await sending
            artifact = made["artifact"] or await put(place.client, body(place, data, name=name), data, 7)
            assert await read(place.client, artifact["id"]) == data
            assert artifact["version"] >= 1

        number = iter(range(10_000))
        cuts = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60)), max_size=12)

        @settings(max_examples=60)
        @given(st.binary(min_size=1, max_size=100), cuts)
        def example(data: bytes, pieces: list[tuple[int, int]]) -> None:
            asyncio.run_coroutine_threadsafe(check(data, pieces, f"n{next(number)}"), loop).result(30)

        await asyncio.to_thread(example)
        assert waiting(place) == []
        assert all(name == sha(data) for name, data in stored(place).items())

    async def test_two_at_once_of_the_same_content_are_both_kept(self, place: Supervised) -> None:
        data = os.urandom(50_000)
        async with Client(place.paths.socket, place.paths.token_file) as other:
            made = await asyncio.gather(
                put(place.client, body(place, data, name="one"), data, 1000),
                put(other, body(place, data, name="two"), data, 1300),
                put(place.client, body(place, data, name="same"), data, 1700),
                put(other, body(place, data, name="same"), data, 1900),
            )
        assert [await read(place.client, each["id"]) for each in made] == [data] * 4
        assert stored(place) == {sha(data): data}
        assert waiting(place) == []

    async def test_what_arrives_must_be_what_was_announced(self, place: Supervised) -> None:
        begun = await place.client.post("/artifacts", body(place, b"good"))
        path = f"/uploads/{begun['upload']['id']}"
        with pytest.raises(Refused, match="at 0, not at 2"):
            await place.client.put(path, b"od", offset=2)
        with pytest.raises(InvalidInput, match="more than the 4 bytes"):
            await place.client.put(path, b"goodness", offset=0)
        with pytest.raises(InvalidInput, match="its hash is another"):
            await place.client.put(path, b"evil", offset=0)
        with pytest.raises(NotFound, match="no upload"):
            await place.client.get(path)
        assert (stored(place), waiting(place)) == ({}, [])
        assert (await place.client.get("/artifacts"))["artifacts"] == []

    @pytest.mark.parametrize("name", ["../x", "a\0b", "n" * 300, "", "/etc/passwd", "a\x1b[31m"])
    async def test_a_hostile_name_is_refused(self, place: Supervised, name: str) -> None:
        with pytest.raises(InvalidInput):
            await place.client.post("/artifacts", body(place, b"x", name=name))

    async def test_limits_are_said(self, place: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
        client = place.client
        for wrong, said in (
            ({"size": SIZE_LIMIT + 1}, "larger than 2048 MiB"),
            ({"sha256": "x"}, "sha256"),
            ({"size": -1}, "size"),
            ({"retention": "soon"}, "no retention"),
            ({"retention": "plan"}, "belongs to none"),
            ({"task": "a"}, "not its plan"),
            ({"cwd": None}, "belongs to nothing"),
            ({"provenance": {"x": "y" * 20_000}}, "more than 16384 bytes"),
            ({"type": "a\nb"}, "cannot be the type"),
        ):
            with pytest.raises(InvalidInput, match=said):
                await client.post("/artifacts", body(place, b"x") | wrong)
        for missing in ({"plan": "nobody"}, {"plan": "plan-hello", "task": "nobody"}):
            with pytest.raises(NotFound):
                await client.post("/artifacts", body(place, b"x") | missing)
        monkeypatch.setattr("supervisor.engine.uploads.OPEN_LIMIT", 1)
        await client.post("/artifacts", body(place, b"1"))
        with pytest.raises(Refused, match="under way already"):
            await client.post("/artifacts", body(place, b"2"))
        # Those of others do not count.
        asked = PutRequest("x", "text/plain", sha(b"3"), 1, cwd=place.repository)
        assert (await place.engine.uploads.begin(asked, "somebody else", None)).offset == 0

    async def test_the_floor_of_free_disk_is_kept(self, home: Home) -> None:
        home.configure(storage={"free_disk_floor_mb": 2**40})
        async with home.supervised() as place:
            with pytest.raises(QuarterdeckError, match=r"do not fit.*must stay so"):
                await place.client.post("/artifacts", body(place, b"x"))

    @pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
    async def test_a_full_disk_is_said_and_the_upload_goes_on_later(self, place: Supervised) -> None:
        folder = place.paths.artifacts
        mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        assert await mount.wait() == 0
        try:
            data = os.urandom(40_000)
            filler = folder / "filler"
            begun = await place.client.post("/artifacts", body(place, data))
            path = f"/uploads/{begun['upload']['id']}"
            await place.client.put(path, data[:10_000], offset=0)
            with pytest.raises(OSError, match="No space"):
                filler.write_bytes(b"x" * 100_000)
            with pytest.raises(QuarterdeckError, match="No space left"):
                await place.client.put(path, data[10_000:], offset=10_000)
            assert (await place.client.get(path))["upload"]["offset"] == 10_000
            filler.unlink()
            done = await place.client.put(path, data[10_000:], offset=10_000)
            assert await read(place.client, done["artifact"]["id"]) == data
        finally:
            unmount = await asyncio.create_subprocess_exec("umount", "-l", folder)
            assert await unmount.wait() == 0


class TestReading:
    @pytest.mark.parametrize("damage", ["flip", "cut", "longer", "gone"])
    async def test_every_damage_is_noticed_and_can_be_made_good(
        self, place: Supervised, file: Path, tmp_path: Path, damage: str
    ) -> None:
        kept = await keep(place, file)
        content = place.engine.artifacts.contents.path(kept.sha256)
        content.chmod(0o600)
        data = {"flip": b"all is hell\n", "cut": b"all is", "longer": b"all is well\n\n", "gone": b""}[damage]
        content.write_bytes(data)
        if damage == "gone":
            content.unlink()
        with pytest.raises(StoreError, match="damaged"):
            await place.engine.artifacts.materialize(kept, tmp_path / "input")
        assert not (tmp_path / "input").exists()
        with pytest.raises(QuarterdeckError, match="damaged"):
            await read(place.client, kept.id)
        # The same content put again takes its place.
        again = await put(place.client, body(place, b"all is well\n"), b"all is well\n")
        assert await read(place.client, kept.id) == await read(place.client, again["id"]) == b"all is well\n"

    async def test_a_range_is_a_part(self, place: Supervised, file: Path) -> None:
        kept = await keep(place, file)
        transport = httpx.AsyncHTTPTransport(uds=str(place.paths.socket))
        headers = {"Authorization": f"Bearer {place.paths.token_file.read_text()}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://q", headers=headers) as http:
            path = f"/artifacts/{kept.id}/content"
            part = await http.get(path, headers={"Range": "bytes=4-5"})
            assert (part.status_code, part.content) == (206, b"is")
            assert part.headers["content-range"] == "bytes 4-5/12"
            assert (await http.get(path, headers={"Range": "bytes=7-"})).content == b"well\n"
            for wrong in ("bytes=12-", "bytes=5-4", "bytes=-3", "lines=1-2"):
                assert (await http.get(path, headers={"Range": wrong})).status_code == 422


class TestSecrets:
    async def test_the_value_of_a_secret_is_never_kept_however_it_is_cut(self, home: Home, tmp_path: Path) -> None:
        home.configure(secrets=["DEPLOY_TOKEN"])
        async with home.supervised() as place:
            await place.engine.planning.create(PLAN.encode(), "plan.yaml", place.repository, PERSON)
            session = await place.run("sleep", "60", environment={"DEPLOY_TOKEN": SECRET})
            data = b"some text\n" + SECRET.encode() + b"\nmore"
            for cut in range(9, len(data) - 4):
                begun = await place.client.post("/artifacts", body(place, data))
                path = f"/uploads/{begun['upload']['id']}"
                refused = pytest.raises(InvalidInput, match="the secret DEPLOY_TOKEN, which is never stored")
                if cut < data.index(SECRET.encode()) + len(SECRET):
                    await place.client.put(path, data[:cut], offset=0)
                    with refused:
                        await place.client.put(path, data[cut:], offset=cut)
                else:
                    with refused:
                        await place.client.put(path, data[:cut], offset=0)
                assert waiting(place) == []
            (tmp_path / "made").mkdir()
            (tmp_path / "made" / "leak").write_bytes(data)
            for leak in (tmp_path / "made" / "leak", tmp_path / "made"):
                with pytest.raises(InvalidInput, match="the secret DEPLOY_TOKEN"):
                    await keep(place, leak)
            for field in ("name", "statement", "type"):
                with pytest.raises(InvalidInput, match="the secret DEPLOY_TOKEN") as caught:
                    await place.client.post("/artifacts", body(place, b"x", **{field: f"a {SECRET}"}))
                assert SECRET not in str(caught.value)
            assert (stored(place), waiting(place)) == ({}, [])
            await place.engine.control.cancel(session.id, PERSON)
            await place.ended(session)

    async def test_the_supervisors_own_are_known_unless_they_are_too_short(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home.configure(secrets=["DEPLOY_TOKEN", "TOO_SHORT"])
        monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
        monkeypatch.setenv("TOO_SHORT", "o")
        async with home.supervised() as place:
            assert (await put(place.client, body(place, b"so it goes"), b"so it goes"))["version"] == 1
            data = f'{{"token": "{SECRET}"}}'.encode()
            with pytest.raises(InvalidInput, match="the secret DEPLOY_TOKEN"):
                await put(place.client, body(place, data), data)


class TestSessions:
    async def token(self, place: Supervised, session: Session) -> Client:
        token = f"token of {session.id}"
        await place.engine.services.ledger.commit(
            lambda t: tokens.add(t.conn, token, role="agent", now=now_ms(), session=session.id)
        )
        return Client(place.paths.socket, token=token)

    async def test_a_session_puts_and_sees_its_own(self, place: Supervised) -> None:
        mine, other = await place.run("sleep", "60"), await place.run("sleep", "60")
        await place.when(mine, lambda now: now.status == "running")
        theirs = await put(place.client, body(place, b"not yours"), b"not yours")
        async with await self.token(place, mine) as agent, await self.token(place, other) as stranger:
            asked = {**body(place, b"x"), "cwd": "/"}
            kept = await put(agent, asked, b"x")
            assert (kept["session"], kept["created_by"]) == (mine.id, f"session {mine.id}")
            assert kept["attempt"] == (await place.attempts(mine))[-1].id
            assert await read(agent, kept["id"]) == b"x"
            assert (await agent.get("/artifacts"))["artifacts"] == [kept]
            assert (await stranger.get("/artifacts"))["artifacts"] == []
            for ref in (kept["id"], theirs["id"]):
                with pytest.raises(Refused, match=NOT_YOURS):
                    await stranger.get(at("artifact", ref))
                with pytest.raises(Refused, match=NOT_YOURS):
                    await read(stranger, ref)
            with pytest.raises(Refused, match=NOT_YOURS):
                await stranger.get("/artifacts", session=mine.id)
            begun = await agent.post("/artifacts", body(place, b"slow"))
            for call in (stranger.get, lambda path: stranger.put(path, b"slow", offset=0)):
                with pytest.raises(Refused, match=NOT_YOURS):
                    await call(f"/uploads/{begun['upload']['id']}")
            # Who knows the hash of what it may not see does not get it by that.
            assert (await stranger.post("/artifacts", body(place, b"not yours")))["artifact"] is None
            with pytest.raises(Refused, match="does not work on the plan"):
                await agent.post("/artifacts", body(place, b"x", plan="plan-hello"))
            with pytest.raises(Refused, match="does not work on the task"):
                await agent.post("/artifacts", body(place, b"x", task="a"))
        for session in (mine, other):
            await place.engine.control.cancel(session.id, PERSON)
            await place.ended(session)

    async def test_what_the_session_of_a_task_keeps_is_that_tasks(self, place: Supervised) -> None:
        session = await place.run("sleep", "60")
        sql = "UPDATE tasks SET session = ? WHERE plan = 'plan-hello' AND id = 'b'"
        await place.engine.store.submit(lambda conn: conn.execute(sql, (session.id,)).rowcount)
        async with await self.token(place, session) as agent:
            named = await put(agent, body(place, b"x", plan="plan-hello", task="b"), b"x")
            unnamed = await put(agent, body(place, b"y"), b"y")
            assert [(each["plan"], each["task"]) for each in (named, unnamed)] == [("plan-hello", "b")] * 2
            assert named["retention"] == "plan"
            with pytest.raises(Refused, match=NOT_YOURS):
                await agent.post("/artifacts", body(place, b"x", plan="plan-hello", task="a"))
        await place.engine.control.cancel(session.id, PERSON)
        await place.ended(session)


class TestRetention:
    async def test_what_is_kept_no_longer_goes_and_nothing_else(self, place: Supervised, tmp_path: Path) -> None:
        for name, text in (("a", "shared"), ("b", "alone"), ("c", "stays")):
            (tmp_path / name).write_text(text)
        gone = [await keep(place, tmp_path / name, name=name, retention="1h") for name in ("a", "b")]
        stays = [await keep(place, tmp_path / name, name=f"other-{name}") for name in ("a", "c")]
        await self.later(place, gone)
        await place.engine.artifacts.sweep()
        assert sorted(stored(place).values()) == [b"shared", b"stays"]
        assert {each["id"] for each in (await place.client.get("/artifacts"))["artifacts"]} == {s.id for s in stays}
        with pytest.raises(NotFound, match="kept no longer: its retention was 1h"):
            await read(place.client, gone[1].id)
        record = (await place.client.get(at("artifact", gone[1].id)))["artifact"]
        assert record["removed_at"] is not None
        removed = [msgspec.json.decode(event.payload) for event in await place.events(None, "artifact_removed")]
        assert [each["artifact"] for each in removed] == [each.id for each in gone]

    async def later(self, place: Supervised, kept: list[Artifact]) -> None:
        """Let the time of artifacts be over, which nothing but time can do otherwise."""
        ids = ", ".join(f"'{each.id}'" for each in kept)

        def change(conn: Any) -> None:
            trigger = "SELECT sql FROM sqlite_schema WHERE name = 'artifacts_are_never_changed'"
            (text,) = conn.execute(trigger).fetchone()
            conn.execute("DROP TRIGGER artifacts_are_never_changed")
            conn.execute(f"UPDATE artifacts SET expires_at = 1 WHERE id IN ({ids})")  # noqa: S608 - ids made here
            conn.execute(text)

        await place.engine.store.submit(change)

    async def test_a_plan_that_is_deleted_takes_its_own_along(self, place: Supervised, file: Path) -> None:
        await keep(place, file)
        forever = file.with_name("forever")
        forever.write_text("for ever")
        kept = await keep(place, forever, retention="forever")
        await place.engine.planning.delete("plan-hello", PERSON)
        await place.engine.artifacts.sweep()
        assert list(stored(place).values()) == [b"for ever"]
        assert await read(place.client, kept.id) == b"for ever"

    async def test_what_came_after_its_plan_was_deleted_goes_too(self, place: Supervised) -> None:
        begun = await place.client.post("/artifacts", body(place, b"late", plan="plan-hello"))
        await place.engine.planning.delete("plan-hello", PERSON)
        done = await place.client.put(f"/uploads/{begun['upload']['id']}", b"late", offset=0)
        assert await read(place.client, done["artifact"]["id"]) == b"late"
        await place.engine.artifacts.sweep()
        assert stored(place) == {}
        assert (await place.client.get("/artifacts"))["artifacts"] == []

    async def test_what_is_being_put_is_not_cleared_away(self, place: Supervised, tmp_path: Path) -> None:
        """Sweeps and puts of contents that come and go, at once: what has an artifact has its content."""
        for number in range(30):
            (tmp_path / f"{number}").write_text(f"content {number % 3}")
        contents = place.engine.artifacts.contents
        sweeping = True

        async def sweep() -> None:
            while sweeping:
                await place.engine.artifacts.sweep()

        async def come_and_go(number: int) -> None:
            kept = await keep(place, tmp_path / f"{number}", name=f"n{number}")
            assert await asyncio.to_thread(contents.is_sound, kept.sha256)
            if number % 2:
                await place.engine.store.submit(lambda conn: artifacts.remove(conn, kept.id, now_ms()))

        sweeper = asyncio.create_task(sweep())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(come_and_go(number))
        finally:
            sweeping = False
            await sweeper
        await place.engine.artifacts.sweep()
        kept = await place.engine.store.read(artifacts.contents)
        assert set(stored(place)) == kept
        assert (len(kept), waiting(place)) == (3, [])

    async def test_an_upload_that_nobody_goes_on_with_is_forgotten(self, place: Supervised) -> None:
        old = await place.client.post("/artifacts", body(place, b"old one"))
        new = await place.client.post("/artifacts", body(place, b"new one"))
        for begun in (old, new):
            await place.client.put(f"/uploads/{begun['upload']['id']}", b"x", offset=0)
        sql = "UPDATE uploads SET created_at = ? WHERE id = ?"
        values = (now_ms() - UPLOAD_KEPT_MS - 1000, old["upload"]["id"])
        await place.engine.store.submit(lambda conn: conn.execute(sql, values).rowcount)
        await place.engine.artifacts.sweep()
        assert waiting(place) == [new["upload"]["id"]]
        assert await place.engine.store.read(uploads.unfinished) == {new["upload"]["id"]}

    async def test_what_a_crash_left_is_cleared_away_at_the_next_start(self, home: Home) -> None:
        async with home.supervised() as place:
            kept = await put(place.client, body(place, b"kept"), b"kept")
            begun = await place.client.post("/artifacts", body(place, b"begun"))
            await place.client.put(f"/uploads/{begun['upload']['id']}", b"be", offset=0)
        folder = home.paths.artifacts
        orphan = folder / "ab" / ("ab" * 32)
        orphan.parent.mkdir()
        left = [orphan, folder / "ab" / ".half", folder / "incoming" / "0123-half", folder / "incoming" / "upl_gone"]
        for path in left:
            path.write_text("left")
        async with home.supervised() as place:
            await place.engine.artifacts.sweep()
            assert [path for path in left if path.exists()] == []
            assert stored(place) == {kept["sha256"]: b"kept"}
            assert waiting(place) == [begun["upload"]["id"]]


async def test_what_cannot_be_cleared_away_now_does_not_end_the_worker(
    place: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = asyncio.Event()

    async def fails() -> None:
        swept.set()
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(place.engine.artifacts, "sweep", fails)
    worker = asyncio.create_task(place.engine.artifacts.run())
    await swept.wait()
    assert not worker.done()
    worker.cancel()
    assert (await place.client.get("/status"))["health"] == "healthy"
    assert await place.engine.store.read(plans.find) != []
