"""Decisions from the fleet: one key where all of the question can be read, else where it can be."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from panels.screens import approvals as approvals_module
from panels.screens.approvals import ApprovalsPanel
from panels.screens.fleet import FleetPanel
from panels.screens.main import MainScreen
from panels.screens.reviewing import Review
from panels.widgets import asked as asked_module
from panels.widgets.peek import Peek
from supervisor.api.client import at
from tests.support.app import becomes, opened, shows
from tests.support.supervised import Supervised

Json = dict[str, Any]


async def pending(supervised: Supervised, count: int = 1) -> list[Json]:
    found: list[Json] = []
    while len(found) < count:
        found = (await supervised.client.get("/approvals"))["approvals"]
    return found


async def standing(supervised: Supervised, approval: Json) -> str:
    return str((await supervised.client.get(at("approval", approval["id"])))["approval"]["status"])


async def looked_at(pilot: Pilot[Any], approval: Json) -> None:
    """The whole question is there, and has been for long enough to be read."""
    peek = pilot.app.screen.query_one(Peek)
    await becomes(pilot, lambda: peek.shows_whole(approval) and peek.was_read(), "the question was shown whole")


def panel(pilot: Pilot[Any]) -> str:
    assert isinstance(pilot.app.screen, MainScreen)
    return str(pilot.app.screen.panel.id)


async def test_one_key_approves_what_is_shown_whole(supervised: Supervised) -> None:
    await supervised.script({"ask": {"run": "echo one > made; ./odd 'two words'"}}, name="fix")
    (approval,) = await pending(supervised)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await shows(pilot, "$ echo one > made;", "risk", "a approve  r reject")
        await looked_at(pilot, approval)
        await pilot.press("a")
        await becomes(pilot, lambda: not pilot.app.screen.query_one(FleetPanel).chosen(), "decided")
        assert panel(pilot) == "fleet"
    assert await standing(supervised, approval) in ("approved", "consumed")


async def test_one_key_rejects_what_is_shown_whole(supervised: Supervised) -> None:
    await supervised.script({"ask": {"run": "./odd"}}, name="fix")
    (approval,) = await pending(supervised)
    async with opened(supervised.paths) as pilot:
        await looked_at(pilot, approval)
        await pilot.press("r")
        await becomes(pilot, lambda: not pilot.app.screen.query_one(FleetPanel).chosen(), "decided")
    assert await standing(supervised, approval) == "rejected"


@pytest.mark.parametrize("key", ["a", "r"])
async def test_what_does_not_fit_is_shown_first_and_one_key_decides_there(
    supervised: Supervised, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals_module, "GRACE_S", 3600.0)
    await supervised.script({"ask": {"run": "; ".join(f"./odd {number}" for number in range(120))}}, name="long")
    (approval,) = await pending(supervised)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await shows(pilot, "a shows the other")
        # Twice at once: the second one must not decide what has only just come on the screen.
        await pilot.press(key, key)
        await becomes(pilot, lambda: panel(pilot) == "approvals" and pilot.app.screen.query(ApprovalsPanel))
        assert await standing(supervised, approval) == "pending"
        shown = pilot.app.screen.query_one(ApprovalsPanel)
        await becomes(pilot, lambda: shown.is_composed and shown.chosen(), "it is under the cursor")
        monkeypatch.setattr(approvals_module, "GRACE_S", 0.0)
        await pilot.press(key)
        await becomes(pilot, lambda: not shown.chosen(), "decided")
    assert await standing(supervised, approval) != "pending"


async def test_what_has_only_just_come_is_not_decided(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_module, "GRACE_S", 3600.0)
    await supervised.script({"ask": {"run": "./odd"}}, name="fix")
    (approval,) = await pending(supervised)
    async with opened(supervised.paths) as pilot:
        peek = pilot.app.screen.query_one(Peek)
        await becomes(pilot, lambda: peek.shows_whole(approval), "shown")
        await pilot.press("a")
        await shows(pilot, "Look at it first.")
        assert panel(pilot) == "fleet"
    assert await standing(supervised, approval) == "pending"


async def test_high_risk_asks_again(supervised: Supervised) -> None:
    await supervised.script({"ask": {"run": "cat .env"}}, name="risky")
    (approval,) = await pending(supervised)
    assert approval["risk"] == "high"
    async with opened(supervised.paths) as pilot:
        await looked_at(pilot, approval)
        await pilot.press("a")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Review), "the risk is said")
        await pilot.press("n")
        assert await standing(supervised, approval) == "pending"
        await pilot.press("a")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Review), "the risk is said")
        await pilot.press("y")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "back")
        await becomes(pilot, lambda: not pilot.app.screen.query_one(FleetPanel).chosen(), "decided")
    assert await standing(supervised, approval) != "pending"


async def test_without_a_preview_it_is_decided_where_it_can_be_read(supervised: Supervised) -> None:
    await supervised.script({"ask": {"run": "./odd"}}, name="fix")
    (approval,) = await pending(supervised)
    async with opened(supervised.paths, (44, 20)) as pilot:
        await shows(pilot, "fix")
        await pilot.press("a")
        await becomes(pilot, lambda: panel(pilot) == "approvals", "the approvals")
    assert await standing(supervised, approval) == "pending"
