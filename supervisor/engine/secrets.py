"""Secret values: taken out of environments, given to those who may have them, redacted elsewhere.

They are never in the database. Beside memory they are kept in a file of mode 0600 in the
boot-scoped runtime folder, so that a session that was queued when the supervisor died can still start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

MIN_LENGTH = 6
"""Shorter values cannot be redacted without mangling ordinary text."""


class SecretVault:
    """The secret values of each session, by variable name."""

    def __init__(self, run: Path, own_environment: Mapping[str, str]) -> None:
        self._run = run
        self._own = own_environment

    def split(self, environment: Mapping[str, str], names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return (environment without secrets, the secrets); the supervisor's own values fill in."""
        wanted = set(names)
        plain = {key: value for key, value in environment.items() if key not in wanted}
        secrets = {name: environment.get(name) or self._own.get(name, "") for name in wanted}
        return plain, {name: value for name, value in secrets.items() if value}

    def keep(self, session: str, secrets: Mapping[str, str]) -> None:
        """Keep a session's secrets for as long as the machine is up."""
        if not secrets:
            return
        path = self._path(session)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            json.dump(dict(secrets), file)

    def of(self, session: str, names: Iterable[str]) -> dict[str, str]:
        """Return a session's secrets; after a reboot those of the supervisor's own environment."""
        try:
            kept: dict[str, str] = json.loads(self._path(session).read_text())
        except (FileNotFoundError, ValueError):
            kept = {}
        known = {name: kept.get(name) or self._own.get(name, "") for name in names}
        return {name: value for name, value in known.items() if value}

    def forget(self, session: str) -> None:
        """Remove what is kept of a session."""
        self._path(session).unlink(missing_ok=True)

    def _path(self, session: str) -> Path:
        return self._run / f"{session}.secrets"
