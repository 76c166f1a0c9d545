"""What `artifact` and `evidence` have in common: where things belong, and how they are listed."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from supervisor.cli.output import age, print_json, table
from supervisor.cli.putting import speaking
from supervisor.model.plain import clean, one_line

F = TypeVar("F", bound=Callable[..., Any])


def place_options(*, own_task: bool) -> Callable[[F], F]:
    """Add `--plan` and `--task`. Within a plan's task the plan is that one's, with ``own_task`` also the task."""
    of_task = "QUARTERDECK_TASK" if own_task else None

    def add(function: F) -> F:
        function = click.option("--task", metavar="T", envvar=of_task, help="The task that it belongs to.")(function)
        return click.option("--plan", metavar="P", envvar="QUARTERDECK_PLAN", help="The plan that it belongs to.")(
            function
        )

    return add


def size_of(count: int) -> str:
    """Return a number of bytes for people: 12 B, 3.4 KiB, 5.6 MiB."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size:.1f} TiB"


def body_of(plan: str | None, task: str | None, name: str, type_: str | None, retention: str | None) -> dict[str, Any]:
    """Return what is asked for when something is put. A bare number of ``retention`` is days."""
    days = f"{retention}d" if retention is not None and retention.isdecimal() else retention
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {
        "name": name,
        "type": type_ or guessed,
        "plan": plan,
        "task": task,
        "retention": days,
        "cwd": str(Path.cwd()),
    }


def provenance_of(file: Path) -> dict[str, Any]:
    """Return what a file says about where something comes from."""
    return {"file": clean(file.absolute())}


def said(artifact: dict[str, Any], as_json: bool) -> None:
    """Say what was kept."""
    if as_json:
        print_json({artifact["kind"]: artifact})
        return
    what = f"{one_line(artifact['name'])}, version {artifact['version']}, {size_of(artifact['size'])}"
    click.echo(f"{artifact['id']}: {what}. It is kept.")


def listed(kind: str, wanted: dict[str, str | None], as_json: bool, no_start: bool) -> None:
    """Print what is kept of a kind."""
    found = speaking(lambda client: client.get("/artifacts", kind=kind, **wanted), no_start=no_start)["artifacts"]
    if as_json:
        print_json({"evidence" if kind == "evidence" else "artifacts": found})
    elif not found:
        example = "quarterdeck artifact put FILE" if kind == "artifact" else "quarterdeck evidence add FILE"
        click.echo(f"Nothing is kept. Keep something: {example}")
    elif kind == "evidence":
        table(
            ["id", "plan", "task", "age", "name", "stance", "statement"],
            [
                [
                    each["id"], each["plan"] or "-", each["task"] or "-", age(each["created_at"]),
                    one_line(each["name"]), each["stance"], one_line(each["statement"]) or "-",
                ]
                for each in found
            ],
        )  # fmt: skip
    else:
        table(
            ["id", "plan", "task", "version", "size", "age", "type", "name"],
            [
                [
                    each["id"], each["plan"] or "-", each["task"] or "-", str(each["version"]),
                    size_of(each["size"]), age(each["created_at"]), one_line(each["type"]), one_line(each["name"]),
                ]
                for each in found
            ],
        )  # fmt: skip
