"""A real terminal: one window of a tmux server of its own."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.wait import wait_until


class Terminal:
    """One program in a terminal of 100 by 40."""

    def __init__(self, socket: Path, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        given = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), *command]
        self.run("new-session", "-d", "-x", "100", "-y", "40", "-c", str(cwd), shlex.join(given))

    def run(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def screen(self) -> tuple[str, str]:
        title = self.run("display-message", "-p", "#{pane_title}").rstrip("\n")
        return title, self.run("capture-pane", "-p")

    def type(self, text: str) -> None:
        self.run("set-buffer", text)
        self.run("paste-buffer", "-p")
        wait_until(lambda: text in self.screen()[1], 10, "the pasted text")
        self.run("send-keys", "Enter")
