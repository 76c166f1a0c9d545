"""Small screens over another one: yes or no, a line or a text, one of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from supervisor.model.plain import clean

R = TypeVar("R")
CANCEL: Final = Binding("escape", "dismiss_none", "Cancel", show=False)


class Dialog(ModalScreen[R]):
    """A box in the middle. Escape closes it without a result."""

    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def action_dismiss_none(self) -> None:
        """Close it without a result."""
        self.dismiss(None)


class Confirm(Dialog[bool]):
    """Asks yes or no. ``body`` says exactly what happens, and what would be lost; with ``danger`` it looks so."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes"),
        Binding("enter", "agree", "Yes"),
        Binding("n", "dismiss_none", "No"),
    ]

    def __init__(self, title: str, body: str, *, yes: str = "Yes", danger: bool = False) -> None:
        super().__init__(classes="-danger" if danger else "")
        self._title, self._body, self._yes, self._danger = title, body, yes, danger

    def compose(self) -> ComposeResult:
        """Put in the question, what it means, and the keys."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-body", can_focus=False):
                yield Static(clean(self._body), markup=False)
            yield Static(f"[@click=screen.yes]y  {self._yes}[/]    [@click=screen.dismiss_none]n  No[/]")

    def action_yes(self) -> None:
        """Close it with a yes."""
        self.dismiss(True)

    def action_agree(self) -> None:
        """Enter is a yes, too, but where something would be lost: there it may be a slip."""
        if not self._danger:
            self.action_yes()


class AskLine(Dialog[str]):
    """Asks for one line; an empty one is no answer unless ``empty`` allows it."""

    def __init__(
        self, title: str, body: str = "", *, value: str = "", hint: str = "", empty: bool = False, does: str = "Done"
    ) -> None:
        super().__init__()
        self._title, self._body, self._value, self._hint, self._empty = title, body, value, hint, empty
        self._does = does

    def compose(self) -> ComposeResult:
        """Put in the question and the line."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            if self._body:
                yield Static(clean(self._body), classes="dialog-body", markup=False)
            yield Input(self._value, placeholder=self._hint)
            yield Static(f"enter  {self._does}    esc  Cancel", id="keys", classes="dialog-keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close it with the line."""
        if event.value.strip() or self._empty:
            self.dismiss(event.value.strip())
        else:
            self.query_one("#keys", Static).update("Write something first.    esc  Cancel")


class AskText(Dialog[str]):
    """Asks for a text of several lines; an empty one is no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,ctrl+j", "send", "Send", priority=True),
        Binding("ctrl+e", "editor", "In $EDITOR", priority=True),
    ]
    DEFAULT_CSS = """
    AskText TextArea { height: 10; border: tall $panel; }
    AskText TextArea:focus { border: tall $primary; }
    """

    def __init__(self, title: str, body: str = "", *, value: str = "", does: str = "Send") -> None:
        super().__init__()
        self._title, self._body, self._value, self._does = title, body, value, does
        self._warned_of = value

    def compose(self) -> ComposeResult:
        """Put in the question and the text."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            if self._body:
                yield Static(clean(self._body), classes="dialog-body", markup=False)
            yield TextArea(self._value, soft_wrap=True)
            yield Static(
                f"[@click=screen.send]^s  {self._does}[/]    [@click=screen.editor]^e  In $EDITOR[/]    esc  Cancel",
                id="keys",
                classes="dialog-keys",
            )

    def action_dismiss_none(self) -> None:
        """Close it without a result. What was written goes only when it is asked for twice."""
        text = self.query_one(TextArea).text
        if text.strip() and text != self._warned_of:
            self._warned_of = text
            self.query_one("#keys", Static).update(
                f"esc again throws away what you wrote    [@click=screen.send]^s  {self._does}[/]"
            )
            return
        super().action_dismiss_none()

    def action_send(self) -> None:
        """Close it with the text."""
        text = self.query_one(TextArea).text.strip()
        if text:
            self.dismiss(text)

    def action_editor(self) -> None:
        """Go on writing in the person's editor."""
        from panels.shell import shell

        area = self.query_one(TextArea)
        edited = shell(self).edit(area.text)
        if edited is not None:
            area.text = edited


class Choose(Dialog[str]):
    """Asks for one of several; ``options`` are values with what they are called."""

    DEFAULT_CSS = """
    Choose OptionList { height: auto; max-height: 20; border: none; background: $surface; }
    """

    def __init__(self, title: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._options = title, options

    def compose(self) -> ComposeResult:
        """Put in the question and what there is to choose from."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            yield OptionList(*(Option(clean(label), id=value) for value, label in self._options), markup=False)
            yield Static("enter  Choose    esc  Cancel", classes="dialog-keys")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Close it with what was chosen."""
        self.dismiss(event.option_id)
