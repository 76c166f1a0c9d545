"""What happens in the demonstration, and what is checked of it. Knows the supervisor only through its API."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from supervisor.api.client import Client
from supervisor.cli.demonstration.planned import inspect
from supervisor.cli.demonstration.scripts import ASKS, CANCELLED, FAILED, JOBS, MERGED, REFUSED, Job
from supervisor.cli.demonstration.show import Show
from supervisor.cli.demonstration.stage import Stage
from supervisor.cli.demonstration.witness import Json, Seen, Witness
from supervisor.model.errors import QuarterdeckError, Unavailable

PATIENCE_S: Final = 15.0
"""How long each part of the story may take on a slow machine."""

AT_ONCE: Final = 3
WHY_NOT: Final = "Nobody pushes to main by force."
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was to be shown: whether it was, and what was read back."""

    name: str
    ok: bool
    detail: str


@dataclass(slots=True)
class Report:
    """What is left of the story: read back from the supervisor at the end."""

    checks: list[Check] = field(default_factory=list)
    sessions: list[Json] = field(default_factory=list)
    stats: dict[str, str] = field(default_factory=dict)
    diff: str = ""
    skipped: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether all of it worked."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def check(self, name: str, ok: object, detail: str) -> None:
        """Note something that was to be shown."""
        self.checks.append(Check(name, bool(ok), detail))


class Story:
    """Five sessions, a dead supervisor, two questions, what came of it, and a plan with a gate."""

    def __init__(self, stage: Stage, client: Client, witness: Witness, show: Show, report: Report) -> None:
        self._stage = stage
        self._client = client
        self._witness = witness
        self._show = show
        self._report = report
        self._asked: Json = {}
        self._outlived = False

    async def tell(self) -> None:
        """Play it from beginning to end; what goes wrong is a check that failed."""
        try:
            await self._begin()
            await self._kill()
            await self._decide()
            await self._cancel()
            await self._harvest()
            await self._plan()
            await self._look_back()
        except QuarterdeckError as error:
            self._report.check("Played to its end", False, str(error))

    async def _begin(self) -> None:
        project = (await self._client.post("/projects", {"path": str(self._stage.repository)}))["project"]
        await self._show.act(f"Five agents go to work on {project['name']}, each in a worktree of its own")
        for job in JOBS:
            await self._run(job)
        witness = self._witness
        await self._until(
            lambda: (
                len(witness.busy) >= AT_ONCE
                and witness.named(FAILED).status == "failed"
                and witness.named(ASKS).status == "waiting"
            ),
            f"{AT_ONCE} sessions work at once, one has failed, and one asks",
        )

    async def _run(self, job: Job) -> None:
        body = {
            "cwd": str(self._stage.repository),
            "agent": "scripted",
            "name": job.name,
            "environment": _environment(),
        }
        if job.terminal:
            try:
                await self._client.post("/sessions", {**body, "prompt": job.prompt(terminal=True), "mode": "dispatch"})
                return
            except QuarterdeckError as error:
                if error.specific_code != Unavailable.code:
                    raise
                self._report.skipped.append(f"{job.name} in a terminal: {error}")
                await self._show.act(f"Skipped: {self._report.skipped[-1]}")
        await self._client.post("/sessions", {**body, "prompt": job.prompt(terminal=False)})

    async def _kill(self) -> None:
        old = (await self._client.get("/status"))["pid"]
        await self._show.act(f"kill -9 {old}: the supervisor dies in the middle of it")
        before = await self._running()
        self._asked = await self._question(ASKS)
        busy = self._witness.busy
        in_tmux = [f", {seen.name} in tmux" for seen in busy if seen.executor == "tmux"]
        text = f"{len(busy)} sessions at work at once{''.join(in_tmux)}"
        self._report.check("In parallel", len(busy) >= AT_ONCE, text)
        os.kill(old, signal.SIGKILL)
        await asyncio.to_thread(self._stage.restart)
        new = (await self._client.get("/status"))["pid"]
        await self._until(lambda: len(self._witness.of("recovered")) >= len(before), "the sessions were found again")
        after = {session: await self._attempts(session) for session in before}
        lost = sum(1 for session in before if _identity(after[session][:1]) != _identity(before[session]))
        twice = sum(1 for found in after.values() if len(found) > 1)
        await self._show.act(f"Supervisor {new} took over: {len(before)} sessions, {lost} lost, {twice} started twice")
        self._report.check(
            "Killed and recovered",
            len(before) >= AT_ONCE and old != new and not lost and not twice,
            f"{new} took over {len(before)} sessions of {old}: {lost} lost, {twice} started twice",
        )

    async def _decide(self) -> None:
        """Answer what waited while no supervisor ran, and what is asked now."""
        asked = await self._question(ASKS)
        await self._show.act(f"{ASKS} still asks, and still waits: {asked['subject']}. It is allowed, once")
        await self._client.post(f"/approvals/{asked['id']}/approve", {})
        await self._until(lambda: self._witness.named(REFUSED).status == "waiting", f"{REFUSED} asks")
        push = await self._question(REFUSED)
        await self._show.act(f"{REFUSED} wants more than it should: {push['subject']}. It is told why not")
        await self._client.post(f"/approvals/{push['id']}/reject", {"reason": WHY_NOT})
        self._outlived = asked["id"] == self._asked["id"] and asked["digest"] == self._asked["digest"]

    async def _question(self, name: str) -> Json:
        """Return what a session asks now."""
        waiting = (await self._client.get("/approvals"))["approvals"]
        session = self._witness.named(name).id
        return next((approval for approval in waiting if approval["session"] == session), {"id": "", "subject": ""})

    async def _cancel(self) -> None:
        await self._until(lambda: self._witness.named(CANCELLED).tool == "Bash", f"{CANCELLED} runs its command")
        seen = self._witness.named(CANCELLED)
        await self._show.act(f"{seen.name} would go on for long ({seen.tool} {seen.argument}): it is cancelled")
        await self._client.post(f"/sessions/{seen.id}/cancel")
        await self._until(lambda: self._witness.all_ended, "all sessions have ended")

    async def _harvest(self) -> None:
        await self._show.act("What came of it: a diff on a branch each")
        report = self._report
        for seen in list(self._witness.sessions.values()):
            session = (await self._client.get(f"/sessions/{seen.id}"))["session"]
            stat = (await self._client.get(f"/sessions/{seen.id}/diff", stat=True))["diff"]
            report.sessions.append(session)
            report.stats[session["id"]] = stat.strip().splitlines()[-1].strip() if stat.strip() else ""
        found = {session["name"]: session for session in report.sessions}
        wrong = [
            f"{job.name} is {found[job.name]['status']}" for job in JOBS if found[job.name]["status"] != job.status
        ]
        report.check("Ended as scripted", not wrong, ", ".join(wrong) or _counted(report.sessions))
        reason = found[FAILED]["status_reason"]
        report.check("Failure explained", reason["signal"] == "stream", f"{FAILED}: {reason['text']}")
        cancelled = found[CANCELLED]
        attempt = (await self._attempts(cancelled["id"]))[-1]
        text = f"{CANCELLED}: {attempt['reason']} Its work stays: {report.stats[cancelled['id']]}."
        report.check("Cancelled", attempt["status"] == "cancelled" and report.stats[cancelled["id"]], text)
        await self._check_decisions(found)
        await self._merge(found[MERGED])

    async def _check_decisions(self, found: dict[str, Json]) -> None:
        """Read back what was asked, and what became of it."""
        decided = {each["session"]: each for each in (await self._client.get("/approvals", all=True))["approvals"]}
        asked = decided.get(found[ASKS]["id"], {})
        runs = [
            each for each in self._witness.of("tool_result", found[ASKS]["id"]) if "o'clock" in str(each["payload"])
        ]
        self._report.check(
            "Question outlived",
            self._outlived and asked.get("status") == "consumed" and len(runs) == 1,
            f"{ASKS}: {asked.get('subject')} asked before the kill, allowed after it, run {len(runs)} time",
        )
        granted = self._witness.of("permission_granted", found[ASKS]["id"])
        text = "; ".join(f"{each['payload']['argument']} by {each['payload']['rule']}" for each in granted)
        self._report.check("Allowed by a rule", len(granted) == 1, f"{ASKS}: {text or 'nothing was allowed'}")
        refused = decided.get(found[REFUSED]["id"], {})
        told = any(WHY_NOT in str(each["payload"]) for each in self._witness.of("tool_result", found[REFUSED]["id"]))
        text = f"{REFUSED}: {refused.get('subject')}; it was told: {WHY_NOT if told else 'nothing'}"
        self._report.check("Refused by a person", refused.get("status") == "rejected" and told, text)

    async def _merge(self, session: Json) -> None:
        path, report = f"/sessions/{session['id']}", self._report
        report.diff = (await self._client.get(f"{path}/diff"))["diff"]
        await self._client.post(f"{path}/commit", {"message": "Light the lamp in the evening"})
        merged = await self._client.post(f"{path}/merge")
        changed = sum(1 for stat in report.stats.values() if stat)
        text = f"on {changed} branches; {session['name']} merged into {merged['into']} as {merged['commit'][:8]}"
        report.check("Results as diffs", merged["merged"] and changed == len(JOBS), text)

    async def _plan(self) -> None:
        ok, text = await inspect(self._client, self._stage.repository, _environment(), self._show)
        self._report.check("A plan with a gate", ok, text)

    async def _look_back(self) -> None:
        newest = (await self._client.get("/events", limit=1))["events"][-1]["seq"]
        await self._until(lambda: self._witness.events[-1]["seq"] >= newest, "the stream has caught up")
        stored = [each["seq"] for each in (await self._client.get("/events", after=0, limit=10_000))["events"]]
        streamed = [each["seq"] for each in self._witness.events]
        text = f"{len(streamed)} streamed of {len(stored)} stored, each once, in order"
        self._report.check("Event stream", streamed == stored == sorted(set(stored)), text)
        audit = await self._client.get("/audit/verify")
        self._report.check("Audit log", audit["valid"], f"{audit['entries']} entries, their chain verified")

    async def _running(self) -> dict[str, list[Json]]:
        running = (await self._client.get("/sessions", status="running"))["sessions"]
        return {session["id"]: await self._attempts(session["id"]) for session in running}

    async def _attempts(self, session: str) -> list[Json]:
        found: list[Json] = (await self._client.get(f"/sessions/{session}/attempts"))["attempts"]
        return found

    async def _until(self, check: Callable[[], object], what: str) -> None:
        await self._witness.until(check, PATIENCE_S, what)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED if name in os.environ}


def _identity(attempts: list[Json]) -> list[tuple[str, int]]:
    return [(attempt["id"], attempt["pid"]) for attempt in attempts]


def _counted(sessions: list[Json]) -> str:
    statuses = [session["status"] for session in sessions]
    return ", ".join(f"{statuses.count(each)} {each}" for each in dict.fromkeys(statuses))


async def play(stage: Stage, sessions: dict[str, Seen], show: Show, report: Report) -> None:
    """Play the story on a stage; ``sessions`` is filled with what the event stream tells of them."""
    async with stage.client() as client:
        witness = Witness(client, sessions, show.told)
        watching = asyncio.create_task(witness.watch(), name="witness")
        try:
            await Story(stage, client, witness, show, report).tell()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
