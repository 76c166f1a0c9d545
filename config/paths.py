"""Where Quarterdeck keeps things. Nothing here touches the disk except `Paths.create`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.model.errors import ConfigError, Refused

HOME_VARIABLE = "QUARTERDECK_HOME"

SOCKET_PATH_LIMIT = 100
"""Bytes. The kernel takes 107 on Linux and 103 on macOS; the rest is room for temporary names."""

_LONGEST_SOCKET = "att_" + "0" * 26 + ".sock"


@dataclass(frozen=True, slots=True)
class Paths:
    """Every place that Quarterdeck uses.

    ``state`` lasts, ``run`` holds what belongs to one boot (sockets, claims), ``config_file`` is the
    user's own configuration. ``home`` is set when one folder holds all three.
    """

    state: Path
    config_file: Path
    run: Path
    home: Path | None = None

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Return the places for this user: below ``QUARTERDECK_HOME`` when set, else the platform's."""
        environ = os.environ if environ is None else environ
        given = environ.get(HOME_VARIABLE)
        if given:
            return cls.below(Path(given), environ)
        import platformdirs

        state = platformdirs.user_state_path("quarterdeck")
        config = platformdirs.user_config_path("quarterdeck")
        base = _runtime_base(environ)
        run = base / "quarterdeck" if base else _short_run(state, environ)
        return cls(state=state, config_file=config / "config.yaml", run=_fitting(run, state, environ))

    @classmethod
    def below(cls, home: Path, environ: Mapping[str, str] | None = None) -> Paths:
        """Return the places of an installation that keeps everything in one folder."""
        environ = os.environ if environ is None else environ
        if "\0" in str(home):
            raise ConfigError(f"{HOME_VARIABLE} holds a NUL byte.", hint="Set it to the path of a folder.")
        home = home.expanduser().absolute()
        run = _fitting(home / "run", home, environ)
        return cls(state=home, config_file=home / "config.yaml", run=run, home=home)

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.state / "quarterdeck.db"

    @property
    def sessions(self) -> Path:
        """One folder per session: spool, exit records, metadata."""
        return self.state / "sessions"

    @property
    def worktrees(self) -> Path:
        """The sessions' git worktrees."""
        return self.state / "worktrees"

    @property
    def backups(self) -> Path:
        """Copies of the database."""
        return self.state / "backups"

    @property
    def artifacts(self) -> Path:
        """What is in artifacts, in files named by its hash."""
        return self.state / "artifacts"

    @property
    def token_file(self) -> Path:
        """The token of the person who owns this installation, mode 0600."""
        return self.state / "token"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor of this state folder."""
        return self.state / "supervisor.lock"

    @property
    def log(self) -> Path:
        """What a supervisor in the background says."""
        return self.state / "supervisor.log"

    @property
    def socket(self) -> Path:
        """Where the supervisor's API listens."""
        return self.run / "api.sock"

    def create(self) -> None:
        """Make the folders, private to this user. Refused when one belongs to somebody else."""
        for folder in (self.state, self.sessions, self.worktrees, self.backups, self.artifacts):
            make_private(folder.resolve())  # on another disk by a link: the user's choice
        if self.run.parent.name == _shared_name():
            make_private(self.run.parent)
        make_private(self.run)


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter; take the rights of others away from an old one.

    Raises Refused when it is a link, no folder, or somebody else's: a folder in a shared place such as
    ``/tmp`` could have been put there to listen in.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise Refused(f"{folder} is a link, not a folder.", hint="Remove it, then try again.")
        if found.st_uid != os.geteuid():
            raise Refused(
                f"{folder} belongs to another user (uid {found.st_uid}).",
                hint=f"Set {HOME_VARIABLE} to a folder of your own.",
            )
        if found.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise Refused(
            f"The folder {folder} cannot be used: {error.strerror}.",
            hint=f"Set {HOME_VARIABLE} to a folder that you can write to.",
        ) from error


def _fitting(run: Path, state: Path, environ: Mapping[str, str]) -> Path:
    """Return ``run``, or a short folder in its place when socket paths in it would be too long."""
    return run if _sockets_fit(run) else _short_run(state, environ)


def _short_run(state: Path, environ: Mapping[str, str]) -> Path:
    digest = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:12]
    base = _runtime_base(environ)
    if base and _sockets_fit(base / f"qd-{digest}"):
        return base / f"qd-{digest}"
    return Path("/tmp") / _shared_name() / digest  # noqa: S108 - verified by make_private before use


def _sockets_fit(run: Path) -> bool:
    return len(os.fsencode(run / _LONGEST_SOCKET)) <= SOCKET_PATH_LIMIT


def _shared_name() -> str:
    return f"qd-{os.geteuid()}"


def _runtime_base(environ: Mapping[str, str]) -> Path | None:
    """Return the user's runtime folder, also for a shell that was not told about it (cron, sudo)."""
    for candidate in (environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.geteuid()}"):
        if candidate and Path(candidate).is_absolute() and os.access(candidate, os.W_OK | os.X_OK):
            return Path(candidate)
    return None
