"""`web`: the app in a browser of this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import signal

import click

from supervisor.cli.connection import refuse_in_session
from supervisor.model.errors import InvalidInput

PORT = 8427
"""Where it is looked for when nothing else is said."""


@click.command("web")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="An address of this machine only.")
def web_command(port: int, host: str) -> None:
    """Open the app in a browser: prints the address, serves until Ctrl-C.

    Only this machine can connect, and only with the token in the address: who has it can do what you can.

    Example: quarterdeck web --port 0
    """
    refuse_in_session("open the app in a browser")
    if not _is_loopback(host):
        raise InvalidInput(
            f"The app is not served on {host}: others could reach it there, unencrypted.",
            hint="Leave --host out. From another machine: ssh -L 8427:127.0.0.1:8427 to this one.",
        )
    asyncio.run(_serve(host, port))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _serve(host: str, port: int) -> None:
    from supervisor.cli.browser.server import serving

    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with serving(host, port) as server:
        click.echo(f"Quarterdeck is at {server.url}")
        click.echo("Who has this address can do what you can. Ctrl-C ends it; all work goes on.")
        await end.wait()
