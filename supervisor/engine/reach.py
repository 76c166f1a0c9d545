"""Puts the `quarterdeck` command within reach of a session's programs."""

from __future__ import annotations

import logging
import os
import shutil
import sysconfig
from pathlib import Path

log = logging.getLogger(__name__)

COMMAND = "quarterdeck"


def with_command(path: str | None, state: Path) -> str | None:
    """Return a PATH on which `quarterdeck` is found: as it is where it has one, else with a folder added at its end.

    That folder, in ``state``, holds this installation's command and nothing else: no interpreter comes with it.
    """
    known = path or os.defpath
    script = Path(sysconfig.get_path("scripts")) / COMMAND
    if shutil.which(COMMAND, path=known) or not script.exists():
        return path
    link = state / "bin" / COMMAND
    try:
        _link(link, script)
    except OSError as error:
        log.info("`quarterdeck` is not on the PATH of sessions: %s", error)
        return path
    return os.pathsep.join((known, str(link.parent)))


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
