"""The app in a real browser, on a real supervisor: what is seen there, and a decision made there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.paths import HOME_VARIABLE
from supervisor.cli.browser.server import serving
from supervisor.model.statuses import SessionStatus
from tests.support.browser import chromium
from tests.support.supervised import Home


@pytest.mark.chromium
@pytest.mark.timeout(180)
async def test_chromium_dbg(tmp_path: Path) -> None:
    async with serving("127.0.0.1", 0) as server, chromium(tmp_path / "browser") as tab:
        await tab.open(server.url)
        await tab.shows("Fleet")
