"""A supervisor that is killed and started again, on a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.paths import Paths
from tests.chaos.round import clean_up
from tests.chaos.victim import Victim


@contextmanager
def a_victim(tmp_path: Path) -> Iterator[Victim]:
    """A supervisor that was not started yet; it is killed afterwards, with all that it started."""
    paths = Paths.below(tmp_path / "h", environ={})
    paths.create()
    victim = Victim(paths, "", tmp_path / "failpoints")
    try:
        yield victim
    finally:
        victim.kill()
        clean_up(paths)
