"""The peer of Codex: `codex app-server` on one side, lines for the supervisor on the other.

Every command, patch and call of a tool asks (`approvalPolicy: untrusted`; measured on 0.169: even `ls`). What is
allowed then runs; `workspace-write` fences in what Codex would run unasked. Overrides hold for this process alone:

- no terminals: what is typed into an approved one (`bash`) would run unasked;
- a person reviews, not another model;
- a repository that brings rules, hooks or settings of its own (`.codex`) is not trusted, or it could allow itself
  anything. Only then, because Codex does not read the AGENTS.md of such a repository either.

The rules in the user's own ~/.codex/rules hold; what they let through is reported as an error ``not_asked``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path

from executors.peers.codex_stream import CodexStream, questions_of, result_of
from executors.peers.conversation import AgentFailed, Peer, run
from executors.peers.rpc import Refusal, Rpc
from executors.peers.voice import Answer, Line, Question, say

_OVERRIDES = ("-c", "features.unified_exec_tty=false", "-c", 'approvals_reviewer="user"')
_POLICY = {"approvalPolicy": "untrusted", "approvalsReviewer": "user", "sandbox": "workspace-write"}


class CodexPeer(Peer):
    """A conversation with Codex. Messages that come while it works are heard within the turn."""

    def __init__(self, argv: Sequence[str], cwd: Path, resume: str | None, model: str | None) -> None:
        super().__init__([*argv, "app-server", *_OVERRIDES, *distrust(cwd)])
        self._cwd = cwd
        self._resume = resume
        self._model = model
        self._stream = CodexStream()
        self._turn: str | None = None
        self._ended: asyncio.Future[Line] | None = None
        self._texts: dict[str, str] = {}
        self._questions: dict[object, tuple[str, object]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._rpc: Rpc

    async def connect(self) -> None:
        """Start a thread, or take one up."""
        self._rpc = Rpc(
            self.process, self._notified, self._requested, lambda text: say({"type": "unknown", "line": text})
        )
        started: Line = {**_POLICY, "cwd": str(self._cwd)}
        if self._model:
            started["model"] = self._model
        try:
            client = {"name": "quarterdeck", "title": "Quarterdeck", "version": "1"}
            await self._rpc.call("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
            self._rpc.notify("initialized")
            if self._resume:
                answer = await self._rpc.call("thread/resume", {**started, "threadId": self._resume})
            else:
                answer = await self._rpc.call("thread/start", started)
        except Refusal as refusal:
            raise AgentFailed(f"{self.name} does not take the session up: {refusal}") from refusal
        if answer.get("approvalPolicy") != "untrusted" or answer.get("approvalsReviewer") != "user":
            raise AgentFailed(f"{self.name} would not ask before it acts; its managed settings forbid that it does.")
        self._stream.thread = answer["thread"]["id"]
        say({"type": "agent_session", "id": self._stream.thread, "model": answer.get("model")})

    async def message(self, text: str) -> None:
        """Let Codex hear a message within the running turn, or begin the next with it."""
        if self._turn is None or not await self._steer(self._stream.thread, self._turn, text, heard=True):
            await super().message(text)

    async def turn(self, text: str) -> None:
        """Take a message, and what could not be said in time before it, to the end of the turn."""
        ended = await self._run(text)
        while self.notes and ended.get("status") == "completed":
            ended = await self._run(None)
        tokens, of = self._stream.tokens, "conversation"
        error = ended.get("error")
        match ended.get("status"):
            case "completed":
                self.ended(None, "success", tokens, tokens_of=of)
            case "interrupted":
                self.ended("The turn was interrupted.", "interrupted", tokens, tokens_of=of, severity="warning")
            case _:
                text = str(error.get("message") or "") if isinstance(error, dict) else ""
                self.ended(text or "The turn failed.", "failed", tokens, tokens_of=of)

    async def interrupt(self) -> None:
        """Interrupt the turn; questions that it asked are withdrawn by Codex."""
        if self._turn is not None:
            try:
                await self._rpc.call("turn/interrupt", {"threadId": self._stream.thread, "turnId": self._turn})
            except Refusal as refusal:
                say({"type": "progress", "status": f"not interrupted: {refusal}"})

    async def listened(self) -> None:
        """Return when Codex has closed its stdout."""
        await self._rpc.listened()

    async def _run(self, text: str | None) -> Line:
        self._ended = asyncio.get_running_loop().create_future()
        said = [{"type": "text", "text": note} for note in self.notes]
        self.notes.clear()
        params: Line = {"threadId": self._stream.thread}
        if text is not None:
            said.append({"type": "text", "text": text})
            params["clientUserMessageId"] = self._named(text)
        try:
            await self._rpc.call("turn/start", {**params, "input": said})
        except Refusal as refusal:
            say({"type": "error", "text": str(refusal), "kind": "turn/start"})
            return {"status": "failed", "error": {"message": str(refusal)}}
        say({"type": "progress", "status": "requesting"})
        try:
            return await self._ended
        finally:
            self._turn = None

    async def _steer(self, thread: str, turn: str, text: str, *, heard: bool) -> bool:
        """Say something within a running turn; False when it is over already."""
        params: Line = {"threadId": thread, "expectedTurnId": turn, "input": [{"type": "text", "text": text}]}
        if heard:
            params["clientUserMessageId"] = self._named(text)
        try:
            await self._rpc.call("turn/steer", params)
        except Refusal:
            return False
        return True

    def _named(self, text: str) -> str:
        """Return a new id for a message, by which its arrival is recognised."""
        name = f"{self.desk.prefix}-m{len(self._texts) + 1}"
        self._texts[name] = text
        return name

    def _notified(self, method: str, params: Line) -> None:
        mine = params.get("threadId") == self._stream.thread
        turn = params.get("turn")
        for line in self._stream.lines(method, params):
            say(line)
        item = params.get("item")
        if method == "item/completed" and isinstance(item, dict) and item.get("clientId") in self._texts:
            say({"type": "message_delivered", "text": self._texts.pop(item["clientId"])})
        elif method == "turn/started" and mine and isinstance(turn, dict):
            self._turn = turn.get("id")
        elif method == "turn/completed" and mine and isinstance(turn, dict):
            self._turn = None
            self._withdraw(
                {request for request, (_, thread) in self._questions.items() if thread == self._stream.thread}
            )
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(turn)
        elif method == "serverRequest/resolved":
            self._withdraw({params.get("requestId")})

    def _withdraw(self, requests: set[object]) -> None:
        for request in requests & self._questions.keys():
            self.desk.withdraw(self._questions.pop(request)[0])

    def _requested(self, request: object, method: str, params: Line) -> None:
        if method == "item/tool/requestUserInput":
            self._answer_soon(self._answer_input(request, params))
        elif question := self._stream.question(method, params):
            asked = self._ask(request, params, question)
            self._answer_soon(self._answer(request, asked, method, params, question))
        else:
            say({"type": "unknown", "line": json.dumps({"method": method, "params": params})})
            self._rpc.refuse(request, f"{method} is not supported")

    def _ask(self, request: object, params: Line, question: Question) -> str:
        asked = self.desk.ask(question)
        self._questions[request] = (asked, params.get("threadId"))
        return asked

    def _answer_soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name="answer")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, request: object, asked: str, method: str, params: Line, question: Question) -> None:
        answer = await self.desk.wait(asked)
        if answer is None and not self.desk.closed:
            return  # Codex asks no longer
        await self._explain(params, answer, question)
        self._questions.pop(request, None)
        result = result_of(method, params, answer)
        self._rpc.reply(request, result)
        if answer is not None and answer.interrupt and not answer.allow and result.get("decision") != "cancel":
            await self.interrupt()

    async def _answer_input(self, request: object, params: Line) -> None:
        """Ask the questions of request_user_input one after the other; what is not answered is left out."""
        answers: Line = {}
        answer: Answer | None = None
        for name, question in questions_of(params):
            asked = self._ask(request, params, question)
            answer = await self.desk.wait(asked)
            if answer is None and not self.desk.closed:
                return
            if answer is None or not answer.allow:
                await self._explain(params, answer, question)
                break
            if given := answer.words:
                answers[name] = {"answers": [given]}
        self._questions.pop(request, None)
        self._rpc.reply(request, {"answers": answers})
        if answer is not None and answer.interrupt and not answer.allow:
            await self.interrupt()

    async def _explain(self, params: Line, answer: Answer | None, question: Question) -> None:
        """Tell Codex why something was denied, before it hears that it was: its refusals carry no words."""
        if answer is None or answer.allow or not answer.message:
            return
        text = f"{question.subject} was not allowed: {answer.message}"
        thread, turn = params.get("threadId"), params.get("turnId")
        told = not answer.interrupt and isinstance(thread, str) and isinstance(turn, str)
        if not (told and await self._steer(str(thread), str(turn), text, heard=False)):
            self.notes.append(text)


def distrust(cwd: Path) -> list[str]:
    """Return the override that keeps a repository's own rules, hooks and settings out, when it has any."""
    roots = [folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()][:1]
    roots += [main for root in roots if (main := _main_worktree(root)) is not None]
    below = [folder for folder in (cwd, *cwd.parents) if roots and folder.is_relative_to(roots[0])]
    places = list(dict.fromkeys((cwd, *below, *roots)))
    home = Path.home()
    if not any((place / ".codex").exists() for place in places if place != home):
        return []
    names = dict.fromkeys(str(path) for place in places for path in (place, place.resolve()))
    table = ", ".join(f'{json.dumps(name)} = {{trust_level = "untrusted"}}' for name in names)
    return ["-c", f"projects = {{{table}}}"]


def _main_worktree(root: Path) -> Path | None:
    """Return the main worktree of a linked one, whose trust Codex looks up (git-worktree(1), commondir)."""
    try:
        link = (root / ".git").read_text().removeprefix("gitdir:").strip()
        common = (root / link / (root / link / "commondir").read_text().strip()).resolve()
    except OSError:
        return None
    return common.parent


def main() -> int:
    """Read the arguments (``[--resume ID] [--model NAME] -- CODEX…``) and converse; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--resume")
    parser.add_argument("--model")
    parser.add_argument("agent", nargs="+")
    given = parser.parse_args()
    return run(CodexPeer(given.agent, Path.cwd(), given.resume, given.model))


if __name__ == "__main__":
    sys.exit(main())
