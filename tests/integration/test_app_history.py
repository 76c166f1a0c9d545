"""The history, with keys, on a real supervisor."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from textual.pilot import Pilot

from panels.dialogs import Confirm
from panels.screens.history import HistoryPanel
from supervisor.model.statuses import SessionStatus
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Supervised

ODD = """\
version: 1
rules:
  - {name: no-odd, effect: deny, reason: Never., command: ./odd, match: ./odd --now, no_match: ./even}
"""


async def history(pilot: Pilot[Any]) -> HistoryPanel:
    await pilot.press("5")
    await becomes(pilot, lambda: pilot.app.screen.query(HistoryPanel), "the history is shown")
    panel = pilot.app.screen.query_one(HistoryPanel)
    await becomes(pilot, lambda: panel._begun and not panel._reading, "it was read")
    return panel


async def test_it_says_who_did_what_newest_first(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true", name="quick"))
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        await shows(pilot, "test", "started quick", "added the project")
        lines = text_of(pilot.app)
        assert lines.index("started quick") < lines.index("added the project")
        assert panel.chosen is not None
        assert panel.chosen.session == session.id
        await shows(pilot, "executor: local", "hash", "follows", "session.create")


async def test_an_empty_history_teaches(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        await history(pilot)
        await shows(pilot, "Nothing was done yet.", "start a session")


async def test_new_entries_appear_by_themselves(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await history(pilot)
        await shows(pilot, "Nothing was done yet.")
        await supervised.run("true", name="later")
        await shows(pilot, "started later")


async def test_what_happened_while_another_panel_was_shown_is_there(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await history(pilot)
        await pilot.press("1")
        await supervised.ended(await supervised.run("true", name="meanwhile"))
        await becomes(pilot, lambda: "meanwhile" in text_of(pilot.app))
        await pilot.press("5")
        await shows(pilot, "started meanwhile")


async def test_i_checks_the_chain(supervised: Supervised) -> None:
    await supervised.run("true")
    async with opened(supervised.paths) as pilot:
        await history(pilot)
        await pilot.press("i")
        await shows(pilot, "up to entry 2.")

        with closing(sqlite3.connect(supervised.paths.database)) as database, database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE audit SET actor = 'person:mallory' WHERE seq = 1")
        await pilot.press("i")
        await shows(pilot, "does not hold from entry 1 on", "the entry was changed")


async def test_f_chooses_the_kind_and_slash_searches(supervised: Supervised) -> None:
    await supervised.client.post("/policy/apply", {"document": ODD, "rationale": "Odd things"})
    failed = await supervised.ended(await supervised.run("sh", "-c", "exit 3", name="broken"))
    assert failed.status is SessionStatus.FAILED
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        await shows(pilot, "changed the rules", "started broken")
        await pilot.press("f", "down", "down", "down", "enter")
        await becomes(pilot, lambda: panel.kind == "policy")
        await shows(pilot, "Changes of the rules", "changed the rules")
        assert "started broken" not in text_of(pilot.app)
        await pilot.press("f", "end", "enter")
        await becomes(pilot, lambda: panel.kind == "failures")
        await shows(pilot, "Sessions that failed", "failed:", "3")
        await becomes(pilot, lambda: not panel._reading)
        assert [each.actor for each in panel._records] == ["broken"]
        await pilot.press("f", "home", "enter", "slash", *"Odd")
        await becomes(pilot, lambda: panel.kind == "all" and len(panel._records) == 1)
        await pilot.press("enter")
        assert panel.listed.has_focus
        await shows(pilot, "1 of 1")
        await pilot.press("slash", *"xyz")
        await shows(pilot, "Nothing matches.")
        await pilot.press("escape")
        await shows(pilot, "started broken")


async def test_u_takes_a_change_of_the_rules_back_and_asks_first(supervised: Supervised) -> None:
    await supervised.client.post("/policy/apply", {"document": ODD, "rationale": "Odd things"})
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        await becomes(pilot, lambda: panel.chosen is not None and panel.chosen.replaced == 0)
        await pilot.press("u")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await shows(pilot, "Go back to version 0", "-  - {name: no-odd", "That takes back")
        await pilot.press("n")
        await becomes(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert (await supervised.client.get("/policy"))["version"] == 1
        await pilot.press("u")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await shows(pilot, "policy version 2")
        rules = (await supervised.client.get("/policy"))["rules"]
        assert "no-odd" not in [rule["name"] for rule in rules]


async def test_u_is_offered_for_changes_of_the_rules_only(supervised: Supervised) -> None:
    await supervised.client.post("/policy/apply", {"document": ODD})
    await supervised.run("true", name="quick")
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        await becomes(pilot, lambda: len(panel._records) == 3)

        def offered() -> bool:
            return "u" in pilot.app.screen.active_bindings

        await becomes(pilot, lambda: panel.chosen is not None and not offered())
        await pilot.press("G")
        await becomes(pilot, offered)


async def test_enter_opens_the_session(supervised: Supervised, monkeypatch: Any) -> None:
    session = await supervised.run("true", name="quick")
    async with opened(supervised.paths) as pilot:
        await history(pilot)
        asked: list[str] = []
        monkeypatch.setattr(pilot.app, "open_session", lambda session, tab="log": asked.append(session))
        await pilot.press("enter")
        await becomes(pilot, lambda: asked == [session.id])


async def test_older_pages_are_read_when_the_end_is_near(supervised: Supervised, monkeypatch: Any) -> None:
    monkeypatch.setattr("panels.screens.history.PAGE", 60)
    monkeypatch.setattr("panels.screens.history.AHEAD", 5)
    for number in range(130):
        await supervised.client.post("/policy/apply", {"document": ODD, "rationale": f"change {number}"})
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        assert len(panel._records) == 60
        await pilot.press("G")
        await becomes(pilot, lambda: len(panel._records) == 120)
        await pilot.press("G")
        await becomes(pilot, lambda: len(panel._records) == 130)
        assert [each.seq for each in panel._records] == list(range(130, 0, -1))
        assert "further back" not in text_of(pilot.app)


async def test_foreign_text_is_only_text(supervised: Supervised) -> None:
    hostile = "[red]markup[/] \x1b[31mred\x1b]0;title\x07 \u202eback"
    await supervised.client.post("/policy/apply", {"document": ODD, "rationale": hostile})
    await supervised.run("sh", "-c", "true # [bold]x[/bold] \x1b[2J", name="quick")
    async with opened(supervised.paths) as pilot:
        panel = await history(pilot)
        await becomes(pilot, lambda: len(panel._records) == 3)
        await shows(pilot, "[bold]x[/bold]", r"\u001b[2J")
        assert "\x1b" not in text_of(pilot.app)
        await pilot.press("down", "down")
        await shows(pilot, "[red]markup[/]")
