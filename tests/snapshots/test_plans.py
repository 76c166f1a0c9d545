"""Pictures of the Plans panel, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from panels.screens.plans import PlansPanel
from panels.view.connecting import STARTING
from panels.view.model import Snapshot
from supervisor.model.times import from_rfc3339
from tests.support.app import StillApp, StillClient, becomes, shows, snapshot
from tests.support.planviews import BUSY, NOON, SHOP, answer, gate_approval, listed

Json = dict[str, Any]
Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202eevil\u2066 你好 a\u200bb"

FAILED: dict[str, Json] = {
    **BUSY,
    "unit": {**BUSY["unit"], "status": "failed", "session": None, "ended_at": "2026-11-29T11:58:00.000Z",
             "status_reason": {"signal": "plan", "text": "Attempt 1 failed: 3 tests failed.", "at": NOON},
             "result": {"last_failure": "3 tests failed."}},
    "ok": {**BUSY["ok"], "status": "completed", "ended_at": "2026-11-29T11:56:00.000Z"},
    "deploy": {"status": "skipped"},
}  # fmt: skip
SETTLED = {"signal": "plan", "text": "Failed: unit, flaky. Nothing more of it can run.", "at": NOON}
SECOND = {"number": 2, "parent": 1, "rationale": "The index comes first", "author": "mia", "created_at": NOON}
DIFF = """\
--- revision 1
+++ revision 2
@@ -5,7 +5,8 @@
 tasks:
 - id: schema
   title: Change the schema
-  command: make schema
+  command: make schema index
+  timeout: 60
 - id: lint
   title: Lint"""


STEP: Json = {
    "attempt": "att_1", "number": 1, "step": 0, "argv": ["sh", "-c", "test -f index.db"], "status": "completed",
    "exit_code": 0, "reason": "", "started_at": NOON, "ended_at": NOON, "log": "/nowhere",
    "output": [{"stream": "stdout", "text": "index.db is there"}, {"stream": "stderr", "text": "[b]a warning[/b]"}],
}  # fmt: skip


class Answers(StillClient):
    """Answers whatever is asked for; `after` is a revision here."""

    async def get(self, path: str, **query: Any) -> Json:
        if "/tasks/" in path:
            return {"task": {"steps": [STEP]}}
        return self._answers[path]


class Still(StillApp):
    """The app without a supervisor, which reads plans from its answers."""

    def __init__(self, known: Snapshot, answers: dict[str, Json]) -> None:
        super().__init__(known)
        self._answers = Answers(answers)

    async def refresh_view(self) -> None:
        self.view.take_plans((await self.client.get("/plans"))["plans"])
        self._changed(self.view.take_changes())


def others() -> list[Json]:
    return [
        listed(SHOP, id="plan-kept", title="Tidy the settings", status="pending", advance="manual", started_at=None),
        listed(SHOP, FAILED, id="plan-gone", title=HOSTILE, status="failed", status_reason=SETTLED, ended_at=NOON),
        listed(
            SHOP, {"schema": {"status": "ready"}, "lint": {"status": "ready"}}, id="plan-step", title="Move the shop",
            advance="manual",
        ),
    ]  # fmt: skip


def app(states: dict[str, Json], approvals: list[Json] | None = None, **fields: Any) -> StillApp:
    """The app with four plans, of which one can be opened."""
    whole, document = answer(SHOP, states, **fields)
    found = [listed(SHOP, states, **fields), *others()]
    answers: dict[str, Json] = {
        "/plans": {"plans": found},
        "/plans/plan-shop": {"plan": whole},
        "/plans/plan-shop/document": {"document": document},
        "/plans/plan-shop/diff": {"diff": DIFF},
    }
    for each in found[1:]:
        answers[f"/plans/{each['id']}"] = {"plan": {**whole, **each}}
        answers[f"/plans/{each['id']}/document"] = {"document": document}
    return Still(snapshot(approvals=approvals), answers)


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    for module in ("planslist", "planparts", "planlists", "planrevisions"):
        monkeypatch.setattr(f"panels.widgets.{module}.now_ms", lambda: from_rfc3339(NOON))


def pressing(*keys: str, opens: bool = False, finds: tuple[str, ...] = ()) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Opens the panel, perhaps a plan, and presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await pilot.press("4")
        await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "the panel is there")
        panel = pilot.app.screen.query_one(PlansPanel)
        await becomes(pilot, lambda: panel.is_composed and panel.has_focus_within, "it has the keys")
        if opens:
            await becomes(pilot, lambda: panel.listed.index_of("plan-shop") is not None, "the plan is listed")
            panel.listed.cursor = panel.listed.index_of("plan-shop") or 0
            await pilot.press("enter")
            await becomes(pilot, lambda: panel.pane.opened and panel.pane.plan_id == "plan-shop", "it was read")
        await pilot.press(*keys)
        await shows(pilot, *finds)

    return run


@SIZES
class TestPlans:
    def test_empty(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = Still(snapshot(), {"/plans": {"plans": []}})
        assert snap_compare(still, terminal_size=size, run_before=pressing(finds=("No plans yet.",)))

    def test_away(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing(finds=("No supervisor answers yet",))
        assert snap_compare(StillApp(None, problem=STARTING), terminal_size=size, run_before=run)

    def test_busy_list(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = app(BUSY, [gate_approval("plan-shop", "ok")])
        assert snap_compare(still, terminal_size=size, run_before=pressing(finds=("Ship the new", "Done 1")))

    def test_busy_drawing_with_a_gate(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = app(BUSY, [gate_approval("plan-shop", "ok")])
        run = pressing(opens=True, finds=("You are asked",))
        assert snap_compare(still, terminal_size=size, run_before=run)

    def test_busy_tree(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("right_square_bracket", opens=True, finds=("[Tree]", "Everything else"))
        assert snap_compare(app(BUSY), terminal_size=size, run_before=run)

    def test_busy_gantt(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("right_square_bracket", "right_square_bracket", opens=True, finds=("[Gantt]", "╸"))
        assert snap_compare(app(BUSY), terminal_size=size, run_before=run)

    def test_revisions(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        revisions = [{**SECOND, "number": 1, "parent": None, "rationale": ""}, SECOND]
        run = pressing("left_square_bracket", opens=True, finds=("[Revisions]", "make schema index"))
        assert snap_compare(app(BUSY, revision=2, revisions=revisions), terminal_size=size, run_before=run)

    def test_failing(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = app(FAILED, status="failed", status_reason=SETTLED, ended_at=NOON)
        assert snap_compare(still, terminal_size=size, run_before=pressing(opens=True, finds=("3 tests failed",)))

    def test_giving_it_up(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("x", opens=True, finds=("Give plan-shop up?",))
        assert snap_compare(app(BUSY), terminal_size=size, run_before=run)
