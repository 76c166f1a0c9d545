"""The approvals panel, with keys, on a real supervisor."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from panels.dialogs import AskText, Choose
from panels.screens import approvals as panel_module
from panels.screens.approvals import ApprovalsPanel
from panels.screens.main import MainScreen
from panels.screens.reviewing import Review
from panels.widgets.laid import LaidView
from supervisor.api.client import at
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Supervised

Json = dict[str, Any]
OPTIONS = [{"value": "yes", "label": "Deploy"}, {"value": "later", "label": "Not now", "description": "Tomorrow."}]


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of these tests come at once; the one about too early ones sets its own time."""
    monkeypatch.setattr(panel_module, "GRACE_S", 0.0)


async def asked(supervised: Supervised, key: str, question: str = "", **more: Any) -> Json:
    body = {"key": key, "question": question or f"Question {key}?", **more}
    approval: Json = (await supervised.client.post("/questions", body))["approval"]
    return approval


async def status_of(supervised: Supervised, approval: Json) -> str:
    return str((await supervised.client.get(at("approval", approval["id"])))["approval"]["status"])


async def shown(pilot: Pilot[Any], count: int) -> ApprovalsPanel:
    """The panel, once it lists so many questions."""
    await pilot.press("2")
    await becomes(pilot, lambda: pilot.app.screen.query(ApprovalsPanel), "the panel is there")
    panel = pilot.app.screen.query_one(ApprovalsPanel)
    await becomes(pilot, lambda: panel.is_composed and len(panel.listed.rows) == count, f"{count} are listed")
    await becomes(pilot, lambda: panel.has_focus_within, "it has the keys")
    return panel


async def lists(pilot: Pilot[Any], panel: ApprovalsPanel, count: int) -> None:
    await becomes(
        pilot, lambda: isinstance(pilot.app.screen, MainScreen) and len(panel.listed.rows) == count, f"{count} listed"
    )


def written(view: LaidView) -> str:
    """All that a view has laid out, also what has to be scrolled to."""
    return "\n".join("".join(text for text, _ in view.line(index, 200)) for index in range(view.count()))


async def says(pilot: Pilot[Any], text: str) -> None:
    await becomes(
        pilot, lambda: any(text in each.message for each in pilot.app._notifications), f"a message says {text!r}"
    )


async def dialog(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await becomes(pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.focused, f"{kind.__name__} is open")
    return pilot.app.screen


async def test_an_empty_panel_teaches_and_fills_by_itself(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await shown(pilot, 0)
        await shows(pilot, "Nothing waits for you.", "quarterdeck ask", "rules in force")
        await asked(supervised, "new")
        await lists(pilot, panel, 1)
        await shows(pilot, "Question new?")
        await becomes(pilot, lambda: panel.listed.has_focus, "the list took the keys over")


async def test_a_approves_what_an_agent_wants_and_the_detail_shows_all_of_it(supervised: Supervised) -> None:
    session = await supervised.script({"ask": {"run": "echo one > made; ./odd 'two words'"}}, name="fix")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await shows(pilot, "$ echo one > made; ./odd 'two words'", "No rule speaks of it.", "fix", "digest", "scripted")
        await pilot.press("a")
        await lists(pilot, panel, 0)
        await supervised.ended(session)
        (kept,) = (await supervised.client.get("/approvals", all=True))["approvals"]
        assert (kept["status"], kept["decision"]) == ("consumed", "allow")


async def test_an_edit_is_a_diff_and_a_new_file_is_whole(supervised: Supervised) -> None:
    await supervised.script(
        {"ask": {"edit": {"path": ".github/workflows/a.yml", "old": "one\ntwo", "new": "one\nthree"}}}
    )
    await supervised.script({"ask": {"write": {"path": ".github/workflows/b.yml", "content": "on: push\njobs: {}\n"}}})
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        for _ in range(2):
            if "a.yml" in (panel.listed.approval or {})["subject"]:
                await shows(pilot, "│  one", "│ -two", "│ +three")
            else:
                await shows(pilot, "│ + on: push", "│ + jobs: {}")
            await pilot.press("j")


async def test_a_question_with_options_is_not_approved_without_one(supervised: Supervised) -> None:
    approval = await asked(supervised, "k", options=OPTIONS, default="later")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await shows(pilot, "later  Not now  (preselected)", "Tomorrow.")
        await pilot.press("a")
        await dialog(pilot, Choose)
        await pilot.press("escape")
        await lists(pilot, panel, 1)
        assert await status_of(supervised, approval) == "pending"
        await pilot.press("a")
        choose = await dialog(pilot, Choose)
        assert choose.query_one(OptionList).option_count == 2
        await pilot.press("down", "enter")
        await lists(pilot, panel, 0)
    found = (await supervised.client.get(at("approval", approval["id"])))["approval"]
    assert found["decision"] == "later"


async def test_a_high_risk_is_asked_about_again(supervised: Supervised) -> None:
    approval = await asked(supervised, "k", risk="high", preview={"argv": ["rm", "-rf", "a b"]})
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await pilot.press("a")
        review = await dialog(pilot, Review)
        assert review.has_class("-danger")
        await shows(pilot, "The risk is high", "$ rm -rf 'a b'")
        await pilot.press("enter")
        assert pilot.app.screen is review
        await pilot.press("n")
        await lists(pilot, panel, 1)
        assert await status_of(supervised, approval) == "pending"
        await pilot.press("a")
        await dialog(pilot, Review)
        await pilot.press("y")
        await lists(pilot, panel, 0)
        assert await status_of(supervised, approval) == "approved"


async def test_r_rejects_and_capital_r_says_why(supervised: Supervised) -> None:
    one, two = await asked(supervised, "one"), await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.press("r")
        await lists(pilot, panel, 1)
        assert await status_of(supervised, one) == "rejected"
        await pilot.press("R")
        await dialog(pilot, AskText)
        await pilot.press(*"Use [b] it", "ctrl+s")
        await lists(pilot, panel, 0)
    found = (await supervised.client.get(at("approval", two["id"])))["approval"]
    assert (found["status"], found["rationale"]) == ("rejected", "Use [b] it")


async def test_always_shows_a_rule_and_its_matches_and_applies_it(supervised: Supervised) -> None:
    before = await supervised.script({"ask": {"run": "./strange-tool --first"}}, name="first")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await pilot.press("A")
        await dialog(pilot, Review)
        await shows(pilot, "The rule", "strange-tool", "would have allowed")
        await pilot.press("n")
        await lists(pilot, panel, 1)
        assert (await supervised.client.get("/policy/versions"))["versions"] == []
        await pilot.press("A")
        await dialog(pilot, Review)
        await pilot.press("y")
        await lists(pilot, panel, 0)
        await says(pilot, "The rule is in force")
    await supervised.ended(before)
    (version,) = (await supervised.client.get("/policy/versions"))["versions"]
    assert "strange-tool" in version["document"]


async def test_always_is_not_offered_for_a_question(supervised: Supervised) -> None:
    await asked(supervised, "k")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        assert not panel.check_action("approve_always", ())
        assert panel.check_action("approve", ())
        await pilot.press("A")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)


@pytest.mark.parametrize(("key", "status"), [("a", "approved"), ("r", "rejected")])
async def test_marked_ones_are_decided_in_one_request_after_a_review(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch, key: str, status: str
) -> None:
    one, two = await asked(supervised, "one"), await asked(supervised, "two", options=OPTIONS)
    three = await asked(supervised, "three")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 3)
        client, posts = panel.shell.client, list[str]()
        post = client.post

        async def noting(path: str, *given: Any, **more: Any) -> Json:
            posts.append(path)
            return await post(path, *given, **more)

        monkeypatch.setattr(client, "post", noting)
        await pilot.press("space", "space")
        assert panel.listed.marked == {one["id"], two["id"]}
        assert not panel.check_action("approve_always", ())
        await pilot.press(key)
        if key == "a":
            await dialog(pilot, Choose)
            await pilot.press("enter")
        await dialog(pilot, Review)
        await shows(pilot, "2 questions", "1. ", "Question one?", "2. ", "Question two?")
        listed = written(pilot.app.screen.query_one(LaidView))
        assert "Question three?" not in listed
        assert ("answer: yes" in listed) is (key == "a")
        await pilot.press("y")
        await lists(pilot, panel, 1)
        assert posts == ["/approvals/decide"]
    assert [await status_of(supervised, each) for each in (one, two, three)] == [status, status, "pending"]


async def test_marked_ones_are_rejected_with_one_reason(supervised: Supervised) -> None:
    both = [await asked(supervised, "one"), await asked(supervised, "two")]
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.press("space", "space", "R")
        await dialog(pilot, AskText)
        await pilot.press(*"No", "ctrl+s")
        await dialog(pilot, Review)
        await shows(pilot, "Reason", "│ No")
        await pilot.press("y")
        await lists(pilot, panel, 0)
    for each in both:
        assert (await supervised.client.get(at("approval", each["id"])))["approval"]["rationale"] == "No"


async def test_escape_takes_the_marks_off(supervised: Supervised) -> None:
    await asked(supervised, "one")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await pilot.press("space")
        assert panel.listed.marked
        await pilot.press("escape")
        assert not panel.listed.marked


async def test_what_somebody_else_decided_meanwhile_is_said_and_leaves(supervised: Supervised) -> None:
    one, two = await asked(supervised, "one", risk="high"), await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.press("a")
        await dialog(pilot, Review)
        await supervised.client.post(at("approval", one["id"], "reject"), {})
        await pilot.press("y")
        await says(pilot, "Not decided by you: Question one?")
        await says(pilot, "decided already by person")
        await lists(pilot, panel, 1)
        assert (panel.listed.approval or {})["id"] == two["id"]


async def test_of_a_batch_nothing_is_decided_when_one_was_taken(supervised: Supervised) -> None:
    one, two = await asked(supervised, "one"), await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.press("space", "space", "a")
        await dialog(pilot, Review)
        await supervised.client.post(at("approval", one["id"], "reject"), {})
        await pilot.press("y")
        await says(pilot, "None of them was decided")
        await lists(pilot, panel, 1)
    assert await status_of(supervised, two) == "pending"


async def test_a_key_that_comes_too_early_decides_nothing(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel_module, "GRACE_S", 60.0)
    one, two = await asked(supervised, "one"), await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await supervised.client.post(at("approval", one["id"], "reject"), {})
        await lists(pilot, panel, 1)
        await pilot.press("a")
        await says(pilot, "Another question has come under the cursor")
        assert await status_of(supervised, two) == "pending"
        monkeypatch.setattr(panel_module, "GRACE_S", 0.0)
        await pilot.press("a")
        await lists(pilot, panel, 0)


async def test_a_key_that_is_held_decides_one_question_only(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(panel_module, "GRACE_S", 60.0)
    one, two = await asked(supervised, "one"), await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.press("a", "a")
        await lists(pilot, panel, 1)
        await pilot.press("a", "a")
        assert await status_of(supervised, one) == "approved"
        assert await status_of(supervised, two) == "pending"


async def test_what_expires_leaves_and_its_countdown_shows(supervised: Supervised) -> None:
    await asked(supervised, "long", expires_s=1000)
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await shows(pilot, "16:3", " left")
        short = await asked(supervised, "short", expires_s=1.5)
        await lists(pilot, panel, 2)
        await lists(pilot, panel, 1)
        assert await status_of(supervised, short) == "expired"


async def test_f_shows_what_was_decided_and_hides_it(supervised: Supervised) -> None:
    done = await asked(supervised, "done")
    await supervised.client.post(at("approval", done["id"], "reject"), {"reason": "Not today."})
    await asked(supervised, "waits")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 1)
        await pilot.press("f")
        await lists(pilot, panel, 3)
        await pilot.press("j")
        await shows(pilot, "Decided before, 1", "rejected", "Not today.")
        assert not panel.check_action("approve", ())
        await pilot.press("space")
        assert not panel.listed.marked
        await pilot.press("k", "r")
        await lists(pilot, panel, 3)
        await shows(pilot, "Decided before, 2")
        await pilot.press("f")
        await lists(pilot, panel, 0)
        await shows(pilot, "Nothing waits for you.")
        await pilot.press("f")
        await lists(pilot, panel, 3)


async def test_enter_gives_the_whole_panel_to_the_detail_and_keys_work_there(supervised: Supervised) -> None:
    approval = await asked(supervised, "k", preview={"text": "\n".join(f"line {n}" for n in range(100))})
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await shown(pilot, 1)
        await pilot.press("enter")
        await becomes(pilot, lambda: panel.detail.has_focus and panel.detail.size.width > 70, "the detail is wide")
        await pilot.press("G")
        await shows(pilot, "digest")
        await pilot.press("escape")
        await becomes(pilot, lambda: panel.listed.has_focus and panel.listed.display, "the list is back")
        await pilot.press("enter", "a")
        await lists(pilot, panel, 0)
        assert await status_of(supervised, approval) == "approved"


async def test_the_mouse_selects_and_opens(supervised: Supervised) -> None:
    await asked(supervised, "one")
    two = await asked(supervised, "two")
    async with opened(supervised.paths) as pilot:
        panel = await shown(pilot, 2)
        await pilot.click(panel.listed, offset=(5, 1))
        await becomes(pilot, lambda: (panel.listed.approval or {})["id"] == two["id"], "a click selects")
        await shows(pilot, "│ Question two?")
        await pilot.click(panel.listed, offset=(5, 1), times=2)
        await becomes(pilot, lambda: panel.has_class("-opened"), "a double click opens")


async def test_the_fleet_leads_to_a_question_also_to_one_that_was_decided(supervised: Supervised) -> None:
    done = await asked(supervised, "done")
    await supervised.client.post(at("approval", done["id"], "reject"), {})
    await asked(supervised, "other")
    wanted = await asked(supervised, "wanted")
    async with opened(supervised.paths) as pilot:
        app: Any = pilot.app
        await becomes(pilot, lambda: len(app.view.approvals) == 2)
        app.show_approval(wanted["id"])
        await shows(pilot, "│ Question wanted?")
        panel = pilot.app.screen.query_one(ApprovalsPanel)
        app.show_approval(done["id"])
        await shows(pilot, "│ Question done?")
        assert len(panel.listed.rows) == 4


async def test_a_supervisor_that_goes_away_is_said(supervised: Supervised) -> None:
    async with opened(supervised.paths) as pilot:
        await shown(pilot, 0)
        view = pilot.app.view  # type: ignore[attr-defined]
        view.connected("away", "No supervisor answers. Start one.")
        pilot.app.screen.query_one(ApprovalsPanel).view_changed(frozenset({"connection"}))
        await shows(pilot, "No supervisor answers. Start one.")


async def test_hostile_text_stays_text(supervised: Supervised) -> None:
    hostile = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202eevil\u2066 \u4f60\u597d\U0001f600 a\u200bb"
    await asked(supervised, "k", hostile, preview={"argv": ["sh", "-c", hostile], "long": "y" * 65536, "n\x1b[2J": 1})
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await shown(pilot, 1)
        for _ in range(2):
            screen = text_of(pilot.app)
            assert not set(screen) & set("\x1b\x07\u202e\u2066\u200b")
            assert "[bold red]x[/]" in screen
            assert r"\x1b[2J" in screen
            await pilot.press("enter")
            await becomes(pilot, lambda: panel.detail.has_focus)
        await shows(pilot, r"\u202eevil\u2066", r"a\u200bb")
        await pilot.press("G")
        await shows(pilot, "digest")
        whole = written(panel.detail)
        assert r"n\x1b[2J: 1" in whole
        assert whole.count("y") >= 65536


async def test_who_waits_is_answered(supervised: Supervised) -> None:
    ask = asyncio.create_task(asked(supervised, "k", wait_s=20))
    try:
        async with opened(supervised.paths) as pilot:
            panel = await shown(pilot, 1)
            await pilot.press("a")
            await lists(pilot, panel, 0)
            assert (await ask)["decision"] == "allow"
    finally:
        ask.cancel()
        with suppress(asyncio.CancelledError):
            await ask
