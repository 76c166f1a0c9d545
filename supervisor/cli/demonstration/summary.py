"""The end of the demonstration: what became of each session, and what was shown."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from supervisor.cli.demonstration.show import NAME_WIDTH, status_text
from supervisor.cli.demonstration.story import Report
from supervisor.model.plain import clean

_STYLES = {"+": "green", "-": "red", "@": "cyan"}
CHECK_WIDTH = 20


def print_summary(console: Console, report: Report, seconds: float, kept: str | None) -> None:
    """Print how it went, in at most the console's width."""
    if report.sessions:
        console.print()
        console.print(_sessions(report))
    if report.diff:
        console.print()
        _print_diff(console, report.diff)
    console.print()
    console.print(_checks(report))
    console.print()
    for text in report.skipped:
        console.print(Text(f"Skipped: {text}", style="yellow"))
    done = sum(check.ok for check in report.checks)
    if report.ok:
        verdict = Text(f"✓ All {done} checks hold, after {seconds:.1f} s.", style="bold green")
    else:
        verdict = Text(f"✕ {len(report.checks) - done} of {len(report.checks)} checks do not hold.", style="bold red")
    console.print(verdict)
    if kept is not None:
        # Unbroken, so that it can be copied.
        console.print(Text(f"Kept. Look around: QUARTERDECK_HOME={kept}/home quarterdeck sessions"), soft_wrap=True)
    elif not report.ok:
        console.print(Text("`quarterdeck demo --keep` keeps the logs and the repository to be looked at."))


def document(report: Report, seconds: float, kept: str | None) -> dict[str, Any]:
    """Return the summary for programs."""
    return {
        "ok": report.ok,
        "seconds": round(seconds, 3),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in report.checks],
        "sessions": report.sessions,
        "skipped": report.skipped,
        "kept": kept,
    }


def _sessions(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=True)
    table.add_column("session", width=NAME_WIDTH)
    table.add_column("status", width=11)
    table.add_column("ran in", width=6)
    table.add_column("tools", width=15, no_wrap=True, overflow="ellipsis")
    table.add_column("changes", ratio=1, no_wrap=True, overflow="ellipsis")
    for session in report.sessions:
        tools = ", ".join(f"{tool} {count}" for tool, count in session["tools_used"].items())
        table.add_row(
            clean(session["name"]),
            status_text(session["status"]),
            session["executor"],
            clean(tools),
            _short(report.stats.get(session["id"], "")),
        )
    return table


def _short(stat: str) -> str:
    """Return git's last line of --stat without its longer words."""
    for word in (" changed", " insertions", " insertion", " deletions", " deletion"):
        stat = stat.replace(word, "")
    return clean(stat.replace("(+)", "+").replace("(-)", "-"))


def _print_diff(console: Console, diff: str) -> None:
    for line in clean(diff).splitlines():
        if not line.startswith(("index ", "--- ", "+++ ")):
            style = "bold" if line.startswith("diff ") else _STYLES.get(line[:1], "dim")
            console.print(Text(line, style=style, overflow="ellipsis", no_wrap=True))


def _checks(report: Report) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False, expand=True)
    table.add_column(width=1)
    table.add_column(width=CHECK_WIDTH)
    table.add_column(ratio=1, style="dim")
    for check in report.checks:
        mark = Text("✓", style="green") if check.ok else Text("✕", style="red")
        table.add_row(mark, check.name, Text(clean(check.detail)))
    return table
