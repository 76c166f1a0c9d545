"""Claude in a terminal, as far as a script needs it."""

# ruff: noqa: D102 - an overriding method means what it overrides

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from executors.agents.script.inbox import Inbox
from executors.agents.script.voice import Plain, Step, TurnFailed, print_line


class Terminal(Plain):
    """The claude shape in a terminal: prints for people, runs hooks, keeps a prompt."""

    def __init__(self, session: str, inbox: Inbox | None, settings: str | None) -> None:
        super().__init__(session, inbox)
        self._hooks = json.loads(Path(settings).read_text()).get("hooks", {}) if settings else {}
        self.hook("SessionStart", source="startup", model="scripted")

    def begin(self, prompt: str) -> None:
        print_line(f"\x1b]2;⠐ Scripted\x07❯ {prompt}")
        self.hook("UserPromptSubmit", prompt=prompt)

    def call(self, tool: str, given: Step) -> str:
        call = super().call(tool, given)
        self.hook("PreToolUse", tool_name=tool, tool_input=given, tool_use_id=call)
        return call

    def allowed(self, call: str, tool: str, given: Step) -> tuple[bool, str]:
        self.hook("PermissionRequest", tool_name=tool, tool_input=given)
        print_line(" Do you want to proceed?\n ❯ 1. Yes\n   2. No\n")
        answer = self.inbox.message() if self.inbox else None
        return answer == "1", "The user said no."

    def result(self, call: str, tool: str, given: Step, text: str, *, is_error: bool) -> None:
        super().result(call, tool, given, text, is_error=is_error)
        if not is_error:
            response = {"stdout": text, "stderr": ""}
            self.hook("PostToolUse", tool_name=tool, tool_input=given, tool_use_id=call, tool_response=response)

    def end(self, text: str) -> None:
        print_line("\x1b]2;✳ Scripted\x07\n❯ ")
        self.hook("Stop", stop_hook_active=False, last_assistant_message=text)

    def fail(self, failure: TurnFailed) -> None:
        super().fail(failure)
        kind = "rate_limit" if failure.status == 429 else "server_error"
        self.hook("StopFailure", error=kind, last_assistant_message=str(failure))

    def hook(self, name: str, **facts: Any) -> None:
        """Run the hooks of an event, as Claude does: through a shell, with JSON on stdin."""
        given = {"session_id": self.session, "cwd": str(Path.cwd()), "hook_event_name": name, **facts}
        for group in self._hooks.get(name, ()):
            for hook in group["hooks"]:
                subprocess.run(["sh", "-c", hook["command"]], input=json.dumps(given).encode(), check=False)
