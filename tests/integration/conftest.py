"""A throw-away home, and a supervisor on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.supervised import Home, Supervised, throwaway_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as place:
        yield place


@pytest.fixture
async def supervised(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as running:
        yield running
