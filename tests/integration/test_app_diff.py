"""The diff of a session in the app: reading, reviewing, commenting, sending, editing, and being out of date."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from panels.app import QuarterdeckApp
from panels.dialogs import AskText, Confirm
from panels.reviews import Reviews
from panels.view.diff import parse
from panels.widgets.diff import DiffView
from panels.widgets.diffpane import DiffPane
from panels.widgets.filelist import FileList
from supervisor.model.entities import Session
from tests.support.session_app import running_app, session_screen, shown, text_of
from tests.support.supervised import Supervised, eventually
from tests.wait import until

CHANGE = (
    "printf 'one\\nTWO [b]\\nthree\\n' > a.txt; printf 'new\\n' > 'with blank.py'; git mv folder/b.txt folder/c.txt"
)


async def changed(supervised: Supervised, script: str = CHANGE) -> Session:
    return await supervised.ended(await supervised.run("sh", "-c", script))


async def opened(app: QuarterdeckApp, pilot: Pilot[Any], session: Session) -> tuple[DiffPane, DiffView]:
    screen = await session_screen(app, pilot, session.id, "diff")
    view = screen.query_one(DiffView)
    await until(lambda: view.rows, what="the diff is read")
    await pilot.pause()
    return screen.query_one(DiffPane), view


async def at_line(pilot: Pilot[Any], view: DiffView, text: str) -> None:
    """Move down to a line."""
    for _ in range(len(view.rows)):
        if view.row is not None and view.row.line is not None and view.row.line.text == text:
            return
        await pilot.press("down")
    raise AssertionError(f"no line {text!r}")


async def test_files_hunks_and_lines_are_shown(supervised: Supervised) -> None:
    session = await changed(supervised)
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        lines = shown(view)
        assert lines[0].startswith("▾ a.txt  +1-1 ───")
        assert lines[2:6] == [
            " 1  1   one",
            " 2    - two",
            "    2 + TWO [b]",
            " 3  3   three",
        ]
        assert "    renamed from folder/b.txt, 100 % the same" in lines
        assert not app.screen.query_one(FileList).display, "there is no room for the list"
        assert app.view.sessions[session.id].added == 2


async def test_nothing_changed_teaches_and_a_failure_says_what_to_do(supervised: Supervised) -> None:
    session = await changed(supervised, "true")
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "diff")
        await until(lambda: "Nothing was changed yet" in text_of(app))
        worktree = Path(session.worktree or "")
        await asyncio.to_thread(worktree.rename, worktree.with_name("moved"))
        await pilot.press("f5")
        await until(lambda: "F5 tries again" in text_of(app))
        await asyncio.to_thread(worktree.with_name("moved").rename, worktree)
        (worktree / "a.txt").write_text("x\n")
        await pilot.press("f5")
        await until(lambda: screen.query_one(DiffView).rows)


async def test_side_by_side_where_there_is_room(supervised: Supervised) -> None:
    session = await changed(supervised)
    async with running_app(supervised.paths, size=(160, 48)) as (app, pilot):
        _, view = await opened(app, pilot, session)
        assert shown(app.screen.query_one(FileList))[0].split() == ["~", "a.txt", "+1-1"]
        await at_line(pilot, view, "TWO [b]")
        await pilot.press("s")
        row = view.row
        assert row is not None
        assert row.left is not None
        assert row.right is not None
        assert (row.left.text, row.right.text) == ("two", "TWO [b]")
        drawn = shown(view)[view.cursor]
        assert " 2 - two" in drawn
        assert "│ 2 + TWO [b]" in drawn
        await pilot.press("s")
        assert not any("│" in line for line in shown(view))


async def test_no_room_for_two_columns_is_said(supervised: Supervised) -> None:
    session = await changed(supervised)
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        await pilot.press("s")
        assert not view.is_side_by_side
        await until(lambda: any("no room" in note.message for note in app._notifications))


async def test_a_reviewed_file_is_closed_until_it_changes(supervised: Supervised) -> None:
    session = await changed(supervised)
    worktree = Path(session.worktree or "")
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        await pilot.press("space")
        assert view.reviewed == {"a.txt"}
        assert "1 reviewed" in str(app.screen.query_one("#notes", Static).render())
        assert view.file is not None
        assert view.file.path == "folder/c.txt", "it goes on with the next"
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        assert view.reviewed == {"a.txt"}
        assert shown(view)[0].startswith("✔ a.txt")
        assert not any("TWO" in line for line in shown(view))
        (worktree / "a.txt").write_text("one\nthree\n")
        await pilot.press("f5")
        await until(lambda: not view.reviewed)
        assert any("- two" in line for line in shown(view))
        await pilot.press("home", "space", "home")
        assert view.reviewed == {"a.txt"}
        await pilot.press("space")
        assert not view.reviewed


async def test_comments_are_written_kept_changed_taken_back_and_sent(supervised: Supervised) -> None:
    script = [{"run": "printf 'one\\nTWO\\n' > a.txt"}]
    session = await supervised.ended(await supervised.script(*script))
    async with running_app(supervised.paths) as (app, pilot):
        pane, view = await opened(app, pilot, session)
        assert pane.check_action("comment", ()) is False, "a heading has no line"
        assert pane.check_action("send_comments", ()) is False
        await at_line(pilot, view, "TWO")
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, AskText))
        assert "a.txt:2" in text_of(app)
        await pilot.press(*"why", "ctrl+s")
        await until(lambda: view.comments)
        assert any("┃ why" in line for line in shown(view))
        await pilot.press("escape")
        await until(lambda: view.is_attached is False)
        pane, view = await opened(app, pilot, session)
        assert any("┃ why" in line for line in shown(view)), "it is kept"
        await at_line(pilot, view, "TWO")
        await pilot.press("c")
        await until(lambda: isinstance(app.screen, AskText))
        await pilot.press("end", "question_mark", "ctrl+s")
        await until(lambda: any("┃ why?" in line for line in shown(view)))
        await pilot.press("u")
        assert [comment.text for comment in view.comments] == ["why"]
        await pilot.press("S")
        await until(lambda: isinstance(app.screen, Confirm))
        await pilot.pause()
        assert "> +TWO" in text_of(app)
        await pilot.press("y")
        await until(lambda: not view.comments, what="sent comments are gone")
        assert Reviews(supervised.paths.state / "app-reviews.json", session.id).comments == []

        async def heard() -> bool:
            said = await supervised.payloads(session, "message_delivered", "message")
            return any("a.txt:2\n> +TWO\nwhy" in each["text"] for each in said)

        await eventually(heard, what=lambda: "the agent hears the comments")
        await until(lambda: "A turn has ended" in str(app.screen.query_one("#notes", Static).render()))
        await pilot.press("f5")
        await until(lambda: "A turn has ended" not in str(app.screen.query_one("#notes", Static).render()))


async def test_files_are_gone_through_by_keys_list_and_mouse(supervised: Supervised) -> None:
    session = await changed(supervised)
    async with running_app(supervised.paths, size=(160, 48)) as (app, pilot):
        _, view = await opened(app, pilot, session)
        files = app.screen.query_one(FileList)
        await pilot.press("right_curly_bracket")
        assert view.file is not None
        assert view.file.path == "folder/c.txt"
        await until(lambda: files.cursor == 1)
        await pilot.press("left_curly_bracket")
        assert view.file.path == "a.txt"
        await pilot.click("#files", offset=(4, 2))
        await until(lambda: view.file is not None and view.file.path == "with blank.py")
        assert files.has_focus
        await pilot.press("enter")
        assert view.has_focus
        await pilot.press("o")
        assert view.folded == {"with blank.py"}
        await pilot.press("enter")
        assert view.folded == set()


async def test_the_editor_is_opened_at_the_line_in_the_worktree(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await changed(supervised)
    monkeypatch.setenv("VISUAL", "true")
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        commands: list[list[str]] = []
        monkeypatch.setattr(app, "suspend_for", commands.append)
        await at_line(pilot, view, "TWO [b]")
        await pilot.press("e")
        assert commands == [["true", "+2", str(await asyncio.to_thread(Path(session.worktree or "", "a.txt").resolve))]]


async def test_long_lines_move_sideways(supervised: Supervised) -> None:
    session = await changed(supervised, "seq -s ' ' 1000 > a.txt; head -c 1000000 /dev/zero | tr '\\0' y >> a.txt")
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        await at_line(pilot, view, "three")
        before = shown(view)
        await pilot.press("l", "l")
        assert view.shift == 16
        assert shown(view) != before
        assert any("+ 9 10 11" in line for line in shown(view))
        await pilot.press("h", "h", "h")
        assert view.shift == 0
        assert shown(view) == before


async def test_commit_and_merge_work_from_it(supervised: Supervised) -> None:
    session = await changed(supervised)
    async with running_app(supervised.paths) as (app, pilot):
        await opened(app, pilot, session)
        await pilot.press("C")
        await until(lambda: len(app.screen_stack) == 3)
        await pilot.press(*"done", "enter")
        await until(lambda: any("committed" in note.message for note in app._notifications))
        await pilot.press("M")
        await until(lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(lambda: any("merged" in note.message for note in app._notifications))
        assert (supervised.repository / "with blank.py").exists()


async def test_a_diff_of_fifty_thousand_lines_opens_and_scrolls(supervised: Supervised) -> None:
    session = await changed(supervised, "seq -f 'value_%.0f = %.0f' 50000 > big.py; seq -f 'x_%.0f = 1' 50000 > big.py")
    async with running_app(supervised.paths) as (app, pilot):
        _, view = await opened(app, pilot, session)
        assert view.count() > 50_000
        text = await supervised.client.get(f"/sessions/{session.id}/diff")
        began = monotonic()
        files = parse(text["diff"])
        view.show(files)
        assert monotonic() - began < 3, "taking it apart and arranging it"
        await pilot.press("end")
        began = monotonic()
        for _ in range(20):
            view.action_page_up()
            shown(view)
        assert (monotonic() - began) / 20 < 0.1, "a page is drawn at once, whatever its place"
