"""Keys below dialogs: lines are broken between them."""

from __future__ import annotations

import pytest

from panels.widgets.dialogkeys import DialogKey, arranged

KEYS = (DialogKey("^s", "Start"), DialogKey("^e", "In $EDITOR"), DialogKey("tab", "Next"), DialogKey("esc", "Cancel"))


@pytest.mark.parametrize("width", [0, 200])
def test_keys_with_room_stand_in_one_line(width: int) -> None:
    assert arranged(KEYS, width) == "^s  Start    ^e  In $EDITOR    tab  Next    esc  Cancel"


@pytest.mark.parametrize("width", range(14, 60))
def test_no_key_is_cut(width: int) -> None:
    lines = arranged(KEYS, width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert [pair for line in lines for pair in line.split("    ")] == [f"{key}  {label}" for key, label, _ in KEYS]


def test_a_click_does_what_the_key_does() -> None:
    assert arranged((DialogKey("y", "Yes", "screen.yes"),), 20) == "[@click=screen.yes]y  Yes[/]"
