"""The events of `codex exec --json`, as far as a script needs them."""

# ruff: noqa: D102 - an overriding method means what it overrides

from __future__ import annotations

from executors.agents.script.voice import INPUT_TOKENS, OUTPUT_TOKENS, Plain, Step, TurnFailed, print_line


class Codex(Plain):
    """The events of `codex exec --json`."""

    def begin(self, prompt: str) -> None:
        print_line({"type": "thread.started", "thread_id": self.session})
        print_line({"type": "turn.started"})

    def say(self, text: str) -> None:
        self.answers += 1
        self._item("completed", {"id": f"item_{self.answers}", "type": "agent_message", "text": text})

    def call(self, tool: str, given: Step) -> str:
        self.answers += 1
        call = f"item_{self.answers}"
        self._item("started", {**self._tool(call, tool, given), "status": "in_progress"})
        return call

    def result(self, call: str, tool: str, given: Step, text: str, *, is_error: bool) -> None:
        status = {"status": "failed" if is_error else "completed"}
        shown = {"aggregated_output": text, "exit_code": int(is_error)} if tool == "Bash" else {}
        self._item("completed", {**self._tool(call, tool, given), **shown, **status})

    def retry(self, retry: Step) -> None:
        text = f"Reconnecting... {retry['attempt']}/{retry['max']} ({retry['error']})"
        print_line({"type": "error", "message": text})

    def end(self, text: str) -> None:
        usage = {"input_tokens": self.answers * INPUT_TOKENS, "output_tokens": self.answers * OUTPUT_TOKENS}
        print_line({"type": "turn.completed", "usage": {**usage, "cached_input_tokens": 0}})

    def fail(self, failure: TurnFailed) -> None:
        print_line({"type": "error", "message": str(failure)})
        print_line({"type": "turn.failed", "error": {"message": str(failure)}})

    @staticmethod
    def _tool(call: str, tool: str, given: Step) -> Step:
        if tool == "Bash":
            return {"id": call, "type": "command_execution", "command": given["command"]}
        changes = [{"path": given["file_path"], "kind": "add" if tool == "Write" else "update"}]
        return {"id": call, "type": "file_change", "changes": changes}

    @staticmethod
    def _item(stage: str, item: Step) -> None:
        print_line({"type": f"item.{stage}", "item": item})
