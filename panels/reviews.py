"""Remembers between two runs of the app which changes a person has read, and comments that were not sent yet.

A file's change is known by its digest: when the agent changes the file again, it is not read any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from panels.view.comments import Comment, from_json, to_json
from supervisor.model.errors import QuarterdeckError

KEPT: Final = 300
"""Sessions that are remembered; of more the longest untouched are forgotten."""

Json = dict[str, Any]


class Reviews:
    """What is remembered of one session, in the file ``path`` that all sessions share."""

    def __init__(self, path: Path, session: str) -> None:
        self._path, self._session = path, session
        found = self._read().get(session, {})
        self._read_files: dict[str, str] = {
            str(name): str(digest) for name, digest in _dict(found.get("reviewed")).items()
        }
        self.comments: list[Comment] = _comments(found.get("comments"))

    def is_reviewed(self, path: str, digest: str) -> bool:
        """Whether this very change of a file was read."""
        return self._read_files.get(path) == digest

    def toggle(self, path: str, digest: str) -> bool:
        """Note that a change was read, or that it was not; whether it is read now."""
        if self.is_reviewed(path, digest):
            del self._read_files[path]
        else:
            self._read_files[path] = digest
        self._keep()
        return path in self._read_files

    def keep_comments(self, comments: Iterable[Comment]) -> None:
        """Take all comments that are not sent yet."""
        self.comments = list(comments)
        self._keep()

    def _keep(self) -> None:
        # Another app may have written meanwhile: only this session's part is ours.
        known = self._read()
        known.pop(self._session, None)
        if self._read_files or self.comments:
            known[self._session] = {
                "reviewed": self._read_files,
                "comments": [to_json(comment) for comment in self.comments],
            }
        newest = dict(list(known.items())[-KEPT:])
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_text(json.dumps(newest, indent=1))
            temporary.replace(self._path)
        except OSError as error:
            raise QuarterdeckError(
                f"What you have reviewed cannot be kept in {self._path}: {error.strerror}.",
                hint="Is the disk full, or the folder read-only?",
            ) from error

    def _read(self) -> dict[str, Json]:
        """Return what is remembered; a damaged file is one that remembers nothing."""
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): _dict(each) for name, each in _dict(found).items()}


def _dict(found: object) -> Json:
    return found if isinstance(found, dict) else {}


def _comments(found: object) -> list[Comment]:
    comments = []
    for each in found if isinstance(found, list) else []:
        try:
            comments.append(from_json(each))
        except (KeyError, TypeError, ValueError):
            continue
    return comments
