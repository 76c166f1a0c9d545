"""The command line against a real supervisor: what it prints, and how it exits."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from supervisor.cli.main import COMMANDS, cli
from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import commit, git, repository
from tests.wait import wait_until

SESSION_KEYS = {
    "id", "name", "project", "task", "mode", "agent", "executor", "status", "status_reason", "activity", "branch",
    "worktree", "base_commit", "exit_code", "created_at", "started_at", "ended_at", "last_output_at",
    "last_heartbeat_at", "attempts", "tokens", "cost_usd", "tools_used", "messages", "log_path", "agent_session_ids",
    "tmux_target", "container",
}  # fmt: skip


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
    for session in line("sessions", "--json").json["sessions"]:
        line("cancel", session["name"])
        line("archive", session["name"])


def every_command(group: click.Group, *names: str) -> Iterator[list[str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        if not names and name == "demo":
            continue
        command = group.get_command(context, name)
        assert command is not None
        yield [*names, name]
        if isinstance(command, click.Group):
            yield from every_command(command, *names, name)


@pytest.mark.parametrize("command", list(every_command(cli)), ids=" ".join)
def test_every_command_has_help_with_an_example(quarterdeck: CommandLine, command: list[str]) -> None:
    printed = quarterdeck(*command, "--help")
    assert printed.code == 0
    assert f"Example: quarterdeck {' '.join(command)}" in " ".join(printed.out.split())


def test_the_bare_command_prints_help(quarterdeck: CommandLine) -> None:
    printed = quarterdeck()
    assert printed.code == 0
    assert all(name in printed.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rum"], 2, "Did you mean `quarterdeck run`?"),
        (["xyzzy"], 2, "lists them"),
        (["run", "--nonsense"], 2, "No such option"),
        (["run"], 2, "prompt"),
        (["run", "--agent", "nobody", "--", "true"], 2, "Known agents"),
        (["run", "--executor", "moon", "--", "true"], 2, "no executor moon"),
        (["run", "--mode", "dispatch", "--executor", "local", "--", "true"], 2, "contradict"),
        (["run", "--mode", "autonomous", "--executor", "tmux", "--", "true"], 2, "contradict"),
        (["run", "--mode", "sometimes", "--", "true"], 2, "--mode"),
        (["run", "--timeout", "nan", "--", "true"], 2, "above zero"),
        (["run", "--timeout", "0", "--", "true"], 2, "above zero"),
        (["run", "--budget-usd", "inf", "--", "true"], 2, "above zero"),
        (["run", "--budget-usd", "much", "--", "true"], 2, "above zero"),
        (["run", "--name", "a b", "--", "true"], 2, "cannot be a name"),
        (["run", "--agent", "command", "--prompt", "x", "--", "true"], 2, "takes no prompt"),
        (["run", "--prompt", "x", "--prompt-file", "y"], 2, "exclude each other"),
        (["run", "--prompt-file", "nowhere.txt"], 2, "cannot be read"),
        (["run", "--base", "nowhere", "--", "true"], 0, ""),
        (["run", "--", "no-such-program-at-all"], 1, "not installed"),
        (["run", "--", "caf\udce9"], 2, "UTF-8"),
        (["sessions", "show"], 2, "Missing argument"),
        (["sessions", "show", "nobody"], 3, "no session"),
        (["sessions", "show", "../x"], 3, "no session"),
        (["sessions", "--status", "nice"], 2, "status"),
        (["sessions", "--project", "nowhere"], 3, "no project"),
        (["queue", "--project", "nowhere"], 3, "no project"),
        (["events", "--project", "nowhere"], 3, "no project"),
        (["events", "--session", "nobody"], 3, "no session"),
        (["events", "--since", "-1"], 2, "above zero"),
        (["project", "remove", "nowhere"], 3, "no project"),
        (["project", "add", "/nowhere/at/all"], 3, "no folder"),
        (["emit", "Not A Type"], 2, "event type"),
        (["emit", "progress", "[1]"], 2, "not a JSON object"),
        (["emit", "progress", "{"], 2, "not JSON"),
        (["continue", "nobody"], 2, "--prompt"),
        (["attach", "nobody"], 3, "no session"),
        (["completion", "tcsh"], 2, "tcsh"),
    ],
    ids=lambda value: " ".join(value).encode(errors="replace").decode() if isinstance(value, list) else None,
)  # fmt: skip
def test_errors_are_one_sentence_on_stderr_and_json_on_stdout(
    quarterdeck: CommandLine, arguments: list[str], code: int, said: str
) -> None:
    plain = quarterdeck(*arguments)
    assert (plain.code, said in plain.err) == (code, True), plain.err
    if code and arguments[0] not in ("rum", "xyzzy", "emit", "attach", "completion"):
        first, *rest = arguments
        place = rest.index("--") if "--" in rest else len(rest)
        printed = quarterdeck(first, *rest[:place], "--json", *rest[place:])
        assert printed.code == code
        error = printed.json["error"]
        assert set(error) == {"code", "message", "hint"}
        assert len(printed.err.splitlines()) == 1


def test_a_command_runs_in_its_own_worktree_and_says_how_it_ended(quarterdeck: CommandLine) -> None:
    done = quarterdeck("run", "--name", "hi", "--wait", "--json", "--", "sh", "-c", "echo hi; pwd")
    session = done.json["session"]
    assert done.code == 0
    assert set(session) >= SESSION_KEYS
    assert (session["status"], session["exit_code"], session["agent"]) == ("completed", 0, "command")
    lines = quarterdeck("sessions", "logs", "hi", "--json").json
    assert [line["text"] for line in lines["lines"]] == ["hi", session["worktree"]]
    assert quarterdeck("sessions", "logs", session["id"][:20]).out.startswith("hi\n")
    assert quarterdeck("sessions", "logs", "hi", "--follow", "--raw").out.startswith("hi\n")
    followed = quarterdeck("sessions", "logs", "hi", "--follow", "--json").out.splitlines()
    assert [json.loads(line)["text"] for line in followed] == ["hi", session["worktree"]]


@pytest.mark.parametrize(("exit_code", "code"), [(3, 1), (90, 1)])
def test_the_session_is_printed_whatever_the_exit_code(quarterdeck: CommandLine, exit_code: int, code: int) -> None:
    done = quarterdeck("run", "--wait", "--json", "--", "sh", "-c", f"exit {exit_code}")
    assert done.code == code
    assert done.json["session"]["exit_code"] == exit_code


def test_what_follows_the_dashes_belongs_to_the_command(quarterdeck: CommandLine) -> None:
    done = quarterdeck("run", "--name", "dashes", "--wait", "--", "echo", "--json", "--wait", "--", "-x")
    assert done.code == 0
    assert "dashes" in done.out
    assert not done.out.startswith("{")
    assert quarterdeck("sessions", "logs", "dashes").out == "--json --wait -- -x\n"


def test_a_prompt_without_newline_and_split_lines_are_shown_whole(quarterdeck: CommandLine) -> None:
    script = "print('x' * 3_000_000); print('Continue?', end=' ', flush=True); import time; time.sleep(300)"
    quarterdeck("run", "--name", "long", "--", "python3", "-c", script)
    wait_until(lambda: quarterdeck("sessions", "logs", "long", "--json").json["partial"], 10, "the question")
    found = quarterdeck("sessions", "logs", "long", "--json").json
    assert [len(line["text"]) for line in found["lines"]] == [3_000_000]
    assert found["partial"] == {"stdout": "Continue? "}
    assert quarterdeck("sessions", "logs", "long").out.endswith("\nContinue? \n")


def test_control_sequences_reach_the_terminal_only_when_raw(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--name", "ansi", "--wait", "--", "printf", r"\033]0;title\007\033[31mred\033[0m\n")
    assert quarterdeck("sessions", "logs", "ansi").out == "red\n"
    assert quarterdeck("sessions", "logs", "ansi", "--raw").out == "\x1b]0;title\x07\x1b[31mred\x1b[0m\n"


def test_reading_commands_print_one_document(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--name", "one", "--wait", "--", "echo", "one")
    keys = {
        ("sessions",): {"sessions"},
        ("sessions", "show", "one"): {"session"},
        ("sessions", "explain", "one"): {"session", "attempt", "signals"},
        ("sessions", "logs", "one"): {"lines", "partial"},
        ("queue",): {"running", "waiting", "limits", "paused_agents", "held_back"},
        ("events",): {"events"},
        ("agents",): {"agents"},
        ("audit", "list"): {"entries"},
        ("audit", "verify"): {"valid", "entries", "first_bad", "detail"},
        ("project", "list"): {"projects"},
        ("diff", "one"): {"session", "base_commit", "diff"},
        ("config", "show"): {"settings"},
        ("config", "check"): {"valid"},
        ("config", "path"): {"config", "state", "run", "project"},
        ("doctor",): {"checks", "supervisor"},
        ("status",): {"running", "pid", "version", "home", "uptime_s", "sessions", "approvals_pending",
                      "health", "checks"},
    }  # fmt: skip
    for command, expected in keys.items():
        printed = quarterdeck(*command, "--json")
        assert set(printed.json) == expected, command
        assert printed.err == "", command
        plain = quarterdeck(*command)
        assert plain.out.strip() or command[0] == "diff", command
        assert not plain.out.startswith("{"), command
    for line in quarterdeck("audit", "export").out.splitlines():
        assert json.loads(line)["hash"]


def test_the_settings_are_shown_without_secrets(quarterdeck: CommandLine) -> None:
    quarterdeck.monkeypatch.setenv("QUARTERDECK_AGENTS__CLAUDE__ENVIRONMENT", "{MY_TOKEN: t0psecret}")
    for options in (["--json"], ["--all"]):
        printed = quarterdeck("config", "show", *options).out
        assert "[redacted]" in printed
        assert "t0psecret" not in printed


def test_lists_are_narrowed_to_a_project(quarterdeck: CommandLine, tmp_path: Path) -> None:
    quarterdeck("run", "--name", "here", "--wait", "--", "true")
    other = repository(tmp_path / "other")
    quarterdeck.monkeypatch.chdir(other)
    quarterdeck("run", "--name", "there", "--wait", "--", "true")
    project = quarterdeck.session("there")["project"]
    names = [each["name"] for each in quarterdeck("sessions", "--project", project, "--json").json["sessions"]]
    assert names == ["there"]
    assert {each["name"] for each in quarterdeck("sessions", "--json").json["sessions"]} == {"here", "there"}
    events = quarterdeck("events", "--project", project, "--json").json["events"]
    assert {event["project"] for event in events} == {project}
    assert quarterdeck("queue", "--project", project, "--json").json["running"] == []


def test_an_ambiguous_beginning_lists_what_it_can_mean(quarterdeck: CommandLine) -> None:
    for name in ("first", "second"):
        quarterdeck("run", "--name", name, "--wait", "--", "true")
    printed = quarterdeck("sessions", "show", "ses_", "--json")
    assert printed.code == 2
    assert "can mean" in printed.json["error"]["message"]
    assert "(dashes)" in printed.err or "(first)" in printed.err
    assert quarterdeck("sessions", "show", quarterdeck.session("first")["id"]).code == 0


def test_pause_resume_cancel_and_archive_answer_with_the_session(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--name", "long", "--", "sleep", "300")
    wait_for(quarterdeck, "long", "running")
    assert quarterdeck("pause", "long", "--json").json["session"]["status"] == "paused"
    assert quarterdeck("pause", "long", "--json").code == 4
    assert quarterdeck("resume", "long", "--json").json["session"]["status"] == "running"
    assert quarterdeck("archive", "long").code == 4
    assert quarterdeck("send", "long", "hello", "--json").code == 4
    assert quarterdeck("merge", "long").code == 4
    assert quarterdeck("attach", "long").code in (1, 4)
    cancelled = quarterdeck("cancel", "long", "--json")
    assert (cancelled.code, cancelled.json["session"]["status"]) == (0, "cancelled")
    assert quarterdeck("cancel", "long").code == 4
    assert "no terminal to attach to" in quarterdeck("attach", "long").err
    assert quarterdeck("continue", "long", "--prompt", "more").code == 4
    archived = quarterdeck("archive", "long", "--json").json
    assert archived["session"]["status"] == "archived"
    assert archived["worktree_kept"] is False
    names = [each["name"] for each in quarterdeck("sessions", "--archived", "--json").json["sessions"]]
    assert "long" in names


def wait_for(quarterdeck: CommandLine, ref: str, status: str) -> None:
    wait_until(lambda: quarterdeck.session(ref)["status"] == status, 10, f"{ref} to be {status}")


def test_what_was_changed_is_shown_committed_and_merged(quarterdeck: CommandLine) -> None:
    where = Path.cwd()
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git(where, "config", key, value)
    quarterdeck("run", "--name", "work", "--wait", "--", "sh", "-c", "echo new > new.txt; echo two >> a.txt")
    assert "+new" in quarterdeck("diff", "work").out
    assert "new.txt" in quarterdeck("diff", "work", "--stat").out
    assert quarterdeck("merge", "work").code == 4
    assert quarterdeck("commit", "work").code == 2
    made = quarterdeck("commit", "work", "-m", "Work", "--json").json
    assert made["branch"] == quarterdeck.session("work")["branch"]
    assert "nothing to commit" in quarterdeck("commit", "work", "-m", "Again").out
    assert quarterdeck("commit", "work", "-m", "Again", "--json").json["commit"] is None
    assert "Merged" in quarterdeck("merge", "work").out
    assert (where / "new.txt").read_text() == "new\n"


def test_a_branch_is_pushed_and_written_to_a_bundle(quarterdeck: CommandLine, tmp_path: Path) -> None:
    where = Path.cwd()
    quarterdeck("run", "--name", "work", "--wait", "--", "sh", "-c", "echo new > new.txt")
    assert quarterdeck("push", "work").code == 4
    made = quarterdeck("commit", "work", "-m", "Work", "--json").json
    refused = quarterdeck("push", "work", "--json")
    assert (refused.code, "no remote" in refused.json["error"]["message"]) == (4, True)
    git(where, "init", "-q", "--bare", tmp_path / "remote.git")
    git(where, "remote", "add", "fork", tmp_path / "remote.git")
    Path(quarterdeck.session("work")["worktree"], "later.txt").write_text("l\n")
    pushed = quarterdeck("push", "work", "--remote", "fork")
    assert pushed.out == f"Pushed {made['branch']} to fork ({made['commit'][:12]}).\n"
    assert "1 file is not committed" in pushed.err
    assert git(tmp_path / "remote.git", "rev-parse", made["branch"]) == made["commit"]
    assert "already" in quarterdeck("push", "work").out
    assert quarterdeck("push", "work", "--json").json["change"] == "unchanged"
    assert quarterdeck("bundle", "work", "work.bundle").out == f"Wrote 1 commit of {made['branch']} to work.bundle.\n"
    assert made["branch"] in git(where, "bundle", "list-heads", where / "work.bundle")
    assert quarterdeck("bundle", "work", "work.bundle").code == 4
    again = quarterdeck("bundle", "work", str(tmp_path / "again"), "--json").json
    assert (again["path"], again["commits"]) == (str(tmp_path / "again"), 1)


def test_a_conflict_is_refused_and_changes_nothing(quarterdeck: CommandLine) -> None:
    where = Path.cwd()
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git(where, "config", key, value)
    quarterdeck("run", "--name", "mine", "--wait", "--", "sh", "-c", "echo mine > a.txt")
    quarterdeck("commit", "mine", "-m", "Mine")
    head = commit(where, {"a.txt": "theirs\n"})
    refused = quarterdeck("merge", "mine", "--json")
    assert refused.code == 4
    assert "a.txt" in refused.json["error"]["message"]
    assert git(where, "rev-parse", "HEAD") == head


def test_a_subfolder_and_a_linked_worktree_belong_to_their_repository(quarterdeck: CommandLine, tmp_path: Path) -> None:
    here = Path.cwd()
    quarterdeck.monkeypatch.chdir(here / "folder")
    quarterdeck("run", "--name", "sub", "--wait", "--", "true")
    git(here, "worktree", "add", "-q", "-b", "side", tmp_path / "linked")
    quarterdeck.monkeypatch.chdir(tmp_path / "linked")
    quarterdeck("run", "--name", "linked", "--wait", "--", "true")
    assert quarterdeck.session("sub")["project"] == quarterdeck.session("linked")["project"]


@pytest.mark.parametrize("kind", ["none", "bare", "empty"])
def test_where_no_worktree_can_be_made_it_says_so(quarterdeck: CommandLine, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    folder.mkdir()
    if kind != "none":
        git(folder, "init", "-q", *(["--bare"] if kind == "bare" else []))
    quarterdeck.monkeypatch.chdir(folder)
    printed = quarterdeck("run", "--json", "--wait", "--", "true")
    if printed.code == 0:
        assert kind == "bare"
        return
    assert printed.code in (1, 2, 3, 4)
    text = printed.json.get("error", {}).get("message") or printed.json["session"]["status_reason"]["text"]
    assert text


def test_a_prompt_comes_from_a_file_or_stdin(quarterdeck: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "nul.txt").write_text("a\0b")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "huge.txt").write_text("x" * 2_000_000)
    for name, said in (("nul.txt", "NUL"), ("binary", "UTF-8"), ("huge.txt", "at most")):
        printed = quarterdeck("run", "--agent", "claude", "--prompt-file", str(tmp_path / name))
        assert (printed.code, said in printed.err) == (2, True), printed.err


def test_a_variable_that_is_not_text_is_left_out_and_named(quarterdeck: CommandLine) -> None:
    quarterdeck.monkeypatch.setenv("ODD", "caf\udce9")
    printed = quarterdeck("run", "--name", "odd", "--wait", "--", "sh", "-c", "echo ${ODD-none}")
    assert printed.code == 0
    assert "ODD" in printed.err
    assert quarterdeck("sessions", "logs", "odd").out == "none\n"


def test_a_session_knows_where_it_is_and_reports_for_itself(quarterdeck: CommandLine) -> None:
    quarterdeck.monkeypatch.setenv("QUARTERDECK_SESSION", "somebody-else")
    program = Path(sys.executable).with_name("quarterdeck")
    script = f"{program} beat && {program} emit progress '{{\"done\": 1}}' && echo $QUARTERDECK_SESSION"
    session = quarterdeck("run", "--name", "tool", "--wait", "--json", "--", "sh", "-c", script).json["session"]
    assert session["status"] == "completed", quarterdeck("sessions", "logs", "tool").out
    assert quarterdeck("sessions", "logs", "tool").out.strip() == session["id"]
    assert session["last_heartbeat_at"] is not None
    events = quarterdeck("events", "--session", "tool", "--type", "progress", "--json").json["events"]
    assert [event["payload"] for event in events] == [{"done": 1}]


def test_outside_a_session_reports_belong_to_nobody(quarterdeck: CommandLine) -> None:
    assert quarterdeck("beat").code == 0
    assert quarterdeck("emit", "progress", '{"of": 2}').code == 0
    newest = quarterdeck("events", "--type", "progress", "--limit", "1", "--json").json["events"][0]
    assert (newest["session"], newest["payload"]) == (None, {"of": 2})


def test_events_are_told_in_order_and_from_a_number(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--wait", "--", "echo", "hello")
    events: list[dict[str, Any]] = quarterdeck("events", "--since", "60", "--json").json["events"]
    numbers = [event["seq"] for event in events]
    assert numbers == sorted(numbers)
    later = quarterdeck("events", "--after", str(numbers[-2]), "--json").json["events"]
    assert [event["seq"] for event in later][:1] == [numbers[-1]]
    assert "status_changed" in quarterdeck("events", "--since", "60").out


def test_projects_are_added_listed_and_forgotten(quarterdeck: CommandLine, tmp_path: Path) -> None:
    where = repository(tmp_path / "spare")
    assert quarterdeck("project", "add", str(where / "folder")).out.startswith("spare  ")
    project = quarterdeck("project", "add", str(where), "--json").json["project"]
    assert project["root"] == str(where)
    assert quarterdeck("project", "remove", project["id"], "--json").json["project"] == project
    assert "spare" not in quarterdeck("project", "list").out


def test_a_name_that_is_used_again_means_the_session_of_now(quarterdeck: CommandLine) -> None:
    first = quarterdeck("run", "--name", "again", "--wait", "--json", "--", "true").json["session"]["id"]
    second = quarterdeck("run", "--name", "again", "--json", "--", "sleep", "300").json["session"]["id"]
    assert quarterdeck.session("again")["id"] == second
    assert quarterdeck("run", "--name", "again", "--", "true").code == 4
    quarterdeck("cancel", "again")
    assert quarterdeck("sessions", "show", "again").code == 2
    quarterdeck("archive", first)
    assert quarterdeck.session("again")["id"] == second
    quarterdeck("archive", second)


def test_more_than_the_queue_takes_is_refused(quarterdeck: CommandLine) -> None:
    codes = [quarterdeck("run", "--", "sleep", "300").code for _ in range(14)]
    assert codes == [0] * 13 + [4]
    queue = quarterdeck("queue", "--json").json
    assert queue["limits"] == {"concurrent": 3, "waiting": 10}
    assert len(queue["running"]) + len(queue["waiting"]) == 13
    for session in quarterdeck("sessions", "--json").json["sessions"]:
        quarterdeck("cancel", session["id"])
        quarterdeck("archive", session["id"])
