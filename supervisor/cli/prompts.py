"""Prompts from the command line or from a file."""

from __future__ import annotations

import sys
from pathlib import Path

from supervisor.model.errors import InvalidInput


def read_prompt(text: str | None, file: Path | None) -> str | None:
    """Return the prompt that was given either way; ``-`` as the file is stdin."""
    if file is None:
        return text
    if text is not None:
        raise InvalidInput("--prompt and --prompt-file exclude each other.", hint="Give one of them.")
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text()
    except OSError as error:
        raise InvalidInput(
            f"The prompt file {file} cannot be read: {error.strerror}.", hint="Check its path."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The prompt file {file} is not UTF-8 text.", hint="Convert it.") from error
