"""Claude in a terminal, as far as a script needs it."""

# ruff: noqa: D102 - an overriding method means what it overrides

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
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

    def allowed(self, call: str, tool: str, given: Step) -> tuple[Step | None, str]:
        hooks = self._asking(tool, given)
        if tool == "AskUserQuestion":
            print_line("Enter to select · ↑/↓ to navigate · Esc to cancel")
        else:
            print_line(" Do you want to proceed?\n ❯ 1. Yes\n   2. No\n")
        answer = self.inbox.choice() if self.inbox else None
        if answer != "1":  # as with Claude, hooks are ended when the dialog is left, and not when it says yes
            for hook in hooks:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(hook.pid, signal.SIGTERM)
        if not isinstance(answer, dict):
            return (given, "") if answer == "1" else (None, "The user said no.")
        if answer["behavior"] != "allow":
            return None, answer.get("message", "")
        return answer.get("updatedInput", given), ""

    def _asking(self, tool: str, given: Step) -> list[subprocess.Popen[bytes]]:
        """Start the hooks that ask; what one prints decides, while the dialog can still be answered."""
        facts = self._facts("PermissionRequest", tool_name=tool, tool_input=given)
        started = []
        for command in self._commands("PermissionRequest"):
            hook = subprocess.Popen(
                ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            started.append(hook)
            threading.Thread(target=self._read, args=(hook, facts), daemon=True).start()
        return started

    def _read(self, hook: subprocess.Popen[bytes], facts: bytes) -> None:
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            printed = json.loads(hook.communicate(facts)[0])
            decision = printed["hookSpecificOutput"]["decision"]
            if self.inbox and hook.returncode == 0 and decision["behavior"] in ("allow", "deny"):
                self.inbox.decide(decision)

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
        for command in self._commands(name):
            subprocess.run(["sh", "-c", command], input=self._facts(name, **facts), check=False)

    def _commands(self, name: str) -> list[str]:
        return [hook["command"] for group in self._hooks.get(name, ()) for hook in group["hooks"]]

    def _facts(self, name: str, **facts: Any) -> bytes:
        given = {"session_id": self.session, "cwd": str(Path.cwd()), "hook_event_name": name, **facts}
        return json.dumps(given).encode()
