"""The line over a list in which the person searches it; it is hidden while nothing is searched for."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import Input

from panels.view.finding import standing_words


class SearchBox(Input):
    """Its changes and its enter are `Input`'s messages; the panel that holds it hears them.

    At its right end stands which match of how many is chosen, as far as what was typed leaves room.
    """

    DEFAULT_CSS = """
    SearchBox { display: none; height: 1; padding: 0 1; background: $surface; }
    SearchBox, SearchBox:focus { border: none; }
    SearchBox.-open { display: block; }
    """

    found: reactive[str] = reactive("")

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, id="search", select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

    def say(self, standing: tuple[int, int], *, more: bool = False) -> None:
        """Say which match of how many is chosen; ``more`` when not everything was read yet."""
        self.found = standing_words(*standing, more=more) if self.value else ""

    def render_line(self, y: int) -> Strip:
        """Draw what was typed, and what was found."""
        strip, width = super().render_line(y), self.scrollable_content_region.width
        found = f" {self.found}" if self.found else ""
        if y or not found or cell_len(self.value) + 1 > width - cell_len(found):
            return strip
        style = self.get_component_rich_style("input--placeholder")
        return Strip([*strip.extend_cell_length(width).crop(0, width - cell_len(found)), Segment(found, style)])

    def open(self) -> None:
        """Show it, and put the keys into it."""
        self.add_class("-open")
        self.focus()

    def close(self) -> None:
        """Search for nothing any more."""
        self.value = ""
        self.remove_class("-open")

    def done(self) -> None:
        """Leave it with enter: it stays as long as it narrows the list."""
        if not self.value:
            self.remove_class("-open")
