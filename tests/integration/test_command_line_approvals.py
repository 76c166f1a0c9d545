"""Approvals on the command line: what a person sees and types, and what tools that ask get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.paths import HOME_VARIABLE
from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository
from tests.wait import wait_until

HIDING = "echo \x1b[8mhidden\x1b[0m \u202egnp.exe\u200b; touch made"
ASKING = 'echo \'{"type":"approval_needed","question":"Deploy?"}\'; exit 90'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("qd")
    with supervisor_thread(home):
        yield home


@pytest.fixture
def quarterdeck(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    line = CommandLine(home, monkeypatch, capsys)
    yield line
    for approval in line("approvals", "--json").json["approvals"]:
        line("reject", approval["id"])
    for session in line("sessions", "--json").json["sessions"]:
        line("cancel", session["name"])
        line("archive", session["name"])


def agent_asks(quarterdeck: CommandLine, *commands: str) -> list[dict[str, Any]]:
    """The questions of a scripted agent, each of its own session."""
    for command in commands:
        steps = [{"ask": {"run": command}}, {"say": "Done."}]
        assert quarterdeck("run", "--agent", "scripted", "--prompt", json.dumps(steps)).code == 0
    return waiting(quarterdeck, len(commands))


def waiting(quarterdeck: CommandLine, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = quarterdeck("approvals", "--json").json["approvals"]
        return len(found) == count

    wait_until(look, what=f"{count} questions wait")
    return found


class Asking:
    """`quarterdeck ask` in a process of its own, as a tool would run it."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        known = {name: value for name, value in os.environ.items() if not name.startswith("QUARTERDECK_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.cli.main", "ask", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**known, HOME_VARIABLE: str(home), **environment},
        )

    def ended(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_when_nothing_waits_it_says_what_would_be_here(quarterdeck: CommandLine) -> None:
    assert "Nothing waits for you." in quarterdeck("approvals").out
    assert quarterdeck("approvals", "--json").json == {"approvals": []}


def test_what_waits_is_listed_shown_whole_and_approved(quarterdeck: CommandLine) -> None:
    (approval,) = agent_asks(quarterdeck, HIDING)
    listed = quarterdeck("approvals").out
    assert r"\x1b[8mhidden\x1b[0m \u202egnp.exe\u200b; touch made" in listed
    shown = quarterdeck("approvals", "show", approval["id"][:18])
    assert r"│ $ echo \x1b[8mhidden\x1b[0m \u202egnp.exe\u200b; touch made" in shown.out
    assert approval["digest"] in shown.out
    assert "\x1b" not in listed + shown.out
    assert quarterdeck("approvals", "show", approval["id"], "--json").json == {"approval": approval}
    decided = quarterdeck("approve", approval["id"][:18], "--rationale", "It is fine.", "--json").json["approval"]
    assert (decided["decision"], decided["rationale"]) == ("allow", "It is fine.")
    wait_until(lambda: quarterdeck.session(approval["session"])["status"] == "completed")
    past = quarterdeck("approvals", "--all").out
    assert "✓ consumed" in past
    assert "person" in past


def test_deciding_again_says_by_whom_and_when(quarterdeck: CommandLine) -> None:
    (approval,) = agent_asks(quarterdeck, "./odd")
    assert quarterdeck("reject", approval["id"], "--reason", "No.").code == 0
    again = quarterdeck("approve", approval["id"], "--json")
    assert (again.code, again.json["error"]["code"]) == (4, "refused")
    assert "decided already by person at 20" in again.json["error"]["message"]
    assert quarterdeck("approve", "app_nothing").code == 3
    assert quarterdeck("approve").code == 2


def test_several_are_decided_in_one_transaction(quarterdeck: CommandLine, home: Path) -> None:
    one, two = agent_asks(quarterdeck, "./odd one", "./odd two")
    asks = Asking(home, "Which?", "--option", "a=A", "--option", "b")
    three = next(each for each in waiting(quarterdeck, 3) if each["options"])
    refused = quarterdeck("approve", one["id"], two["id"], three["id"])
    assert (refused.code, "a (A), b (b)" in refused.err) == (2, True)
    waiting(quarterdeck, 3)
    said = quarterdeck("approve", one["id"], two["id"], one["id"])
    assert said.code == 0
    assert said.out.count("✓ approved") == 2
    assert "./odd two" in said.out
    assert quarterdeck("reject", three["id"], "--json").json["approval"]["status"] == "rejected"
    assert asks.ended()[0] == 4


def test_a_tool_asks_and_gets_the_choice_alone(quarterdeck: CommandLine, home: Path) -> None:
    asks = Asking(
        home, "Deploy \x1b[2Jwhere?", "--option", "prod=Production", "--option", "test=Test", "--default", "test"
    )
    (approval,) = waiting(quarterdeck, 1)
    assert (approval["default"], approval["requested_by"]) == ("test", "person")
    shown = quarterdeck("approvals", "show", approval["id"]).out
    assert "prod  Production" in shown
    assert "test  Test  (preselected)" in shown
    assert "\x1b" not in shown
    assert quarterdeck("approve", approval["id"]).code == 2
    assert quarterdeck("approve", approval["id"], "--choice", "prod").code == 0
    assert asks.ended() == (0, "prod\n", "")


def test_a_tool_that_is_refused_or_forgotten_exits_with_4(quarterdeck: CommandLine, home: Path) -> None:
    asks = Asking(home, "May I?", "--json")
    (approval,) = waiting(quarterdeck, 1)
    quarterdeck("reject", approval["id"], "--reason", "Too late.")
    code, out, err = asks.ended()
    document = json.loads(out)
    assert (code, document["approval"]["status"], document["error"]["code"]) == (4, "rejected", "rejected")
    assert err == "quarterdeck: The answer is no: Rejected by person: Too late.\n"
    code, out, err = Asking(home, "Anybody?", "--expires", "0.2").ended()
    assert (code, out, "Nobody answered in time." in err) == (4, "", True)
    code, _, err = Asking(home, "Which?", "--option", "=x").ended()
    assert (code, "no value" in err) == (2, True)


def test_a_session_asks_for_itself_and_cannot_decide(quarterdeck: CommandLine, home: Path) -> None:
    program = f"{sys.executable} -m supervisor.cli.main"
    script = f'answer=$({program} ask "May I?" --option go=Go) && echo "got $answer"; {program} approve app_1; echo $?'
    assert quarterdeck("run", "--name", "asker", "--", "sh", "-c", script).code == 0
    (approval,) = waiting(quarterdeck, 1)
    session = quarterdeck.session("asker")
    assert (approval["session"], approval["requested_by"]) == (session["id"], f"session {session['id']}")
    quarterdeck("approve", approval["id"], "--choice", "go")
    wait_until(lambda: quarterdeck.session("asker")["status"] == "completed")
    said = quarterdeck("sessions", "logs", "asker").out
    assert "got go\n" in said
    assert "A session cannot decide." in said
    assert said.endswith("4\n")


def test_waiting_for_a_run_that_exits_to_ask_ends_with_90(quarterdeck: CommandLine) -> None:
    tool = f'test -n "$AUTO_APPROVAL" && exit 0; {ASKING}'
    waited = quarterdeck("run", "--name", "tool", "--wait", "--json", "--", "sh", "-c", tool)
    assert (waited.code, waited.json["session"]["status"]) == (90, "waiting")
    (approval,) = waiting(quarterdeck, 1)
    assert (approval["subject_type"], approval["question"]) == ("tool_run", "Deploy?")
    assert "│ $ sh -c " in quarterdeck("approvals", "show", approval["id"]).out
    assert "Deploy?" in quarterdeck("approve", approval["id"]).out
    wait_until(lambda: quarterdeck.session("tool")["status"] == "completed")
    failed = quarterdeck("run", "--wait", "--", "sh", "-c", "exit 90")
    assert failed.code == 1


def test_a_tool_that_asks_outlives_the_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    line = CommandLine(home, monkeypatch, capsys)
    with supervisor_thread(home):
        asks = Asking(home, "Deploy?", "--option", "yes=Do it")
        (approval,) = waiting(line, 1)
    with supervisor_thread(home):
        assert [each["id"] for each in waiting(line, 1)] == [approval["id"]]
        line("approve", approval["id"], "--choice", "yes")
        code, out, err = asks.ended()
    assert (code, out) == (0, "yes\n")
    assert "waiting for it" in err


def test_a_tool_that_asks_where_no_supervisor_may_be_started_says_so(tmp_path: Path) -> None:
    code, out, err = Asking(tmp_path / "home", "Deploy?", "--no-start").ended()
    assert (code, out, "No supervisor runs" in err) == (5, "", True)


def test_what_would_happen_is_shown_with_the_question(quarterdeck: CommandLine, home: Path, tmp_path: Path) -> None:
    (tmp_path / "plan").write_text("rm -r releases/1.0\nrm -r releases/1.1\n")
    for given in (("--preview", "rm -r releases/1.0"), ("--preview-file", str(tmp_path / "plan"))):
        asks = Asking(home, "Delete?", *given)
        (approval,) = waiting(quarterdeck, 1)
        assert "rm -r releases/1.0" in quarterdeck("approvals", "show", approval["id"]).out
        quarterdeck("approve", approval["id"])
        assert asks.ended() == (0, "allow\n", "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("Sure?", "--option", "a=A", "--default", "b"), "This cannot be asked. Its default is none of its options."),
        (("Sure?", "--option", "a", "--option", "a"), "Two of its options have the same value."),
        (("",), "It has no question."),
        (("Sure?", "--expires", "1e8"), "365 days"),
        (("Sure?", "--option", "v" * 257), "1 to 256 printable characters"),
        (("Sure?", "--preview", "x" * 32_769), "preview is longer than 32768 characters"),
        (("Sure?", "--preview", "x", "--preview-file", "-"), "exclude each other"),
        (("Sure?", "--preview-file", "no-such-file"), "cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_said_before_anybody_is_asked(
    quarterdeck: CommandLine, given: tuple[str, ...], words: str
) -> None:
    said = quarterdeck("ask", *given)
    assert (said.code, words in said.err, "Traceback" in said.err) == (2, True, False), said.err


def test_in_a_session_nothing_is_waited_for_with_no_start(home: Path, tmp_path: Path) -> None:
    own = {"QUARTERDECK_SOCKET": str(tmp_path / "none.sock"), "QUARTERDECK_TOKEN": "x"}
    began = time.monotonic()
    code, out, err = Asking(home, "Sure?", "--no-start", **own).ended()
    assert (code, out, "No supervisor answers." in err) == (5, "", True)
    assert time.monotonic() - began < 15


def test_rejecting_says_what_becomes_of_what_asked(quarterdeck: CommandLine) -> None:
    said = " ".join(quarterdeck("reject", "--help").out.split())
    assert "A tool that exited to ask (code 90) is not started again" in said


def test_why_a_question_was_malformed_is_said_wherever_it_is_looked_for(quarterdeck: CommandLine) -> None:
    script = ASKING.replace('"Deploy?"', "3")
    printed = quarterdeck("run", "--wait", "--name", "odd", "--", "sh", "-c", script)
    why = "It exited with code 90, but its question was malformed: Its question is no text."
    assert printed.code == 1
    assert why in " ".join((printed.out + printed.err).split())
    assert why in " ".join(quarterdeck("sessions", "explain", "odd").out.split())
