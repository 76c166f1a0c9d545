"""`config`: the settings in force, and where each comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from config.loading import PROJECT_FILE, Loaded, load
from config.paths import Paths
from config.shown import shown
from supervisor.cli.output import json_option, print_json, table
from supervisor.model.plain import clean


@click.group("config")
def config_command() -> None:
    """Show the settings and where each comes from.

    Example: quarterdeck config show
    """


@config_command.command("show")
@click.option("--all", "everything", is_flag=True, help="Also agent and container profiles.")
@json_option
def show(everything: bool, as_json: bool) -> None:
    """Show every setting, its value and its source; secrets are hidden.

    Example: quarterdeck config show --all
    """
    settings = shown(_load())
    if as_json:
        print_json({"settings": {each.key: {"value": each.value, "source": each.source} for each in settings}})
        return
    table(
        ["setting", "value", "source"],
        [
            [each.key, clean(_text(each.value)), clean(each.source)]
            for each in settings
            if everything or not each.key.startswith(("agents.", "containers."))
        ],
    )


@config_command.command("check")
@json_option
def check(as_json: bool) -> None:
    """Check the files; exit code 2 and a sentence with file and line when one is wrong.

    Example: quarterdeck config check
    """
    _load()
    print_json({"valid": True}) if as_json else click.echo("✓ The configuration is valid.")


@config_command.command("path")
@json_option
def path(as_json: bool) -> None:
    """Show where the configuration and the state are.

    Example: quarterdeck config path
    """
    paths = Paths.find()
    places = {"config": paths.config_file, "state": paths.state, "run": paths.run, "project": _project_file()}
    if as_json:
        print_json({name: str(place) if place else None for name, place in places.items()})
    else:
        for name, place in places.items():
            click.echo(f"{name:8} {place or '-'}")


def _load() -> Loaded:
    file = _project_file()
    return load(Paths.find(), file.parent if file else None)


def _project_file() -> Path | None:
    """Return the project's file, from the folder that the caller stands in upwards to the repository's root."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / PROJECT_FILE).is_file():
            return folder / PROJECT_FILE
        if (folder / ".git").exists():
            return None
    return None


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
