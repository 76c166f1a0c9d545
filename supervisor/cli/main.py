"""`quarterdeck`: finds the command, runs it, and turns errors into sentences and exit codes.

Commands are loaded when they are used: help and tool-side commands must start fast.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from supervisor.model.errors import InvalidInput, QuarterdeckError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    # name: (module, one-line help)
    "demo": ("demo", "See the whole idea in half a minute, in a throw-away repository."),
    "run": ("run", "Start an agent or a command in its own git worktree."),
    "sessions": ("sessions", "List sessions; show one, its log, or why it has its status."),
    "attach": ("steer", "Enter a session's own terminal."),
    "send": ("steer", "Send a message to a running agent."),
    "pause": ("steer", "Freeze a session, or hold it back in the queue."),
    "resume": ("steer", "Let a paused session go on."),
    "cancel": ("steer", "Stop a session; its work stays."),
    "continue": ("steer", "Give an ended session another prompt."),
    "archive": ("steer", "Put an ended session away."),
    "plan": ("plan", "Keep and run plans of many tasks; check, draw and export plan files."),
    "schedule": ("schedule", "List schedules of plans; run, pause, resume and remove them."),
    "task": ("task", "Look at a task of a plan, run it, or say that it is done."),
    "artifact": ("artifact", "Keep files that never change; get and list them."),
    "evidence": ("evidence", "Keep what shows that something is so, or is not."),
    "approvals": ("approvals", "List what waits for your decision; show it exactly."),
    "approve": ("approvals", "Allow what was asked, once."),
    "reject": ("approvals", "Refuse what was asked, and say why."),
    "policy": ("policy", "Test, list, apply and take back the rules that decide for you."),
    "queue": ("supervision", "Show what runs and what waits."),
    "diff": ("changes", "Show everything that a session changed."),
    "commit": ("changes", "Commit everything in a session's worktree."),
    "merge": ("changes", "Merge a session's branch."),
    "push": ("changes", "Push a session's branch to a remote."),
    "bundle": ("changes", "Write a session's commits to a file."),
    "digest": ("digest", "Show what happened since you last looked, and what waits for you."),
    "cost": ("cost", "Show what sessions, tasks, plans, agents or days cost."),
    "budget": ("budget", "Show how far budgets are used; let one that is used up go on."),
    "checkpoint": ("checkpoint", "Keep states of a worktree, and go back to one exactly."),
    "alerts": ("alerts", "List what asks to be noticed; acknowledge or dismiss it."),
    "events": ("records", "Show what happened, or follow it live."),
    "audit": ("records", "List, verify or export the audit log."),
    "serve": ("supervision", "Run the supervisor in the foreground."),
    "status": ("supervision", "Say how the supervisor is."),
    "stop": ("supervision", "Stop the supervisor; sessions go on."),
    "doctor": ("supervision", "Check what is installed and whether it works."),
    "agents": ("supervision", "List the agents that can be run."),
    "project": ("project", "Add, list or remove repositories."),
    "config": ("configuration", "Show the settings and where each comes from."),
    "web": ("web", "Open the app in a browser of this machine."),
    "ask": ("ask", "Ask a person, wait, and print the choice (for tools)."),
    "wrap": ("tools", "Give any command heartbeats and timeouts (for tools)."),
    "beat": ("tools", "Report a sign of life (for tools)."),
    "emit": ("tools", "Report an event (for tools)."),
    "tool": ("tool_check", "Check that a tool keeps the approval protocol (for authors of tools)."),
    "hook": ("tools", "Take what an agent's hook was given (for agents)."),
    "mcp": ("mcp", "Serve a session's own MCP tools over stdio (for agents)."),
    "completion": ("completion", "Print the completion script for a shell."),
}

USAGE_EXIT: Final = 2
INTERRUPTED_EXIT: Final = 130

UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What writing to a full or broken device says."""


class Commands(click.Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"supervisor.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of this name."""
        known = ctx.resilient_parsing or args[0] in COMMANDS
        if not known and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"Did you mean `quarterdeck {near[0]}`?" if near else "`quarterdeck --help` lists them."
            raise InvalidInput(f"There is no command {args[0]!r}.", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="quarterdeck", message="quarterdeck %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Supervise AI coding agents and other command-line tools from one terminal.

    Without a command it opens the app, where there is a terminal.

    Example: quarterdeck run --agent claude --prompt "Fix the failing test" --wait
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in own
    _open_what_was_closed()
    try:
        _check_packages()
        result = cli.main(arguments, prog_name="quarterdeck", standalone_mode=False)
    except QuarterdeckError as error:
        return _report(error, as_json)
    except click.ClickException as error:
        problem = InvalidInput(error.format_message(), hint=_usage_hint(error))
        return _report(problem, as_json)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED_EXIT
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in UNWRITABLE:
            raise
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _report(
            QuarterdeckError(f"The output cannot be written: {error.strerror}.", hint="Is its disk full?"), as_json
        )
    return result if isinstance(result, int) else 0


def _open_what_was_closed() -> None:
    """Let output that the caller closed (`>&-`) go nowhere, before a file or socket takes its descriptor."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - open as long as the process


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See `{context.command_path} --help`." if context is not None else "See `quarterdeck --help`."


def _report(error: QuarterdeckError, as_json: bool) -> int:
    if as_json:
        body: dict[str, Any] = {"error": {"code": error.specific_code, "message": error.message, "hint": error.hint}}
        click.echo(json.dumps(body, ensure_ascii=False))
    click.echo(f"quarterdeck: {error}", err=True)
    return error.exit_code


def _check_packages() -> None:
    """Refuse to run with packages of the same names from somewhere else."""
    here = Path(__file__).resolve().parents[2]
    for name in ("executors", "config"):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parents[1] != here:
            raise QuarterdeckError(
                f"The package {name} comes from {spec.origin if spec else 'nowhere'}, not from {here}.",
                hint="Install Quarterdeck into an environment of its own, for example with `pipx install quarterdeck`.",
            )


if __name__ == "__main__":
    from supervisor.cli.entry import main

    main()
