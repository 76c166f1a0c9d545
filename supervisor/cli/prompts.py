"""Longer texts, such as prompts, from the command line or from a file."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

from supervisor.model.errors import InvalidInput

PROMPT_LIMIT = 1024 * 1024
"""Bytes. More is no prompt but a mistake, such as a device that never ends."""


def read_prompt(text: str | None, file: Path | None, *, what: str = "prompt") -> str | None:
    """Return the text that was given either way, as ``--WHAT`` or ``--WHAT-file``; ``-`` as the file is stdin."""
    if file is None:
        return text
    if text is not None:
        raise InvalidInput(f"--{what} and --{what}-file exclude each other.", hint="Give one of them.")
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as source:
            data = source.read(PROMPT_LIMIT + 1)
        if len(data) > PROMPT_LIMIT:
            raise InvalidInput(
                f"The {what} file {file} is too long; a {what} has at most 1 MiB.",
                hint=f"Name the file in a short {what}.",
            )
        return data.decode()
    except OSError as error:
        raise InvalidInput(
            f"The {what} file {file} cannot be read: {error.strerror}.", hint="Check its path."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The {what} file {file} is not UTF-8 text.", hint="Convert it.") from error
