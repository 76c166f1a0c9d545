"""Who may do what over the API, and what it does with what nobody should send."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.paths import Paths
from supervisor.api.auth import Role, owner_token
from supervisor.api.client import Client, at
from supervisor.api.protocol import TEXT_LIMIT
from supervisor.api.server import BODY_LIMIT
from supervisor.daemon import Daemon
from supervisor.model.errors import InvalidInput, NotFound, QueueFull, Refused, SupervisorUnreachable
from supervisor.model.times import now_ms
from supervisor.store import tokens
from tests.support.git import repository

SESSION_ROUTES = [
    ("GET", ""),
    ("GET", "attempts"),
    ("GET", "explain"),
    ("GET", "logs"),
    ("GET", "diff"),
    ("GET", "attach"),
    ("GET", "screen"),
    ("GET", "files"),
    ("GET", "files/content"),
    ("POST", "send"),
    ("POST", "pause"),
    ("POST", "resume"),
    ("POST", "cancel"),
    ("POST", "continue"),
    ("POST", "archive"),
    ("POST", "commit"),
    ("POST", "merge"),
    ("POST", "push"),
    ("POST", "bundle"),
]
OTHER_ROUTES = [
    ("GET", "/status"),
    ("GET", "/doctor"),
    ("GET", "/agents"),
    ("GET", "/config"),
    ("GET", "/queue"),
    ("GET", "/events"),
    ("GET", "/events/stream"),
    ("GET", "/audit"),
    ("GET", "/audit/verify"),
    ("GET", "/audit/export"),
    ("GET", "/sessions"),
    ("GET", "/projects"),
    ("POST", "/stop"),
    ("POST", "/sessions"),
    ("POST", "/projects"),
    ("DELETE", "/projects/any"),
    ("GET", "/approvals"),
    ("GET", "/approvals/any"),
    ("POST", "/approvals/decide"),
    ("POST", "/approvals/any/approve"),
    ("POST", "/approvals/any/reject"),
    ("GET", "/alerts"),
    ("POST", "/alerts/ack"),
    ("POST", "/events/clear"),
    ("POST", "/alerts/dismiss"),
    ("POST", "/alerts/any/ack"),
    ("POST", "/alerts/any/dismiss"),
    ("GET", "/digest"),
    ("POST", "/digest/seen"),
    ("GET", "/cost"),
    ("GET", "/budgets"),
    ("POST", "/budgets/any/resume"),
    ("GET", "/plans"),
    ("POST", "/plans"),
    ("GET", "/plans/any"),
    ("GET", "/plans/any/document"),
    ("GET", "/plans/any/graph"),
    ("GET", "/plans/any/diff"),
    ("POST", "/plans/any/revisions"),
    ("POST", "/plans/any/revisions/rehearsal"),
    ("DELETE", "/plans/any"),
    ("POST", "/plans/any/start"),
    ("POST", "/plans/any/advance"),
    ("POST", "/plans/any/pause"),
    ("POST", "/plans/any/resume"),
    ("POST", "/plans/any/cancel"),
    ("GET", "/plans/any/rehearsal"),
    ("POST", "/plans/any/merge"),
    ("POST", "/plans/any/archive"),
    ("GET", "/plans/any/tasks/any"),
    ("POST", "/plans/any/tasks/any/run"),
    ("POST", "/plans/any/tasks/any/retry"),
    ("POST", "/plans/any/tasks/any/complete"),
    ("POST", "/plans/any/tasks/any/rollback"),
    ("POST", "/plans/any/gates/any/approve"),
    ("POST", "/plans/any/gates/any/reject"),
    ("GET", "/checkpoints"),
    ("POST", "/checkpoints"),
    ("GET", "/checkpoints/any"),
    ("GET", "/checkpoints/any/diff"),
    ("POST", "/checkpoints/any/restore"),
    ("DELETE", "/checkpoints/any"),
    ("GET", "/schedules"),
    ("POST", "/schedules"),
    ("GET", "/schedules/any"),
    ("DELETE", "/schedules/any"),
    ("POST", "/schedules/any/pause"),
    ("POST", "/schedules/any/resume"),
    ("POST", "/schedules/any/run"),
    ("GET", "/policy"),
    ("POST", "/policy/test"),
    ("GET", "/policy/versions"),
    ("POST", "/policy/apply"),
    ("POST", "/policy/rollback"),
    ("GET", "/policy/suggestions"),
    ("POST", "/policy/propose"),
]
REPORTS = {
    ("GET", "/self"),
    ("POST", "/emit"),
    ("POST", "/hooks/{agent}"),
    ("POST", "/permissions/{agent}"),
    ("POST", "/questions"),
    ("POST", "/artifacts"),
    ("GET", "/artifacts"),
    ("GET", "/artifacts/{ref}"),
    ("GET", "/artifacts/{ref}/content"),
    ("GET", "/uploads/{upload}"),
    ("PUT", "/uploads/{upload}"),
}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home")


@pytest.fixture
async def daemon(paths: Paths) -> AsyncIterator[Daemon]:
    async with Daemon(paths) as running:
        yield running


@pytest.fixture
async def client(daemon: Daemon, paths: Paths) -> AsyncIterator[Client]:
    async with Client(paths.socket, paths.token_file) as connected:
        yield connected


def raw(paths: Paths, token: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    transport = httpx.AsyncHTTPTransport(uds=str(paths.socket))
    return httpx.AsyncClient(transport=transport, base_url="http://quarterdeck", headers=headers, timeout=20)


async def token_of(daemon: Daemon, role: Role, session: str | None = None) -> str:
    token = f"token-of-{role}-{session}"
    await daemon.engine.services.ledger.commit(
        lambda t: tokens.add(t.conn, token, role=role, now=now_ms(), session=session)
    )
    return token


async def run_session(client: Client, folder: Path, *argv: str, **options: Any) -> dict[str, Any]:
    body = {"cwd": str(folder), "argv": list(argv), "environment": {"PATH": os.environ["PATH"]}, **options}
    session: dict[str, Any] = (await client.post("/sessions", body))["session"]
    return session


def _pattern(path: str) -> str:
    for noun in ("task", "gate"):
        path = path.replace(f"/{noun}s/any", f"/{noun}s/{{{noun}}}")
    return path.replace("/any", "/{ref}")


def test_every_route_is_listed_here_and_in_the_reference(daemon: Daemon, paths: Paths) -> None:
    from supervisor.api.auth import Gate
    from supervisor.api.server import build

    schema = build(daemon.state, Gate("x", daemon.engine.store)).openapi()
    found = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    expected = {(method, f"/sessions/{{ref}}/{what}".rstrip("/")) for method, what in SESSION_ROUTES} | REPORTS
    expected |= {(method, _pattern(path)) for method, path in OTHER_ROUTES}
    assert found == expected
    reference = (Path(__file__).parents[2] / "docs/api.md").read_text()
    assert [f"`{method} {path}`" for method, path in sorted(found) if f"`{method} {path}`" not in reference] == []


def test_the_socket_and_the_token_are_this_users_only(daemon: Daemon, paths: Paths) -> None:
    assert stat.S_IMODE(paths.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.run.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.token_file.stat().st_mode) == 0o600


def test_an_empty_token_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("")
    made = owner_token(file)
    assert len(made) > 30
    assert owner_token(file) == made


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eA=="}])
async def test_without_a_valid_token_nothing_is_answered(daemon: Daemon, paths: Paths, header: dict[str, str]) -> None:
    async with raw(paths) as http:
        for method, path in [*OTHER_ROUTES, *REPORTS]:
            answer = await http.request(method, path, headers=header, json={} if method == "POST" else None)
            assert answer.status_code == 403, path
            assert answer.json()["error"]["code"] == "forbidden"


async def test_a_sessions_token_can_report_for_itself_and_nothing_else(
    daemon: Daemon, client: Client, paths: Paths, tmp_path: Path
) -> None:
    where = repository(tmp_path / "shop")
    mine = await run_session(client, where, "sleep", "60", name="mine")
    other = await run_session(client, where, "sleep", "60", name="other")
    async with raw(paths, await token_of(daemon, "agent", mine["id"])) as http:
        every = [*OTHER_ROUTES, *((method, at("session", mine["id"], what)) for method, what in SESSION_ROUTES)]
        for method, path in every:
            answer = await http.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code == 403, (method, path)
        headers = {"X-Quarterdeck-Session": other["id"]}
        done = await http.post("/emit", json={"type": "progress", "payload": {"done": 1}}, headers=headers)
        assert done.status_code == 200
    events = (await client.get("/events", type="progress"))["events"]
    assert [event["session"] for event in events] == [mine["id"]]
    await client.post("/stop", {"all": True})


async def test_a_viewer_reads_and_an_operator_acts(daemon: Daemon, paths: Paths) -> None:
    async with raw(paths, await token_of(daemon, "viewer")) as http:
        assert (await http.get("/status")).status_code == 200
        assert (await http.get("/artifacts")).status_code == 200
        assert (await http.post("/artifacts", json={})).status_code == 403
        assert (await http.post("/stop", json={})).status_code == 403
        assert (await http.post("/emit", json={"type": "progress"})).status_code == 403
    async with raw(paths, await token_of(daemon, "operator")) as http:
        assert (await http.get("/queue")).status_code == 200
        assert (await http.post("/emit", json={"type": "progress"})).status_code == 200
        assert (await http.post("/stop", json={})).status_code == 200
    assert daemon.state.stop.is_set()


ASK = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
request = f"GET /status HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer {sys.argv[2]}\\r\\n\\r\\n"
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(sys.argv[1])
    try:
        connection.sendall(request.encode())
        print(connection.recv(100))
    except OSError:
        print(b"")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_is_cut_off_even_with_the_token() -> None:
    with tempfile.TemporaryDirectory(prefix="qd-open-", dir="/tmp") as home:
        paths = Paths.below(Path(home))
        async with Daemon(paths):
            for opened in (paths.state, paths.run, paths.socket):
                opened.chmod(0o777)

            async def ask(uid: int) -> str:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-I", "-S", "-c", ASK, str(paths.socket), owner_token(paths.token_file), str(uid),
                    cwd="/", stdout=subprocess.PIPE,
                )  # fmt: skip
                return (await child.communicate())[0].decode()

            assert "200 OK" in await ask(0)
            assert await ask(65534) == "b''\n"


async def test_too_much_is_refused_before_it_is_read(client: Client, paths: Paths) -> None:
    async with raw(paths, paths.token_file.read_text()) as http:
        answer = await http.post("/emit", content=b"x" * (BODY_LIMIT + 1))
        assert answer.status_code == 413
        assert "larger" in answer.json()["error"]["message"]

        async def stream() -> AsyncIterator[bytes]:
            yield b"{}"

        assert (await http.post("/emit", content=stream())).status_code == 413
    with pytest.raises(InvalidInput, match="at most"):
        await client.post("/sessions", {"cwd": "/", "prompt": "x" * (TEXT_LIMIT + 1)})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/emit", b"{"),
        ("POST", "/emit", b"\xff\xfe"),
        ("POST", "/emit", b"[]"),
        ("POST", "/emit", b"[" * 100_000),
        ("POST", "/emit", b'{"type":"progress","more":1}'),
        ("POST", "/emit", b'{"type":"No Type"}'),
        ("POST", "/emit", b'{"type":"status_changed"}'),
        ("POST", "/emit", b'{"type":"a","payload":{"x":"\\ud800"}}'),
        ("POST", "/emit", b'{"type":"a","payload":{"x":' + b"[" * 900 + b"]" * 900 + b"}}"),
        ("POST", "/hooks/claude", b"[1]"),
        ("POST", "/hooks/claude", b"not json"),
        ("POST", "/sessions", b'{"cwd":"relative","argv":["true"]}'),
        ("POST", "/sessions", b'{"cwd":"/\\u0000","argv":["true"]}'),
        ("POST", "/sessions", b'{"cwd":"/","argv":["a\\u0000"]}'),
        ("POST", "/sessions", b'{"cwd":"/","argv":[1]}'),
        ("POST", "/sessions", b'{"cwd":"/","argv":["true"],"timeout_s":NaN}'),
        ("POST", "/sessions", b'{"cwd":"/","argv":["true"],"environment":{"A=B":"x"}}'),
        ("POST", "/sessions", b'{"cwd":"/","argv":["true"],"environment":{"":"x"}}'),
        ("POST", "/projects", b'{"path":"/\\u0000"}'),
        ("POST", "/projects", b'{"path":"~nobody-there/x"}'),
        ("POST", "/projects", b'{"path":"/' + b"x/" * 400 + b"x" * 300 + b'"}'),
        ("POST", "/questions", b'{"key":"k","question":"?","preview":{"x":"\\ud800"}}'),
        ("POST", "/questions", b'{"key":"k","question":"?","wait_s":61}'),
        ("POST", "/permissions/claude", b'{"key":"k"}'),
        ("POST", "/approvals/decide", b'{"decisions":[]}'),
        ("POST", "/approvals/x/approve", b'{"choice":1}'),
        ("POST", "/policy/test", b'{"command":{}}'),
        ("POST", "/policy/rollback", b'{"version":-1}'),
        ("GET", "/events?after=-1", b""),
        ("GET", "/events?after=99999999999999999999", b""),
        ("GET", "/events?since_s=nan", b""),
        ("GET", "/events?before=-1", b""),
        ("GET", "/events?before=2&after=1", b""),
        ("GET", "/sessions/x/logs?end=-1", b""),
        ("GET", "/sessions/x/logs?end=5&offset=1", b""),
        ("GET", "/sessions/x/files/content", b""),
        ("GET", "/sessions?" + "&".join(["id=x"] * 501), b""),
        ("POST", "/sessions/x/push", b'{"remote":""}'),
        ("POST", "/sessions/x/bundle", b'{"path":"relative"}'),
        ("GET", "/events?since_s=1e400", b""),
        ("GET", "/audit?after=x", b""),
        ("GET", "/sessions?status=nice", b""),
        ("PUT", "/sessions", b""),
        ("POST", "/artifacts", b'{"name":"a\\u0000","sha256":"' + b"0" * 64 + b'","size":1,"cwd":"/"}'),
        ("POST", "/artifacts", b'{"name":"../a","sha256":"' + b"0" * 64 + b'","size":1,"cwd":"/"}'),
        ("POST", "/artifacts", b'{"name":"a","sha256":"' + b"0" * 64 + b'","size":1e400,"cwd":"/"}'),
        ("PUT", "/uploads/upl_1?offset=-1", b""),
        ("PUT", "/uploads/..%2fx?offset=0", b"x"),
        ("GET", "/artifacts/" + "0" * 64, b""),
        ("GET", "/artifacts?version=0", b""),
        ("GET", "/artifacts/x/content", b""),
    ],
)  # fmt: skip
async def test_what_cannot_be_understood_is_said_in_one_sentence(
    daemon: Daemon, paths: Paths, method: str, path: str, body: bytes
) -> None:
    async with raw(paths, paths.token_file.read_text()) as http:
        answer = await http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    error = answer.json()["error"]
    assert 400 <= answer.status_code < 500, answer.text
    assert error["exit_code"] in (2, 3)
    assert error["message"].endswith(".")
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/sessions/", "/sessions/%2e%2e%2fx", "/sessions/a%00b", "/sessions/%ff"])
async def test_what_is_not_there_is_not_found(daemon: Daemon, paths: Paths, path: str) -> None:
    async with raw(paths, paths.token_file.read_text()) as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["exit_code"] == 3


@pytest.mark.parametrize("name", ["", "a/b", "..", "."])
def test_a_name_that_nothing_can_have_makes_no_request(name: str) -> None:
    with pytest.raises(NotFound):
        at("session", name)
    assert at("session", "a b?#\udcff", "diff") == "/sessions/a%20b%3F%23%FF/diff"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["cwd", "argv", "prompt", "agent", "mode", "executor", "name", "branch", "base", "image", "priority",
        "timeout_s", "environment", "type", "payload", "path", "text", "message", "into", "all", "tool_name",
        "hook_event_name", "session_id", "tool_input", "key", "question", "options", "default", "preview", "request",
        "decisions", "command", "document", "rule", "version", "remote", "where", "rationale", "sha256",
        "size", "kind", "plan", "task", "retention", "statement", "stance", "provenance", "running"]  # fmt: skip


async def test_random_bodies_never_break_anything(daemon: Daemon, client: Client, paths: Paths, tmp_path: Path) -> None:
    session = await run_session(client, repository(tmp_path / "shop"), "sleep", "60")
    agent = await token_of(daemon, "agent", session["id"])
    routes = ["/emit", "/hooks/claude", "/hooks/codex", "/sessions", "/projects", "/questions", "/permissions/claude",
              "/approvals/decide", "/approvals/x/approve", "/policy/test", "/policy/apply", "/policy/rollback",
              "/plans", "/plans/x/revisions", "/plans/x/revisions/rehearsal", "/artifacts", *(
        at("session", session["id"], what) for what in ("send", "continue", "commit", "merge", "push", "resume")
    )]  # fmt: skip
    loop = asyncio.get_running_loop()
    http, reporter = raw(paths, paths.token_file.read_text()), raw(paths, agent)

    async def ask(route: str, body: Any) -> None:
        content = json.dumps(body)
        for asking in (http, reporter):
            answer = await asking.post(route, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (route, content, answer.text)

    @settings(max_examples=150)
    @given(st.sampled_from(routes), st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), DOCUMENTS) | DOCUMENTS)
    def check(route: str, body: Any) -> None:
        asyncio.run_coroutine_threadsafe(ask(route, body), loop).result(30)

    async with http, reporter:
        await asyncio.to_thread(check)
    assert (await client.get("/status"))["health"] == "healthy"
    await client.post("/stop", {"all": True})


async def test_errors_come_back_as_what_they_are(client: Client, tmp_path: Path) -> None:
    where = repository(tmp_path / "shop")
    with pytest.raises(NotFound, match="no session"):
        await client.get(at("session", "nobody"))
    for number in range(13):
        await run_session(client, where, "sleep", "60", name=f"s{number}")
    with pytest.raises(Refused, match="queue is full") as caught:
        await run_session(client, where, "true")
    assert caught.value.specific_code == QueueFull.code
    await client.post("/stop", {"all": True})
    with pytest.raises(SupervisorUnreachable):
        async with Client(tmp_path / "nowhere.sock", tmp_path / "no-token") as nobody:
            await nobody.get("/status")
