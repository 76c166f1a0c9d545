"""How the scripted agent tells what it does; this shape is for people, with no protocol."""

from __future__ import annotations

import json
from typing import Any, TextIO

from executors.agents.script.inbox import Inbox

Step = dict[str, Any]
INPUT_TOKENS, OUTPUT_TOKENS, COST_USD = 100, 20, 0.001
"""What every answer of the pretended model uses."""


class TurnFailed(Exception):
    """The turn ends with an error; ``status`` is the HTTP status of the pretended API."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


def print_line(value: object, stream: TextIO | None = None) -> None:
    """Print a line at once; on stdout unless told otherwise; what is no string as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    print(text, file=stream, flush=True)


class Plain:
    """Prints for people; the base of the other shapes."""

    def __init__(self, session: str, inbox: Inbox | None) -> None:
        self.session = session
        self.inbox = inbox
        self.calls = 0
        self.answers = 0

    def begin(self, prompt: str) -> None:
        """Begin a turn."""

    def say(self, text: str) -> None:
        """Say something."""
        print_line(text)

    def think(self, text: str) -> None:
        """Think something."""

    def call(self, tool: str, given: Step) -> str:
        """Announce a tool call; returns its id."""
        self.calls += 1
        print_line(f"{tool}: {next(iter(given.values()))}")
        return f"toolu_scripted_{self.calls:04}"

    def allowed(self, call: str, tool: str, given: Step) -> tuple[Step | None, str]:
        """Ask whether a tool may run; returns the input to run it with, or None and why not."""
        return None, "Nobody can be asked here."

    def result(self, call: str, tool: str, given: Step, text: str, *, is_error: bool) -> None:
        """Show what a tool printed."""
        print_line(text)

    def retry(self, retry: Step) -> None:
        """Say that the model is asked again."""
        print_line(f"{retry['error']}, attempt {retry['attempt']} of {retry['max']}")

    def limit(self, status: str, resets_at: int) -> None:
        """Say that a usage limit is near or reached."""
        print_line(f"usage limit: {status}")

    def end(self, text: str) -> None:
        """End the turn well."""

    def fail(self, failure: TurnFailed) -> None:
        """End the turn with an error."""
        print_line(str(failure))

    def interrupted(self) -> None:
        """End the turn because somebody interrupted it."""

    def acknowledge(self, request: str) -> None:
        """Answer the request to interrupt."""
