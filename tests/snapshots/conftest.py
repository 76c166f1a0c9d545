"""Pictures are taken when the screen stands still: on a busy machine a frame may come late."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from difflib import unified_diff
from glob import escape
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

STILL_S = 1.3
"""For so long the screen must be the same: longer than the second after which keys that went nowhere are put back."""

LOOK_S = 0.05

Compare = Callable[..., bool]


async def _stands_still(pilot: Pilot[Any]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 45
    before, since = _look(pilot), loop.time()
    while loop.time() - since < STILL_S and loop.time() < deadline:
        await pilot.pause(LOOK_S)
        now = _look(pilot)
        if now != before:
            before, since = now, loop.time()


def _text(svg: str) -> list[str]:
    """What a picture shows, for a failure that says what is different."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        rows.setdefault(float(y), []).append((float(x), text))
    lines = ["".join(text for _, text in sorted(row)) for _, row in sorted(rows.items())]
    return [" ".join(html.unescape(line).split()) for line in lines]


def _look(pilot: Pilot[Any]) -> list[Any]:
    """Everything that is drawn, with its styles."""
    return [list(strip) for strip in pilot.app.screen._compositor.render_strips()]


@pytest.fixture(autouse=True)
def _no_blinking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda _: None)


@pytest.fixture
def snap_compare(snap_compare: Compare, request: pytest.FixtureRequest) -> Compare:
    def compare(app: Any, *, run_before: Callable[[Pilot[Any]], Any] | None = None, **more: Any) -> bool:
        seen: list[str] = []

        async def settled(pilot: Pilot[Any]) -> None:
            if run_before is not None:
                await run_before(pilot)
            await _stands_still(pilot)
            seen.append(pilot.app.export_screenshot())

        if snap_compare(app, run_before=settled, **more):
            return True
        kept = list(
            (request.path.parent / "__snapshots__" / request.path.stem).glob(f"*{escape(request.node.name)}.svg")
        )
        before = _text(kept[0].read_text()) if kept else []
        different = "\n".join(unified_diff(before, _text(seen[0]), "the picture", "the screen", n=1, lineterm=""))
        pytest.fail(different or "only the styles are different")

    return compare
