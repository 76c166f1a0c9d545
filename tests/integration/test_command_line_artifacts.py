"""`quarterdeck artifact` and `quarterdeck evidence`, over the command line and the API."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from supervisor.api.client import Client
from supervisor.model.errors import SupervisorUnreachable
from tests.support.commandline import CommandLine, Printed, supervisor_thread
from tests.support.git import repository

PLAN = """\
id: plan-hello
title: Two tasks
tasks:
  - {id: a, title: First, command: "true"}
  - {id: b, title: Second, needs: [a], command: "true"}
"""


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    (where / "plan.yaml").write_text(PLAN)
    (where / "report.html").write_text("<b>fine</b>\n")
    with supervisor_thread(tmp_path / "home"):
        line = CommandLine(tmp_path / "home", monkeypatch, capsys)
        line("plan", "create", "plan.yaml")
        yield line
        line("stop", "--all")


def refused(quarterdeck: CommandLine, code: int, *arguments: str) -> Printed:
    printed = quarterdeck(*arguments)
    assert printed.code == code, printed
    return printed


def test_a_file_is_put_listed_and_got(quarterdeck: CommandLine, tmp_path: Path) -> None:
    made = quarterdeck("artifact", "put", "report.html", "--plan", "plan-h", "--task", "a", "--json").json["artifact"]
    assert (made["name"], made["type"], made["version"], made["kind"]) == ("report.html", "text/html", 1, "artifact")
    assert (made["plan"], made["task"], made["retention"]) == ("plan-hello", "a", "plan")
    assert made["provenance"] == {"file": str(Path.cwd() / "report.html"), "revision": 1}
    assert made["sha256"] == hashlib.sha256(b"<b>fine</b>\n").hexdigest()
    assert quarterdeck("artifact", "list", "--json").json == {"artifacts": [made]}
    listed = quarterdeck("artifact", "list", "--plan", "plan-hello").out
    assert "report.html" in listed
    assert "12 B" in listed
    target = tmp_path / "got.html"
    got = quarterdeck("artifact", "get", "report.html", "--plan", "plan-hello", "--output", str(target), "--json").json
    assert (got["artifact"], got["path"]) == (made, str(target))
    assert target.read_text() == "<b>fine</b>\n"
    assert quarterdeck("artifact", "get", made["id"], "--output", "-").out == "<b>fine</b>\n"


def test_a_name_is_the_newest_and_older_ones_stay(quarterdeck: CommandLine) -> None:
    quarterdeck("artifact", "put", "report.html", "--retention", "30")
    Path("report.html").write_text("better\n")
    said = quarterdeck("artifact", "put", "report.html", "--retention", "2w").out
    assert "report.html, version 2, 7 B. It is kept." in said
    both = quarterdeck("artifact", "list", "--name", "report.html", "--json").json["artifacts"]
    assert [(each["version"], each["retention"]) for each in both] == [(2, "2w"), (1, "30d")]
    assert all(each["expires_at"] for each in both)
    assert quarterdeck("artifact", "get", "report.html", "--output", "-").out == "better\n"
    for older in (("report.html", "--version", "1"), (both[1]["sha256"],), (both[1]["id"],)):
        assert quarterdeck("artifact", "get", *older, "-o", "-").out == "<b>fine</b>\n"


def test_it_goes_to_a_new_file_of_its_name(quarterdeck: CommandLine, tmp_path: Path) -> None:
    quarterdeck("artifact", "put", "report.html", "--name", "reports/today.html")
    assert "today.html: version 1, 12 B" in quarterdeck("artifact", "get", "reports/today.html").out
    assert Path("today.html").read_text() == "<b>fine</b>\n"
    Path("today.html").write_text("mine")
    assert (
        "There is a file today.html here already"
        in refused(quarterdeck, 4, "artifact", "get", "reports/today.html").err
    )
    assert Path("today.html").read_text() == "mine"
    # What a break left is gone on with.
    sha256 = hashlib.sha256(b"<b>fine</b>\n").hexdigest()
    part = tmp_path / f".{sha256[:16]}.part"
    part.write_text("<b>fi")
    quarterdeck("artifact", "get", "reports/today.html", "--output", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "<b>fine</b>\n"
    assert not part.exists()
    part.write_text("<i>fi")
    assert (
        "its hash is another"
        in refused(quarterdeck, 1, "artifact", "get", "reports/today.html", "--output", str(tmp_path / "y")).err
    )
    assert not (tmp_path / "y").exists()


def test_what_cannot_be_done_is_said(quarterdeck: CommandLine, tmp_path: Path) -> None:
    for task in ("a", "b"):
        quarterdeck("artifact", "put", "report.html", "--plan", "plan-hello", "--task", task)
    for code, said, arguments in (
        (3, "There is no file nothing", ("artifact", "put", "nothing")),
        (2, "is a folder", ("artifact", "put", str(tmp_path))),
        (2, "cannot be the name", ("artifact", "put", "report.html", "--name", "../x")),
        (2, "cannot be the name", ("artifact", "put", "report.html", "--name", "x" * 300)),
        (2, "is no retention", ("artifact", "put", "report.html", "--retention", "soon")),
        (2, "not its plan", ("artifact", "put", "report.html", "--task", "a")),
        (3, "has no task c", ("artifact", "put", "report.html", "--plan", "plan-hello", "--task", "c")),
        (3, "Nothing is kept as x", ("artifact", "get", "x")),
        (3, "There is no artifact", ("artifact", "get", "art_x")),
        (2, "is the name of several", ("artifact", "get", "report.html")),
        (2, "cannot both go to stdout", ("artifact", "get", "report.html", "--task", "a", "-o", "-", "--json")),
        (2, "either a file or --text", ("evidence", "add", "--plan", "plan-hello", "--task", "a")),
        (2, "what it is evidence of", ("evidence", "add", "--text", "x", "--plan", "plan-hello")),
        (2, "one of --supports", ("evidence", "add", "--text", "x", "--supports", "a", "--refutes", "b")),
        (3, "There is no artifact", ("evidence", "show", "nothing")),
    ):
        assert said in refused(quarterdeck, code, *arguments).err, arguments
        if "--json" not in arguments:
            error = json.loads(refused(quarterdeck, code, *arguments, "--json").out)["error"]
            assert error.keys() == {"code", "message", "hint"}
    assert "quarterdeck artifact put FILE" in quarterdeck("artifact", "list", "--name", "none").out


def test_an_emoji_is_a_name(quarterdeck: CommandLine) -> None:
    quarterdeck("artifact", "put", "report.html", "--name", "🚀 report.html")
    assert quarterdeck("artifact", "get", "🚀 report.html", "--output", "-").out == "<b>fine</b>\n"


def test_evidence_says_what_it_speaks_to(quarterdeck: CommandLine) -> None:
    at = ("--plan", "plan-hello", "--task", "a")
    assert "Nothing is kept" in quarterdeck("evidence", "list").out
    one = quarterdeck("evidence", "add", "report.html", *at, "--supports", "All is fine", "--json").json["evidence"]
    two = quarterdeck("evidence", "add", "--text", "p99 is 12 ms", *at, "--refutes", "It is slow", "--json").json[
        "evidence"
    ]
    about = quarterdeck("evidence", "add", "--text", "x", *at, "--about", "How fast it is", "--json").json["evidence"]
    said = [(each["name"], each["kind"], each["stance"], each["statement"]) for each in (one, two, about)]
    assert said == [
        ("report.html", "evidence", "supports", "All is fine"),
        ("note.txt", "evidence", "refutes", "It is slow"),
        ("note.txt", "evidence", "neutral", "How fast it is"),
    ]
    assert quarterdeck("evidence", "list", *at, "--json").json == {"evidence": [about, two, one]}
    assert quarterdeck("evidence", "list", "--task", "b", "--json").json == {"evidence": []}
    assert "It is slow" in quarterdeck("evidence", "list").out
    assert quarterdeck("artifact", "list", "--json").json == {"artifacts": []}
    assert quarterdeck("evidence", "show", two["id"], "--json").json == {"evidence": two}
    shown = quarterdeck("evidence", "show", two["id"]).out
    for text in ("refutes: It is slow", "p99 is 12 ms", two["sha256"], "plan-hello"):
        assert text in shown
    assert quarterdeck("artifact", "get", one["id"], "--output", "-").out == "<b>fine</b>\n"


def test_what_it_shows_does_nothing_to_the_terminal(quarterdeck: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\x1b]0;owned\x07\x1b[31mred\n")
    (tmp_path / "raw").write_bytes(b"\0\1\2")
    at = ("--plan", "plan-hello", "--task", "a")
    for name, shown in (("log", "red"), ("raw", "It is no text")):
        made = quarterdeck("evidence", "add", str(tmp_path / name), *at, "--json").json["evidence"]
        printed = quarterdeck("evidence", "show", made["id"]).out
        assert shown in printed
        assert "\x1b]" not in printed
        assert "\x1b[31mred" not in printed


def test_of_a_long_text_it_shows_the_beginning(quarterdeck: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("line\n" * 100_000)
    at = ("--plan", "plan-hello", "--task", "a")
    made = quarterdeck("evidence", "add", str(tmp_path / "log"), *at, "--json").json["evidence"]
    printed = quarterdeck("evidence", "show", made["id"]).out
    assert 60_000 < len(printed) < 70_000
    assert f"the rest: quarterdeck artifact get {made['id']}" in printed


def test_a_download_that_breaks_off_goes_on(
    quarterdeck: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = quarterdeck("artifact", "put", "report.html", "--json").json["artifact"]
    real, begun = Client.content, list[int]()

    async def breaking(client: Client, path: str, begin: int = 0) -> AsyncGenerator[bytes, None]:
        begun.append(begin)
        async with aclosing(real(client, path, begin)) as content:
            async for data in content:
                if len(begun) < 3:
                    yield data[:5]
                    raise SupervisorUnreachable("It is gone.")
                yield data

    monkeypatch.setattr(Client, "content", breaking)
    quarterdeck("artifact", "get", made["id"], "--output", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "<b>fine</b>\n"
    assert begun == [0, 5, 10]
    begun.clear()
    assert quarterdeck("artifact", "get", made["id"], "--output", "-").out == "<b>fine</b>\n"
    assert begun == [0, 5, 10]


def test_within_a_session_it_is_the_sessions(quarterdeck: CommandLine) -> None:
    command = shlex.join([sys.executable, "-P", "-m", "supervisor.cli.main"])
    script = (
        f"echo made > out.txt; {command} artifact put out.txt && {command} evidence add --text fine && "
        f"{command} artifact get out.txt --output copy.txt && cmp out.txt copy.txt"
    )
    ended = quarterdeck("run", "--wait", "--name", "maker", "--json", "--", "sh", "-c", script)
    assert ended.code == 0, quarterdeck("sessions", "logs", "maker").out
    session = ended.json["session"]
    (kept,) = quarterdeck("artifact", "list", "--session", "maker", "--json").json["artifacts"]
    assert (kept["name"], kept["session"], kept["created_by"]) == (
        "out.txt", session["id"], f"session {session['id']}",
    )  # fmt: skip
    assert kept["attempt"].startswith("att_")
    (evidence,) = quarterdeck("evidence", "list", "--json").json["evidence"]
    assert evidence["session"] == session["id"]


def test_the_plan_and_task_of_the_environment_are_those_it_belongs_to(
    quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_PLAN", "plan-hello")
    monkeypatch.setenv("QUARTERDECK_TASK", "b")
    made = quarterdeck("artifact", "put", "report.html", "--json").json["artifact"]
    assert (made["plan"], made["task"]) == ("plan-hello", "b")
    seen = quarterdeck("evidence", "add", "--text", "x", "--json").json["evidence"]
    assert (seen["plan"], seen["task"]) == ("plan-hello", "b")
    # What another task of the plan has kept is found from within this one.
    monkeypatch.setenv("QUARTERDECK_TASK", "a")
    assert quarterdeck("artifact", "get", "report.html", "--output", "-").out == "<b>fine</b>\n"


def test_a_task_of_a_plan_passes_something_on_to_the_next(quarterdeck: CommandLine) -> None:
    command = shlex.join([sys.executable, "-P", "-m", "supervisor.cli.main"])
    tasks = [
        {"id": "make", "title": "Make", "command": f"echo 42 > n.txt && {command} artifact put n.txt && rm n.txt"},
        {
            "id": "use",
            "title": "Use",
            "needs": ["make"],
            "commands": [
                f"{command} artifact get n.txt --output - | grep 42",
                f'{command} evidence add --text "It is 42" --supports "It is passed on"',
            ],
        },
    ]
    Path("pass.json").write_text(json.dumps({"id": "plan-pass", "title": "Pass on", "tasks": tasks, "advance": "auto"}))
    quarterdeck("plan", "create", "pass.json")
    ended = quarterdeck("plan", "start", "plan-pass", "--wait")
    assert ended.code == 0, (ended, quarterdeck("task", "show", "plan-pass/use"))
    (kept,) = quarterdeck("artifact", "list", "--plan", "plan-pass", "--json").json["artifacts"]
    assert (kept["name"], kept["task"], kept["session"]) == ("n.txt", "make", None)
    (evidence,) = quarterdeck("evidence", "list", "--plan", "plan-pass", "--json").json["evidence"]
    assert (evidence["task"], evidence["statement"]) == ("use", "It is passed on")
