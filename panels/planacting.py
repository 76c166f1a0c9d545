"""What a person can do to plans and their tasks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import ClassVar, Final

from textual.binding import BindingType

from panels.asking import Asking
from panels.keys import bindings
from panels.shell import Json
from panels.view.plan import COMPLETED_BY_HAND, RUNS_AGAIN, TaskView
from panels.view.plans import ENDED, progress
from supervisor.api.environment import passed_on
from supervisor.model.plain import one_line


class PlanActing(Asking):
    """Mixed into what knows which plan a key is meant for (`plan`), and which task (`task_view`)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "begin",
            "advance",
            "advance_level",
            "pause",
            "stop",
            "restart",
            "complete",
            "undo",
            "edit",
            "merge",
            "archive",
        )
    ]

    @property
    def plan(self) -> Json | None:
        """The plan that an action is done to, as lists have it."""
        raise NotImplementedError

    @property
    def task_view(self) -> TaskView | None:
        """The task that an action is done to; None while none is looked at."""
        raise NotImplementedError

    def acted(self, plan: Json) -> None:
        """Take note of how a plan stands after an action, as the API has it."""
        raise NotImplementedError

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done to the plan and the task now."""
        if action not in _POSSIBLE:
            return True
        plan = self.plan if self.is_running else None
        return plan is not None and _POSSIBLE[action](plan, self.task_view)

    def _possible(self, action: str) -> Json | None:
        plan = self.plan
        return plan if plan is not None and _POSSIBLE[action](plan, self.task_view) else None

    def _send(self, plan: Json, what: str, body: Json | None = None, said: str = "") -> None:
        from supervisor.api.client import at

        def done(answer: Json) -> None:
            self.acted(answer["plan"])
            if said:
                self._shell.say(said)

        async def post() -> Json:
            return await self._shell.client.post(at("plan", plan["id"], what), body)

        self._shell.perform(post, done)

    def action_begin(self) -> None:
        """Start the plan; one that runs on by itself after a question that says so."""
        from panels.dialogs import Confirm

        if (plan := self._possible("begin")) is None:
            return
        body = {"environment": passed_on(os.environ)}
        if plan["advance"] == "manual":
            self._send(plan, "start", body, f"{plan['id']} was started; . lets its next task run.")
            return
        count = sum(plan["task_counts"].values())
        what = (
            f"{one_line(plan['title'])}\n\nIts {count} {'task runs' if count == 1 else 'tasks run'} "
            "one after the other, up to each gate, without asking. They have a branch of their own; p pauses, x stops."
        )
        self._push(Confirm(f"Start {plan['id']}?", what, yes="Start"), lambda _: self._send(plan, "start", body))

    def action_advance(self) -> None:
        """Let the next task run."""
        if (plan := self._possible("advance")) is not None:
            self._send(plan, "advance", {"level": False})

    def action_advance_level(self) -> None:
        """Let all tasks run that are ready."""
        if (plan := self._possible("advance_level")) is not None:
            self._send(plan, "advance", {"level": True})

    def action_pause(self) -> None:
        """Begin nothing more, or go on."""
        if (plan := self._possible("pause")) is None:
            return
        if plan["status"] == "paused":
            self._send(plan, "resume", said=f"{plan['id']} goes on.")
        else:
            at_work = plan["task_counts"].get("running", 0)
            more = f" {at_work} running {'task goes' if at_work == 1 else 'tasks go'} on to the end." if at_work else ""
            self._send(plan, "pause", said=f"{plan['id']} is paused: nothing more begins.{more}")

    def action_stop(self) -> None:
        """Give the plan up, after a question that says what ends and what stays."""
        from panels.dialogs import Confirm

        if (plan := self._possible("stop")) is None:
            return
        counts = plan["task_counts"]
        ends = [f"  {counts[each]} {each.replace('_', ' ')}" for each in _STOPPED if counts.get(each)]
        what = "These tasks end or never run:\n" + "\n".join(ends) if ends else "Nothing of it runs."
        kept = "Running commands and sessions are stopped now. " if counts.get("running") else ""
        branch = f"The branch {one_line(plan['branch'])}, its worktree" if plan["branch"] else "What is recorded"
        body = f"{one_line(plan['title'])}\n\n{what}\n\n{kept}{branch} and what is completed stay."
        body += " It cannot go on afterwards."
        self._push(
            Confirm(f"Give {plan['id']} up?", body, yes="Give it up", danger=True),
            lambda _: self._send(plan, "cancel", said=f"{plan['id']} was given up."),
        )

    def action_restart(self) -> None:
        """Let a ready task run, or have one that has ended done once more."""
        from panels.dialogs import Confirm
        from supervisor.api.client import of_task

        plan, task = self._possible("restart"), self.task_view
        if plan is None or task is None:
            return
        where = of_task(task.id)
        if task.status == "ready":
            self._send(plan, f"{where}/run")
            return
        name = one_line(task.title) or task.id
        body = "It is done anew, with all of its steps. What was skipped because of it waits anew."
        if task.status == "completed":
            body = f"It has succeeded already. {body}"
        # Who asks for it wants it run, also when nothing that it depends on has changed.
        again = {"force": True}
        self._push(
            Confirm(f"Run {name} once more?", body, yes="Run it"), lambda _: self._send(plan, f"{where}/run", again)
        )

    def action_undo(self) -> None:
        """Roll the task back, after a question that says what is run, where, and what was built on it."""
        from supervisor.api.client import at, of_task

        plan, task = self._possible("undo"), self.task_view
        if plan is None or task is None:
            return
        what = f"{of_task(task.id)}/rollback"

        async def rehearse() -> Json:
            return await self._shell.client.post(at("plan", plan["id"], what), {"dry_run": True})

        self._shell.perform(rehearse, lambda found: self._roll_back(plan, task, what, found["rollback"]))

    def _roll_back(self, plan: Json, task: TaskView, what: str, undo: Json) -> None:
        from panels.dialogs import Confirm

        if undo["refusal"]:
            self._shell.say(f"{undo['refusal']} {undo['hint'] or ''}".rstrip())
            return
        lines = [f"It runs {undo['place']}:", *(f"  $ {one_line(each)}" for each in undo["commands"])]
        for said, tasks in (("Built on it, and stays", undo["built_on"]), ("Waits for it", undo["waiting"])):
            if tasks:
                lines += ["", f"{said}: {', '.join(tasks)}"]
        name = one_line(task.title) or task.id
        self._push(
            Confirm(f"Roll {name} back?", "\n".join(lines), yes="Roll it back", danger=True),
            lambda _: self._send(plan, what, {}, f"{task.id} is being rolled back."),
        )

    def action_complete(self) -> None:
        """Say that the task is done, after a question for what shows it."""
        from panels.dialogs import AskLine
        from supervisor.api.client import of_task

        plan, task = self._possible("complete"), self.task_view
        if plan is None or task is None:
            return
        name = one_line(task.title) or task.id
        body = f"It is {task.status.replace('_', ' ')}, and counts as completed from then on: what needs it may run."
        if plan["status"] in ENDED:
            body += f" {plan['id']} goes on."
        ask = AskLine(f"Is {name} done?", body, hint="What shows that it is done", does="It is done")
        where = f"{of_task(task.id)}/complete"
        self._push(ask, lambda evidence: self._send(plan, where, {"evidence": evidence}, f"{task.id} is completed."))

    def action_merge(self) -> None:
        """Merge the plan's branch, after a question that says what goes where."""
        if (plan := self._possible("merge")) is not None:
            self._shell.perform(lambda: self._into(plan), lambda into: self._merge(plan, into))

    async def _into(self, plan: Json) -> str:
        projects = (await self._shell.client.get("/projects"))["projects"]
        return next(str(each["default_branch"]) for each in projects if each["id"] == plan["project"])

    def _merge(self, plan: Json, into: str) -> None:
        from panels.dialogs import Confirm
        from supervisor.api.client import at

        done, total = progress(plan)
        left = "" if done == total else f" {total - done} of its {total} tasks are not completed."
        branch = one_line(plan["branch"])
        body = (
            f"{one_line(plan['title'])}\n\n{branch}\ninto {one_line(into)}\n\n"
            f"It is {plan['status']}.{left} A conflict changes nothing and says where."
        )

        async def post() -> Json:
            return await self._shell.client.post(at("plan", plan["id"], "merge"), {})

        def said(answer: Json) -> None:
            self._shell.say(f"{branch} was merged into {answer['into']}.")

        self._push(
            Confirm(f"Merge {plan['id']}?", body, yes="Merge", danger=plan["status"] != "completed"),
            lambda _: self._shell.perform(post, said),
        )

    def action_archive(self) -> None:
        """Put the plan away, after a question that says what stays."""
        from panels.dialogs import Confirm
        from supervisor.api.client import at

        if (plan := self._possible("archive")) is None:
            return
        body = (
            f"{one_line(plan['title'])}\n\nIt leaves the list, with its sessions. Its document and a readme for "
            "whoever goes on are written to .quarterdeck/plans/ in the project. "
        )
        body += (
            f"The branch {one_line(plan['branch'])} stays; so does a worktree that holds what is in no commit."
            if plan["branch"]
            else "It was never started, and cannot be afterwards."
        )

        async def post() -> Json:
            return await self._shell.client.post(at("plan", plan["id"], "archive"), {})

        def said(answer: Json) -> None:
            self.acted(answer["plan"])
            kept = f" Its worktree is kept: {answer['worktree']['detail']}" if answer["worktree"]["exists"] else ""
            self._shell.say(f"{plan['id']} was archived; its readme is {answer['readme']}.{kept}")

        self._push(Confirm(f"Archive {plan['id']}?", body, yes="Archive"), lambda _: self._shell.perform(post, said))

    def action_edit(self) -> None:
        """Revise the plan: its document in the person's editor, what becomes of running tasks, then why."""
        if (plan := self._possible("edit")) is None:
            return

        async def read() -> str:
            from supervisor.api.client import at

            answer = await self._shell.client.get(at("plan", plan["id"], "document"))
            return str(answer["document"])

        self._shell.perform(read, lambda document: self._revise(plan, document))

    def _revise(self, plan: Json, document: str) -> None:
        edited = self._shell.edit(document, ".yaml")
        if edited is None or edited == document:
            self._shell.say(f"{plan['id']} was left as it is.")
            return
        body = {"document": edited, "where": f"{plan['id']}.yaml"}

        async def rehearse() -> Json:
            from supervisor.api.client import at

            return await self._shell.client.post(at("plan", plan["id"], "revisions/rehearsal"), body)

        self._shell.perform(rehearse, lambda found: self._ask_running(plan, body, found))

    def _ask_running(self, plan: Json, body: Json, found: Json) -> None:
        """Ask what becomes of tasks under way that the revision changes or removes, when there are any."""
        from panels.dialogs import Choose

        touched = [each["task"] for each in found["running"] if each["becomes"] == "refuse"]
        if not touched:
            self._ask_why(plan, body)
            return
        named = ", ".join(touched[:MOST_NAMED]) + (" …" if len(touched) > MOST_NAMED else "")
        self._push(
            Choose(f"Under way, and changed or removed: {named}. What becomes of it?", _RUNNING),
            lambda running: self._ask_why(plan, {**body, "running": running}),
        )

    def _ask_why(self, plan: Json, body: Json) -> None:
        from panels.dialogs import AskLine

        ask = AskLine(
            f"Revise {plan['id']}", "Tasks that it leaves as they were keep what they have done.",
            hint="Why it is changed", does="Revise",
        )  # fmt: skip
        self._push(
            ask, lambda why: self._send(plan, "revisions", {**body, "rationale": why}, f"{plan['id']} was revised.")
        )


MOST_NAMED: Final = 5
_RUNNING: Final = (
    ("keep", "keep      it goes on as it was started"),
    ("stop", "stop      it is ended, and waits for you"),
    ("restart", "restart   it is ended, and begun anew"),
)
_STOPPED = ("running", "waiting_approval", "blocked", "ready", "pending")


def _has_ready(plan: Json, _: TaskView | None) -> bool:
    is_stepped = plan["status"] == "running" and plan["advance"] == "manual"
    return bool(is_stepped and plan["task_counts"].get("ready"))


def _completes(plan: Json, task: TaskView | None) -> bool:
    """Whether a person can say that the task is done: it must be its turn, and not at work."""
    if task is None or plan["status"] in ("draft", "pending", "abandoned"):
        return False
    return task.status in COMPLETED_BY_HAND


def _runs(plan: Json, task: TaskView | None) -> bool:
    if task is None or plan["status"] in ("draft", "pending", "abandoned"):
        return False
    return task.status in RUNS_AGAIN or (task.status == "ready" and plan["status"] == "running")


def _was_done(plan: Json, task: TaskView | None) -> bool:
    return task is not None and task.status in ("completed", "failed", "blocked") and plan["branch"] is not None


_POSSIBLE: dict[str, Callable[[Json, TaskView | None], bool]] = {
    "begin": lambda plan, _: plan["status"] == "pending",
    "advance": _has_ready,
    "advance_level": _has_ready,
    "pause": lambda plan, _: plan["status"] in ("running", "blocked", "paused"),
    "stop": lambda plan, _: plan["status"] not in ENDED,
    "restart": _runs,
    "complete": _completes,
    "undo": _was_done,
    "edit": lambda plan, _: plan["status"] != "abandoned",
    "merge": lambda plan, _: plan["status"] in ENDED and plan["branch"] is not None,
    "archive": lambda plan, _: plan["status"] in ENDED or plan["status"] == "pending",
}
