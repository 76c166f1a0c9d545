"""What binds a decision to what was shown.

A digest covers everything that decides what will happen; when any of it is different at the moment of use, the decision
does not count. Of a program that is run again, the files that it consists of are part of it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.model.approvals import Approval
from supervisor.model.entities import Session, Work

WHOLE_FILE: Final = 32 * 1024 * 1024
"""Bytes up to which a program is read; of a larger one its size and time of change stand for it."""

SCRIPT_OPERANDS: Final = 32
"""Arguments of a command that are looked at as files."""


def digest_of(session: str | None, attempt: str | None, asked: Mapping[str, Any]) -> str:
    """Return the digest (SHA-256, hexadecimal) of a question as it was asked, for one attempt."""
    return _digest({"session": session, "attempt": attempt, "asked": asked})


def is_intact(approval: Approval) -> bool:
    """Whether an approval still is what its digest was made of."""
    return approval.digest == digest_of(approval.session, approval.attempt, approval.asked)


def fingerprint(session: Session, work: Work) -> dict[str, Any]:
    """Return what a command that runs again would be: argv, folder, environment, program and scripts.

    Files are named by their digest. In a container only what the host decides can be seen.
    """
    found: dict[str, Any] = {
        "argv": list(work.argv),
        "cwd": session.worktree,
        "executor": session.executor,
        "image": session.image,
        "environment": _file(Path(session.folder) / "environment.json"),
    }
    if session.executor != "docker" and work.argv and session.worktree:
        found |= _files(work.argv, Path(session.worktree), _path_variable(session))
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of what is not the same in two fingerprints."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _files(argv: tuple[str, ...], folder: Path, path: str | None) -> dict[str, str]:
    program = str(folder / argv[0]) if "/" in argv[0] else shutil.which(argv[0], path=path)
    found = {f"program {program}": _file(Path(program))} if program else {"program": f"{argv[0]}: not found"}
    for operand in argv[1 : 1 + SCRIPT_OPERANDS]:
        file = folder / operand
        if _is_file(file):
            found[f"file {operand}"] = _file(file)
    return found


def _path_variable(session: Session) -> str | None:
    try:
        environment: dict[str, str] = msgspec.json.decode(
            (Path(session.folder) / "environment.json").read_bytes(), type=dict[str, str]
        )
    except (OSError, msgspec.MsgspecError):
        return None
    return environment.get("PATH")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _file(path: Path) -> str:
    try:
        real = path.resolve(strict=True)
        stat = real.stat()
        if stat.st_size > WHOLE_FILE:
            return f"{real} {stat.st_size} {stat.st_mtime_ns}"
        return f"{real} {hashlib.sha256(real.read_bytes()).hexdigest()}"
    except OSError as error:
        return f"{path}: {error.strerror}"


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
