"""`completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from supervisor.model.errors import InvalidInput

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    Example: quarterdeck completion bash > ~/.local/share/bash-completion/completions/quarterdeck
    """
    found = get_completion_class(shell)
    if found is None:
        raise InvalidInput(f"There is no completion for {shell}.", hint=f"Known: {', '.join(SHELLS)}.")
    root = ctx.find_root().command
    click.echo(found(root, {}, "quarterdeck", "_QUARTERDECK_COMPLETE").source())
