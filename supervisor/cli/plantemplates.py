"""`plan template list, show, new`: plans made of templates, without a supervisor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from config.paths import Paths
from config.templates import Parameter, Template, find_template, own_folder, read_template, template_files
from supervisor.cli.output import json_option, print_json, table
from supervisor.cli.planfiles import counted
from supervisor.engine.plans.exporting import as_yaml
from supervisor.engine.templates import check, filled, missing
from supervisor.model.errors import ConfigError, InvalidInput, Refused
from supervisor.model.plain import clean, one_line

NAME: Final = click.argument("name")


@click.group("template")
def template_command() -> None:
    """Make plan files of templates: those that are shipped, and your own.

    Example: quarterdeck plan template new feature --param id=search --param goal="People search by tag" -o plan.yaml
    """


@template_command.command("list")
@json_option
def list_templates(as_json: bool) -> None:
    """List the templates, and where each is from.

    Example: quarterdeck plan template list
    """
    paths = Paths.find()
    found = [_listed(*each) for each in template_files(paths).values()]
    if as_json:
        print_json({"templates": found, "folder": str(own_folder(paths))})
        return
    rows = [
        [each["name"], each["from"], click.style(one_line(each["problem"]), fg="red") if each["problem"]
         else one_line(each["title"])]
        for each in found
    ]  # fmt: skip
    table(["template", "from", "title"], rows)
    click.secho(f"Your own templates: {own_folder(paths)}{os.sep}NAME.yaml", dim=True)


@template_command.command("show")
@NAME
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what a template makes, and its parameters.

    Example: quarterdeck plan template show feature
    """
    template = find_template(Paths.find(), name)
    check(template)
    if as_json:
        parameters = [parameter.model_dump(mode="json") for parameter in template.document.parameters]
        print_json({"template": {**_facts(template), "parameters": parameters, "plan": template.document.plan}})
        return
    click.secho(f"{template.name}: {one_line(template.document.title)}", bold=True)
    if template.document.description:
        click.echo(clean(template.document.description))
    click.secho(f"From {template.path}", dim=True)
    click.echo()
    table(["parameter", "type", "default", "meaning"], [_row(each) for each in template.document.parameters])
    click.echo()
    needed = " ".join(f"--param {each.name}=…" for each in template.document.parameters if each.required)
    click.secho(f"quarterdeck plan template new {template.name} {needed} --output plan.yaml", dim=True)


@template_command.command("new")
@NAME
@click.option("--param", "-p", "given", metavar="KEY=VALUE", multiple=True, help="A parameter; any number.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write to this new file, not to stdout.")
@json_option
def new(name: str, given: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Make a plan file of a template. On a terminal it asks for what is missing.

    Example: quarterdeck plan template new feature --param id=search --param goal="Search by tag" --output plan.yaml
    """
    template = find_template(Paths.find(), name)
    check(template)
    parameters = _parameters(given)
    if sys.stdin.isatty() and not as_json:
        for parameter in missing(template, parameters):
            parameters[parameter.name] = _asked(parameter)
    plan = filled(template, parameters).checked()
    document = as_yaml(plan)
    if output is not None:
        _write(output, document)
    if as_json:
        where = None if output is None else str(output)
        print_json({"template": template.name, "plan": plan.id, "output": where, "document": document})
    elif output is None:
        click.echo(document, nl=False)
    else:
        click.echo(f"{output}: {plan.id}, {counted(len(plan.tasks), 'task')}. It is a file; nothing has begun.")
        click.secho(f"quarterdeck plan create {output}", dim=True)


def _parameters(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidInput(f"--param {one_line(each)} has no value.", hint=f"Write --param {one_line(each)}=VALUE.")
        if name in found:
            raise InvalidInput(f"The parameter {one_line(name)} is given twice.", hint="Give it once.")
        found[name] = value
    return found


def _asked(parameter: Parameter) -> str:
    """Ask for a parameter, until what is written can be its value."""

    def checked(text: str) -> str:
        try:
            parameter.value(text)
        except ValueError as error:
            raise click.BadParameter(f"{error}.") from error
        return text

    answer: str = click.prompt(one_line(parameter.description), value_proc=checked, err=True)
    return answer


def _write(output: Path, document: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(document)
    except FileExistsError as error:
        raise Refused(f"There is a file {output} already.", hint="Name another one, or remove it.") from error
    except OSError as error:
        raise InvalidInput(f"The file {output} cannot be written: {error.strerror}.", hint="Check its path.") from error


def _listed(path: Path, own: bool) -> dict[str, Any]:
    try:
        template = read_template(path, own)
        check(template)
    except ConfigError as error:
        facts = {"name": path.stem, "from": _from(path, own), "path": str(path), "title": "", "description": ""}
        return {**facts, "problem": str(error)}
    return {**_facts(template), "problem": ""}


def _facts(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "from": _from(template.path, template.own),
        "path": str(template.path),
        "title": template.document.title,
        "description": template.document.description,
    }


def _from(path: Path, own: bool) -> str:
    return str(path) if own else "shipped"


def _row(parameter: Parameter) -> list[str]:
    default = "required" if parameter.required else "-" if parameter.default is None else str(parameter.default)
    shown = one_line(default)
    return [parameter.name, parameter.type, shown if len(shown) <= 24 else f"{shown[:23]}…",
            one_line(parameter.description)]  # fmt: skip
