"""Pictures in the documentation load nothing and name nothing of the machine that drew them."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from supervisor.cli.demonstration.picture import self_contained

PICTURES = sorted((Path(__file__).parents[2] / "docs/pictures").glob("*.svg"))


def test_a_picture_of_the_console_loads_nothing() -> None:
    console = Console(file=io.StringIO(), record=True)
    console.print("Hello")
    drawn = console.export_svg(title="x")
    assert "cdnjs" in drawn, "else there is nothing to take out"
    kept = self_contained(drawn)
    assert set(re.findall(r"https?://[^\"' )]+", kept)) == {"http://www.w3.org/2000/svg"}
    assert "Fira" not in kept
    assert "Hello" in kept


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_what_is_kept_names_no_place(picture: Path) -> None:
    text = html.unescape(picture.read_text())
    assert set(re.findall(r"https?://[^\"' )]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "@font-face" not in text
    assert not re.search(r"/(root|home|work|Users)/(?!worktrees)", text)
