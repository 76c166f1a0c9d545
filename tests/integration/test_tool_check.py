"""`tool check`: what keeps the protocol passes, what breaks it is told so, and nothing a tool does breaks the check."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.runner.identity import running
from supervisor.cli.conformance.lines import Lines
from supervisor.cli.main import run
from tests.support.commandline import Printed
from tests.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PROGRAM = str(Path(sys.executable).with_name("quarterdeck"))
ASK = """echo '{"type": "approval_needed", "question": "Go?"}' >&2; exit 90"""
KEYED = ASK.replace('"question"', '"key": "k", "question"')
TAKES = 'if [ "${AUTO_APPROVAL-}" = allow ]; then exit 0; fi; '


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the check in this process, which does not become everybody's parent for it."""
    monkeypatch.setattr("supervisor.cli.tool_check.become_subreaper", lambda: None)

    def checked(*arguments: str) -> Printed:
        capsys.readouterr()
        code = run(["tool", "check", *arguments])
        printed = capsys.readouterr()
        return Printed(code, printed.out, printed.err)

    return checked


def broken(printed: Printed) -> dict[str, str]:
    """Return what a tool breaks, with the reasons."""
    found = printed.json
    assert found["conforms"] is (printed.code == 0)
    return {one["requirement"]: " ".join(one["reasons"]) for one in found["requirements"] if one["result"] == "fail"}


def results(printed: Printed) -> dict[str, str]:
    return {one["requirement"]: one["result"] for one in printed.json["requirements"]}


def example(name: str, folder: Path) -> list[str]:
    """Return the command of an example, laid out as its author would."""
    shutil.copy(EXAMPLES / name, folder)
    shutil.copy(ROOT / "deploy" / "helpers" / "quarterdeck_tool.py", folder)
    return [{"sh": "sh", "mjs": "node", "py": sys.executable}[name.rpartition(".")[2]], str(folder / name)]


@pytest.mark.parametrize("name", ["approval.sh", pytest.param("approval.mjs", marks=pytest.mark.node), "approval.py"])
def test_the_examples_conform(check: Any, tmp_path: Path, name: str) -> None:
    printed = check("--json", "--", *example(name, tmp_path))
    assert broken(printed) == {}
    seen = {name for name, result in results(printed).items() if result == "pass"}
    assert seen == {"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11"}
    answers = [one["answer"] for one in printed.json["runs"] if one["answer"] and one["exit_code"] == 0]
    assert len(answers) == 3


def test_the_tool_on_the_page_conforms(check: Any, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "approval-protocol.md").read_text()
    block = page.split("## A whole tool\n\n")[1].split("\n\n")[0]
    script = tmp_path / "tool.sh"
    script.write_text("\n".join(line.removeprefix("    ") for line in block.splitlines()).replace("rm -r", "rm -rf"))
    printed = check("--json", "--", "sh", str(script))
    assert broken(printed) == {}
    assert [one["answer"] for one in printed.json["runs"] if one["exit_code"] == 0] == ["allow"]
    assert results(printed)["T10"] == "pass"


def recipe(beginning: str) -> str:
    """Return a block of the notes for tool authors, as a script."""
    page = (ROOT / "docs" / "writing-tools.md").read_text()
    (block,) = re.findall(rf"^    {re.escape(beginning)}\n(?:(?:    .*)?\n)*?(?=\n\S)", page, re.MULTILINE)
    return "\n".join(line.removeprefix("    ") for line in block.splitlines()) + "\n"


def test_the_recipe_for_json_holds_any_text(tmp_path: Path) -> None:
    plan = 'a "b" \\ c\td\n\n  é ☃ \\n &\x1b[31m\x07\r\nlast'
    (tmp_path / "plan.txt").write_bytes(plan.encode())
    done = subprocess.run(["sh", "-c", recipe("json() {")], cwd=tmp_path, capture_output=True, check=True)
    shown = json.loads(done.stderr)
    assert shown["question"] == 'Deploy "1.4"?'
    assert shown["preview"] == re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", plan)


def test_the_recipe_for_heartbeats_leaves_nothing_behind(check: Any, tmp_path: Path) -> None:
    script = recipe("beat() {").replace("sleep 20", "sleep 0.1") + "sleep 0.5\n"
    printed = check("--json", "--", "sh", "-c", script + ASK)
    assert printed.json["runs"][0]["events"]["heartbeat"] >= 2
    assert broken(printed).keys() == {"T8"}
    long = recipe("beat() {").replace("sleep 20", f"sleep 4646{os.getpid()}")
    printed = check("--json", "--", "sh", "-c", long + "sleep 0.3; " + ASK)
    assert results(printed)["T4"] == "pass"


def test_the_report_for_people(check: Any, tmp_path: Path) -> None:
    printed = check("--", *example("approval.sh", tmp_path))
    assert printed.code == 0
    assert "answered newest, exit code 0" in printed.out
    assert "It conforms to version 1" in printed.out
    printed = check("--", "sh", "-c", "exit 90")
    assert printed.code == 1
    assert "It does not conform: T6" in printed.out


def test_files_are_found_from_the_scratch_folder(check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example("approval.sh", tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in (["sh", "approval.sh"], ["./approval.sh"]):
        assert check("--json", "--", *command).code == 0
    assert not (tmp_path / "releases").exists()


def test_a_tool_that_asks_nothing(check: Any) -> None:
    printed = check("--", "sh", "-c", """echo hello; echo '{"type": "progress", "done": 1}'""")
    assert printed.code == 1
    assert "It asked nothing, so nothing could be checked (exit code 0)." in printed.out
    assert "conforms to" not in printed.out
    printed = check("--", "sh", "-c", "echo first >&2; no-such-program; exit 127")
    assert re.search(r"nothing could be checked \(exit code 127: first / .*no-such-program", printed.out)
    printed = check("--json", "--", "sh", "-c", "exit 127")
    assert (printed.code, printed.json["conforms"], printed.json["asked"]) == (1, False, False)
    assert printed.json["runs"][0]["stderr"] == []


@pytest.mark.parametrize(
    ("script", "requirement", "words"),
    [
        ("exit 90", "T6", "without an approval_needed"),
        (ASK.replace("Go?", ""), "T3", "no question"),
        (ASK.replace('"Go?"', "Go"), "T3", "no question|not a JSON"),
        (ASK.replace('"question"', '"protocol": 2, "question"'), "T3", "protocol 2"),
        (ASK.replace("exit 90", "exit 0"), "T4", "exit code 0"),
        (ASK.replace("exit 90", "sleep 300 & exit 90"), "T4", "left 1 of its processes"),
        (ASK.replace("; exit", "; " + ASK.replace("Go?", "Two?").partition(";")[0] + "; exit"), "T5", "2 questions"),
        (ASK, "T8", "asked the same again"),
        ('if [ "${AUTO_APPROVAL-}" ]; then exit 0; fi; ' + ASK, "T9", "none-of-the-options"),
        (TAKES + KEYED, "T10", "did not ask its own"),
        (TAKES + ASK.replace("Go?", "Go at '$$'?"), "T11", "words"),
        (ASK.replace('"question"', '"key": "\'$$\'", "question"'), "T11", "key changed"),
        ('echo \'{"type": "approval_decided"}\'', "T2", "supervisor"),
        ('echo \'{"type": "progress"\'', "T1", "not a JSON object"),
        ('printf \'{"type": "caf\\351"}\\n\'', "T1", "not in UTF-8"),
        ('printf \'{"type": "progr\'', "T1", "not a JSON object"),
        ('printf \'{"type": "x", "t": "%070000d"}\\n\' 0', "T1", "too long"),
    ],
)  # fmt: skip
def test_what_breaks_a_requirement_is_told(check: Any, script: str, requirement: str, words: str) -> None:
    printed = check("--json", "--timeout", "20", "--", "sh", "-c", script)
    found = broken(printed)
    assert printed.code == 1
    assert re.search(words, found[requirement]), found


def test_another_question_after_an_answer_is_followed(check: Any, tmp_path: Path) -> None:
    script = tmp_path / "two.sh"
    script.write_text(
        """
        [ "${AUTO_APPROVAL_KEY-}" = one ] && [ "$AUTO_APPROVAL" = allow ] && touch one
        [ "${AUTO_APPROVAL_KEY-}" = two ] && [ "$AUTO_APPROVAL" = b ] && touch two
        if ! [ -f one ]; then echo '{"event": "approval_needed", "key": "one", "question": "One?"}'; exit 90; fi
        if ! [ -f two ]; then
            echo '{"event": "approval_needed", "key": "two", "question": "Two?", "options": ["a", "b"], "default": "b"}'
            exit 90
        fi
        """
    )
    printed = check("--json", "--", "sh", str(script))
    assert broken(printed) == {}
    given = [(one["key"], one["answer"], one["exit_code"]) for one in printed.json["runs"] if one["answer"]]
    assert given[:2] == [("one", "allow", 90), ("two", "b", 0)]


def test_endless_questions_are_left(check: Any) -> None:
    script = """now=$(date +%s%N); echo '{"type": "approval_needed", "question": "'$now'?"}'; exit 90"""
    printed = check("--json", "--", "sh", "-c", script)
    reasons = {one["requirement"]: " ".join(one["reasons"]) for one in printed.json["requirements"]}
    assert "still asks" in reasons["T8"]


def test_the_flag_is_tried_when_the_profile_asks_for_it(check: Any, tmp_path: Path) -> None:
    takes = 'for one; do [ "$one" = --approval-decision=allow ] && exit 0; done; ' + ASK
    script = tmp_path / "tool.sh"
    script.write_text(takes)
    assert results(check("--json", "--flag", "--", "sh", str(script)))["T12"] == "pass"
    script.write_text('[ "${AUTO_APPROVAL-}" = allow ] && exit 0; ' + ASK)
    printed = check("--json", "--flag", "--", "sh", str(script))
    assert "--approval-decision=allow alone" in broken(printed)["T12"]


def test_an_answer_in_the_callers_environment_is_none(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTO_APPROVAL", "allow")
    monkeypatch.setenv("QUARTERDECK_SESSION", "ses_1")
    script = 'echo "{\\"type\\": \\"seen\\", \\"it\\": \\"${AUTO_APPROVAL-}${QUARTERDECK_SESSION-}$HEADLESS\\"}"; cat; '
    printed = check("--json", "--", "sh", "-c", script + '[ "${AUTO_APPROVAL-}" = allow ] && exit 0; ' + ASK)
    assert broken(printed) == {}
    assert printed.json["runs"][0]["exit_code"] == 90


def test_a_tool_that_asks_only_once(check: Any, tmp_path: Path) -> None:
    script = f"[ -f {tmp_path}/asked ] && exit 3; touch {tmp_path}/asked; {ASK}"
    printed = check("--json", "--flag", "--", "sh", "-c", script)
    assert "did not ask again" in broken(printed)["T11"]


def test_silence_and_going_on_after_asking(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.cli.conformance.observations.SILENCE_S", 0.3)
    monkeypatch.setattr("supervisor.cli.conformance.observations.PROMPT_S", 0.3)
    printed = check("--json", "--", "sh", "-c", ASK.replace("exit", "sleep 0.5; exit"))
    assert "after it had asked" in broken(printed)["T4"]
    assert results(printed)["T14"] == "warn"
    monkeypatch.setattr("supervisor.cli.conformance.observations.SILENCE_S", 0.9)
    beats = """for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 0.1; echo '{"type": "heartbeat"}'; done"""
    assert results(check("--json", "--", "sh", "-c", beats))["T14"] == "pass"


def doubted(printed: Printed) -> dict[str, str]:
    found = printed.json["requirements"]
    return {one["requirement"]: " ".join(one["reasons"]) for one in found if one["result"] == "warn"}


@pytest.mark.parametrize(
    ("script", "requirement", "words"),
    [
        (TAKES + "printf '%s' " + ASK.removeprefix("echo "), "T1", "counts, but has no newline"),
        (TAKES + ASK.replace('"question"', '"risk": "critical", "question"'), "T3", "low, medium or high, and is read"),
        (TAKES + ASK.replace('"question"', '"default": "x", "question"'), "T3", "default means nothing"),
        (TAKES + "echo x > made; " + ASK, "T3", "Before it asked, it made in its folder: made"),
        (TAKES + """echo '{"type": "progress", "done": "1"}'; """ + ASK, "T2", "done of a progress is not a number"),
        (TAKES + """echo '{"type": "error"}'; """ + ASK, "T2", "without text"),
        (TAKES.replace("0", "3").replace("exit", "echo boom >&2; exit") + ASK, "T8", "'allow': exit code 3: boom"),
    ],
)
def test_what_is_doubtful_is_told_and_breaks_nothing(check: Any, script: str, requirement: str, words: str) -> None:
    printed = check("--json", "--", "sh", "-c", script)
    assert broken(printed) == {}
    assert doubted(printed).keys() == {requirement}
    assert words in doubted(printed)[requirement]


@pytest.mark.parametrize(
    "fields",
    [
        '"default": "c", "options": ["a"]',
        '"expires_s": "60"',
        '"protocol": 2',
        '"key": " x "',
        '"more": "%s"' % ("x" * 200),
    ],
)
def test_a_question_breaks_only_the_rule_that_it_breaks(check: Any, fields: str) -> None:
    script = ASK.replace('"question"', fields + ', "question"').replace('"Go?"', "" if "more" in fields else '"Go?"')
    printed = check("--json", "--", "sh", "-c", script)
    assert broken(printed).keys() == {"T3"}
    assert ("…" in broken(printed)["T3"]) is ("more" in fields)


def test_a_file_that_is_not_in_path_is_named_as_it_must_be(
    check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool.sh").write_text("#!/bin/sh\n")
    monkeypatch.chdir(tmp_path)
    assert "./tool.sh" in check("--json", "--", "tool.sh").json["error"]["hint"]
    assert "executable" in check("--json", "--", "./tool.sh").json["error"]["hint"]


# --- what waits in `ask` -----------------------------------------------------------------------

WAITS = f"""
choice=$({PROGRAM} ask "Delete?" --option delete=Delete --option keep --default keep --preview 'rm -r x') || exit 1
echo "$choice" > "$OUT/$choice"
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a folder for temporary files of its own: what is found there was left behind."""
    for name in ("home", "tmp", "out"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("QUARTERDECK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return tmp_path


def supervisors() -> list[int]:
    return [pid for pid in running() if "\0serve\0" in commandline(pid)]


def test_a_tool_that_waits_in_ask_is_answered_by_the_check_alone(check: Any, outside: Path) -> None:
    before = set(supervisors())
    printed = check("--json", "--", "sh", "-c", WAITS)
    assert broken(printed) == {}
    assert {"T3", "T7", "T8", "T9"} <= {name for name, result in results(printed).items() if result == "pass"}
    runs = [(one["answer"], one["exit_code"], one["asked_in_place"]["question"]) for one in printed.json["runs"]]
    assert runs == [(None, 1, "Delete?"), ("delete", 0, "Delete?"), ("keep", 0, "Delete?")]
    assert printed.json["runs"][0]["asked_in_place"]["preview"] == "rm -r x"
    assert sorted(path.name for path in (outside / "out").iterdir()) == ["delete", "keep"]
    assert list((outside / "home").iterdir()) == list((outside / "tmp").iterdir()) == []
    assert set(supervisors()) <= before
    printed = check("--", "sh", "-c", WAITS)
    assert "rejected, exit code 1" in printed.out
    assert "waits in `ask`: Delete?" in printed.out
    assert "It conforms" in printed.out


def test_a_no_that_is_not_looked_at_is_doubtful(check: Any, outside: Path) -> None:
    printed = check("--json", "--", "sh", "-c", WAITS.replace("|| exit 1", "; touch made; exit 0"))
    assert "Rejected, it ended with exit code 0" in doubted(printed)["T9"]
    assert "Rejected, it made in its folder: made" in doubted(printed)["T3"]


def test_what_ask_cannot_ask_is_told(check: Any, outside: Path) -> None:
    unchecked = f"""{sys.executable} -c '
import asyncio, os
from supervisor.cli.connection import own_session
from supervisor.cli.ask import decision_of
asyncio.run(decision_of(own_session(), {{"question": "Go?", "default": "b"  , "options": ["a"]}}))'"""
    printed = check("--json", "--", "sh", "-c", unchecked)
    assert "Its default is none of its options." in broken(printed)["T3"]


def test_ask_is_found_wherever_it_is_installed(check: Any, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.engine.reach.COMMAND", "quarterdeck-of-this-test")
    (outside / "quarterdeck-of-this-test").symlink_to(PROGRAM)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(outside))
    printed = check("--json", "--", "sh", "-c", WAITS.replace(PROGRAM, "quarterdeck-of-this-test"))
    assert broken(printed) == {}
    assert printed.code == 0


def test_other_commands_reach_no_supervisor_either(check: Any, outside: Path) -> None:
    script = f"{PROGRAM} sessions; {PROGRAM} beat; echo $? >&2; {PROGRAM} approve app_1"
    printed = check("--json", "--", "sh", "-c", script)
    said = printed.json["runs"][0]["stderr"]
    assert "This is `quarterdeck tool check`: there is no supervisor." in said[0]
    assert said[1] == "0"
    assert "A session cannot decide." in said[2]
    assert list((outside / "home").iterdir()) == []


# --- hardships ---------------------------------------------------------------------------------


def test_a_tool_that_is_not_there_is_said(check: Any, tmp_path: Path) -> None:
    for name in ("no-such-program", "./no-such-program", str(tmp_path), "a\0b"):
        printed = check("--json", "--", name)
        assert printed.code == 1
        assert "cannot be started" in printed.json["error"]["message"]
    assert check("--").code == 2
    assert check("--timeout", "0", "--", "true").code == 2


def test_a_tool_that_hangs_is_ended_with_all_that_it_started(check: Any) -> None:
    marker = f"4343{os.getpid()}"
    began = time.monotonic()
    script = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {marker}' & sleep {marker}; wait"
    printed = check("--json", "--timeout", "1", "--", "sh", "-c", script)
    assert "did not end within 1 s" in broken(printed)["T7"]
    assert time.monotonic() - began < 20
    assert [pid for pid in running() if marker in commandline(pid)] == []


def commandline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_a_process_that_holds_the_output_open_is_not_waited_for() -> None:
    began = time.monotonic()
    script = "setsid sh -c 'sleep 300 & sleep 300' & exit 0"
    done = subprocess.run(
        [PROGRAM, "tool", "check", "--", "sh", "-c", script], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert time.monotonic() - began < 20


def test_whatever_it_prints(check: Any) -> None:
    printed = check("--json", "--", "sh", "-c", "head -c 3000000 /dev/urandom; head -c 100000 /dev/urandom >&2")
    assert printed.code in (0, 1)
    long = "import sys; sys.stdout.write('{\"type\": \"x\", ' + 'y' * 100_000_000 + '\\n')"
    printed = check("--json", "--", sys.executable, "-c", long)
    assert "100000" in broken(printed)["T1"]


def test_an_endless_flood_ends_with_the_timeout(check: Any) -> None:
    printed = check("--json", "--timeout", "2", "--", "sh", "-c", """yes '{"type": "approval_needed"}'""")
    assert {"T3", "T7"} <= broken(printed).keys()


def test_closed_output_and_a_signal(check: Any) -> None:
    printed = check("--json", "--", "sh", "-c", "exec >&- 2>&-; sleep 0.1; kill -9 $$")
    assert printed.json["runs"][0]["exit_code"] == 137


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tool", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == "urn:quarterdeck:approval-protocol:1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_tool_ends_with_the_check(tmp_path: Path, number: signal.Signals) -> None:
    marker = f"4545{os.getpid()}"
    command = [PROGRAM, "tool", "check", "--", "sh", "-c", f"touch {tmp_path}/runs; sleep {marker} & wait"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as checking:
        wait_until((tmp_path / "runs").exists, 30, "the tool runs")
        checking.send_signal(number)
        assert checking.wait(20) == 130
        assert checking.stderr is not None
        assert checking.stderr.read().strip() == b""
    assert [pid for pid in running() if marker in commandline(pid)] == []


@given(st.lists(st.binary(max_size=12)), st.integers(1, 9))
def test_lines_are_cut_wherever_the_stream_is(lines: list[bytes], size: int) -> None:
    stream = b"\n".join(lines)
    cutter = Lines()
    found = [line for start in range(0, len(stream), size) for line in cutter.cut(stream[start : start + size])]
    *whole, rest = stream.split(b"\n")
    assert found == [(line, len(line)) for line in whole]
    assert cutter.rest() == (rest, len(rest))
