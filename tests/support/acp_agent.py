"""A scripted agent of the Agent Client Protocol, for what real ones do seldom. Run by its path.

The text of a prompt is its script: a JSON list of steps. A step that has a ``method`` is a request to the client,
whose answer is said; ``say`` is a message, ``update`` a session update, ``print`` a raw line, ``exit`` a code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ACP_AGENT = Path(__file__)


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def update(content: dict[str, Any]) -> None:
    send({"method": "session/update", "params": {"sessionId": "s", "update": content}})


def say(text: str) -> None:
    update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}})
    update({"sessionUpdate": "plan", "entries": []})  # a message ends where something else begins


def receive() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    message: dict[str, Any] = json.loads(line)
    return message


def ask(method: str, params: dict[str, Any]) -> None:
    """Ask the client, and say what it answered; a turn that is cancelled meanwhile is over."""
    send({"id": "asked", "method": method, "params": {"sessionId": "s", **params}})
    while (message := receive()).get("id") != "asked":
        say(f"got {message.get('method')}")
    say(json.dumps(message.get("result", message.get("error"))))


def play(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        if "method" in step:
            ask(step["method"], step["params"])
        elif "update" in step:
            update(step["update"])
        elif "print" in step:
            sys.stdout.write(step["print"] + "\n")
            sys.stdout.flush()
        elif "exit" in step:
            sys.exit(step["exit"])
        else:
            say(step["say"])


def main() -> None:
    version = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    while True:
        message = receive()
        match message.get("method"):
            case "initialize":
                send({"id": message["id"], "result": {"protocolVersion": version, "agentCapabilities": {}}})
            case "session/new":
                modes = {"currentModeId": "yolo", "availableModes": [{"id": "default", "name": "Default"}]}
                send({"id": message["id"], "result": {"sessionId": "s", "modes": modes}})
            case "session/set_mode":
                send({"id": message["id"], "result": {}})
                say(f"mode {message['params']['modeId']}")
            case "session/prompt":
                text = message["params"]["prompt"][0]["text"]
                play(json.loads(text) if text.startswith("[") else [{"say": f"heard {text}"}])
                send({"id": message["id"], "result": {"stopReason": "end_turn"}})


if __name__ == "__main__":
    main()
