"""The Plans panel, with keys, on plans that really run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import MouseScrollDown, MouseScrollRight
from textual.pilot import Pilot

from panels.dialogs import AskLine, AskText, Choose, Confirm
from panels.screens.plans import PlansPanel
from panels.screens.session import SessionScreen
from panels.widgets.diff import DiffView
from panels.widgets.plandrawing import DrawingView
from panels.widgets.planparts import TaskDetail
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals
from tests.support.app import becomes, opened, shows, text_of
from tests.support.planruns import RunningPlan, created, scripted, sh, start, started
from tests.support.supervised import Supervised

P, T = PlanStatus, TaskStatus
ROOMY = (160, 48)
STEPS = (sh("a", "echo a"), sh("b", "echo b"), sh("join", "echo both", "a", "b"))
GATE = (sh("build", "echo built > built.txt"), {"id": "ok", "kind": "gate", "needs": ["build"], "approval": True})


async def plans(pilot: Pilot[Any], plan: RunningPlan | None = None) -> PlansPanel:
    """The panel, once it shows the plans; with the cursor on one of them."""
    await pilot.press("4")
    await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "the panel is shown")
    panel = pilot.app.screen.query_one(PlansPanel)
    await becomes(pilot, lambda: panel.is_composed and panel.has_focus_within, "it has the keys")
    if plan is not None:
        await becomes(pilot, lambda: panel.listed.index_of(plan.id) is not None, "the plan is listed")
        index = panel.listed.index_of(plan.id)
        assert index is not None
        panel.listed.cursor = index
    return panel


async def opened_plan(pilot: Pilot[Any], plan: RunningPlan) -> PlansPanel:
    """The panel, with a plan that has all of it."""
    panel = await plans(pilot, plan)
    await pilot.press("enter")
    await becomes(pilot, lambda: panel.pane.opened is not None and panel.pane.opened.plan.id == plan.id, "it was read")
    return panel


def offered(pilot: Pilot[Any], *keys: str) -> dict[str, bool]:
    active = pilot.app.screen.active_bindings
    return {key: key in active and active[key].enabled for key in keys}


async def said(pilot: Pilot[Any], text: str) -> None:
    """Return when the app has said something."""
    app: Any = pilot.app
    await becomes(pilot, lambda: any(text in message.text for message in app.messages), f"it says {text!r}")


def looked_at(panel: PlansPanel) -> tuple[str, str]:
    task = panel.task_view
    return (task.id, task.status) if task is not None else ("", "")


def plan_of(pilot: Pilot[Any]) -> dict[str, Any] | None:
    return pilot.app.screen.query_one(PlansPanel).plan


class TestList:
    async def test_an_empty_panel_teaches(self, supervised: Supervised) -> None:
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot)
            await shows(pilot, "No plans yet.", "quarterdeck plan create plan.yaml", "kind: gate")
            assert offered(pilot, "b", "full_stop", "x", "p", "a") == dict.fromkeys(
                ("b", "full_stop", "x", "p", "a"), False
            )

    async def test_it_is_asked_for_once_and_then_events_tell(
        self, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await created(supervised, *STEPS, title="The first")
        async with opened(supervised.paths, (80, 24)) as pilot:
            app: Any = pilot.app
            asked: list[str] = []
            get = app.client.get

            async def counting(path: str, **query: Any) -> Any:
                asked.append(path)
                return await get(path, **query)

            monkeypatch.setattr(app.client, "get", counting)
            assert app.view.plans is None
            panel = await plans(pilot)
            await shows(pilot, "Not started 1", "The first", "b starts it", "0/3")
            second = await created(supervised, *STEPS, plan="plan-y", title="The second")
            await shows(pilot, "Not started 2", "The second")
            await start(second)
            await second.reaches(P.COMPLETED)
            await shows(pilot, "Done 1", "3/3")
            await supervised.engine.planning.delete("plan-x", "person:test")
            await becomes(pilot, lambda: "The first" not in text_of(pilot.app), "what is deleted leaves the list")
            assert panel.listed.plan is not None
            assert asked.count("/plans") <= 3, asked
            assert not [path for path in asked if path.startswith("/plans/")], "a plan that nobody sees is not read"

    async def test_words_narrow_it(self, supervised: Supervised) -> None:
        await created(supervised, *STEPS, title="The search")
        await created(supervised, *STEPS, plan="plan-y", title="Settings")
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot)
            await shows(pilot, "The search", "Settings")
            await pilot.press("slash", *"sett")
            await becomes(pilot, lambda: "The search" not in text_of(pilot.app))
            await pilot.press("z")
            await shows(pilot, "No plan matches.")
            await pilot.press("escape")
            await shows(pilot, "The search", "Settings")

    async def test_the_plan_under_the_cursor_is_beside_the_list(self, supervised: Supervised) -> None:
        await created(supervised, *STEPS, title="The search")
        await created(supervised, sh("other", "true"), plan="plan-y", title="Settings")
        async with opened(supervised.paths, ROOMY) as pilot:
            await plans(pilot)
            await shows(pilot, "◌ other")
            await pilot.press("j")
            await shows(pilot, "◌ a ─┬─ ◌ join")
            await pilot.press("right_square_bracket")
            await shows(pilot, "[Tree]", "after a, b")

    async def test_hostile_titles_are_text(self, supervised: Supervised) -> None:
        await created(supervised, sh("a", "true", title="[bold red]x[/] \u202eevil"), title="[red]t[/] \u2066plan")
        async with opened(supervised.paths, ROOMY) as pilot:
            await plans(pilot)
            await shows(pilot, "[red]t[/] plan", "[bold red]x[/] evil")


class TestViews:
    async def test_each_view_shows_it_and_escape_goes_back(self, supervised: Supervised) -> None:
        plan = await started(supervised, *STEPS, title="The search")
        await plan.reaches(P.COMPLETED)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "[Drawing]", "✓ a ─┬─ ✓ join", "Everything succeeded.", "attempts 1")
            await pilot.press("right_square_bracket")
            await shows(pilot, "[Tree]", "after a, b")
            await pilot.press("right_square_bracket")
            await shows(pilot, "[Gantt]", "━")
            await pilot.press("right_square_bracket")
            await shows(pilot, "[Revisions]", "as it was created")
            await pilot.press("right_square_bracket")
            await shows(pilot, "[Drawing]")
            await pilot.press("left_square_bracket")
            await shows(pilot, "[Revisions]")
            await pilot.press("escape")
            await shows(pilot, "Done 1")
            assert panel.listed.has_focus

    async def test_the_task_stays_the_same_from_view_to_view(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            assert looked_at(panel)[0] == "a"
            await pilot.press("l")
            await becomes(pilot, lambda: looked_at(panel)[0] == "join", "right goes to what follows")
            await pilot.press("h", "j")
            await becomes(pilot, lambda: looked_at(panel)[0] == "b", "left goes back, down to the next")
            for _ in range(2):
                await pilot.press("right_square_bracket")
                await becomes(pilot, lambda: panel.pane.lines.has_focus, "the view has the keys")
                assert looked_at(panel)[0] == "b"
            await pilot.press("G")
            await becomes(pilot, lambda: looked_at(panel)[0] == "join")

    async def test_a_wide_drawing_scrolls_with_the_cursor_and_the_mouse(self, supervised: Supervised) -> None:
        chain = [sh(f"task-number-{n}", "true", *([f"task-number-{n - 1}"] if n else [])) for n in range(12)]
        plan = await created(supervised, *chain)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            drawing = panel.query_one(DrawingView)
            await shows(pilot, "◌ task-number-0 ──")
            await pilot.press(*"llllllllllll")
            await shows(pilot, "◌ task-number-11")
            assert looked_at(panel)[0] == "task-number-11"
            await pilot.press(*"hhhhhhhhhhhh")
            await shows(pilot, "◌ task-number-0 ──")
            scroll = (drawing, 1, 1, 1, 0, 0, False, False, False)
            drawing.post_message(MouseScrollRight(*scroll))
            await becomes(pilot, lambda: drawing.shift == 8)
            drawing.post_message(MouseScrollDown(drawing, 1, 1, 1, 0, 0, True, False, False))
            await becomes(pilot, lambda: drawing.shift == 16)

    async def test_the_mouse_chooses_tasks_and_views(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "◌ a ─┬─ ◌ join")
            await pilot.click(DrawingView, offset=(9, 0))
            await becomes(pilot, lambda: looked_at(panel)[0] == "join")
            await pilot.click(DrawingView, offset=(1, 1))
            await becomes(pilot, lambda: looked_at(panel)[0] == "b")
            await pilot.click("#plan-tabs", offset=(12, 0))
            await shows(pilot, "[Tree]")

    async def test_it_is_live(self, supervised: Supervised) -> None:
        plan = await created(supervised, sh("a", "true"), sh("hold", "sleep 600", "a"))
        async with opened(supervised.paths, (80, 24)) as pilot:
            await opened_plan(pilot, plan)
            await shows(pilot, "◌ a ── ◌ hold")
            await start(plan)
            await shows(pilot, "✓ a ── ● hold", "1/2")
            await pilot.press("right_square_bracket", "right_square_bracket")
            await shows(pilot, "╸")
            await supervised.engine.plan_runs.cancel(plan.id, "person:test")
            await shows(pilot, "■ hold", "abandoned")

    async def test_words_find_tasks(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await pilot.press("slash", *"joi")
            await shows(pilot, "1 of 1")
            await pilot.press("enter")
            await becomes(pilot, lambda: looked_at(panel)[0] == "join" and panel.pane.lines.has_focus)
            await pilot.press("escape")
            assert panel.is_opened, "escape ends the search first"
            await pilot.press("escape")
            assert not panel.is_opened

    async def test_a_revision_is_drawn_and_its_diff_is_shown(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "◌ a ─┬─ ◌ join")
            document = (
                b"id: plan-x\nadvance: auto\ntasks:\n  - {id: a, command: echo a}\n  - {id: only, command: echo b}\n"
            )
            planning = supervised.engine.planning
            await planning.revise("plan-x", document, "plan.yaml", "Less is enough", "person:test")
            await shows(pilot, "◌ only", "r2")
            await pilot.press("left_square_bracket")
            await shows(pilot, "▸ r2", "Less is enough", "plan-x.yaml", "+ - id: only", "- - id: join")
            assert panel.query_one(DiffView).files[0].removed > 2
            await pilot.press("j")
            await becomes(pilot, lambda: not panel.query_one(DiffView).files, "the first one changed nothing")


class TestActing:
    async def test_step_by_step(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS, advance="manual")
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot, plan)
            assert offered(pilot, "b", "full_stop", "p") == {"b": True, "full_stop": False, "p": False}
            await pilot.press("b")
            await shows(pilot, "2 ready: . lets the next run", "Needs you 1", "was started; .")
            await becomes(pilot, lambda: offered(pilot, "b", "full_stop")["full_stop"], "it can be advanced")
            await pilot.press("full_stop")
            await plan.task_is("a", T.COMPLETED)
            assert (await plan.statuses())["b"] == "ready"
            await shows(pilot, "1/3")
            await pilot.press("greater_than_sign")
            await plan.task_is("b", T.COMPLETED)
            await shows(pilot, "2/3", "1 ready: .")
            await pilot.press("full_stop")
            await plan.reaches(P.COMPLETED)
            await shows(pilot, "Done 1", "3/3")
            await becomes(pilot, lambda: not any(offered(pilot, "b", "full_stop", "p", "x").values()))

    async def test_one_that_runs_by_itself_is_started_after_a_question(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot, plan)
            await pilot.press("b")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await shows(pilot, "Start plan-x?", "Its 3 tasks run one after the other")
            await pilot.press("n")
            assert (await plan.plan()).status is P.PENDING
            await pilot.press("b")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await pilot.press("y")
            await plan.reaches(P.COMPLETED)

    async def test_pause_go_on_and_give_up(self, supervised: Supervised) -> None:
        plan = await started(supervised, sh("hold", "sleep 600"), sh("b", "true", "hold"))
        await plan.task_is("hold", T.RUNNING)
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot, plan)
            await pilot.press("p")
            await plan.reaches(P.PAUSED)
            await shows(pilot, "‖", "What runs goes on to its end.")
            await said(pilot, "nothing more begins. 1 running task goes on to the end.")
            await becomes(pilot, lambda: "paused" in str((plan_of(pilot) or {}).get("status")))
            await pilot.press("p")
            await plan.reaches(P.RUNNING)
            await said(pilot, "plan-x goes on.")
            await pilot.press("x")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await shows(pilot, "Give plan-x up?", "1 running", "1 pending", "The branch", "qd/plan-x, its worktree")
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, Confirm), "enter may be a slip"
            await pilot.press("y")
            await plan.reaches(P.ABANDONED)
            await shows(pilot, "Done 1", "■")

    async def test_a_task_that_has_failed_runs_once_more(self, supervised: Supervised) -> None:
        flag = supervised.paths.state / "flag"
        plan = await started(supervised, sh("a", f"test -f {flag}"), sh("b", "true", "a"))
        await plan.reaches(P.FAILED)
        flag.write_text("")
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "✕ a ── – b", "✕ failed")
            assert looked_at(panel) == ("a", "failed")
            await pilot.press("ctrl+r")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
            await shows(pilot, "Run a once more?", "What was skipped because", "it waits anew.")
            await pilot.press("y")
            await plan.reaches(P.COMPLETED)
            await shows(pilot, "✓ a ── ✓ b", "2/2")

    async def test_what_a_command_put_out_is_there(self, supervised: Supervised) -> None:
        plan = await started(supervised, sh("a", "echo hello; echo 'no such [host]' >&2; exit 3"))
        await plan.reaches(P.FAILED)
        async with opened(supervised.paths, ROOMY) as pilot:
            await opened_plan(pilot, plan)
            await shows(pilot, "As it went", "exit code 3", "  hello", "  no such [host]")

    async def test_a_ready_task_is_let_run(self, supervised: Supervised) -> None:
        plan = await started(supervised, *STEPS, advance="manual")
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await becomes(pilot, lambda: looked_at(panel) == ("a", "ready"))
            await pilot.press("j")
            await becomes(pilot, lambda: looked_at(panel) == ("b", "ready"))
            await pilot.press("ctrl+r")
            await plan.task_is("b", T.COMPLETED)
            assert (await plan.statuses())["a"] == "ready"

    async def test_what_cannot_be_done_is_said(self, supervised: Supervised) -> None:
        plan = await created(
            supervised, {"id": "ask", "command": "search(query) -> top10; fetch(top10) -> docs"}, advance="manual"
        )
        async with opened(supervised.paths, (80, 24)) as pilot:
            await plans(pilot, plan)
            await pilot.press("b")
            await shows(pilot, "plan-x cannot run as it is")

    async def test_it_is_revised_in_the_editor(
        self, supervised: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            app: Any = pilot.app
            await plans(pilot, plan)
            monkeypatch.setattr(app, "edit", lambda text, suffix: text.replace("echo both", "echo all"))
            await pilot.press("e")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, AskLine))
            await pilot.press(*"Say", "enter")
            await shows(pilot, "plan-x was revised.")
            shown = await plan.shown()
            assert (shown.plan.revision, shown.revisions[1].rationale) == (2, "Say")
            monkeypatch.setattr(app, "edit", lambda text, suffix: text)
            await pilot.press("e")
            await shows(pilot, "was left as it is")

    async def test_what_runs_is_asked_about_when_it_is_revised(
        self, supervised: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = await started(supervised, sh("slow", f"until test -e {tmp_path / 'go'}; do sleep 0.02; done"))
        await plan.task_is("slow", T.RUNNING)
        async with opened(supervised.paths, (80, 24)) as pilot:
            app: Any = pilot.app
            await plans(pilot, plan)
            monkeypatch.setattr(app, "edit", lambda text, suffix: text.replace("until test -e", "echo anew; echo"))
            await pilot.press("e")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Choose))
            await shows(pilot, "Under way, and changed or removed: slow.", "it goes on as it was started")
            await pilot.press("down", "down", "enter")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, AskLine))
            await pilot.press(*"Say", "enter")
            await shows(pilot, "plan-x was revised.")
            task = await plan.task("slow")
            assert task.fate == "restart" or task.attempts > 1

    async def test_f5_reads_everything_again(self, supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            app: Any = pilot.app
            await opened_plan(pilot, plan)
            get, asked = app.client.get, list[str]()

            async def counting(path: str, **query: Any) -> Any:
                asked.append(path)
                return await get(path, **query)

            monkeypatch.setattr(app.client, "get", counting)
            await pilot.press("f5")
            await becomes(pilot, lambda: {"/plans", "/plans/plan-x"} <= set(asked))
            assert "/plans/plan-x/document" not in asked, "the revision is known"

    async def test_help_and_palette_have_its_keys(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS, advance="manual")
        async with opened(supervised.paths, ROOMY) as pilot:
            await opened_plan(pilot, plan)
            await pilot.press("question_mark")
            await shows(pilot, "let the next task of a plan run")
            await pilot.press("escape", "ctrl+p", *"start a plan")
            await shows(pilot, "Start  (b)")
            await pilot.press("enter")
            await plan.reaches(P.RUNNING)

    async def test_a_plan_that_is_deleted_is_closed(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        await created(supervised, *STEPS, plan="plan-y")
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await supervised.engine.planning.delete(plan.id, "person:test")
            await becomes(pilot, lambda: not panel.is_opened and panel.listed.has_focus)
            await shows(pilot, "Not started 1", "plan-y")


def is_readable(panel: PlansPanel) -> bool:
    """Whether the question can be read whole and has been there long enough."""
    detail = panel.query_one(TaskDetail)
    return bool(panel.chosen()) and all(map(detail.shows_whole, panel.chosen())) and panel.was_seen()


class TestGates:
    async def test_it_is_approved_where_it_is_looked_at(
        self, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan = await started(supervised, *GATE)
        await plan.task_is("ok", T.WAITING_APPROVAL)
        asked = await plan.asks()
        (told,) = (await supervised.client.get("/approvals"))["approvals"]
        assert (told["plan"], told["task"]) == ("plan-x", "ok")
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await plans(pilot, plan)
            await shows(pilot, "Needs you 1", "ok asks:")
            await pilot.press("a")
            await becomes(pilot, lambda: panel.is_opened and looked_at(panel)[0] == "ok", "it is looked at first")
            await shows(pilot, "You are asked", "built.txt | 1 +")
            assert (await supervised.engine.store.read(approvals.get, asked.id)).status is ApprovalStatus.PENDING
            await becomes(pilot, lambda: panel._asked == asked.id)
            monkeypatch.setattr("panels.screens.plans.GRACE_S", 3_600)
            await pilot.press("a")
            await said(pilot, "A question has just come.")
            monkeypatch.setattr("panels.screens.plans.GRACE_S", 0)
            await pilot.press("a")
            await plan.reaches(P.COMPLETED)
            await shows(pilot, "2/2", "approved it")
            await becomes(pilot, lambda: not any(offered(pilot, "a", "r", "R").values()), "nothing is left to decide")

    async def test_it_is_rejected_with_a_reason(self, supervised: Supervised) -> None:
        plan = await started(supervised, *GATE)
        await plan.task_is("ok", T.WAITING_APPROVAL)
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "You are asked")
            assert not offered(pilot, "A")["A"], "no rule answers a gate"
            await becomes(pilot, lambda: is_readable(panel))
            await pilot.press("R")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, AskText))
            await pilot.press(*"Later", "ctrl+s")
            await plan.reaches(P.FAILED)
            assert "Later" in (await plan.task("ok")).reason.text
            await shows(pilot, "✕ ◇ ok")

    async def test_what_is_asked_about_a_limit_is_chosen_and_what_is_left_is_shown(
        self, supervised: Supervised
    ) -> None:
        limited = sh("slow", "sleep 600", timeout=1, timebox=3_600, escalation="ask")
        plan = await started(supervised, limited)
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "You are asked", "It took longer than its timeout of 1 s")
            await becomes(pilot, lambda: is_readable(panel))
            await pilot.press("a")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Choose))
            await shows(pilot, "Give it 1 s more", "Skip it")
            await pilot.press("down", "down", "enter")
            await plan.task_is("slow", T.SKIPPED)
            await shows(pilot, "had it skipped", "timebox    1h  59m", "timeout    1s  used up")

    async def test_what_does_not_fit_is_shown_whole_before_a_key_decides_it(self, supervised: Supervised) -> None:
        plan = await started(supervised, *GATE)
        await plan.task_is("ok", T.WAITING_APPROVAL)
        asked = await plan.asks()
        async with opened(supervised.paths, (80, 24)) as pilot:
            await opened_plan(pilot, plan)
            await shows(pilot, "You are asked", "shown whole first")
            await pilot.press("a")
            await shows(pilot, "What would happen", "built.txt")
            assert (await supervised.engine.store.read(approvals.get, asked.id)).status is ApprovalStatus.PENDING

    async def test_it_is_rejected(self, supervised: Supervised) -> None:
        plan = await started(supervised, *GATE)
        await plan.task_is("ok", T.WAITING_APPROVAL)
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await opened_plan(pilot, plan)
            await becomes(pilot, lambda: offered(pilot, "r")["r"])
            await becomes(pilot, lambda: is_readable(panel))
            await pilot.press("r")
            await plan.reaches(P.FAILED)


class TestSessions:
    async def test_enter_opens_the_session_of_a_task(self, supervised: Supervised) -> None:
        plan = await started(supervised, scripted("work", [{"say": "Hello."}]), sh("after", "true", "work"))
        await plan.reaches(P.COMPLETED)
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "Agent scripted", "⏎ opens it")
            await pilot.press("enter")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))
            await shows(pilot, "Hello.")
            await pilot.press("escape")
            await becomes(pilot, lambda: panel.screen.is_current)
            await pilot.press("d")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))
            await pilot.press("escape")
            await becomes(pilot, lambda: panel.screen.is_current)
            await pilot.press("v")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, SessionScreen))

    async def test_without_one_it_goes_into_the_task(self, supervised: Supervised) -> None:
        plan = await created(supervised, *STEPS)
        async with opened(supervised.paths, (80, 24)) as pilot:
            panel = await opened_plan(pilot, plan)
            await shows(pilot, "◌ a ─┬─ ◌ join")
            assert offered(pilot, "d", "v") == {"d": False, "v": False}
            await pilot.press("enter")
            await becomes(pilot, lambda: panel.query_one(TaskDetail).has_focus)
            await pilot.press("escape")
            await becomes(pilot, lambda: panel.query_one(DrawingView).has_focus)


class TestParts:
    async def test_tasks_that_come_while_it_runs_are_shown_and_done_again(
        self, supervised: Supervised, tmp_path: Path
    ) -> None:
        go = tmp_path / "go"
        plan = await started(
            supervised,
            sh("list", f"until test -e {go}; do sleep 0.02; done; echo one; echo two"),
            sh("dive-*", "echo $ITEM", "list"),
            {"id": "b", "needs": ["dive-*"], "subplan": {"tasks": [sh("x", "echo x >> x.txt")]}},
        )
        async with opened(supervised.paths, ROOMY) as pilot:
            panel = await opened_plan(pilot, plan)
            go.touch()
            await plan.reaches(P.COMPLETED)
            await shows(pilot, "dive: one ─┬", "dive: two ─┘", "b/x", "6 completed")
            panel.pane.choose("b/x")
            await becomes(pilot, lambda: looked_at(panel) == ("b/x", "completed"), "it is looked at")
            await pilot.press("ctrl+r")
            await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asks")
            await pilot.press("y")
            await plan.when(lambda shown: next(t for t in shown.tasks if t.id == "b/x").attempts == 2, "b/x runs again")
