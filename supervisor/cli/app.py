"""`quarterdeck` alone: opens the app in this terminal."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

from config.paths import Paths
from supervisor.model.errors import QuarterdeckError


def open_app() -> int:
    """Run the app until the person leaves it; the supervisor and all work go on."""
    # Textual collects what changes for 1/60 s before it draws, after a key too. Changes of the fleet are collected by
    # the feed already, so a key need not wait: with 200 busy sessions it is seen in 37 ms instead of 65 (p95).
    os.environ.setdefault("TEXTUAL_FPS", "200")
    from panels.app import QuarterdeckApp
    from panels.remembered import load

    try:
        paths = Paths.find()
    except QuarterdeckError as error:
        print(f"quarterdeck: {error}", file=sys.stderr)
        return error.exit_code

    opening = True

    async def revive() -> None:
        # What speaks HTTP is loaded with it, and takes longer than the first frame.
        from supervisor.cli.connection import crashed, is_alive, start_in_background

        nonlocal opening
        # One that somebody stopped while the app is open stays stopped.
        if crashed(paths) or (opening and not is_alive(paths)):
            await asyncio.to_thread(start_in_background, paths)
        opening = False

    # What is loaded once stays: looking through it again and again costs keys tens of milliseconds.
    app = QuarterdeckApp(paths, revive, loaded=gc.freeze, theme=load(paths.state).theme)
    app.run()
    return app.return_code or 0
