"""HTTP requests of plans' tasks: against a real server, in a process of their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.web import Answer, Site, request, site


@pytest.fixture
def server() -> Iterator[Site]:
    with site(hello=Answer(body=b"hello"), made=Answer(201, b'{"id": 7}'), empty=Answer(204)) as running:
        yield running


def test_the_body_is_on_stdout_and_one_sentence_on_stderr(server: Site, tmp_path: Path) -> None:
    done = request("http", tmp_path, url=f"{server.url}/hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "200 OK, 5 bytes.\n")


def test_the_whole_body_is_in_the_output_file(server: Site, tmp_path: Path) -> None:
    server.answers["big"] = Answer(body=b"x" * 1_500_000)
    done = request("http", tmp_path, url=f"{server.url}/big", output="out/big.txt")
    assert len(done.stdout) == 1_048_576 + 1
    assert (tmp_path / "out" / "big.txt").read_bytes() == b"x" * 1_500_000
    assert done.stderr == "200 OK, 1,500,000 bytes. 451,424 bytes are not shown: it is in the output file.\n"
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["big.txt"]


def test_what_is_sent(server: Site, tmp_path: Path) -> None:
    done = request(
        "http", tmp_path, {"TOKEN": "s3cret", "WHO": "a b"},
        method="POST", url=f"{server.url}/made?who=${{WHO}}", headers={"Authorization": "Bearer ${TOKEN}"},
        body='{"by": "${WHO}"}', expect_status=[201],
    )  # fmt: skip
    assert done.returncode == 0
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/made?who=a%20b", b'{"by": "a b"}')
    assert seen.headers["authorization"] == "Bearer s3cret"
    assert seen.headers["content-type"] == "application/json"
    assert "s3cret" not in done.stdout + done.stderr


def test_a_variable_that_is_not_set_sends_nothing(server: Site, tmp_path: Path) -> None:
    done = request("http", tmp_path, url=f"{server.url}/hello", headers={"X": "${NO_SUCH}"})
    assert done.returncode == 1
    assert done.stderr == "${NO_SUCH} in the header X is not set. Set NO_SUCH where you start the plan.\n"
    assert not server.seen


def test_another_status_than_expected_fails_and_leaves_no_file(server: Site, tmp_path: Path) -> None:
    done = request("http", tmp_path, url=f"{server.url}/nowhere", output="out.txt")
    assert (done.returncode, done.stdout) == (1, "nothing here\n")
    assert done.stderr == "The answer was 404 Not Found, not 200 to 299.\n"
    assert not list(tmp_path.iterdir())
    assert request("http", tmp_path, url=f"{server.url}/nowhere", expect_status=[404]).returncode == 0
    assert (
        "204 No Content, not 200." in request("http", tmp_path, url=f"{server.url}/empty", expect_status=[200]).stderr
    )


def test_redirects_stay_with_the_host(server: Site, tmp_path: Path) -> None:
    server.answers |= {
        "moved": Answer(302, headers={"Location": "/hello"}),
        "kept": Answer(307, headers={"Location": "/made"}),
        "away": Answer(302, headers={"Location": f"http://localhost:{server.port}/hello"}),
        "other": Answer(301, headers={"Location": f"https://127.0.0.1:{server.port}/hello"}),
        "round": Answer(302, headers={"Location": "/round"}),
    }
    assert request("http", tmp_path, url=f"{server.url}/moved", method="POST", body="x").stdout == "hello\n"
    assert [each.method for each in server.seen] == ["POST", "GET"]
    server.seen.clear()
    assert request("http", tmp_path, url=f"{server.url}/kept", method="POST", body="x").returncode == 0
    assert [(each.method, each.body) for each in server.seen] == [("POST", b"x"), ("POST", b"x")]
    server.seen.clear()
    secret = {"Authorization": "secret"}
    done = request("http", tmp_path, url=f"{server.url}/away", headers=secret)
    assert done.returncode == 1
    assert f"redirects to another host, http://localhost:{server.port}" in done.stderr
    assert (
        "another host, https://127.0.0.1" in request("http", tmp_path, url=f"{server.url}/other", headers=secret).stderr
    )
    assert len(server.seen) == 2, "nothing was sent to the other host"
    assert "more than 10 times" in request("http", tmp_path, url=f"{server.url}/round").stderr
    assert request("http", tmp_path, url=f"{server.url}/away", expect_status=[302]).returncode == 0


def test_a_server_that_is_silent_or_not_there(server: Site, tmp_path: Path) -> None:
    done = request("http", tmp_path, url=f"{server.url}/silent", timeout=0.2)
    assert (done.returncode, done.stderr) == (1, f"{server.url} did not answer within 0.2 s.\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = request("http", tmp_path, url=f"{nobody}/secret-path")
    assert (done.returncode, done.stderr) == (1, f"{nobody} cannot be reached: Connection refused.\n")


def test_an_answer_that_breaks_off(server: Site, tmp_path: Path) -> None:
    server.answers["cut"] = Answer(body=b"half", headers={"Content-Length": "100", "Connection": "close"})
    done = request("http", tmp_path, url=f"{server.url}/cut", output="out.txt", timeout=5)
    assert done.returncode == 1
    assert done.stderr == "The connection broke: 96 bytes of the answer did not come.\n"
    assert not list(tmp_path.iterdir())


def test_values_cannot_add_headers_or_leave_http(server: Site, tmp_path: Path) -> None:
    evil = {"EVIL": "x\r\nHost: other"}
    done = request("http", tmp_path, evil, url=f"{server.url}/hello", headers={"X": "${EVIL}"})
    assert (done.returncode, "holds a line break" in done.stderr) == (1, True)
    done = request("http", tmp_path, {"WHERE": "file:///etc/passwd"}, url="${WHERE}")
    assert (done.returncode, "not an address" in done.stderr) == (1, True)
    done = request("http", tmp_path, url=f"{server.url}/hello", output="../out.txt")
    assert (done.returncode, "leads out of the folder" in done.stderr) == (1, True)
