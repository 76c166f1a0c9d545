"""Secret values: taken out of environments, given to those who may have them, redacted elsewhere.

They are never in the database. Beside memory they are kept in a file of mode 0600 in the
boot-scoped runtime folder, so that a session that was queued when the supervisor died can still start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from supervisor.model.errors import InvalidInput

REDACTED = "[redacted]"
"""What stands in the place of a secret, as in the spool."""


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

    def every(self, names: Iterable[str]) -> list[tuple[str, str]]:
        """Return every value that is known of these secrets, with its name: the supervisor's, and each session's."""
        wanted = tuple(names)
        sessions = [path.name.removesuffix(".secrets") for path in self._run.glob("*.secrets")] if wanted else []
        values = {(name, self._own[name]) for name in wanted if self._own.get(name)}
        return sorted(values.union(*(self.of(session, wanted).items() for session in sessions)))

    def redact(self, session: str, names: Iterable[str], value: Any) -> Any:
        """Return a JSON value, or a text, with a session's secrets taken out."""
        values = sorted(self.of(session, names).values(), key=len, reverse=True)
        return _cleared(value, values) if values else value

    def forget(self, session: str) -> None:
        """Remove what is kept of a session."""
        self._path(session).unlink(missing_ok=True)

    def _path(self, session: str) -> Path:
        return self._run / f"{session}.secrets"


def refuse_secrets(secrets: Mapping[str, str], what: str, texts: Iterable[str]) -> None:
    """Raise InvalidInput when one of ``texts`` holds the value of a secret: it would be kept in the clear."""
    for text in texts:
        for name, value in secrets.items():
            if value in text:
                raise InvalidInput(
                    f"The {what} holds the value of the secret {name}, which is never stored.",
                    hint=f"Give the agent {name} by `pass_secrets` in its profile, and name the variable instead.",
                )


def _cleared(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return value
    if isinstance(value, dict):
        return {_cleared(key, secrets): _cleared(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleared(item, secrets) for item in value]
    return value
