"""`tool`: for authors of tools that speak the approval protocol."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any, Final

import click

from executors.runner.tree import become_subreaper
from supervisor.cli.conformance.examination import Examination
from supervisor.cli.conformance.lines import cut
from supervisor.cli.conformance.requirements import TOOLS, Finding, Result
from supervisor.cli.conformance.trial import Trial
from supervisor.cli.options import SECONDS
from supervisor.cli.output import json_option, print_json
from supervisor.model.plain import clean

_MARKS: Final[dict[Result, tuple[str, str]]] = {
    "pass": ("✓", "green"),
    "fail": ("✕", "red"),
    "warn": ("!", "yellow"),
    "not_seen": ("·", "white"),
}


@click.group("tool")
def tool_command() -> None:
    """For authors of tools: the approval protocol.

    Example: quarterdeck tool check -- ./deploy.sh
    """


@tool_command.command("check")
@click.option(
    "--timeout", "timeout_s", type=SECONDS, default=60.0, show_default=True, help="Seconds that one run may take."
)
@click.option("--flag", "by_flag", is_flag=True, help="Its profile says approval_flag: check --approval-decision too.")
@json_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def check(timeout_s: float, by_flag: bool, as_json: bool, command: tuple[str, ...]) -> int:
    """Run a tool and check that it keeps the approval protocol; exits with 0 when it does, else with 1.

    It runs several times, in scratch folders and without a supervisor: it is asked, each answer is given, and answers
    that must not count. What waits in `quarterdeck ask` is answered by the check; nobody else is asked. IT REALLY DOES
    what it does when it is approved. Names of files in the command are made absolute. A tool that asks nothing cannot
    be checked: that is 1 too.

    Example: quarterdeck tool check -- sh ./deploy.sh --dry-run
    """
    become_subreaper()
    argv = _absolute(command)
    examination = Examination(argv, timeout_s, by_flag)
    if not as_json:
        examination.told = _tell
    with _ended_by_signals():
        examination.make()
    findings = examination.findings.all()
    if as_json:
        print_json(_document(argv, examination, findings))
    else:
        _report(examination, findings)
    return 0 if examination.conforms else 1


@tool_command.command("schema")
def schema() -> None:
    """Print the JSON Schema of the protocol's events.

    Example: quarterdeck tool schema > approval-protocol-1.schema.json
    """
    shipped = resources.files("config") / "protocol" / "approval-protocol-1.schema.json"
    click.echo(shipped.read_text(encoding="utf-8"), nl=False)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End by a signal as by Ctrl-C: with the tool that runs, not without it."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _absolute(command: Sequence[str]) -> list[str]:
    """Return the command for another folder: the program's path and names of files are made absolute."""
    words = [command[0]] if "/" not in command[0] else [str(Path(command[0]).absolute())]
    return words + [str(Path(word).absolute()) if _is_file(word) else word for word in command[1:]]


def _is_file(word: str) -> bool:
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False


def _tell(trial: Trial) -> None:
    unanswered = "rejected" if trial.asked_in_place else "not answered"
    given = unanswered if trial.answer is None else f"answered {clean(trial.answer)}"
    given += " by flag" if trial.by_flag else ""
    end = "did not end" if trial.exit_code is None else f"exit code {trial.exit_code}"
    asked = trial.asked or trial.asked_in_place
    verb = "asks" if trial.asked else "waits in `ask`"
    question = f", {verb}: {cut(clean(asked.question.splitlines()[0]), 80)}" if asked else ""
    click.secho(f"  run: {given}, {end} after {trial.seconds:.1f} s{question}", dim=True)


def _report(examination: Examination, findings: Sequence[Finding]) -> None:
    click.echo()
    for finding in findings:
        glyph, colour = _MARKS[finding.result]
        click.echo(f"{click.style(glyph, fg=colour)} {finding.requirement:<4}{TOOLS[finding.requirement]}")
        for reason in finding.reasons[:5]:
            click.echo(f"      {clean(reason)}")
    click.echo()
    if not examination.findings.conforms:
        broken = [finding.requirement for finding in findings if finding.result == "fail"]
        click.secho(f"It does not conform: {', '.join(broken)} (docs/approval-protocol.md).", fg="red")
    elif not examination.asked:
        click.secho(f"It asked nothing, so nothing could be checked ({clean(examination.trials[0].end)}).", fg="red")
    else:
        click.secho("It conforms to version 1 of the approval protocol.", fg="green")
    if any(finding.result == "not_seen" for finding in findings):
        click.secho("· was not seen in these runs.", dim=True)


def _document(argv: Sequence[str], examination: Examination, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "conforms": examination.conforms,
        "asked": examination.asked,
        "protocol": 1,
        "command": list(argv),
        "requirements": [{**asdict(finding), "text": TOOLS[finding.requirement]} for finding in findings],
        "runs": [
            {
                "answer": trial.answer,
                "key": trial.key,
                "by_flag": trial.by_flag,
                "exit_code": trial.exit_code,
                "seconds": round(trial.seconds, 3),
                "events": dict(trial.kinds),
                "asked": trial.asked.payload() if trial.asked else None,
                "asked_in_place": trial.asked_in_place.payload() if trial.asked_in_place else None,
                "stderr": list(trial.said),
            }
            for trial in examination.trials
        ],
    }
