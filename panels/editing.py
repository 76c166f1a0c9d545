"""How a file is opened at a line in the editor that a person uses."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Final

from supervisor.model.errors import InvalidInput, NotFound

_AFTER_A_COLON: Final = frozenset({"hx", "helix", "subl", "zed", "micro"})
_WITH_GOTO: Final = frozenset({"code", "code-insiders", "codium", "cursor", "windsurf"})


def editor_at(file: Path, line: int) -> list[str]:
    """Return the command that opens a file at a line (from 1) in $VISUAL, $EDITOR or vi.

    NotFound when there is no such program, InvalidInput when the variable is no command.
    """
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        command = shlex.split(wanted)
    except ValueError as error:
        raise InvalidInput(f"The editor {wanted!r} is no command: {error}.", hint="Set EDITOR.") from error
    if not command or shutil.which(command[0]) is None:
        raise NotFound(f"The editor {wanted!r} is not installed.", hint="Set EDITOR.")
    program = Path(command[0]).name
    if program in _WITH_GOTO:
        return [*command, "--goto", f"{file}:{line}"]
    if program in _AFTER_A_COLON:
        return [*command, f"{file}:{line}"]
    return [*command, f"+{line}", str(file)]


def inside(worktree: str, path: str) -> Path:
    """Return a file of a worktree; NotFound when it is not there, or leads out of it."""
    root = Path(worktree).resolve()
    file = (root / path).resolve()
    if not file.is_relative_to(root):
        raise NotFound(f"{path} leads out of the worktree.", hint="Open it yourself if you trust it.")
    if not file.is_file():
        raise NotFound(f"{path} is not in the worktree any more.", hint="F5 reads the changes again.")
    return file
