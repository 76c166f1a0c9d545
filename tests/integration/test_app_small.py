"""The app in a small terminal: what is essential can be read, and nothing crashes."""

from __future__ import annotations

import pytest

from panels.screens.main import PANELS
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Supervised

SIZES = [(40, 15), (60, 20), (20, 6)]


@pytest.mark.parametrize("size", [(40, 15), (60, 20)])
async def test_the_keys_of_dialogs_are_whole(supervised: Supervised, size: tuple[int, int]) -> None:
    await supervised.run("sh", "-c", "sleep 600", name="long-runner")
    async with opened(supervised.paths, size) as pilot:
        await shows(pilot, "long-runner")
        await pilot.press("n")
        await shows(pilot, "New session", "^s  Start", "esc  Cancel", "tab  Next", "^e  In $EDITOR", "More: where")
        await pilot.press("escape", "x")
        await shows(pilot, "Stop long-runner?", "y  Stop", "n  No")


@pytest.mark.parametrize("size", SIZES)
async def test_every_panel_can_be_shown(supervised: Supervised, size: tuple[int, int]) -> None:
    await supervised.run("sh", "-c", "sleep 600", name="here")
    async with opened(supervised.paths, size) as pilot:
        for number, name in enumerate(PANELS, 1):
            await pilot.press(str(number))
            await becomes(pilot, lambda name=name: pilot.app.screen.query(f"#{name}"), name)  # type: ignore[misc]
            await pilot.press("question_mark")
            await becomes(pilot, lambda: len(pilot.app.screen_stack) == 2, "the help")
            await pilot.press("escape")
        assert all(len(line) <= size[0] for line in text_of(pilot.app).splitlines())
