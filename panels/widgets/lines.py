"""A list of lines of which only the visible ones are drawn, with a cursor that keys and the mouse move.

Everything long in the app is one of these: the fleet, approvals, events, transcripts, diffs, logs. The cost of a
frame depends on the height of the screen, never on the number of lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from panels.keys import bindings
from panels.palette import Palette, palette
from panels.view.wrapping import wrap

Span = tuple[str, str]
"""A text and the name of its style."""

Line = Sequence[Span]

KEPT: Final = 500
"""Lines that are remembered as they were drawn; more than any screen has."""

TWICE_S: Final = 1.0
"""Within this time a second ``g`` goes to the top."""


def noted(text: str, width: int, style: str = "dim") -> list[Line]:
    """Return lines that say something in so many cells where there is nothing else to be shown."""
    return [[(line, style)] for line in wrap(text, max(20, width))]


def width_of(line: Line) -> int:
    """Return how many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


class LineView(ScrollView, can_focus=True):
    """Shows `count` lines; a subclass says what `line` shows and which lines can be `chosen`.

    With ``follow`` it stays at the end, as long as the cursor is there.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--cursor", "lines--cursor-away", "lines--marked"}
    DEFAULT_CSS = """
    LineView {
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
        background: $background;
    }
    LineView > .lines--cursor { background: $primary-muted; }
    LineView > .lines--cursor-away { background: $panel; }
    LineView > .lines--marked { background: $accent-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("down", "up", "page_down", "page_up", "top", "first", "bottom", "open")
    ]

    MARKS_LINE: ClassVar[bool] = True
    """Whether the whole line of the cursor is marked; who draws several things in a line marks one of them itself."""

    cursor: reactive[int] = reactive(0, repaint=False)

    @dataclass
    class Moved(Message):
        """The cursor is on another line."""

        view: LineView
        index: int

        @property
        def control(self) -> LineView:
            """The view it happened in."""
            return self.view

    @dataclass
    class Opened(Message):
        """A line was chosen, by enter or by a second click."""

        view: LineView
        index: int

        @property
        def control(self) -> LineView:
            """The view it happened in."""
            return self.view

    def __init__(self, *, follow: bool = False, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.following = follow
        self._follow = follow
        self._room_before = Size()
        self._owed = 0
        self._last_g = 0.0
        self._styles_of: tuple[str, Palette] | None = None
        self._base: Style | None = None
        self._as_drawn: dict[int, Line] = {}

    # What a subclass says.

    def count(self) -> int:
        """Return the number of lines."""
        raise NotImplementedError

    def line(self, index: int, width: int) -> Line:
        """Return a line; what does not fit is cut off."""
        raise NotImplementedError

    def can_choose(self, index: int) -> bool:
        """Whether the cursor may stand on a line; headings are passed over."""
        return True

    def is_marked(self, index: int) -> bool:
        """Whether a line is marked."""
        return False

    def fit(self) -> None:
        """Called when there is another `room`: who lays lines out for a width does it anew."""

    def near_first(self) -> None:
        """Called when the reader comes near to the first line: who has older ones reads them."""

    def standing(self) -> tuple[int, int]:
        """Return which of the lines that can be chosen has the cursor, from 1 on, and how many there are."""
        chosen = [index for index in range(self.count()) if self.can_choose(index)]
        return bisect_right(chosen, self.cursor), len(chosen)

    # What it does.

    @property
    def room(self) -> Size:
        """The cells there are for lines. A hidden view keeps those it had: it hears of no size when it comes back."""
        return self.outer_size.region.shrink(self.styles.gutter).shrink(self.scrollbar_gutter).size

    @property
    def styles_by_name(self) -> Palette:
        """The styles of the theme in force."""
        theme = self.app.theme
        if self._styles_of is None or self._styles_of[0] != theme:
            self._styles_of = (theme, palette(self.app.theme_variables))
        return self._styles_of[1]

    def lines_changed(self, cursor: int | None = None, *, all_of_them: bool = True) -> None:
        """Draw anew after the lines have changed; ``cursor`` is where its line is now.

        Without ``all_of_them`` only those that look different now are drawn: for what changes many times a second.
        """
        count = self.count()
        size = Size(self.room.width, count)
        if size != self.virtual_size:
            # Assigned plainly it would lay out the whole screen, for every line that is added.
            self.set_reactive(ScrollView.virtual_size, size)
            self._scroll_update(size)
        if self.following and count:
            cursor = self._near(count - 1, -1)
        wanted = self.cursor if cursor is None else cursor
        wanted = self._near(max(0, min(wanted, count - 1)), 1)
        if wanted != self.cursor:
            self.cursor = wanted
        if self.following:
            self.scroll_at(self.max_scroll_y)
        if all_of_them:
            self.refresh()
        else:
            self._refresh_different()

    def lines_before(self, count: int) -> None:
        """Draw anew after so many lines were put before all others: the cursor and what is seen stay what they are."""
        top, owed = self.scroll_offset.y, self._owed
        self.lines_changed(self.cursor + count)
        self.scroll_at(top + count)
        if owed:
            self._turn_page(owed)

    def _refresh_different(self) -> None:
        top, width, count = self.scroll_offset.y, self.room.width, self.count()
        for index in range(top, top + self.size.height):
            drawn = self._as_drawn.get(index)
            if drawn != (self.line(index, width) if index < count else None):
                self._show(index)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        index = self.scroll_offset.y + y
        width = self.room.width
        base = self._base or self._take_base()
        if index >= self.count():
            self._as_drawn.pop(index, None)
            return Strip.blank(width, base)
        strip = self.strip(index, width)
        if index == self.cursor and self.MARKS_LINE:
            name = "lines--cursor" if self.has_focus else "lines--cursor-away"
            base += self.get_component_rich_style(name, partial=True)
        elif self.is_marked(index):
            base += self.get_component_rich_style("lines--marked", partial=True)
        return strip.extend_cell_length(width).crop(0, width).apply_style(base)

    def _take_base(self) -> Style:
        """Return the style that all lines have, which takes long to find out."""
        self._base = self.rich_style
        return self._base

    def notify_style_update(self) -> None:
        """Find the styles out anew."""
        self._base = None
        super().notify_style_update()

    def strip(self, index: int, width: int) -> Strip:
        """Return a line with its styles."""
        styles, line = self.styles_by_name, self.line(index, width)
        if len(self._as_drawn) > KEPT:
            self._as_drawn.clear()
        self._as_drawn[index] = line
        return Strip([Segment(text, styles[name]) for text, name in line])

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a line."""
        return max(0, min(cursor, self.count() - 1))

    def watch_cursor(self, before: int, after: int) -> None:
        """Show the line of the cursor, and say so."""
        self._show(before)
        self._show(after)
        self._owed = 0
        if self.is_mounted:
            self._scroll_to_cursor()
            self.post_message(self.Moved(self, after))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Say when the first line comes near, too."""
        super().watch_scroll_y(old_value, new_value)
        if new_value < self.size.height:
            self.near_first()

    def move(self, by: int) -> None:
        """Move the cursor by so many lines; past an end it stays there."""
        if by < 0 and self.cursor < self.size.height:
            self.near_first()
        count = self.count()
        if not count:
            return
        wanted = max(0, min(self.cursor + by, count - 1))
        self.cursor = self._near(wanted, 1 if by > 0 else -1)
        self.following = self._follow and self.cursor >= count - 1

    def _near(self, index: int, direction: int) -> int:
        """Return the nearest line that can be chosen, first in a direction, then in the other."""
        for step in (direction, -direction):
            found = index
            while 0 <= found < self.count():
                if self.can_choose(found):
                    return found
                found += step
        return index

    def _show(self, index: int) -> None:
        self.refresh_line(index - self.scroll_offset.y)

    def refresh_line(self, y: int) -> None:
        """Draw one line of the screen anew."""
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _scroll_to_cursor(self) -> None:
        top, height = self.scroll_offset.y, self.room.height
        first = self.cursor
        while first > 0 and not self.can_choose(first - 1):
            first -= 1  # A heading is shown with the first line below it.
        if first < top:
            self.scroll_at(first)
        elif self.cursor >= top + height > 0:
            self.scroll_at(self.cursor - height + 1)

    def scroll_at(self, line: int) -> None:
        """Have a line at the top, now: also before the bar for scrolling has come with the lines."""
        self.scroll_to(y=line, animate=False, force=True)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the lines into another width."""
        self._fit()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw a part. Textual can change a size without an event: when a map of the screen was made in between."""
        if self.room != self._room_before:
            self.call_later(self._fit)
        return super().render_lines(crop)

    def _fit(self) -> None:
        if self.room != self._room_before:
            self._room_before = self.room
            self.fit()
            self.lines_changed()
            self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the line that was clicked; a second click opens it."""
        index = self.scroll_offset.y + event.y - self.gutter.top
        if not (0 <= index < self.count() and self.can_choose(index)):
            return
        self.cursor = index
        self.following = self._follow and index >= self.count() - 1
        if event.chain == 2:
            self.post_message(self.Opened(self, index))

    def action_down(self) -> None:
        """Move one line down."""
        self.move(1)

    def action_up(self) -> None:
        """Move one line up."""
        self.move(-1)

    def action_page_down(self) -> None:
        """Move a page down."""
        self._turn_page(self._page())

    def action_page_up(self) -> None:
        """Move a page up."""
        self._turn_page(-self._page())

    def _turn_page(self, by: int) -> None:
        """Move what is seen with the cursor: a first page that only moves that would look like none."""
        top = self.scroll_offset.y
        self.move(by)
        self.scroll_at(max(0, min(top + by, self.max_scroll_y)))
        # Older lines may be on their way: what is left of the page is turned when they are there.
        self._owed = min(0, top + by)

    def action_first(self) -> None:
        """Move to the first line."""
        self.move(-self.count())
        self.scroll_at(0)

    def action_top(self) -> None:
        """Move to the first line when it is asked for twice."""
        if monotonic() - self._last_g < TWICE_S:
            self.action_first()
            self._last_g = 0.0
        else:
            self._last_g = monotonic()

    def action_bottom(self) -> None:
        """Move to the last line, and stay there if the view follows."""
        self.move(self.count())
        self.following = self._follow
        self.scroll_at(self.max_scroll_y)

    def action_open(self) -> None:
        """Open the line of the cursor."""
        if self.count() and self.can_choose(self.cursor):
            self.post_message(self.Opened(self, self.cursor))

    def _page(self) -> int:
        return max(1, self.room.height - 1)

    def on_focus(self) -> None:
        """Draw the cursor as where keys go."""
        self._show(self.cursor)

    def on_blur(self) -> None:
        """Draw the cursor as where keys would go."""
        self._show(self.cursor)
