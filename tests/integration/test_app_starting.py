"""From the dialog to a session at work, with keys alone: in a real terminal, and in a real container."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Collapsible, Input, OptionList, Select

from panels.screens.fleet import FleetPanel
from panels.screens.main import MainScreen
from panels.screens.new import NewSession
from panels.view.sessions import SessionView
from panels.view.starting import EXECUTORS
from tests.support.app import becomes, opened, shows, text_of
from tests.support.dockerd import IMAGE, connected, docker_address
from tests.support.supervised import Home

__all__ = ["docker_address"]


async def fill(pilot: Pilot[Any], command: str, executor: str, image: str = "") -> None:
    """Open the dialog, and write what is to run and where."""
    await becomes(pilot, lambda: pilot.app.focused is not None)
    await pilot.press("n")
    await becomes(pilot, lambda: isinstance(pilot.app.screen, NewSession) and pilot.app.focused, "the dialog is open")
    found = pilot.app.screen
    assert isinstance(found, NewSession)
    agents = found.query_one("#agent", OptionList)
    await becomes(pilot, lambda: agents.option_count > 0, "agents are offered")
    await pilot.press("home")
    while found.fields().agent != "command":
        await pilot.press("down")
    await pilot.press("tab", "tab")
    await becomes(pilot, lambda: found.query_one("#command", Input).has_focus, "the command line has the keys")
    await pilot.press(*command, "tab", "enter")
    await becomes(pilot, lambda: not found.query_one(Collapsible).collapsed, "the rest is unfolded")
    await pilot.press("tab")
    select = found.query_one("#executor", Select)
    await becomes(pilot, lambda: select.has_focus, "where it runs can be chosen")
    await pilot.press("enter", *["down"] * list(EXECUTORS).index(executor), "enter")
    await becomes(pilot, lambda: found.fields().executor == executor, f"{executor} is chosen")
    if image:
        await pilot.press("tab")
        await becomes(pilot, lambda: found.query_one("#image", Input).has_focus, "the image has the keys")
        await pilot.press(*image)
    assert f"More: {executor}" in str(found.query_one(Collapsible).title)
    await pilot.press("ctrl+s")


async def running(pilot: Pilot[Any]) -> SessionView:
    """The session that was started, once the fleet shows it at work."""
    await becomes(pilot, lambda: isinstance(pilot.app.screen, MainScreen), "the dialog has closed")
    fleet = pilot.app.screen.query_one(FleetPanel).sessions
    await becomes(pilot, lambda: fleet.session is not None and fleet.session.status == "running", "it runs", 60)
    assert fleet.has_focus
    assert fleet.session is not None
    return fleet.session


async def stop(pilot: Pilot[Any]) -> None:
    """Stop the session, as a person does."""
    await pilot.press("x")
    await shows(pilot, "Its processes end now.")
    await pilot.press("y")
    await shows(pilot, "Done 1")
    await becomes(pilot, lambda: "■" in text_of(pilot.app), "it is shown as stopped", 30)


@pytest.mark.tmux
async def test_a_session_in_a_terminal(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.repository)
    async with home.supervised() as supervised, opened(supervised.paths, (80, 24)) as pilot:
        await fill(pilot, "sh -c 'tty; echo in the terminal; sleep 600'", "tmux")
        session = await running(pilot)
        assert (session.executor, session.mode) == ("tmux", "dispatch")
        await shows(pilot, "in the terminal", "/dev/pts/")
        target = (await supervised.client.get(f"/sessions/{session.id}"))["session"]["tmux_target"]
        assert "in the terminal" in tmux(home.paths.run, "capture-pane", "-p", "-t", target)
        await stop(pilot)


def tmux(run: Path, *arguments: str) -> str:
    """What the private tmux server of a supervisor answers."""
    command = ["tmux", "-S", str(run / "tmux.sock"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.docker
async def test_a_session_in_a_container(home: Home, docker_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.repository)
    home.configure(docker={"host": docker_address})
    with leaving_no_container(docker_address, home):
        async with home.supervised() as supervised, opened(supervised.paths, (80, 24)) as pilot:
            await fill(pilot, "sh -c 'pwd; echo in the container; sleep 600'", "docker", IMAGE)
            session = await running(pilot)
            assert (session.executor, session.raw["image"], session.raw["isolation"]) == ("docker", IMAGE, "enforced")
            await shows(pilot, "in the container", "/workspace")
            with connected(docker_address) as engine:
                container = (await supervised.client.get(f"/sessions/{session.id}"))["session"]["container"]
                assert engine.inspect_container(container)["State"]["Running"]
            await stop(pilot)


@contextmanager
def leaving_no_container(address: str, home: Home) -> Iterator[None]:
    """Remove what a test has left in an engine that may be shared."""
    try:
        yield
    finally:
        with connected(address) as engine:
            label = f"quarterdeck.home={home.paths.state}"
            for found in engine.containers(all=True, quiet=True, filters={"label": label}):
                engine.remove_container(found["Id"], force=True)
