"""A session's own screen on a real supervisor: head, tabs, log, raw log, files, timeline, cost, keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from panels.app import QuarterdeckApp
from panels.dialogs import AskText, Confirm
from panels.screens.main import MainScreen
from panels.screens.session import TABS, SessionScreen
from panels.view.cost import Turn
from panels.widgets.content import ContentView
from panels.widgets.cost import CostPane, TurnTable
from panels.widgets.filespane import FileTreeView
from panels.widgets.head import Head
from panels.widgets.logpane import LogPane
from panels.widgets.rawlog import RawLog
from panels.widgets.slider import Slider
from panels.widgets.timeline import TimelinePane
from panels.widgets.transcript import PAGE, TranscriptView
from supervisor.model.events import NewEvent
from supervisor.store import events
from tests.support.session_app import no_revival, running_app, session_screen, shown, text_of
from tests.support.sessions import approval_json
from tests.support.supervised import Home, Supervised
from tests.wait import until

START = 4_000_000_000_000
"""Later than anything that really happens in a test: numbers follow time."""

HOSTILE = "[red]m[/red] \\033[2J\\033]0;t\\007 \\342\\200\\256bidi 漢字🦊"


def until_exists(file: Path) -> str:
    """What a shell runs to wait for a file."""
    return f"while [ ! -e {file} ]; do sleep 0.02; done"


async def test_every_tab_is_reached_by_keys_and_by_the_mouse(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("sh", "-c", "echo hello"))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        seen = [screen.tab]
        for _ in range(len(TABS)):
            await pilot.press("right_square_bracket")
            await pilot.pause()
            seen.append(screen.tab)
        assert seen == [*TABS, "log"]
        await pilot.press("left_square_bracket")
        assert screen.tab == "cost"
        await pilot.click("#tabs", offset=(8, 0))
        await until(lambda: screen.tab == "raw" and isinstance(screen.focused, RawLog))
        await pilot.press("d")
        assert screen.tab == "diff"
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen))


async def test_the_head_says_what_it_is_and_changes_with_it(supervised: Supervised) -> None:
    session = await supervised.run("sh", "-c", "echo up; sleep 60", name="fixer")
    await supervised.printed(session, "up")
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        head = screen.query_one(Head)
        assert "● fixer" in head.render_line(0).text
        assert "command" in head.render_line(0).text
        assert "running" in head.render_line(1).text
        await pilot.press("x")
        await until(lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(lambda: "■ fixer" in head.render_line(0).text and "cancelled" in head.render_line(1).text)
        assert screen.check_action("stop", ()) is False
        assert screen.check_action("restart", ()) is True


async def test_an_archived_session_is_read_by_itself(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true", name="old"))
    await supervised.engine.control.archive(session.id, "person:test")
    async with running_app(supervised.paths) as (app, _):
        app.open_session(session.id)
        await until(lambda: "old" in text_of(app) and "archived" in text_of(app))


async def test_a_session_that_does_not_exist_says_so(supervised: Supervised) -> None:
    async with running_app(supervised.paths) as (app, _):
        app.open_session("ses_nothing")
        await until(lambda: "no session" in text_of(app))


async def test_what_it_waits_for_is_said_and_reached(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await supervised.run("sh", "-c", "sleep 60")
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        assert screen.check_action("approve", ()) is False
        app.view.take_approvals([approval_json(session.id, "May I [b]go[/b]?")])
        app._changed(app.view.take_changes())
        await until(lambda: screen.has_class("-asked"))
        await pilot.pause()
        assert "May I [b]go[/b]?" in text_of(app)
        asked: list[str] = []
        monkeypatch.setattr(app, "show_approval", asked.append)
        await pilot.press("a")
        assert asked == ["apr_1"]
        await pilot.click("#asked")
        assert asked == ["apr_1", "apr_1"]


async def test_a_message_goes_on_with_one_that_has_ended(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "hello"}))
    async with running_app(supervised.paths) as (app, pilot):
        await session_screen(app, pilot, session.id)
        await until(lambda: "hello" in text_of(app))
        await pilot.press("m")
        await until(lambda: isinstance(app.screen, AskText))
        await pilot.press("h", "i", "ctrl+s")
        await until(lambda: "You said: hi" in text_of(app), what="the log shows the answer, live")


async def test_the_next_that_waits_is_opened_in_its_place(supervised: Supervised) -> None:
    first = await supervised.ended(await supervised.run("true"))
    second = await supervised.ended(await supervised.run("true"))
    async with running_app(supervised.paths) as (app, pilot):
        await session_screen(app, pilot, first.id)
        await pilot.press("w")
        await until(lambda: any("Nothing else waits" in note.message for note in app._notifications))
        app.view.sessions[second.id].status = "waiting"
        await pilot.press("w")
        await until(lambda: isinstance(app.screen, SessionScreen) and app.screen.session_id == second.id)
        assert len(app.screen_stack) == 2


async def test_the_fleet_learns_how_much_was_changed(supervised: Supervised) -> None:
    before = await supervised.ended(await supervised.run("sh", "-c", "seq 3 > new.txt; echo > a.txt"))
    gate = supervised.paths.state / "gate"
    live = await supervised.run("sh", "-c", f"{until_exists(gate)}; seq 7 > new.txt")
    async with running_app(supervised.paths) as (app, _):
        await until(lambda: (app.view.sessions[before.id].added, app.view.sessions[before.id].removed) == (4, 3))
        assert app.view.sessions[live.id].added is None
        gate.touch()
        await until(lambda: app.view.sessions[live.id].added == 7, what="it is measured at its end")


async def test_the_log_has_what_was_said_while_the_supervisor_was_away(home: Home) -> None:
    gate = home.paths.state / "gate"
    async with home.supervised() as first:
        script = f"echo before; {until_exists(gate)}; seq -f 'away %g' 50; sleep 60"
        session = await first.run("sh", "-c", script)
        await first.printed(session, "before")
        app = QuarterdeckApp(home.paths, no_revival)
        testing = app.run_test(size=(80, 24))
        pilot = await testing.__aenter__()
        await until(lambda: app.view.connection.state == "live")
        screen = await session_screen(app, pilot, session.id)
        log = screen.query_one("#log", TranscriptView)
        await until(lambda: any("before" in line for line in shown(log)))
    await until(lambda: app.view.connection.state == "away")
    gate.touch()
    async with home.supervised():
        await until(lambda: any("away 50" in line for line in shown(log)), what="the log catches up")
        texts = "\n".join(block.text for block in log.transcript.blocks if block.kind == "output").split()
        assert texts == ["before", *" ".join(f"away {n}" for n in range(1, 51)).split()]
        await testing.__aexit__(None, None, None)


# The log.


async def stored(supervised: Supervised, count: int, *, last: str = "the end") -> str:
    """Store a session of many events; returns its id."""
    session = await supervised.ended(await supervised.run("true", name="long"))
    new = [
        NewEvent("message", "tool", START + number * 1_000, payload={"text": f"message {number}"})
        if number % 7 == 0
        else NewEvent("output", "tool", START + number * 1_000, payload={"text": f"event {number}\n" * 2})
        for number in range(count)
    ]
    new.append(NewEvent("message", "tool", START + count * 1_000, payload={"text": last}))
    await supervised.engine.store.submit(lambda conn: events.append(conn, new, session=session.id))
    return session.id


async def test_search_goes_on_into_older_pages_and_back(supervised: Supervised) -> None:
    session = await stored(supervised, 3 * PAGE)
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session)
        log = screen.query_one("#log", TranscriptView)
        await until(lambda: log.transcript.blocks)
        assert not log.complete
        found = screen.query_one("#found", Static)
        await pilot.press("slash", *"message 28")
        read = [f"message {number}" for number in range(0, 3 * PAGE, 7) if log.transcript.blocks]
        many = sum("message 28" in block.text for block in log.transcript.blocks)
        await until(lambda: f"{many} of {many}+  enter" in str(found.render()), what="the newest of what is read")
        assert 0 < many < sum("message 28" in text for text in read)
        await pilot.press("up")
        await until(lambda: f"{many - 1} of {many}+" in str(found.render()))
        await pilot.press("down", "down")
        await until(lambda: f"{many} of {many}+  that was the last match" in str(found.render()))
        await pilot.press("ctrl+u", *"nowhere")
        await until(lambda: "no match yet  enter looks in older ones" in str(found.render()))
        await pilot.press("ctrl+u", *"message 7", "enter")
        await until(lambda: "message 7" in log.render_line(log.cursor - log.scroll_offset.y).text)
        block = log.block_at(log.cursor)
        assert block is not None
        await pilot.press("ctrl+u", *"message 21", "space", "backspace", "up")
        await until(lambda: getattr(log.block_at(log.cursor), "text", "").startswith("message 21"))
        for _ in range(40):
            await pilot.press("up")
        await until(lambda: log.complete and "no match before" in str(found.render()), what="the beginning is reached")
        many = sum("message 21" in text for text in read)
        assert str(found.render()) == f"1 of {many}  no match before this"
        await pilot.press("ctrl+u", *"nowhere")
        await until(lambda: str(found.render()) == "no match", what="everything is read")
        await pilot.press("ctrl+u", *"message 21")
        assert getattr(log.block_at(log.cursor), "text", "") == "message 21"
        await pilot.press("escape")
        assert log.has_focus
        assert log.wanted is None


async def test_matches_of_a_long_log_are_counted_little_by_little(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await stored(supervised, PAGE // 4)
    monkeypatch.setattr("panels.widgets.transcript.COUNT_S", -1)
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session)
        log, found = screen.query_one("#log", TranscriptView), screen.query_one("#found", Static)
        await until(lambda: log.transcript.blocks)
        await pilot.press("slash", *"event 1")
        await until(lambda: "counting…  enter next" in str(found.render()))
        monkeypatch.setattr("panels.widgets.transcript.COUNT_S", 1)
        await until(lambda: " of " in str(found.render()), what="they are counted")


async def test_a_folded_match_is_opened(supervised: Supervised) -> None:
    session = await supervised.ended(
        await supervised.script({"run": "seq 500 540; echo needle in a haystack"}, {"say": "."})
    )
    async with running_app(supervised.paths) as (app, pilot):
        await session_screen(app, pilot, session.id)
        await until(lambda: "o opens them" in text_of(app))
        assert "needle in a haystack" not in "\n".join(line for line in text_of(app).splitlines() if "seq" not in line)
        await pilot.press("slash", *"540")
        await until(lambda: "│ 540" in text_of(app))
        assert "│ needle in a haystack" in text_of(app)


async def test_an_older_page_is_put_before_without_moving_what_is_read(supervised: Supervised) -> None:
    session = await stored(supervised, 2 * PAGE)
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session)
        log = screen.query_one("#log", TranscriptView)
        await until(lambda: log.transcript.blocks)
        rows = log.count()
        kept = log._rows[-1]
        await pilot.press("home")
        await until(lambda: log.count() > rows, what="an older page")
        assert log._rows[-1] is kept, "what was laid out is not laid out anew"
        await until(lambda: not log._reading)
        assert log.cursor == log.scroll_offset.y > 0, "the line at the top is the one that was there"
        first = log.transcript.blocks[0].seq
        assert all(block.seq >= first for block in log.transcript.blocks)
        assert [block.seq for block in log.transcript.blocks] == sorted(block.seq for block in log.transcript.blocks)


async def test_the_filter_goes_through_its_kinds(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("sh", "-c", "echo said; exit 1"))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        log = screen.query_one("#log", TranscriptView)
        await until(lambda: any("said" in line for line in shown(log)))
        await pilot.press("f")
        assert [line.strip() for line in shown(log) if line] == ["said"]
        await pilot.press("f")
        await pilot.pause()
        assert "Nothing of this kind" in shown(log)[0]
        assert "only tools" in text_of(app)
        await pilot.press("f")
        assert any("failed" in line for line in shown(log))
        assert not any("said" in line for line in shown(log))
        await pilot.press("f")
        assert any("said" in line for line in shown(log))


async def test_the_replay_shows_the_log_as_it_was(supervised: Supervised) -> None:
    session = await stored(supervised, 200)
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session)
        log, pane = screen.query_one("#log", TranscriptView), screen.query_one(LogPane)
        await until(lambda: log.transcript.blocks)
        newest = log.transcript.last_seq
        await pilot.press("T")
        slider = screen.query_one(Slider)
        await until(lambda: pane.has_class("-replaying") and slider.has_focus)
        slider.span(START, START + 200_000)
        await pilot.press("home")
        await until(lambda: log.transcript.blocks and log.transcript.last_seq < newest - 190)
        for _ in range(50):
            await pilot.press("right")
        middle = newest - 100
        await until(lambda: abs(log.transcript.last_seq - middle) <= 4, what="the middle")
        await pilot.click("#slider", offset=(slider.size.width // 4, 0))
        await until(lambda: log.transcript.last_seq < middle - 20)
        await pilot.press("escape")
        await until(lambda: log.transcript.last_seq == newest and log.until is None)
        assert not pane.has_class("-replaying")
        assert log.has_focus


async def test_hostile_output_is_only_text(supervised: Supervised) -> None:
    script = f"printf '{HOSTILE}\\n'; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after"
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        await until(lambda: "after" in text_of(app))
        await pilot.press("home")
        await until(lambda: "[red]m[/red]" in text_of(app))
        await pilot.press("right_square_bracket")
        await until(lambda: "1.0M characters" in text_of(app))
        raw = screen.query_one(RawLog)
        await until(lambda: raw.has_focus, what="the raw log has the keys")
        await pilot.press("home")
        await until(lambda: "[red]m[/red]" in text_of(app))
        text = text_of(app)
        assert "漢字" in text
        assert not any(letter in text for letter in "\x1b\x07\u202e")
        await pilot.press("l")
        assert raw.shift == 8
        assert "red]  bidi" in raw.render_line(0).text
        assert "[red]m" not in raw.render_line(0).text
        await pilot.press("h")
        assert raw.shift == 0


# The raw log.


async def test_the_raw_log_is_live_and_reads_back(supervised: Supervised) -> None:
    gate = supervised.paths.state / "gate"
    script = f"seq -f 'line %g' 20000; {until_exists(gate)}; echo got more >&2; sleep 60"
    session = await supervised.run("sh", "-c", script)
    await supervised.printed(session, "line 20000")
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "raw")
        raw = screen.query_one(RawLog)
        await until(lambda: any("line 20000" in line for line in shown(raw)))
        assert raw.log_lines.offset > 0
        gate.touch()
        await until(lambda: any("err got more" in line for line in shown(raw)), what="the log goes on")
        known = raw.count()
        await pilot.press("home")
        await until(lambda: raw.count() > known, what="an older page")
        assert raw.cursor == raw.scroll_offset.y > 0, "the line at the top is the one that was there"
        while raw.log_lines.has_older:
            await pilot.press("home")
            await pilot.pause()
        texts = [line.text for line in raw.log_lines.lines if line.stream == "stdout"]
        assert texts == [f"line {number}" for number in range(1, 20_001)]


async def test_an_empty_log_teaches(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    async with running_app(supervised.paths) as (app, pilot):
        await session_screen(app, pilot, session.id, "raw")
        await until(lambda: "Nothing was written yet" in text_of(app))


# Files, timeline, cost.


async def test_files_are_listed_and_shown(supervised: Supervised) -> None:
    script = "mkdir -p src/deep; printf 'x = 1  # [b]no[/b]\\n' > src/deep/new.py; rm a.txt; printf '\\0' > data.bin"
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "files")
        tree, content = screen.query_one(FileTreeView), screen.query_one(ContentView)
        await until(lambda: tree.rows)
        names = [line.strip() for line in shown(tree) if line]
        assert names[:3] == ["▸ folder/ 1", "▾ src/ 1 of 1", "▾ deep/ 1 of 1"]
        assert tree.entry is not None
        assert tree.entry.path == "src/deep/new.py"
        await pilot.press("enter")
        await until(lambda: content.has_focus)
        assert "x = 1  # [b]no[/b]" in content.render_line(1).text
        await pilot.press("escape")
        assert tree.has_focus
        await pilot.press("home", "enter")
        assert any("b.txt" in line for line in shown(tree))
        while tree.entry is not None and tree.entry.path != "data.bin":
            await pilot.press("down")
        await pilot.press("enter")
        await until(lambda: content.path == "data.bin")
        assert "a binary file" in content.render_line(0).text


async def test_files_are_beside_their_content_where_there_is_room(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    async with running_app(supervised.paths, size=(160, 48)) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "files")
        await until(lambda: screen.query_one(FileTreeView).rows)
        assert screen.query_one(ContentView).display
        assert screen.query_one(FileTreeView).display


async def test_the_timeline_says_why_and_changes(supervised: Supervised) -> None:
    gate = supervised.paths.state / "gate"
    session = await supervised.run("sh", "-c", f"{until_exists(gate)}; exit 4")
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "timeline")
        pane = screen.query_one(TimelinePane)
        await until(lambda: any("● running" in line for line in shown(pane)))
        gate.touch()
        await until(lambda: any("exit code 4" in line for line in shown(pane)))
        await until(lambda: any("✕ failed" in line for line in shown(pane)))
        assert any("▶" in line for line in shown(pane))


async def test_cost_says_when_there_is_none(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    async with running_app(supervised.paths) as (app, pilot):
        await session_screen(app, pilot, session.id, "cost")
        await until(lambda: "neither tokens nor cost" in text_of(app))


async def test_cost_is_drawn_by_turn(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    payloads = [
        {"is_error": n == 2, "tokens": {"input": 1_000 * n, "output": 10, "cached": 5}, "process_cost_usd": n / 4}
        for n in (1, 2, 3)
    ]
    new = [NewEvent("turn_ended", "autonomy", START + n, payload=payload) for n, payload in enumerate(payloads, 1)]
    await supervised.engine.store.submit(lambda conn: events.append(conn, new, session=session.id))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id, "cost")
        table = screen.query_one(TurnTable)
        await until(lambda: table.turns)
        assert table.turns[0] == Turn(1, START + 1, 1_000, 10, 5, 0.25, 0.25, False)
        assert "✕  2" in shown(table)[2]
        await pilot.pause()
        assert "3 turns · 6.0k in, 30 out · $0.750" in text_of(app)
        assert "Cost in all" in text_of(app)
        assert not screen.query_one(CostPane).has_class("-silent")


async def test_what_cannot_be_read_is_said_in_every_tab(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    async with running_app(supervised.paths) as (app, pilot):
        screen = await session_screen(app, pilot, session.id)
        screen.session_id = "ses_gone"
        for tab in TABS:
            screen.show(tab)
            await pilot.pause()
            for pane in screen.query(f"#pane-{tab}"):
                if tab != "log":
                    await until(lambda: "no session" in text_of(app), what=f"{tab} says what is wrong")
                    assert pane.display
