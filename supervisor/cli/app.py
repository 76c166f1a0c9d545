"""`quarterdeck` alone: opens the app in this terminal. As a program of its own, what `quarterdeck web` starts."""

from __future__ import annotations

import asyncio
import sys

from config.paths import Paths
from supervisor.cli.connection import is_alive, start_in_background


def open_app() -> int:
    """Run the app until the person leaves it; the supervisor and all work go on."""
    from panels.app import QuarterdeckApp

    paths = Paths.find()

    async def revive() -> None:
        if not is_alive(paths):
            await asyncio.to_thread(start_in_background, paths)

    app = QuarterdeckApp(paths, revive)
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(open_app())
