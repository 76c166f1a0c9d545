"""What holds the panels: the lines at the top and the bottom, help, palette, themes, dialogs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from config.paths import Paths
from panels import themes
from panels.dialogs import AskLine, AskText, Choose, Confirm
from panels.keys import KEYS
from panels.screens.main import PANELS
from panels.widgets.keyline import Keyline
from panels.widgets.topline import Topline
from supervisor.daemon import Daemon
from tests.support.app import becomes, opened, shows, text_of


@pytest.fixture
async def paths(tmp_path: Path) -> AsyncIterator[Paths]:
    paths = Paths.below(tmp_path / "home")
    async with Daemon(paths):
        yield paths


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_panel_opens_by_its_number(paths: Paths, size: tuple[int, int]) -> None:
    async with opened(paths, size) as pilot:
        for number, name in enumerate(PANELS, 1):
            await pilot.press(str(number))
            await becomes(pilot, lambda name=name: pilot.app.screen.query_one(f"#{name}").display, name)  # type: ignore[misc]
            assert pilot.app.screen.query_one(Topline).current == name


async def test_every_panel_opens_by_a_click_on_its_name(paths: Paths) -> None:
    async with opened(paths, (120, 30)) as pilot:
        for name in ("monitor", "settings", "fleet"):
            at = text_of(pilot.app).splitlines()[0].index(name.capitalize())
            await pilot.click(Topline, offset=(at, 0))
            await becomes(pilot, lambda name=name: pilot.app.screen.query_one(Topline).current == name, name)  # type: ignore[misc]


async def test_the_keys_at_the_bottom_are_the_ones_that_work_and_can_be_clicked(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        keys = pilot.app.screen.query_one(Keyline)
        shown = {each.key.action: each for each in keys.shown()}
        assert {"new", "help", "quit_app"} <= set(shown)
        assert not {"stop", "message"} & set(shown)  # There is no session to do it to.
        assert max(each.end for each in shown.values()) <= 80
        await pilot.click(Keyline, offset=(shown["help"].start + 1, 0))
        await shows(pilot, "esc closes")


async def test_help_names_every_key_and_closes(paths: Paths) -> None:
    async with opened(paths, (100, 100)) as pilot:
        await pilot.press("question_mark")
        await shows(pilot, *(key.label for key in KEYS.values()))
        await pilot.press("escape")
        await becomes(pilot, lambda: len(pilot.app.screen_stack) == 1)


async def test_the_palette_does_what_it_names(paths: Paths) -> None:
    async with opened(paths) as pilot:
        await pilot.press("ctrl+p")
        await shows(pilot, "Monitor")
        await pilot.press(*"monitor")
        await pilot.press("down", "enter")
        await becomes(pilot, lambda: pilot.app.screen.query_one(Topline).current == "monitor", "the monitor")


async def test_themes_go_round_and_every_one_can_be_drawn(paths: Paths) -> None:
    async with opened(paths) as pilot:
        seen = [pilot.app.theme]
        while True:
            await pilot.press("t")
            assert "Fleet" in text_of(pilot.app)
            if pilot.app.theme == seen[0]:
                break
            seen.append(pilot.app.theme)
        assert seen[:2] == [themes.DARK.name, themes.LIGHT.name]
        assert len(seen) > 10


async def test_escape_and_q(paths: Paths) -> None:
    async with opened(paths) as pilot:
        await pilot.press("escape", "escape")
        assert "Fleet" in text_of(pilot.app)
        await pilot.press("q")
        await becomes(pilot, lambda: not pilot.app._running or pilot.app._exit, "it has ended")


async def asked(pilot: Pilot[None], dialog: Any, *keys: str) -> Any:
    answers: list[Any] = []
    pilot.app.push_screen(dialog, answers.append)
    await becomes(pilot, lambda: pilot.app.screen is dialog)
    await pilot.pause()
    await pilot.press(*keys)
    await becomes(pilot, lambda: answers, "an answer")
    return answers[0]


async def test_dialogs_give_what_was_answered(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        assert await asked(pilot, Confirm("Stop?", "[red]It ends.[/]", danger=True), "y") is True
        assert await asked(pilot, Confirm("Stop?", "It ends."), "n") is None
        assert await asked(pilot, Confirm("Stop?", "It ends."), "escape") is None
        assert await asked(pilot, AskLine("Name?"), "enter", *"fix", "enter") == "fix"
        assert await asked(pilot, AskLine("Name?", empty=True), "enter") == ""
        assert await asked(pilot, AskText("What?"), "ctrl+s", *"do it", "ctrl+s") == "do it"
        assert await asked(pilot, AskText("What?"), "escape") is None
        assert await asked(pilot, Choose("Which?", [("a", "First"), ("b", "Second")]), "down", "enter") == "b"


async def test_a_text_can_be_written_in_the_editor(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf " and more" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    async with opened(paths) as pilot:
        monkeypatch.setattr(pilot.app, "suspend", _stays)
        assert await asked(pilot, AskText("What?", value="some"), "ctrl+e", "ctrl+s") == "some and more"


async def test_an_editor_that_cannot_be_had_is_a_sentence(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    async with opened(paths) as pilot:
        monkeypatch.setattr(pilot.app, "suspend", _stays)
        assert pilot.app.edit("text") is None  # type: ignore[attr-defined]
        await shows(pilot, "cannot be started")


def _stays() -> Any:
    """A test's app has no terminal to leave."""
    from contextlib import nullcontext

    return nullcontext()
