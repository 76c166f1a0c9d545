"""The line over a list in which the person searches it; it is hidden while nothing is searched for."""

from __future__ import annotations

from textual.widgets import Input


class SearchBox(Input):
    """Its changes and its enter are `Input`'s messages; the panel that holds it hears them."""

    DEFAULT_CSS = """
    SearchBox { display: none; height: 1; padding: 0 1; background: $surface; }
    SearchBox, SearchBox:focus { border: none; }
    SearchBox.-open { display: block; }
    """

    def __init__(self, placeholder: str = "") -> None:
        super().__init__(placeholder=placeholder, id="search", select_on_focus=False)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

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
