"""`demo`: the whole idea in half a minute, in a throw-away repository."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from pathlib import Path

import click

from supervisor.cli.output import json_option, print_json

TERMINAL_WIDTH = 110
PLAIN_WIDTH = 80


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the repository and the state folder, and say where they are.")
@click.option("--headless", is_flag=True, help="Print lines; assumed without a terminal, or with CI set.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Also draw the summary, as SVG.")
@json_option
def demo_command(keep: bool, headless: bool, picture: Path | None, as_json: bool) -> int:
    """See the whole idea: scripted agents, a failure, a killed supervisor, results as diffs.

    Needs no key, no Docker and no network, and touches nothing of yours. Exits 0 only if all of it worked.

    Example: quarterdeck demo --keep
    """
    from rich.console import Console

    from supervisor.cli.demonstration.picture import self_contained
    from supervisor.cli.demonstration.show import LiveShow, Show
    from supervisor.cli.demonstration.stage import Stage
    from supervisor.cli.demonstration.story import Report, play
    from supervisor.cli.demonstration.summary import document, print_summary
    from supervisor.cli.demonstration.witness import Seen

    plain = headless or as_json or "CI" in os.environ or not sys.stdout.isatty()
    console = Console(quiet=as_json, highlight=False)
    console.width = min(console.width, TERMINAL_WIDTH) if console.is_terminal else PLAIN_WIDTH
    sessions: dict[str, Seen] = {}
    report = Report()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: what was started is ended before we are.
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    with Stage(keep=keep) as stage, Show(console) if plain else LiveShow(console, sessions) as show:
        asyncio.run(play(stage, sessions, show, report))
    seconds = time.monotonic() - began
    kept = str(stage.folder) if keep else None
    if as_json:
        print_json(document(report, seconds, kept))
    print_summary(console, report, seconds, kept)
    if picture is not None:
        canvas = Console(file=io.StringIO(), width=PLAIN_WIDTH, highlight=False, record=True)
        print_summary(canvas, report, seconds, None)
        picture.write_text(self_contained(canvas.export_svg(title="quarterdeck demo")))
    return 0 if report.ok else 1
