"""The peer of agents that speak the Agent Client Protocol over stdio, with its official SDK.

An agent asks by ``session/request_permission``, and is answered with an option that allows once. Files that it
writes through us are asked about unless exactly that was just allowed. Terminals are not offered: an agent runs
its commands itself, after it has asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executors.agents.claude_settings import headless_settings
from executors.peers.acp_stream import AcpStream, act_of, diffs_of, outcome_of, tokens_of
from executors.peers.conversation import AgentFailed, AgentGone, Peer, run
from executors.peers.files import Files, OutOfBounds
from executors.peers.forms import filled, question_of_form
from executors.peers.voice import Answer, Line, Question, say

if TYPE_CHECKING:
    from acp.connection import Connection, StreamEvent

_NOT_ALLOWED = -32000
_CAPABILITIES = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": False, "elicitation": {"form": {}}}

_COSTS_OF_CONVERSATIONS = ("OpenCode",)
"""Agents that count what earlier processes of a conversation cost as well, and do not say how much that was."""

# claude-agent-acp hands these on to Claude: ask rules that beat every allow rule, and none of the repository's own
# settings, whose hooks could answer for a person. Other agents ignore what is not theirs.
_META = {
    "claudeCode": {"options": {"settingSources": ["user"], "extraArgs": {"settings": headless_settings()}}},
}


class AcpPeer(Peer):
    """A conversation with an ACP agent. Messages that come while it works are its next turns."""

    def __init__(self, argv: Sequence[str], cwd: Path, resume: str | None, model: str | None) -> None:
        super().__init__(argv)
        self._cwd = cwd
        self._resume = resume
        self._model = model
        self._stream = AcpStream()
        self._files = Files(cwd)
        self._session = ""
        self._replaying = False
        self._running = False
        self._cost_known = True
        self._connection: Connection
        self._listening: asyncio.Task[None]

    async def converse(self) -> int:
        """Do not even start an agent that would run code of the repository's own."""
        if "opencode" in self.name.lower() and (plugin := opencode_plugin(self._cwd)):
            raise AgentFailed(f"opencode would run {plugin} as soon as it starts, unasked. Move it away first.")
        return await super().converse()

    async def connect(self) -> None:
        """Open a session, or load one; what its history repeats is not said again."""
        from acp.connection import Connection  # a second of imports, while the agent starts
        from acp.meta import PROTOCOL_VERSION

        logging.disable(logging.CRITICAL)  # the SDK logs what is answered with an error anyway
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise AgentFailed(f"{self.name} has no pipes.")
        self._connection = Connection(self._asked, stdin, stdout, observers=[self._seen], listening=False)
        self._listening = asyncio.create_task(self._connection.main_loop(), name="agent's stdout")
        info = {"name": "quarterdeck", "title": "Quarterdeck", "version": "1"}
        hello = {"protocolVersion": PROTOCOL_VERSION, "clientCapabilities": _CAPABILITIES, "clientInfo": info}
        try:
            answer = await self._call("initialize", hello)
            if answer.get("protocolVersion") != PROTOCOL_VERSION:
                raise AgentFailed(f"{self.name} speaks version {answer.get('protocolVersion')} of the protocol, not 1.")
            opened = await self._open(answer)
            await self._ask_always(opened)
            await self._choose_model(opened)
        except _Refused as refused:
            raise AgentFailed(f"{self.name} does not take the session up: {refused}") from refused
        say({"type": "agent_session", "id": self._session, "model": self._model or _current_model(opened)})

    async def turn(self, text: str) -> None:
        """Prompt until all is said: why something was denied follows as a prompt of the same turn."""
        say({"type": "message_delivered", "text": text})
        tokens = {"input": 0, "output": 0, "cached": 0}
        said = [text]
        self._running = True
        try:
            while True:
                prompt = [{"type": "text", "text": one} for one in said]
                result = await self._call("session/prompt", {"sessionId": self._session, "prompt": prompt})
                self._say_all(self._stream.flush())
                tokens = {kind: tokens[kind] + count for kind, count in tokens_of(result.get("usage")).items()}
                reason = str(result.get("stopReason"))
                said = self.notes[:]
                if not said or reason == "cancelled":
                    break
                self.notes.clear()
        except _Refused as refused:
            self._say_all(self._stream.flush())
            say({"type": "error", "text": str(refused), "kind": str(refused.code)})
            self._over(str(refused) or "The agent failed.", "failed", tokens)
            return
        finally:
            self._running = False
            self._files.granted.clear()
            self.desk.withdraw_all()
        match reason:
            case "end_turn":
                self._over(None, "success", tokens)
            case "cancelled":
                self._over("The turn was interrupted.", "interrupted", tokens, severity="warning")
            case _:
                self._over(f"The agent stopped: {reason}.", reason, tokens)

    async def interrupt(self) -> None:
        """Cancel the turn; its questions are answered as cancelled, as the protocol wants it."""
        if self._running:
            with suppress(ConnectionError):  # it is gone already
                await self._connection.send_notification("session/cancel", {"sessionId": self._session})
            self.desk.withdraw_all()

    async def listened(self) -> None:
        """Return when the agent has closed its stdout."""
        await asyncio.shield(self._listening)

    def _over(self, failure: str | None, subtype: str, tokens: Line, **more: object) -> None:
        cost = self._stream.cost_usd if self._cost_known else None
        self.ended(failure, subtype, tokens, process_cost_usd=cost, **more)

    async def _open(self, hello: Line) -> Line:
        place: Line = {"cwd": str(self._cwd), "mcpServers": [], "_meta": _META}
        if self._resume is None:
            opened = await self._call("session/new", place)
            self._session = str(opened.get("sessionId"))
            return opened
        abilities = hello.get("agentCapabilities")
        if not isinstance(abilities, dict) or abilities.get("loadSession") is not True:
            raise AgentFailed(f"{self.name} cannot take a session up again.")
        self._session, self._replaying = self._resume, True
        opened = await self._call("session/load", {**place, "sessionId": self._resume})
        self._replaying = False
        self._stream.flush()
        info = hello.get("agentInfo")
        self._cost_known = not (isinstance(info, dict) and info.get("name") in _COSTS_OF_CONVERSATIONS)
        return opened

    async def _ask_always(self, opened: Line) -> None:
        """Leave a mode in which the agent would not ask: its own settings may have chosen one."""
        modes = opened.get("modes")
        if not isinstance(modes, dict) or modes.get("currentModeId") == "default":
            return
        if any(isinstance(mode, dict) and mode.get("id") == "default" for mode in modes.get("availableModes") or ()):
            await self._call("session/set_mode", {"sessionId": self._session, "modeId": "default"})

    async def _choose_model(self, opened: Line) -> None:
        if self._model is None:
            return
        options = [option for option in opened.get("configOptions") or () if isinstance(option, dict)]
        if not any(option.get("id") == "model" for option in options):
            raise AgentFailed(f"{self.name} does not let its model be chosen here; choose it in its own settings.")
        chosen = {"sessionId": self._session, "configId": "model", "value": self._model}
        await self._call("session/set_config_option", chosen)

    async def _call(self, method: str, params: Line) -> Line:
        from acp.exceptions import RequestError

        try:
            result = await self._connection.send_request(method, params)
        except RequestError as error:
            raise _Refused(error.code, _told(error)) from error
        except ConnectionError as error:
            raise AgentGone from error
        return result if isinstance(result, dict) else {}

    def _seen(self, event: StreamEvent) -> None:
        """Take session updates in the order in which they come."""
        if event.direction.value != "incoming" or event.message.get("method") != "session/update":
            return
        params = event.message.get("params")
        update = params.get("update") if isinstance(params, dict) else None
        if isinstance(update, dict):
            lines = self._stream.lines(update)
            if not self._replaying:
                self._say_all(lines)

    @staticmethod
    def _say_all(lines: list[Line]) -> None:
        for line in lines:
            say(line)

    async def _asked(self, method: str, params: Any, is_notification: bool) -> Line | None:
        from acp.exceptions import RequestError

        if method == "session/update":
            return None
        given = params if isinstance(params, dict) else {}
        try:
            match method:
                case "session/request_permission":
                    return {"outcome": await self._permission(given)}
                case "fs/read_text_file":
                    return {
                        "content": await asyncio.to_thread(self._files.read, *map(given.get, ("path", "line", "limit")))
                    }
                case "fs/write_text_file":
                    return await self._write(given)
                case "elicitation/create":
                    return await self._elicited(given)
        except (OutOfBounds, OSError) as error:
            raise RequestError(_NOT_ALLOWED, str(error)) from error
        say({"type": "unknown", "line": json.dumps({"method": method, "params": params})})
        if is_notification:
            return None
        raise RequestError.method_not_found(method)

    async def _permission(self, params: Line) -> Line:
        question, before = self._stream.question(params)
        self._say_all(before)
        answer = await self.desk.wait(self.desk.ask(question))
        if answer is None and self.desk.closed:
            answer = Answer()  # nobody is there to allow it, but the turn goes on
        outcome = outcome_of(params, answer)
        if answer is None:
            return outcome
        allowed = answer.allow and outcome["outcome"] == "selected"
        call = self._stream.calls.get(str((params.get("toolCall") or {}).get("toolCallId")), {})
        if allowed and act_of(call)["kind"] == "write":
            for path, text in diffs_of(call):
                self._files.grant(path, text)
        await self._explain(answer, question)
        return outcome

    async def _explain(self, answer: Answer, question: Question) -> None:
        if answer.allow:
            return
        if answer.message:  # an option that rejects carries no words
            self.notes.append(f"{question.subject} was not allowed: {answer.message}")
        if answer.interrupt:
            await self.interrupt()

    async def _write(self, params: Line) -> Line:
        from acp.exceptions import RequestError

        path, text = params.get("path"), params.get("content")
        if not isinstance(text, str):
            raise OutOfBounds("There is no content to write.")
        place = self._files.place(path)
        if not self._files.is_granted(place, text):
            given = {"path": str(path), "content": text}
            question = Question("write_text_file", given, {"kind": "write", "paths": [str(place)]})
            answer = await self.desk.wait(self.desk.ask(question))
            if answer is None or not answer.allow:
                if answer is not None and answer.interrupt:
                    await self.interrupt()
                raise RequestError(_NOT_ALLOWED, (answer.message if answer else "") or "This was not allowed.")
        await asyncio.to_thread(self._files.write, path, text)
        return {}

    async def _elicited(self, params: Line) -> Line:
        schema = params.get("requestedSchema")
        if params.get("mode", "form") != "form":
            return {"action": "decline"}
        question = question_of_form("elicitation", str(params.get("message") or ""), schema)
        answer = await self.desk.wait(self.desk.ask(question))
        if answer is None:
            return {"action": "cancel"}
        await self._explain(answer, question)
        content = filled(schema, answer.words) if answer.allow else None
        return {"action": "decline"} if content is None else {"action": "accept", "content": content}


def opencode_plugin(cwd: Path) -> Path | None:
    """Return a plugin that a repository brings for opencode. No setting of opencode 1.18 keeps those out (measured)."""
    for folder in (cwd, *cwd.parents):
        if folder != Path.home():  # there they are the user's own
            found = (one for name in ("plugin", "plugins") for one in (folder / ".opencode" / name).glob("*"))
            if (plugin := next(found, None)) is not None:
                return plugin
    return None


class _Refused(Exception):
    """The agent answered a request with an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def _told(error: Any) -> str:
    """Return what an error says: its details say more than its message, where there are any."""
    data = error.data
    details = data.get("details") or data.get("message") if isinstance(data, dict) else data
    return details if isinstance(details, str) and details else str(error)


def _current_model(opened: Line) -> str | None:
    models = opened.get("models")
    if isinstance(models, dict) and isinstance(models.get("currentModelId"), str):
        return str(models["currentModelId"])
    options = [option for option in opened.get("configOptions") or () if isinstance(option, dict)]
    return next((str(option.get("currentValue")) for option in options if option.get("id") == "model"), None)


def main() -> int:
    """Read the arguments (``[--resume ID] [--model NAME] -- AGENT…``) and converse; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--resume")
    parser.add_argument("--model")
    parser.add_argument("agent", nargs="+")
    given = parser.parse_args()
    return run(AcpPeer(given.agent, Path.cwd(), given.resume, given.model))


if __name__ == "__main__":
    sys.exit(main())
