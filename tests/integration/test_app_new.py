"""The new-session dialog, with keys, on a real supervisor."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Collapsible, Input, OptionList, Select, TextArea

from panels.dialogs import Choose
from panels.remembered import FILE, Remembered, load, save
from panels.screens.fleet import FleetPanel
from panels.screens.main import MainScreen
from panels.screens.new import NewSession
from supervisor.model.statuses import SessionStatus
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Supervised


@pytest.fixture(autouse=True)
def _stands_in_the_repository(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(supervised.repository)


async def dialog(pilot: Pilot[Any], key: str = "n") -> NewSession:
    """The dialog, ready to be typed into."""
    await becomes(pilot, lambda: pilot.app.focused is not None)
    await pilot.press(key)
    await becomes(pilot, lambda: isinstance(pilot.app.screen, NewSession) and pilot.app.focused, "the dialog is open")
    found = pilot.app.screen
    assert isinstance(found, NewSession)
    return found


def choose(found: NewSession, agent: str) -> None:
    agents = found.query_one("#agent", OptionList)
    agents.highlighted = agents.get_option_index(agent)


async def started(pilot: Pilot[Any]) -> Any:
    """The session that the fleet has selected, once the dialog is gone."""
    await becomes(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "the dialog has closed")
    fleet = pilot.app.screen.query_one(FleetPanel)
    await becomes(pilot, lambda: fleet.sessions.session is not None and fleet.sessions.has_focus, "it is selected")
    return fleet.sessions.session


async def test_a_command_really_starts_and_is_selected(supervised: Supervised) -> None:
    await supervised.ended(await supervised.run("true", name="older"))
    async with opened(supervised.paths, (80, 24)) as pilot:
        found = await dialog(pilot)
        choose(found, "command")
        await pilot.pause()
        command = found.query_one("#command", Input)
        assert command.is_on_screen
        assert not found.query_one("#prompt", TextArea).is_on_screen
        command.value = "sh -c 'echo \"$QD_SEEN two words\"'"
        found.query_one("#name", Input).value = "mine"
        await pilot.press("ctrl+s")
        session = await started(pilot)
        assert (session.name, session.agent) == ("mine", "command")
        assert session.raw["work"]["argv"] == ["sh", "-c", 'echo "$QD_SEEN two words"']
    made = await supervised.client.get("/sessions")
    (stored,) = (each for each in made["sessions"] if each["name"] == "mine")
    assert stored["id"] == session.id


async def test_the_persons_environment_reaches_it_without_their_session(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QD_SEEN", "seen")
    monkeypatch.setenv("QUARTERDECK_SESSION", "ses_outer")
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        choose(found, "command")
        found.query_one("#command", Input).value = "sh -c 'echo $QD_SEEN${QUARTERDECK_SESSION#ses_outer}'"
        await pilot.press("ctrl+s")
        session = await started(pilot)
    stored = next(each for each in await _sessions(supervised) if each.id == session.id)
    await supervised.ended(stored)
    (line,) = [each["text"] for each in await supervised.payloads(stored, "output")]
    assert line == f"seen{session.id}"


async def _sessions(supervised: Supervised) -> list[Any]:
    from supervisor.store import sessions

    return await supervised.engine.store.read(sessions.find)


async def test_an_agent_gets_the_prompt_and_choices_are_remembered(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        choose(found, "scripted")
        await pilot.pause()
        found.query_one("#prompt", TextArea).text = json.dumps([{"say": "hello"}])
        found.query_one("#executor", Select).value = "local"
        found.query_one("#budget", Input).value = "$2.50"
        await pilot.press("ctrl+s")
        session = await started(pilot)
        assert (session.agent, session.executor, session.budget_usd) == ("scripted", "local", 2.5)
        kept = load(supervised.paths.state)
        assert kept == Remembered("scripted", "local", str(supervised.repository), "$2.50")
        assert stat.S_IMODE((supervised.paths.state / FILE).stat().st_mode) == 0o600
        again = await dialog(pilot)
        fields = again.fields()
        assert (fields.agent, fields.executor, fields.budget) == ("scripted", "local", "$2.50")
        await shows(pilot, "More: local, $2.50")


async def test_an_error_of_the_supervisor_is_shown_inside_and_loses_nothing(
    supervised: Supervised, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    async with opened(supervised.paths, (80, 24)) as pilot:
        found = await dialog(pilot)
        choose(found, "scripted")
        await pilot.pause()
        found.query_one("#prompt", TextArea).text = "Fix [b]it"
        found.query_one("#folder", Input).value = str(outside)
        await pilot.press("ctrl+s")
        await becomes(pilot, lambda: "git" in str(found.query_one("#problem").render()), "the error is shown")
        assert pilot.app.screen is found
        assert found.query_one("#prompt", TextArea).text == "Fix [b]it"
        assert await _sessions(supervised) == []
        assert not (supervised.paths.state / FILE).exists()
        found.query_one("#folder", Input).value = str(supervised.repository)
        await pilot.press("ctrl+s")
        assert (await started(pilot)).prompt == "Fix [b]it"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("command", "echo 'open", "quotes"), ("budget", "much", "budget"), ("folder", "/does/not/exist", "folder")],
)
async def test_what_makes_no_sense_is_said_before_anything_is_sent(
    supervised: Supervised, field: str, value: str, said: str
) -> None:
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        choose(found, "command")
        found.query_one("#command", Input).value = "true"
        found.query_one(f"#{field}", Input).value = value
        await pilot.press("ctrl+s")
        await becomes(pilot, lambda: said in str(found.query_one("#problem").render()), "the problem is shown")
        assert await _sessions(supervised) == []
        found.query_one("#base", Input).value = "main"
        await pilot.pause()
        assert said in str(found.query_one("#problem").render()), "that was not what is wrong"
        found.query_one(f"#{field}", Input).value = ""
        await becomes(pilot, lambda: not found.query_one("#problem").display, "it is said no more")


async def test_why_it_was_refused_is_said_until_something_is_changed(supervised: Supervised) -> None:
    await supervised.reaches(await supervised.run("sleep", "60", name="taken"), SessionStatus.RUNNING)
    async with opened(supervised.paths, (80, 24)) as pilot:
        found = await dialog(pilot)
        choose(found, "scripted")
        problem = found.query_one("#problem")
        found.query_one("#name", Input).value = "taken"
        await pilot.press("ctrl+s")
        await shows(pilot, "scripted needs a prompt.")
        found.query_one("#prompt", TextArea).text = json.dumps([{"say": "hello"}])
        await becomes(pilot, lambda: not problem.display, "it has a prompt now")
        await pilot.press("ctrl+s")
        await becomes(pilot, lambda: "A session named taken" in str(problem.render()), "the name is refused")
        found.query_one("#name", Input).value = "free"
        await becomes(pilot, lambda: not problem.display, "it has another name now")
        await pilot.press("ctrl+s")
        assert (await started(pilot)).name == "free"


async def test_a_remembered_place_to_run_is_said_where_it_is_not_the_usual_one(supervised: Supervised) -> None:
    save(supervised.paths.state, Remembered("command", "tmux", str(supervised.repository)))
    async with opened(supervised.paths, (80, 24)) as pilot:
        found = await dialog(pilot)
        await shows(pilot, "Runs in tmux, as last time; More changes it.", "^s  Start")
        found.query_one("#executor", Select).value = ""
        await becomes(pilot, lambda: not found.query_one("#last").display, "it runs as usual")


async def test_a_start_does_not_forget_the_theme(supervised: Supervised) -> None:
    save(supervised.paths.state, Remembered(theme="nord"))
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        choose(found, "command")
        found.query_one("#command", Input).value = "true"
        await pilot.press("ctrl+s")
        await started(pilot)
    kept = load(supervised.paths.state)
    assert (kept.agent, kept.theme) == ("command", "nord")


async def test_agents_that_are_not_installed_say_why_and_cannot_be_chosen(supervised: Supervised) -> None:
    async with opened(supervised.paths, (160, 48)) as pilot:
        missing = [each for each in pilot.app.view.agents if not each["installed"]]  # type: ignore[attr-defined]
        assert missing
        found = await dialog(pilot)
        agents = found.query_one("#agent", OptionList)
        for each in missing:
            option = agents.get_option(each["name"])
            assert option.disabled
            assert "not installed" in str(option.prompt)
        await pilot.press("end")
        await pilot.pause()
        assert found.fields().agent not in {each["name"] for each in missing}


async def test_the_editors_prompt_comes_in_and_goes_on_in_the_editor(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(supervised.paths) as pilot:
        app: Any = pilot.app
        monkeypatch.setattr(app, "edit", lambda text, suffix=".md": f"{text} more")
        found = await dialog(pilot, "N")
        assert found.query_one("#prompt", TextArea).text == "more"
        assert found.fields().agent == "scripted"
        assert found.query_one("#prompt", TextArea).has_focus
        await pilot.press("ctrl+e")
        assert found.query_one("#prompt", TextArea).text == "more more"
        choose(found, "command")
        await pilot.pause()
        found.query_one("#command", Input).value = "make"
        await pilot.press("ctrl+e")
        assert found.query_one("#command", Input).value == "make more"
        await pilot.press("escape")
        await becomes(pilot, lambda: isinstance(app.screen, MainScreen))


async def test_down_in_the_folder_lists_the_known_projects(supervised: Supervised) -> None:
    await supervised.ended(await supervised.run("true"))
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        folder = found.query_one("#folder", Input)
        await becomes(pilot, lambda: folder.suggester is not None, "the projects are known")
        folder.value = ""
        folder.focus()
        await pilot.press("down")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Choose) and pilot.app.focused)
        await pilot.press("enter")
        await becomes(pilot, lambda: folder.value == str(supervised.repository), "the project is taken")


async def test_outside_a_repository_the_last_folder_is_proposed(
    supervised: Supervised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(supervised.paths.state, Remembered(folder=str(supervised.repository)))
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        assert found.fields().folder == str(supervised.repository)


async def test_the_folded_part_opens_and_the_image_belongs_to_containers(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        found = await dialog(pilot)
        more = found.query_one(Collapsible)
        assert more.collapsed
        found.query_one("CollapsibleTitle").focus()
        await pilot.press("enter")
        await becomes(pilot, lambda: not more.collapsed and found.query_one("#base").is_on_screen, "it opens")
        assert not found.query_one("#image-field").display
        found.query_one("#executor", Select).value = "docker"
        await becomes(pilot, lambda: found.query_one("#image-field").display, "an image can be given")


async def test_opened_before_the_app_has_connected_it_offers_agents_when_they_are_known(
    supervised: Supervised,
) -> None:
    async with opened(supervised.paths) as pilot:
        view = pilot.app.view  # type: ignore[attr-defined]
        agents, view.agents = view.agents, []
        found = await dialog(pilot)
        assert found.fields().agent == ""
        await pilot.press("ctrl+s")
        await shows(pilot, "No agent is chosen.")
        view.take_supervisor(view.status, agents, view.queue)
        pilot.app.changes.publish(view.take_changes())  # type: ignore[attr-defined]
        await becomes(pilot, lambda: found.fields().agent == "command", "one is chosen")


async def test_what_the_supervisor_refuses_is_said_in_the_words_of_the_dialog(supervised: Supervised) -> None:
    await supervised.run("sh", "-c", "sleep 600", name="taken")
    async with opened(supervised.paths) as pilot:
        found = await dialog(pilot)
        choose(found, "scripted")
        await pilot.press("ctrl+s")
        await shows(pilot, "scripted needs a prompt. Give it a prompt, or run it in tmux")
        choose(found, "command")
        found.query_one("#command", Input).value = "true"
        found.query_one("#name", Input).value = "taken"
        await pilot.press("ctrl+s")
        await shows(pilot, "A session named taken is not finished yet. Choose another name.")
        found.query_one("#name", Input).value = "🚀 go"
        await pilot.press("ctrl+s")
        await shows(pilot, "cannot be a name. Up to 64 of a-z")
        assert "--" not in text_of(pilot.app)
