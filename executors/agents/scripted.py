"""The scripted agent: does what a script says and prints the streams of real agents.

Standard library only, run by its path. It stands in for an agent in demonstrations and tests::

    scripted.py [--shape claude|plain] [--script FILE] [-p] [--resume ID] [PROMPT]

The script is the file's, or else the prompt itself when that is a JSON list of steps; words are answered
with words. Other arguments of the real agents are ignored. With ``-p`` the claude shape speaks stream-json
on stdin and stdout; without, it prints for people, reads messages from the terminal and runs the hooks of
``--settings``. A step is an object with one of these keys, and optionally ``delay`` (seconds before it):

=================== ====================================================================================
``say``, ``think``  text
``write``           ``{"path", "content"}``: really writes, below the working directory
``edit``            ``{"path", "old", "new"}``: really edits
``run``             a shell command: really runs
``ask``             one of the three above, done only when it is allowed
``question``        ``{"text", "options"}``: asks a person, and says what was chosen
``retry``           ``{"attempt", "max", "delay_ms", "error"}``
``limit``           ``{"status": "allowed_warning" or "rejected", "resets_in": s}``; rejected ends the turn
``fail``            text; ends the turn with an error
``sleep``           seconds of silence
``hang``            ``true``: silence until a signal or an interrupt
``print``, ``warn`` a line on stdout or stderr; what is no string is printed as JSON
``exit``            a code; ends the program at once, without an end of the turn
=================== ====================================================================================

The same script in the same folder prints the same, except for the time of a limit's end and the ids of questions.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from executors.agents.script.claude import Claude
from executors.agents.script.inbox import Inbox, Interrupted
from executors.agents.script.player import Player
from executors.agents.script.terminal import Terminal
from executors.agents.script.voice import Plain, Step


def steps_of(text: str) -> list[Step]:
    """Return the steps in a text; words that are no list of steps are answered."""
    if text.lstrip().startswith("["):
        steps: list[Step] = json.loads(text)
        return steps
    return [{"say": f"You said: {text}"}]


def main() -> int:
    """Play the turns that the arguments and stdin ask for; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--shape", choices=("claude", "plain"), default="claude")
    parser.add_argument("--script", type=Path)
    parser.add_argument("-p", dest="headless", action="store_true")
    parser.add_argument("--resume")
    parser.add_argument("--settings")
    given, others = parser.parse_known_args()
    words = others[others.index("--") + 1 :] if "--" in others else []
    prompt = words[-1] if words else None
    script = given.script.read_text() if given.script else None
    session = given.resume or str(uuid.uuid5(uuid.NAMESPACE_URL, f"{Path.cwd()}\n{script or prompt}"))
    if given.shape == "plain":
        return Player(Plain(session, None)).turn(prompt or "", steps_of(script or prompt or ""))
    inbox = Inbox(stream_json=given.headless)
    voice = Claude(session, inbox) if given.headless else Terminal(session, inbox, given.settings)
    code = 0
    message = prompt if prompt is not None else next_message(voice, inbox)
    while message is not None:
        code = Player(voice).turn(message, steps_of(script or message))
        script = None
        message = next_message(voice, inbox)
    return code


def next_message(voice: Plain, inbox: Inbox) -> str | None:
    """Wait for a message; an interrupt between turns is only acknowledged."""
    while True:
        try:
            return inbox.message()
        except Interrupted as interrupt:
            voice.acknowledge(str(interrupt))


if __name__ == "__main__":
    sys.exit(main())
