"""The fleet on a real supervisor: what it shows, and what its keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from config.paths import Paths
from panels.app import QuarterdeckApp
from panels.screens.fleet import FleetList
from panels.widgets.away import BACK
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from tests.support.app import becomes, opened, shows, text_of
from tests.support.git import repository
from tests.wait import until

Json = dict[str, Any]
WAIT = "read line; echo finished"


class Fleet:
    """A supervisor with a repository, to start sessions on."""

    def __init__(self, paths: Paths, client: Client, root: Path) -> None:
        self.paths, self.client, self.root = paths, client, root

    async def start(self, name: str, script: str = "sleep 600", **more: Any) -> Json:
        body = {"cwd": str(self.root), "argv": ["sh", "-c", script], "name": name, **more}
        started: Json = (await self.client.post("/sessions", body))["session"]
        return started

    async def reaches(self, name: str, *statuses: str) -> Json:
        found: list[Json] = []

        async def look() -> bool:
            found[:] = [(await self.client.get(f"/sessions/{name}"))["session"]]
            return found[0]["status"] in statuses

        while not await look():
            await until(lambda: True)
        return found[0]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    paths = Paths.below(tmp_path / "home")
    async with Daemon(paths), Client(paths.socket, paths.token_file) as client:
        made = Fleet(paths, client, repository(tmp_path / "shop"))
        yield made
        await client.post("/stop", {"all": True})


def sessions(pilot: Pilot[None]) -> FleetList:
    return pilot.app.screen.query_one(FleetList)


async def select(pilot: Pilot[None], name: str) -> None:
    """Move the cursor to a session with the keys."""
    await becomes(pilot, lambda: any(getattr(row, "name", "") == name for row in sessions(pilot).rows), name)
    await pilot.press("home")
    for _ in sessions(pilot).rows:
        chosen = sessions(pilot).session
        if chosen is not None and chosen.name == name:
            return
        await pilot.press("j")
    raise AssertionError(f"{name} is not there: {text_of(pilot.app)}")


async def test_an_empty_fleet_says_how_to_fill_it(fleet: Fleet) -> None:
    async with opened(fleet.paths, (80, 24)) as pilot:
        await shows(pilot, "No sessions yet", "quarterdeck run")


async def test_a_session_appears_and_shows_what_it_does(fleet: Fleet) -> None:
    async with opened(fleet.paths) as pilot:
        await fleet.start("talker", "echo hello from the talker; sleep 600")
        await shows(pilot, "Working 1", "talker", "hello from the talker", "● live")
        await fleet.client.post("/sessions/talker/cancel")
        await shows(pilot, "Done 1")


async def test_stop_asks_first_and_says_what_stays(fleet: Fleet) -> None:
    await fleet.start("doomed")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "doomed")
        await becomes(pilot, lambda: sessions(pilot).session.status == "running")  # type: ignore[union-attr]
        await pilot.press("x")
        await shows(pilot, "Stop doomed?", "Worktree, branch and log stay")
        await pilot.press("n")
        assert (await fleet.client.get("/sessions/doomed"))["session"]["status"] == "running"
        await pilot.press("x")
        await shows(pilot, "Stop doomed?")
        await pilot.press("y")
        await fleet.reaches("doomed", "cancelled")
        await shows(pilot, "doomed: stopped.", "■ doomed")


async def test_pause_and_let_it_go_on(fleet: Fleet) -> None:
    await fleet.start("pausing")
    await fleet.reaches("pausing", "running")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "pausing")
        await pilot.press("p")
        await fleet.reaches("pausing", "paused")
        await shows(pilot, "‖")
        await becomes(pilot, lambda: sessions(pilot).session.status == "paused")  # type: ignore[union-attr]
        await pilot.press("p")
        await fleet.reaches("pausing", "running")


async def test_a_message_is_offered_to_those_who_hear_it(fleet: Fleet) -> None:
    await fleet.start("deaf")
    await fleet.start("typed", "read line; echo it was told $line; sleep 600", executor="tmux")
    for name in ("deaf", "typed"):
        await fleet.reaches(name, "running")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "deaf")
        await pilot.press("m")
        assert len(pilot.app.screen_stack) == 1
        await select(pilot, "typed")
        await becomes(pilot, lambda: sessions(pilot).session.status == "running")  # type: ignore[union-attr]
        await pilot.press("m")
        await shows(pilot, "A message for typed")
        await pilot.press(*"hello", "ctrl+s")
        await shows(pilot, "it was told hello")


async def test_restart_starts_the_same_work_as_a_new_session(fleet: Fleet) -> None:
    await fleet.start("once", "echo ran")
    await fleet.reaches("once", "completed")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "once")
        await pilot.press("ctrl+r")
        await becomes(pilot, lambda: len(_of(pilot).view.sessions) == 2, "a second session")
        works = {tuple(each.raw["work"]["argv"]) for each in _of(pilot).view.sessions.values()}
        assert works == {("sh", "-c", "echo ran")}


async def test_marked_sessions_are_acted_on_together(fleet: Fleet) -> None:
    for name in ("one", "two", "three"):
        await fleet.start(name, "true")
        await fleet.reaches(name, "completed")
    async with opened(fleet.paths) as pilot:
        await shows(pilot, "Done 3")
        await pilot.press("home", "space", "space")
        await shows(pilot, "✔")
        await pilot.press("delete")
        await shows(pilot, "Archive 2 sessions?")
        await pilot.press("y")
        await shows(pilot, "Done 1")
        assert len(_of(pilot).view.sessions) == 1


async def test_commit_and_merge_bring_the_work_home(fleet: Fleet) -> None:
    await fleet.start("worker", "echo new > new.txt")
    await fleet.reaches("worker", "completed")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "worker")
        await pilot.press("C")
        await shows(pilot, "Commit everything in worker")
        await pilot.press(*"made", "enter")
        await shows(pilot, "worker: committed.")
        await pilot.press("M")
        await shows(pilot, "Merge worker?", "new.txt")
        await pilot.press("y")
        await becomes(pilot, lambda: (fleet.root / "new.txt").exists(), "the file in the repository")
        await shows(pilot, "worker: merged.", "merged into main: ")
        await pilot.press("enter")
        await shows(pilot, "completed, merged into main: ")


async def test_a_merge_of_what_is_not_committed_offers_both(fleet: Fleet) -> None:
    await fleet.start("worker", "echo new > new.txt")
    await fleet.reaches("worker", "completed")
    async with opened(fleet.paths) as pilot:
        await select(pilot, "worker")
        await pilot.press("M")
        await shows(pilot, "Commit, then merge worker?", "1 file is in no commit yet", "new.txt")
        await pilot.press(*"both", "enter")
        await shows(pilot, "worker: committed and merged.")
        assert (fleet.root / "new.txt").exists()


async def test_search_narrows_and_escape_shows_all_again(fleet: Fleet) -> None:
    await fleet.start("apple")
    await fleet.start("pear")
    async with opened(fleet.paths) as pilot:
        await shows(pilot, "apple", "pear")
        await pilot.press("slash", *"app")
        await becomes(pilot, lambda: "pear" not in text_of(pilot.app), "only the apple")
        await shows(pilot, "1 of 1")
        await pilot.press(*"zzz")
        await shows(pilot, "No session matches", "no match")
        await pilot.press("escape")
        await shows(pilot, "apple", "pear")
        assert sessions(pilot).has_focus


async def test_w_goes_to_what_waits_and_says_when_nothing_does(fleet: Fleet) -> None:
    await fleet.start("works")
    await fleet.reaches("works", "running")
    async with opened(fleet.paths) as pilot:
        await shows(pilot, "works")
        await pilot.press("w")
        await shows(pilot, "Nothing waits for you.")
        await fleet.client.post("/questions", {"key": "k", "question": "Go?"})
        assert sessions(pilot).session is not None


async def test_the_mouse_selects(fleet: Fleet) -> None:
    await fleet.start("first", "true")
    await fleet.start("second", "true")
    for name in ("first", "second"):
        await fleet.reaches(name, "completed")
    async with opened(fleet.paths) as pilot:
        await shows(pilot, "Done 2")
        for row in (1, 2):
            await pilot.click(FleetList, offset=(5, row))
            assert sessions(pilot).cursor == row


async def test_names_that_would_act_on_the_screen_do_not(fleet: Fleet) -> None:
    await fleet.start(
        "hostile",
        "printf '\\033[2J\\033]0;title\\007[bold]x[/] \\342\\200\\256evil 日本語 👩‍👩‍👧\\n'; sleep 600",
    )
    async with opened(fleet.paths) as pilot:
        await shows(pilot, "hostile", "[bold]x[/]")
        assert "\x1b" not in text_of(pilot.app)
        assert "\u202e" not in text_of(pilot.app)


async def test_a_supervisor_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    paths = Paths.below(tmp_path / "home")
    async with Daemon(paths):
        app = QuarterdeckApp(paths, _nothing)
        pilot_of = app.run_test(size=(100, 30))
        pilot = await pilot_of.__aenter__()
        await shows(pilot, "● live")
    await shows(pilot, "no supervisor", "To start it: open the app again")
    app.open_session("ses_any")
    await shows(pilot, "The supervisor was stopped; what runs goes on.", "[Log]")
    await pilot.press("escape")
    async with Daemon(paths):
        await shows(pilot, "● live")
        assert [each.text for each in app.messages].count(BACK) == 1
        assert "The supervisor was stopped" not in text_of(app)
        await pilot_of.__aexit__(None, None, None)


async def _nothing() -> None:
    return


def _of(pilot: Pilot[None]) -> QuarterdeckApp:
    assert isinstance(pilot.app, QuarterdeckApp)
    return pilot.app


async def test_the_keys_work_in_an_empty_fleet_and_go_to_the_list_when_it_fills(fleet: Fleet) -> None:
    async with opened(fleet.paths, (80, 24)) as pilot:
        await shows(pilot, "No sessions yet")
        await pilot.press("n")
        await becomes(pilot, lambda: len(pilot.app.screen_stack) == 2, "the dialog")
        await pilot.press("escape")
        await fleet.start("first")
        await shows(pilot, "first")
        await becomes(pilot, lambda: sessions(pilot).has_focus, "the keys in the list")
