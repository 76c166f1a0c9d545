"""The console script's way in. Reports of tools and hooks take a short cut: an agent waits for them. So does the app.

``quarterdeck beat`` inside a session costs what a bare socket client costs, because nothing but
that client is imported.
"""

from __future__ import annotations

import os
import sys

_REPORTS = ("beat", "emit", "hook")


def main() -> None:
    """Run the command line."""
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in _REPORTS and "QUARTERDECK_SOCKET" in os.environ and "--help" not in arguments:
        from executors import hookclient

        sys.exit(hookclient.main(arguments))
    if not arguments and sys.stdin.isatty() and sys.stdout.isatty():
        from supervisor.cli.app import open_app

        sys.exit(open_app())
    from supervisor.cli.main import run

    sys.exit(run(arguments))
