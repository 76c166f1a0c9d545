"""A PostgreSQL server of a test's own, on a socket, with its files in a throw-away folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.wait import wait_until

USER = "quarterdeck"
PASSWORD = "hunter2-postgres"


def find_server() -> Path | None:
    """Return the folder of the server's programs; None when it is not installed."""
    found = shutil.which("postgres")
    if found is not None:
        return Path(found).resolve().parent
    return max((each.parent for each in Path("/usr/lib/postgresql").glob("*/bin/postgres")), default=None)


@contextmanager
def postgres_server() -> Iterator[Path]:
    """Run a server with one user, who needs a password; yields the folder of its socket."""
    programs = find_server()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="qdpg"))
    # The server refuses to run as root.
    run: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if run:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "-N", "-E", "UTF8"],
        check=True, capture_output=True, cwd="/", **run,
    )  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **run,
    )  # fmt: skip
    try:
        ready = [str(programs / "pg_isready"), "-q", "-h", str(folder)]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 30, "PostgreSQL answers")
        yield folder
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder)
