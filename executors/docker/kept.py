"""The launch of a container's runner, kept (0600, boot-scoped) to start the runner anew.

It holds the secrets that the runner removes from the log, so it lives in the runtime folder alone.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from supervisor.engine.ports.processes import AttemptRef, Launch


@cache
def _shape() -> TypeAdapter[Launch]:
    return TypeAdapter(Launch)


def keep(launch: Launch) -> None:
    """Write a launch to ``<run>/<attempt>.relay``, unless it was kept before."""
    # What is typed first has been typed by then.
    text = _shape().dump_json(replace(launch, first_input=b""))
    with contextlib.suppress(FileExistsError):
        fd = os.open(_path(launch.run, launch.attempt), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(text)


def recall(run: Path, attempt: str) -> Launch | None:
    """Return the launch that was kept, or None."""
    try:
        return _shape().validate_json(_path(run, attempt).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def set_aside(ref: AttemptRef) -> None:
    """Make room for a new runner: rename what the dead one left."""
    for path in (ref.run / f"{ref.attempt}.started", ref.folder / f"exit-{ref.number}.json"):
        with contextlib.suppress(FileNotFoundError):
            path.rename(f"{path}.before")


def forget(run: Path, attempt: str) -> None:
    """Remove everything that was kept for an attempt."""
    for path in (_path(run, attempt), run / f"{attempt}.grace", run / f"{attempt}.started.before"):
        path.unlink(missing_ok=True)


def _path(run: Path, attempt: str) -> Path:
    return run / f"{attempt}.relay"
