"""What the runner is told to start, read from the JSON of a request or of a launch file."""

from __future__ import annotations

import binascii

TYPE_CHECKING = False  # typing itself is not imported: it would cost a third of the start-up time
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]
else:
    Message = dict


class Launch:
    """One attempt to start. Raises KeyError, TypeError or ValueError for fields that make no sense."""

    def __init__(self, fields: Message) -> None:
        self.attempt: str = fields["attempt"]
        if not self.attempt.replace("_", "").replace("-", "").isalnum():
            raise ValueError("an attempt's name has letters, digits, - and _ only")
        self.number = int(fields.get("number", 0))
        self.token = int(fields["token"])
        self.folder: str = fields["folder"]
        self.argv: list[str] = [*fields["argv"]]
        self.env: dict[str, str] = {**fields["env"]}
        self.cwd: str = fields["cwd"]
        self.secrets: list[str] = [*fields.get("secrets", ())]
        self.has_stdin = fields.get("stdin") == "pipe"
        self.first_input = binascii.a2b_base64(fields.get("first_input", ""))
        self.start_to_close_s: float | None = fields.get("start_to_close_s")
        self.no_output_s: float | None = fields.get("no_output_s")
        self.stop_grace_s = float(fields.get("stop_grace_s", 5.0))
        self.log_limit: int | None = fields.get("log_limit")
        self.heartbeat_s = float(fields.get("heartbeat_s", 30.0))
