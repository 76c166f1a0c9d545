"""Does the steps of a script, and tells them in a voice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from executors.agents.script.inbox import Interrupted
from executors.agents.script.voice import Plain, Step, TurnFailed, print_line


class Player:
    """Plays turns: does the steps, and tells the voice."""

    def __init__(self, voice: Plain) -> None:
        self._voice = voice
        self._said = ""

    def turn(self, prompt: str, steps: list[Step]) -> int:
        """Play one turn; returns the exit code that it would leave."""
        self._said = ""
        self._voice.begin(prompt)
        try:
            for step in steps:
                self._step(step)
        except TurnFailed as failure:
            self._voice.fail(failure)
            return 1
        except Interrupted as interrupt:
            self._voice.acknowledge(str(interrupt))
            self._voice.interrupted()
            return 0
        self._voice.end(self._said)
        return 0

    def _step(self, step: Step) -> None:
        self._sleep(step.get("delay", 0))
        kind, value = next((key, item) for key, item in step.items() if key != "delay")
        match kind:
            case "say":
                self._said = value
                self._voice.say(value)
            case "think":
                self._voice.think(value)
            case "write" | "edit" | "run":
                self._tool(kind, value, ask=False)
            case "ask":
                (inner, given), *_ = value.items()
                self._tool(inner, given, ask=True)
            case "question":
                self._question(value)
            case "retry":
                self._voice.retry(value)
                self._sleep(value["delay_ms"] / 1000)
            case "limit":
                self._voice.limit(value["status"], int(time.time()) + value.get("resets_in", 0))
                if value["status"] == "rejected":
                    raise TurnFailed("You've hit your usage limit.", 429)
            case "fail":
                raise TurnFailed(value, 500)
            case "sleep":
                self._sleep(value)
            case "hang":
                while True:
                    self._sleep(3600)
            case "print":
                print_line(value)
            case "warn":
                print_line(value, sys.stderr)
            case "exit":
                sys.exit(value)
            case _:
                sys.exit(f"scripted: {kind!r} is no step")

    def _tool(self, kind: str, value: Any, *, ask: bool) -> None:
        match kind:
            case "write":
                tool, given = "Write", {"file_path": value["path"], "content": value["content"]}
            case "edit":
                tool = "Edit"
                given = {"file_path": value["path"], "old_string": value["old"], "new_string": value["new"]}
            case _:
                tool, given = "Bash", {"command": value}
        call = self._voice.call(tool, given)
        allowed, text = self._voice.allowed(call, tool, given) if ask else (given, "")
        failed = allowed is None
        if allowed is not None:
            text, failed = run(allowed["command"]) if tool == "Bash" else change(allowed)
        self._voice.result(call, tool, given, text, is_error=failed)

    def _question(self, asked: Step) -> None:
        options = [{"label": label, "description": ""} for label in asked["options"]]
        question = {"question": asked["text"], "header": "Question", "multiSelect": False, "options": options}
        given = {"questions": [question]}
        call = self._voice.call("AskUserQuestion", given)
        answered, text = self._voice.allowed(call, "AskUserQuestion", given)
        answers = (answered or {}).get("answers", {})
        if answered is not None:
            told = ", ".join(f'"{name}"="{answer}"' for name, answer in answers.items())
            text = f"Your questions have been answered: {told}." if told else "The user did not answer the questions."
        self._voice.result(call, "AskUserQuestion", given, text, is_error=answered is None)
        self._said = answers.get(asked["text"], "")
        if self._said:
            self._voice.say(self._said)

    def _sleep(self, seconds: float) -> None:
        if seconds and self._voice.inbox:
            self._voice.inbox.sleep(seconds)
        elif seconds:
            time.sleep(seconds)


def run(command: str) -> tuple[str, bool]:
    """Run a shell command; returns what it printed and whether it failed."""
    done = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr).rstrip("\n"), done.returncode != 0


def change(given: Step) -> tuple[str, bool]:
    """Write or edit a file below the working directory; returns what to say and whether it failed."""
    path = Path(given["file_path"])
    if not path.resolve().is_relative_to(Path.cwd()):
        return f"{path} is outside of the working directory", True
    if "content" in given:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(given["content"])
        return f"File created successfully at: {path}", False
    before = path.read_text() if path.exists() else ""
    if given["old_string"] not in before:
        return f"String to replace not found in {path}", True
    path.write_text(before.replace(given["old_string"], given["new_string"], 1))
    return f"The file {path} has been updated successfully.", False
