"""What the person chose the last time, kept in a small file in the state folder."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = "app.json"
SIZE_LIMIT: Final = 64 * 1024
"""Bytes; a larger file is none of ours."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The theme, and the choices of the new-session dialog; empty ones were never made."""

    agent: str = ""
    executor: str = ""
    folder: str = ""
    budget: str = ""
    theme: str = ""


def load(state: Path) -> Remembered:
    """Return what was remembered in a state folder; a file that is missing or broken is as if there were none."""
    try:
        with (state / FILE).open("rb") as file:
            found: Any = json.loads(file.read(SIZE_LIMIT + 1))
    except (OSError, ValueError, RecursionError):
        return Remembered()
    if not isinstance(found, dict):
        return Remembered()
    names = Remembered.__dataclass_fields__
    return Remembered(**{name: value for name, value in found.items() if name in names and isinstance(value, str)})


def save(state: Path, choices: Remembered) -> None:
    """Remember choices for the next time, whole or not at all, readable by this user only.

    Raises OSError when the folder cannot be written to.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{FILE}-", dir=state)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(choices), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(state / FILE)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
