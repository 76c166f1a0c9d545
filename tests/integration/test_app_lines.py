"""Views of lines while they are hidden, and keys that would go to what cannot be seen."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Button

from panels import themes
from panels.focus import keys_are_lost
from panels.widgets.laid import LaidView
from panels.widgets.lines import Line, LineView
from panels.widgets.rows import RowsView
from tests.support.app import becomes


def _width(width: int) -> Iterator[Line]:
    yield [(f"for {width} cells", "")]


class Views(App[None]):
    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.status_variables(dark=True)

    def compose(self) -> ComposeResult:
        yield LaidView(_width)
        yield Button("a key")

    @property
    def view(self) -> LaidView:
        return self.query_one(LaidView)


async def test_what_came_while_a_view_was_hidden_is_laid_out_for_its_width() -> None:
    app = Views()
    async with app.run_test(size=(60, 10)) as pilot:
        await becomes(pilot, lambda: app.view.line(0, 60) == [("for 60 cells", "")], "it fits")
        app.view.display = False
        await becomes(pilot, lambda: not app.view.region, "it is hidden")
        app.view.lay(_width)
        # When it is hidden and back between two layouts, it hears of no size.
        assert app.view.line(0, 60) == [("for 60 cells", "")]


async def test_a_size_that_comes_without_an_event_is_seen_when_it_is_drawn() -> None:
    class Deaf(LaidView):
        async def on_event(self, event: events.Event) -> None:
            if not isinstance(event, events.Resize):
                await super().on_event(event)

    class Silent(Views):
        def compose(self) -> ComposeResult:
            yield Deaf(_width)

    app = Silent()
    async with app.run_test(size=(60, 10)) as pilot:
        await becomes(pilot, lambda: app.view.line(0, 60) == [("for 60 cells", "")], "it fits")


async def test_a_view_that_was_never_shown_has_no_room() -> None:
    assert RowsView().room.width == 0


async def test_keys_to_what_was_hidden_are_lost() -> None:
    app = Views()
    async with app.run_test() as pilot:
        button = app.query_one(Button)
        app.screen.set_focus(button)
        assert not keys_are_lost(app.screen)
        app.screen.set_focus(None)
        assert keys_are_lost(app.screen)
        button.display = False
        await pilot.pause()
        app.screen.focused = button  # As when it was hidden between the wish and its granting.
        assert keys_are_lost(app.screen)


async def test_a_page_is_turned_when_the_lines_before_are_there() -> None:
    class Numbers(LineView):
        first = 100

        def count(self) -> int:
            return 200 - self.first

        def line(self, index: int, width: int) -> Line:
            return [(str(self.first + index), "")]

    class Counting(Views):
        def compose(self) -> ComposeResult:
            yield Numbers()

    app = Counting()
    async with app.run_test(size=(60, 10)) as pilot:
        numbers = app.query_one(Numbers)
        await pilot.press("pageup")
        numbers.first = 0
        numbers.lines_before(100)
        assert (numbers.cursor, numbers.scroll_offset.y) == (91, 91), "the page that was asked for is there"
        await pilot.press("home", "pageup", "down")
        numbers.first = -50
        numbers.lines_before(50)
        assert numbers.cursor == 51, "another key has come since"
