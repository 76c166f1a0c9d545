"""Settings, plans and insights, with keys, on a real supervisor."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from panels.app import QuarterdeckApp
from panels.dialogs import Confirm
from panels.screens.settings import SettingsPanel
from supervisor.model.statuses import SessionStatus
from tests.integration.test_policies import approved
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Supervised


async def settings(pilot: Pilot[Any], tab: str = "doctor") -> SettingsPanel:
    await pilot.press("7")
    await becomes(pilot, lambda: pilot.app.screen.query(SettingsPanel), "the panel is shown")
    panel = pilot.app.screen.query_one(SettingsPanel)
    await becomes(pilot, lambda: "doctor" in panel._found, "it was read")
    while panel.tab != tab:
        await pilot.press("right_square_bracket")
    await becomes(pilot, lambda: tab in panel._found, f"{tab} was read")
    return panel


async def test_the_doctor_says_what_works_and_f5_looks_at_isolation_too(supervised: Supervised) -> None:
    async with opened(supervised.paths, (160, 48)) as pilot:
        panel = await settings(pilot)
        await shows(pilot, "git", "✓", "[Doctor]")
        before = len(panel._found["doctor"]["checks"])
        await pilot.press("f5")
        await becomes(pilot, lambda: len(panel._found.get("doctor", {"checks": []})["checks"]) > before)


async def test_agents_and_their_state(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await settings(pilot, "agents")
        await shows(pilot, "✓ scripted", "[Agents]")
        await pilot.press("slash", *"scripted", "enter")
        await shows(pilot, "✓ scripted")
        assert "codex" not in text_of(pilot.app)


async def test_settings_with_their_sources(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        panel = await settings(pilot, "settings")
        await pilot.press("slash", *"floor")
        await shows(pilot, "storage.free_disk_floor_mb", "config.yaml", "1 of 1")
        assert "queue.concurrent" not in text_of(pilot.app)
        await pilot.press("escape")
        await shows(pilot, "[Settings]")
        assert panel.listed.count() > 20


async def test_a_command_is_tried_part_by_part(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await settings(pilot, "policy")
        await pilot.press("slash")
        await pilot.press(*"ls && ./odd", "enter")
        await shows(pilot, "$ ls && ./odd", "ask  by default", "✓ allow", "◐ ask")
        await pilot.press("escape")
        await becomes(pilot, lambda: "$ ls && ./odd" not in text_of(pilot.app))


async def test_enter_opens_a_rule_and_closes_it(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await settings(pilot, "policy")
        await pilot.press("enter")
        await shows(pilot, "because", "risk")
        await pilot.press("o")
        await becomes(pilot, lambda: "because" not in text_of(pilot.app))


async def test_a_proposed_rule_is_applied_after_a_question(supervised: Supervised) -> None:
    await approved(supervised, *["./build --all"] * 3)
    async with opened(supervised.paths) as pilot:
        panel = await settings(pilot, "policy")
        await shows(pilot, "Proposed from what you allow")
        await pilot.press("home", "enter")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await shows(pilot, "Apply this rule?", "./build --all", "would have allowed")
        await pilot.press("y")
        await becomes(pilot, lambda: panel._found["policy"]["policy"]["version"] == 1)
        await pilot.press("slash", *"./build --all", "enter")
        await shows(pilot, "✓ allow")
    assert (await supervised.client.get("/policy"))["version"] == 1


async def test_versions_show_what_they_changed(supervised: Supervised) -> None:
    document = "version: 1\nrules: []\n# [red]hostile[/red] \x7f\u202e\n"
    await supervised.client.post("/policy/apply", {"document": document.replace("\x7f", ""), "rationale": "[b]why[/b]"})
    async with opened(supervised.paths) as pilot:
        await settings(pilot, "policy")
        await pilot.press("G")
        await shows(pilot, "[b]why[/b]")
        await pilot.press("enter")
        await pilot.press("G")
        await shows(pilot, "+rules: []", "[red]hostile[/red]", r"\u202e")


async def test_tabs_are_chosen_by_mouse_and_keys(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await settings(pilot)
        await pilot.click("#tabs", offset=(12, 0))
        await becomes(pilot, lambda: panel.tab == "agents")
        await pilot.press("left_square_bracket", "left_square_bracket")
        await becomes(pilot, lambda: panel.tab == "policy")


async def test_insights_count_costs_of_real_sessions(supervised: Supervised) -> None:
    session = await supervised.script({"say": "Hello."}, name="speaks")
    await supervised.ended(session)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await pilot.press("6")
        await shows(pilot, "The last 14 days:", "Today", "120", "1 calls")


async def test_where_there_is_no_terminal_to_leave_it_says_so(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        app = pilot.app
        assert isinstance(app, QuarterdeckApp)
        app.suspend_for(["tmux", "attach"])
        await shows(pilot, "no terminal here to leave")
        assert app.edit("text") is None
        await shows(pilot, "no terminal here for an editor")


async def test_keys_do_not_reach_panels_that_nobody_sees(supervised: Supervised) -> None:
    session = await supervised.run("sleep", "600", name="unseen")
    await supervised.reaches(session, SessionStatus.RUNNING)
    async with opened(supervised.paths) as pilot:
        await becomes(pilot, lambda: "x" in pilot.app.screen.active_bindings, "it can be stopped in the fleet")
        for panel in "4567":
            await pilot.press(panel)
            await becomes(pilot, lambda: "x" not in pilot.app.screen.active_bindings, f"not in panel {panel}")
