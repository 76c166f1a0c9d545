"""An MCP server over stdio with two tools: one that does something, one that only asks. Run by its path."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MCP_SERVER = Path(__file__)
_FORM = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["colour"],
}
_TOOLS = [
    {
        "name": "poke",
        "description": "pokes",
        "inputSchema": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
    {
        "name": "elicit",
        "description": "asks",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True},
    },
]


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def main(log: Path) -> None:
    """Serve; the names of the tools that were called go to ``log``."""
    log.touch()
    waiting: object = None
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                info = {"name": "t", "version": "1"}
                version = message["params"]["protocolVersion"]
                result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
                send({"id": message["id"], "result": result})
            case "tools/list":
                send({"id": message["id"], "result": {"tools": _TOOLS}})
            case "tools/call":
                name = message["params"]["name"]
                with log.open("a") as file:
                    file.write(f"{name}\n")
                if name == "elicit":
                    waiting = message["id"]
                    params = {"message": "Which colour?", "requestedSchema": _FORM}
                    send({"id": "asked", "method": "elicitation/create", "params": params})
                else:
                    send({"id": message["id"], "result": {"content": [{"type": "text", "text": "poked"}]}})
            case None if message.get("id") == "asked":
                text = json.dumps(message.get("result"))
                send({"id": waiting, "result": {"content": [{"type": "text", "text": text}]}})
            case str() if "id" in message:
                send({"id": message["id"], "result": {}})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
