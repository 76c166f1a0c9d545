"""The command of a task that uses http or db: a small program of this installation that does the request."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from supervisor.model.plan.runners import Db, Http
from supervisor.model.plan.task import Task

PROGRAM: Final = str(Path(__file__).parents[3] / "executors" / "requests")
SQLITE: Final = "sqlite:"


def request_of(task: Task) -> tuple[str, tuple[str, ...], str]:
    """Return the request in words, its command, and what that reads: variables such as ``${TOKEN}`` are in it as they
    were written, and filled in where it runs. What comes back goes into the file that is the task's first output."""
    request = task.http or task.db
    if request is None:
        raise ValueError(f"{task.id} has no request")
    said = _of_http(request) if isinstance(request, Http) else _of_db(request)
    fields: dict[str, Any] = request.model_dump(mode="json", exclude_defaults=True)
    fields["output"] = next(iter(task.outputs.values()), None)
    fields["timeout"] = task.timeout
    role = "http" if isinstance(request, Http) else "db"
    # A driver is installed beside the standard library; everything else starts faster without a look at that.
    flags = ("-I",) if isinstance(request, Db) and not request.url.startswith(SQLITE) else ("-I", "-S")
    return said, (sys.executable, *flags, PROGRAM, role, said), json.dumps(fields) + "\n"


def _of_http(http: Http) -> str:
    return f"{http.method} {http.url}"


def _of_db(db: Db) -> str:
    """Say which database, without what may be a password."""
    count = f"{len(db.sql)} statement{'' if len(db.sql) == 1 else 's'}"
    if db.url.startswith(SQLITE):
        return f"{count} for {db.url}"
    parts = urlsplit(db.url)
    return f"{count} for {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
