"""The app in a real browser, on a real supervisor: what is seen there, and a decision made there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import at
from supervisor.cli.browser.server import serving
from supervisor.model.statuses import SessionStatus
from tests.support.browser import chromium
from tests.support.runners import runners
from tests.support.supervised import Home, eventually, throwaway_home

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(180)]


@pytest.fixture
def found_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home that the app finds by itself, as the server starts it with no more than the environment."""
    with throwaway_home(tmp_path) as place:
        monkeypatch.setenv(HOME_VARIABLE, str(place.paths.run / "home"))
        paths = Paths.find()
        paths.create()
        home = Home(paths, place.repository)
        home.configure()
        try:
            yield home
        finally:
            # Processes are found by their runtime folder, which lies below that of the throw-away home.
            for process in runners(paths.run):
                process.kill()


async def test_a_question_is_seen_and_approved_in_a_browser(found_home: Home, tmp_path: Path) -> None:
    async with (
        found_home.supervised() as supervised,
        serving("127.0.0.1", 0) as server,
        chromium(tmp_path / "browser") as tab,
    ):
        session = await supervised.script({"ask": {"run": "./deploy --now"}}, name="asks-first")
        await supervised.reaches(session, SessionStatus.WAITING)
        (approval,) = (await supervised.client.get("/approvals"))["approvals"]

        await tab.open(server.url)
        await tab.shows("1 Fleet", "2 Approvals (1)", "asks-first", "Needs you")
        assert await tab.evaluate("location.search") == "", "the token is not left in the address"
        assert await tab.evaluate("document.cookie") == "", "the page cannot read the cookie"

        await tab.press("2")
        await tab.shows("./deploy --now", "a Approve")

        async def approved() -> bool:
            await tab.press("a")
            now = (await supervised.client.get(at("approval", approval["id"])))["approval"]
            return now["status"] in ("approved", "consumed")

        await eventually(approved, what=lambda: "the question is approved")
        await supervised.ended(session)

        assert tab.problems == []
        assert {urlsplit(url).netloc for url in tab.requested if urlsplit(url).scheme not in ("data", "blob")} == {
            f"127.0.0.1:{server.port}"
        }, "nothing is loaded from elsewhere"

        await tab.press("q")
        await tab.until("document.body.classList.contains('-closed')")
        await tab.evaluate("document.getElementById('again').click()")
        await tab.shows("1 Fleet", "asks-first")
