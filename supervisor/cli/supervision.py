"""The supervisor itself: serve, status, stop, doctor, agents, queue."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import click

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.cli.connection import POLL_S, connected, is_alive, is_running, with_client
from supervisor.cli.output import age, doing, facts, json_option, mark, print_json, table
from supervisor.model.errors import SupervisorUnreachable
from supervisor.model.plain import clean

STOP_TIMEOUT_S = 30.0
STATUS_TIMEOUT_S = 2.5
_CHECKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✕", "red")}


@click.command("serve")
def serve_command() -> None:
    """Run the supervisor in the foreground until SIGTERM or `quarterdeck stop`.

    Example: quarterdeck serve
    """
    from supervisor.daemon import serve

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(Paths.find()))


@click.command("status")
@json_option
def status_command(as_json: bool) -> None:
    """Say how the supervisor is. Never starts one.

    Example: quarterdeck status --json
    """
    paths = Paths.find()
    try:
        found: dict[str, Any] = asyncio.run(_status(paths)) if is_running(paths) else {"running": False}
    except SupervisorUnreachable:
        found = _hanging(paths) if is_alive(paths) else {"running": False}
    if as_json:
        print_json(found)
        return
    if not found["running"]:
        click.echo("No supervisor runs. It starts by itself when it is needed.")
        return
    if "sessions" not in found:
        click.secho(f"The supervisor does not answer (pid {found['pid']}).", fg="red")
        click.echo(f"If it hangs, end it: kill -9 {found['pid']}. Sessions go on, and the next command starts another.")
        return
    counts = found["sessions"]
    colour = {"healthy": "green", "degraded": "yellow"}.get(found["health"], "red")
    facts(
        {
            "health": click.style(found["health"], fg=colour),
            "sessions": f"{counts['running']} running, {counts['queued']} queued, {counts['waiting']} waiting for you",
            "supervisor": f"{found['version']}, pid {found['pid']}, up {found['uptime_s']:.0f} s",
            "home": found["home"],
            **{name: clean(text) for name, text in found["checks"].items() if text != "ok"},
        }
    )


async def _status(paths: Paths) -> dict[str, Any]:
    async with Client(paths.socket, paths.token_file, timeout_s=STATUS_TIMEOUT_S) as client:
        return await client.get("/status")


def _hanging(paths: Paths) -> dict[str, Any]:
    """Return what can be said of a supervisor that exists and does not answer."""
    return {
        "running": True,
        "pid": int(paths.lock.read_text() or 0),
        "health": "unhealthy",
        "checks": {"api": f"It did not answer within {STATUS_TIMEOUT_S:g} s."},
    }


@click.command("stop")
@click.option("--all", "everything", is_flag=True, help="End the sessions too.")
@json_option
def stop_command(everything: bool, as_json: bool) -> None:
    """Stop the supervisor. Sessions go on, and the next start adopts them.

    Example: quarterdeck stop
    """
    paths = Paths.find()
    if not is_running(paths) and not (everything and paths.database.exists()):
        print_json({"stopping": False, "sessions_stopped": 0}) if as_json else click.echo("No supervisor runs.")
        return
    # Sessions go on without a supervisor: to end them all, one is started.
    answer = connected(lambda client: client.post("/stop", {"all": everything}))
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_alive(paths) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if as_json:
        print_json(answer)
    else:
        click.echo("Stopped, and its sessions with it." if everything else "Stopped. What runs goes on.")


@click.command("doctor")
@click.option("--security", is_flag=True, help="Also how far sessions are really isolated.")
@json_option
def doctor_command(security: bool, as_json: bool) -> int:
    """Check what is installed and whether it works. Needs no supervisor.

    Example: quarterdeck doctor --security
    """
    from config.loading import load
    from executors.doctor import examine

    paths = Paths.find()
    paths.create()
    checks = asyncio.run(examine(paths, load(paths).settings, security=security))
    if as_json:
        shown = [
            {"name": check.name, "status": check.status, "detail": check.detail, "hint": check.hint} for check in checks
        ]
        print_json({"checks": shown, "supervisor": is_running(paths)})
    else:
        rows = []
        for check in checks:
            glyph, colour = _CHECKS[check.status]
            rows.append([click.style(glyph, fg=colour), check.name, clean(check.detail)])
        table(["", "what", "found"], rows)
        for check in checks:
            if check.status != "ok" and check.hint:
                click.echo(f"  {check.name}: {check.hint}")
    return 1 if any(check.status == "error" for check in checks) else 0


@click.command("agents")
@json_option
@with_client
async def agents_command(client: Client, as_json: bool) -> None:
    """List the agents that can be run.

    Example: quarterdeck agents
    """
    found = await client.get("/agents")
    if as_json:
        print_json(found)
        return
    rows = []
    for agent in found["agents"]:
        state = click.style("✓ ready", fg="green") if agent["installed"] else click.style("✕ missing", fg="red")
        if agent["paused_until"]:
            state = click.style(f"‖ until {agent['paused_until'][11:16]} UTC", fg="yellow")
        note = agent["description"] if agent["installed"] else agent["install_hint"]
        rows.append([agent["name"], state, agent["executor"], note])
    table(["agent", "state", "runs on", "about"], rows)


@click.command("queue")
@click.option("--project", help="Only sessions of this project.")
@json_option
@with_client
async def queue_command(client: Client, project: str | None, as_json: bool) -> None:
    """Show what runs, what waits, in order, and what is held back.

    Example: quarterdeck queue
    """
    found = await client.get("/queue", project=project)
    if as_json:
        print_json(found)
        return
    limits = found["limits"]
    running, waiting = found["running"], found["waiting"]
    click.echo(f"{len(running)} of {limits['concurrent']} run, {len(waiting)} of {limits['waiting']} wait.")
    for pause in found["paused_agents"]:
        until = f" until {pause['until']}" if pause["until"] else ""
        click.secho(f"{pause['agent']} is held back{until}: {clean(pause['reason'])}", fg="yellow")
    if found["held_back"]:
        click.secho(found["held_back"], fg="red")
    if running or waiting:
        table(
            ["name", "status", "agent", "priority", "age", "now"],
            [_queue_row(each) for each in [*running, *waiting]],
        )


def _queue_row(session: dict[str, Any]) -> list[str]:
    return [
        session["name"],
        mark(session["status"]),
        session["agent"],
        str(session["priority"]),
        age(session["created_at"]),
        doing(session),
    ]
