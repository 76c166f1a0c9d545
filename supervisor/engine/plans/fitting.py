"""The command that holds a file against a JSON schema: a small program of this installation, as its own process.

File and schema come from whoever worked on the plan: what they make a validator do ends with the command's timeout.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PROGRAM: Final = str(Path(__file__).parents[3] / "executors" / "schemas")


def fitting(path: str, schema: str) -> tuple[str, tuple[str, ...]]:
    """Return in words, and as a command, that a file fits a schema."""
    return f"{path} fits {schema}", (sys.executable, "-I", PROGRAM, path, schema)
