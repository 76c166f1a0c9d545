"""What holds the panels: the lines at the top and the bottom, help, palette, themes, dialogs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from config.paths import Paths
from panels import themes
from panels.app import QuarterdeckApp
from panels.dialogs import AskLine, AskText, Choose, Confirm
from panels.keys import KEYS
from panels.remembered import Remembered, load, save
from panels.screens.main import PANELS
from panels.widgets.keyline import Keyline
from panels.widgets.topline import Topline
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from supervisor.model.errors import NotFound
from tests.support.app import becomes, opened, shows, text_of
from tests.support.session_app import no_revival


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


async def test_every_theme_is_shown_while_one_moves_over_it_and_escape_takes_none(paths: Paths) -> None:
    async with opened(paths) as pilot:
        await pilot.press("t")
        await shows(pilot, f"Theme: {themes.DARK.name}", "Theme: nord")
        seen: list[str] = []
        while (theme := pilot.app.theme) not in seen[1:]:
            seen.append(theme)
            assert "Theme: " in text_of(pilot.app)
            await pilot.press("down")
        assert set(seen) == set(pilot.app.available_themes)
        await pilot.press("escape")
        await becomes(pilot, lambda: len(pilot.app.screen_stack) == 1 and pilot.app.theme == themes.DARK.name)
        assert load(paths.state).theme == ""


async def test_a_theme_that_is_taken_is_remembered(paths: Paths) -> None:
    save(paths.state, Remembered(agent="codex"))
    async with opened(paths) as pilot:
        await pilot.press("t")
        await shows(pilot, "Theme: nord")
        await pilot.press(*"gruv")
        await becomes(pilot, lambda: "Theme: nord" not in text_of(pilot.app), "what was typed is found")
        await pilot.press("down")
        await becomes(pilot, lambda: pilot.app.theme == "gruvbox", "it is shown")
        await pilot.press("enter")
        await becomes(pilot, lambda: load(paths.state).theme == "gruvbox", "it is remembered")
        await becomes(pilot, lambda: len(pilot.app.screen_stack) == 1 and pilot.app.theme == "gruvbox")
        assert load(paths.state).agent == "codex"


async def test_the_palette_finds_themes_among_everything_else_and_leaves_them(paths: Paths) -> None:
    async with opened(paths) as pilot:
        await pilot.press("ctrl+p")
        await shows(pilot, "Monitor")
        assert "Theme: nord" not in text_of(pilot.app)
        await pilot.press(*"theme")
        await shows(pilot, "Theme: dracula", "Theme  (t)")
        palette = pilot.app.screen.query_one(CommandList)
        while "Theme: " not in str(palette.get_option_at_index(palette.highlighted or 0).prompt):
            await pilot.press("down")
        await pilot.press("down")
        await becomes(pilot, lambda: pilot.app.theme != themes.DARK.name, "another one is shown")
        await pilot.press("ctrl+u", *"monitor")
        await becomes(pilot, lambda: "Theme: " not in text_of(pilot.app))
        await pilot.press("down")
        await becomes(pilot, lambda: pilot.app.theme == themes.DARK.name, "the theme is left")
        await pilot.press("escape")


async def test_a_message_takes_two_lines_above_the_keys_and_is_read_again(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        app: Any = pilot.app
        app.say("fix: stopped.")
        app.say("It does not merge: there are conflicts. " * 10 + "[b]The end.[/b]", severity="error")
        await shows(pilot, "fix: stopped.", "E shows it whole")
        toasts = [toast.region for toast in app.screen.query(Toast)]
        assert [(each.right, each.height) for each in toasts] == [(80, 1), (80, 2)]
        assert toasts[-1].bottom == 23, "right above the keys"
        short, long = (toast._timeout for toast in app.screen.query(Toast))
        assert short < 5 < long
        await pilot.press("E")
        await becomes(pilot, lambda: "E shows it whole" not in text_of(app), "nothing lies over the list")
        await shows(pilot, "Messages", "▲ It does not merge", "[b]The end.[/b]", "• fix: stopped.")
        await pilot.press("escape")
        await becomes(pilot, lambda: len(app.screen_stack) == 1)


async def test_before_anything_was_said_messages_say_what_they_are_for(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        await pilot.press("E")
        await shows(pilot, "Nothing yet. What the app tells you")


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
        assert await asked(pilot, Confirm("Stop?", "It ends.", danger=True), "enter", "n") is None
        assert await asked(pilot, Confirm("Merge?", "It goes on."), "enter") is True
        assert await asked(pilot, Confirm("Stop?", "It ends."), "n") is None
        assert await asked(pilot, Confirm("Stop?", "It ends."), "escape") is None
        assert await asked(pilot, AskLine("Name?"), "enter", *"fix", "enter") == "fix"
        assert await asked(pilot, AskLine("Name?", empty=True), "enter") == ""
        assert await asked(pilot, AskText("What?"), "ctrl+s", *"do it", "ctrl+s") == "do it"
        assert await asked(pilot, AskText("What?"), "escape") is None
        assert await asked(pilot, Choose("Which?", [("a", "First"), ("b", "Second")]), "down", "enter") == "b"


async def test_what_was_written_is_thrown_away_only_when_that_is_asked_for_twice(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        assert await asked(pilot, AskText("What?"), *"do", "escape", *" it", "ctrl+s") == "do it"
        assert await asked(pilot, AskText("What?"), *"do", "escape", *" it", "escape", "escape") is None
        assert await asked(pilot, AskText("What?", value="as it was"), "escape") is None


async def test_an_empty_line_says_what_is_missing(paths: Paths) -> None:
    async with opened(paths, (80, 24)) as pilot:
        pilot.app.push_screen(AskLine("Commit?", does="Commit"))
        await shows(pilot, "enter  Commit")
        await pilot.press("enter")
        await shows(pilot, "Write something first.")


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


async def test_a_supervisor_of_another_version_is_named_with_what_to_do(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Client.get

    async def older(client: Client, path: str, /, **query: Any) -> Any:
        if path == "/alerts":
            raise NotFound("There is nothing at /alerts.")
        return await get(client, path, **query)

    monkeypatch.setattr(Client, "get", older)
    async with QuarterdeckApp(paths, no_revival).run_test(size=(120, 30)) as pilot:
        await shows(pilot, "of another version than the app", "quarterdeck stop")
