"""`mcp`: an MCP server over stdio, for the agent of the session that it is started in."""

from __future__ import annotations

import asyncio

import click

from supervisor.cli.connection import own_session
from supervisor.model.errors import Refused


@click.command("mcp")
def mcp_command() -> None:
    """Serve a session's own MCP tools over stdio: its task, reports, questions, and permission to use tools.

    It speaks for the session in whose environment it is started, and can never decide anything.

    Example: quarterdeck mcp
    """
    client = own_session()
    if client is None:
        raise Refused(
            "This is not inside a session, and there is none that it could speak for.",
            hint="An agent of a session starts it; see the notes for tool authors.",
        )
    # The SDK takes half a second to import: only who serves pays for it.
    from supervisor.cli.serving.server import serve

    asyncio.run(serve(client))
