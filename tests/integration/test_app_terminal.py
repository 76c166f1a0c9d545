"""The app as a person has it: in a real terminal, with nothing running before."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git import repository
from tests.support.terminal import Terminal
from tests.wait import wait_until

pytestmark = pytest.mark.tmux

QUARTERDECK = Path(sys.executable).with_name("quarterdeck")


class Person:
    """Sits before a terminal in which the app runs."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.root = repository(folder / "shop")
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "QUARTERDECK_HOME": str(folder / "qd"),
            "TERM": "xterm-256color", "LANG": "C.UTF-8", **more,
        }  # fmt: skip
        self.terminal = Terminal(folder / "t.sock", [str(QUARTERDECK)], self.root, self.env)
        self.terminal.run("set-option", "-g", "remain-on-exit", "on")

    def run(self, *arguments: str) -> str:
        command = [str(QUARTERDECK), *arguments]
        done = subprocess.run(command, env=self.env, cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def press(self, *keys: str) -> None:
        self.terminal.run("send-keys", *keys)

    def sees(self, *texts: str, without: str = "") -> None:
        def looks() -> bool:
            shown = self.terminal.screen()[1]
            return all(text in shown for text in texts) and (not without or without not in shown)

        try:
            wait_until(looks, 30)
        except AssertionError as error:
            raise AssertionError(f"not seen: {texts}\n{self.terminal.screen()[1]}") from error

    def has_left(self) -> None:
        """The program in the terminal has ended, well; tmux 3.3a may miss an exit code, but tells of a signal."""
        stands = "#{pane_dead} #{pane_dead_status}#{pane_dead_signal}"
        wait_until(lambda: self.terminal.run("display-message", "-p", stands).startswith("1"), 45)
        assert self.terminal.run("display-message", "-p", stands).split() in (["1"], ["1", "0"])

    def leave(self) -> None:
        self.run("stop", "--all")
        subprocess.run(["tmux", "-S", str(self.root.parent / "t.sock"), "kill-server"], check=False)


@pytest.fixture
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    made = Person(tmp_path_factory.mktemp("p"))
    yield made
    made.leave()


def test_it_starts_the_supervisor_by_itself_and_teaches_what_to_do(person: Person) -> None:
    person.sees("● live", "No sessions yet", "? Help", "q Quit")
    assert '"running": true' in person.run("status", "--json")
    person.press("?")
    person.sees("esc closes", "Next waiting")
    person.press("Escape")
    person.sees("No sessions yet", without="esc closes")
    person.press("q")
    person.has_left()
    assert '"running": true' in person.run("status", "--json")


def test_a_terminal_is_attached_to_and_left_again(person: Person) -> None:
    person.sees("● live")
    person.run(
        "run", "--name", "inside", "--executor", "tmux", "--", "sh", "-c", "echo I am inside; read line; sleep 600"
    )
    person.sees("inside", "I am inside")
    person.press("Enter")
    person.sees("I am inside", without="1 Fleet")
    person.press("C-b", "d")
    person.sees("1 Fleet", "inside", "● live")


def test_a_session_is_started_its_diff_read_and_its_work_merged(person: Person) -> None:
    person.sees("● live", "No sessions yet")
    person.press("n")
    person.sees("Folder", "Agent")
    person.press("Escape")
    person.sees("No sessions yet")
    person.run("run", "--name", "worker", "--", "sh", "-c", "echo brand new > fresh.txt")
    person.sees("Done 1", "worker")
    person.press("d")
    person.sees("fresh.txt", "brand new")
    person.press("C")
    person.sees("Commit everything in worker")
    person.press("-l", "Add a file")
    person.press("Enter")
    person.sees("committed", without="Commit everything")
    person.press("M")
    person.sees("Merge worker?", "fresh.txt")
    person.press("y")
    person.sees("merged", without="Merge worker?")
    assert (person.root / "fresh.txt").read_text() == "brand new\n"


@pytest.mark.parametrize(("key", "choice"), [("a", "yes"), ("r", "")])
def test_what_waits_is_found_shown_and_decided(person: Person, key: str, choice: str) -> None:
    person.sees("● live")
    asks = f"{QUARTERDECK} ask 'Deploy it?' --option yes=Yes && echo it was allowed || echo it was refused"
    person.run("run", "--name", "asker", "--", "sh", "-c", asks)
    person.sees("Needs you 1", "Deploy it?")
    person.press("w")
    person.press("2")
    person.sees("Deploy it?", "risk")
    person.press(key)
    if choice:
        person.sees("Yes", "Choose")
        person.press("Enter")
    person.sees("Nothing waits for you")
    person.press("1")
    person.press("v")
    person.sees("it was allowed" if choice else "it was refused")


def test_a_session_is_stopped_after_the_supervisor_was_killed_under_it(person: Person) -> None:
    person.sees("● live")
    person.run("run", "--name", "doomed", "--", "sleep", "600")
    person.sees("Working 1", "doomed")
    os.kill(json.loads(person.run("status", "--json"))["pid"], signal.SIGKILL)
    person.sees("no supervisor")
    person.sees("Working 1", "● live")
    person.press("x")
    person.sees("Stop doomed?", "Worktree, branch and log stay")
    person.press("y")
    person.sees("Done 1", "It was cancelled")


def test_a_narrow_terminal_shows_the_list_alone(person: Person) -> None:
    person.sees("● live")
    person.run("run", "--name", "narrow", "--", "sleep", "600")
    person.terminal.run("resize-window", "-x", "44", "-y", "20")
    person.sees("narrow", "q Quit", without="▊")


def test_without_colour_every_status_can_be_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    person = Person(tmp_path_factory.mktemp("p"), NO_COLOR="1")
    try:
        person.run("run", "--name", "fails", "--", "false")
        person.run("run", "--name", "works", "--", "true")
        person.sees("✕ fails", "✓ works")
    finally:
        person.leave()


def test_a_supervisor_that_was_stopped_stays_stopped_and_one_that_was_killed_comes_back(person: Person) -> None:
    person.sees("live")
    pid = json.loads(person.run("status", "--json"))["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: json.loads(person.run("status", "--json")).get("pid", pid) != pid, 30)
    person.sees("live")
    person.run("stop", "--all")
    person.sees("The supervisor was stopped; what runs goes on.")
    # The app asks again twice a second; a supervisor would be there after some of that.
    with pytest.raises(AssertionError):
        wait_until(lambda: json.loads(person.run("status", "--json"))["running"], 4)
