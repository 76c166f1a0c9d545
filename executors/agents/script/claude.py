"""Claude Code's stream-json, as far as a script needs it."""

# ruff: noqa: D102 - an overriding method means what it overrides

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from executors.agents.script.inbox import Inbox, Interrupted
from executors.agents.script.voice import (
    COST_USD,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Plain,
    Step,
    TurnFailed,
    print_line,
)


class Claude(Plain):
    """Speaks stream-json."""

    def __init__(self, session: str, inbox: Inbox | None) -> None:
        super().__init__(session, inbox)
        self.cost_usd = 0.0

    def begin(self, prompt: str) -> None:
        self.answers = 0
        facts = {"cwd": str(Path.cwd()), "model": "scripted", "permissionMode": "default", "tools": []}
        self._print(type="system", subtype="init", **facts)
        self._print(type="user", message={"role": "user", "content": prompt}, isReplay=True)

    def say(self, text: str) -> None:
        self._assistant({"type": "text", "text": text})

    def think(self, text: str) -> None:
        self._assistant({"type": "thinking", "thinking": text, "signature": ""})

    def call(self, tool: str, given: Step) -> str:
        self.calls += 1
        call = f"toolu_scripted_{self.calls:04}"
        self._assistant({"type": "tool_use", "id": call, "name": tool, "input": given})
        return call

    def allowed(self, call: str, tool: str, given: Step) -> tuple[Step | None, str]:
        if self.inbox is None:
            return super().allowed(call, tool, given)
        asked = {"subtype": "can_use_tool", "tool_name": tool, "input": given, "tool_use_id": call}
        # Unique over all processes of a session, or a late answer to an earlier question would answer this one.
        request = str(uuid.uuid4())
        print_line({"type": "control_request", "request_id": request, "request": asked})
        try:
            answer = self.inbox.answer(request)
        except Interrupted:
            print_line({"type": "control_cancel_request", "request_id": request})
            raise
        if answer.get("behavior") != "allow" or not isinstance(answer.get("updatedInput"), dict):
            return None, answer.get("message", "Tool permission request failed")
        return answer["updatedInput"] or given, ""

    def result(self, call: str, tool: str, given: Step, text: str, *, is_error: bool) -> None:
        block = {"type": "tool_result", "tool_use_id": call, "content": text, "is_error": is_error}
        self._print(type="user", message={"role": "user", "content": [block]})

    def retry(self, retry: Step) -> None:
        facts = {"attempt": retry["attempt"], "max_retries": retry["max"], "error": retry["error"]}
        self._print(type="system", subtype="api_retry", retry_delay_ms=retry["delay_ms"], **facts)

    def limit(self, status: str, resets_at: int) -> None:
        self._print(type="rate_limit_event", rate_limit_info={"status": status, "resetsAt": resets_at})

    def end(self, text: str) -> None:
        self._result("success", result=text, is_error=False, terminal_reason="completed")

    def fail(self, failure: TurnFailed) -> None:
        kind = "rate_limit" if failure.status == 429 else "server_error"
        self._assistant({"type": "text", "text": str(failure)}, error=kind)
        status = {"api_error_status": failure.status}
        self._result("success", result=str(failure), is_error=True, terminal_reason="completed", **status)

    def acknowledge(self, request: str) -> None:
        print_line({"type": "control_response", "response": {"subtype": "success", "request_id": request}})

    def interrupted(self) -> None:
        block = {"type": "text", "text": "[Request interrupted by user]"}
        self._print(type="user", message={"role": "user", "content": [block]})
        self._result("error_during_execution", is_error=True, terminal_reason="aborted_streaming")

    def _assistant(self, block: Step, **facts: Any) -> None:
        self.answers += 1
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
        message = {
            "id": f"msg_{self.answers:04}", "role": "assistant", "content": [block], "usage": usage
        }  # fmt: skip
        self._print(type="assistant", message=message, **facts)

    def _result(self, subtype: str, **facts: Any) -> None:
        self.cost_usd += self.answers * COST_USD
        tokens = {"input_tokens": self.answers * INPUT_TOKENS, "output_tokens": self.answers * OUTPUT_TOKENS}
        facts = {
            "num_turns": self.answers,
            "total_cost_usd": round(self.cost_usd, 6),
            "usage": tokens,
            **facts,
        }
        self._print(type="result", subtype=subtype, permission_denials=[], **facts)

    def _print(self, **facts: Any) -> None:
        print_line({**facts, "session_id": self.session})
