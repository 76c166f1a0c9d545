"""An MCP server on stdio whose one tool asks a person for a size and returns what it was told."""

import json
import sys
from typing import Any

TOOL = {"name": "pick", "description": "Picks a size.", "inputSchema": {"type": "object", "properties": {}}}
FORM = {"type": "object", "properties": {"size": {"type": "string", "enum": ["S", "L"]}}, "required": ["size"]}


def main() -> None:
    """Answer requests until stdin ends."""
    called: Any = None
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                version = message["params"]["protocolVersion"]
                info = {"name": "sizes", "version": "1"}
                result: Any = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
                send(id=message["id"], result=result)
            case "tools/list":
                send(id=message["id"], result={"tools": [TOOL]})
            case "tools/call":
                called = message["id"]
                params = {"message": "Which size?", "requestedSchema": FORM}
                send(id="asked", method="elicitation/create", params=params)
            case None if message["id"] == "asked":
                text = json.dumps(message["result"], sort_keys=True)
                send(id=called, result={"content": [{"type": "text", "text": text}]})
            case _ if "id" in message:
                send(id=message["id"], result={})


def send(**message: Any) -> None:
    """Print a JSON-RPC message."""
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
