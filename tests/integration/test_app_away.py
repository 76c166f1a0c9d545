"""What empty panels say while no supervisor answers: what the app does about it, and nothing that is not so."""

from __future__ import annotations

from pathlib import Path

from config.paths import Paths
from panels.app import QuarterdeckApp
from supervisor.daemon import Daemon
from supervisor.model.errors import SupervisorUnreachable
from tests.support.app import shows, text_of


async def _nothing() -> None:
    return


async def test_before_one_answers_the_app_says_that_it_starts_one(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "home")
    app = QuarterdeckApp(paths, _nothing)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "No supervisor answers yet: the app is starting one.")
        for key in "23456":
            await pilot.press(key)
            await shows(pilot, "No supervisor answers yet: the app is starting one.")
        assert "quarterdeck serve" not in text_of(app)
        async with Daemon(paths):
            await shows(pilot, "● live", "Nothing was used")


async def test_one_that_cannot_be_started_is_tried_again_and_that_is_said(tmp_path: Path) -> None:
    tries = 0

    async def fails() -> None:
        nonlocal tries
        tries += 1
        raise SupervisorUnreachable("The supervisor did not start: no room.")

    app = QuarterdeckApp(Paths.below(tmp_path / "home"), fails)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "The supervisor did not start: no room. The app tries again until it answers.")
        await shows(pilot, "did not start")
        assert tries >= 1
