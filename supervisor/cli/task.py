"""`task`: one task of a plan, looked at, run, tried again, or completed by a person."""

from __future__ import annotations

import click

from supervisor.api.client import Client, Json, at, of_task
from supervisor.api.wording import to_prove
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.output import age, facts, in_full, json_option, mark_plan, print_json
from supervisor.model.errors import InvalidInput, NotFound
from supervisor.model.plain import clean, one_line

TASK = click.argument("ref", metavar="ID")


@click.group("task")
def task_command() -> None:
    """Look at a task of a plan, run it, or say that it is done. ID is PLAN/TASK, or a task's id that only one plan has;
    PLAN/TASK/PART is a task of a subplan.

    Example: quarterdeck task show plan-hello/a
    """


@task_command.command("show")
@TASK
@click.option("--lines", type=click.IntRange(0, 1000), default=20, show_default=True, help="Lines of each command.")
@json_option
@with_client
async def show(client: Client, ref: str, lines: int, as_json: bool) -> None:
    """Show a task: what it is, how it stands and why, and what its commands put out last.

    Example: quarterdeck task show plan-hello/a
    """
    found = await client.get(_path(*await _named(client, ref)), lines=lines)
    if as_json:
        print_json(found)
        return
    task = found["task"]
    what = task["document"]
    facts(
        {
            "task": f"{task['plan']}/{task['id']}  {one_line(task['title'])}",
            "status": f"{mark_plan(task['status'])}: {clean(task['status_reason']['text'])}",
            "kind": f"{task['kind']}, run by {task['runner']} in workspace {task['workspace']}",
            "after": ", ".join(task["after"]),
            "attempts": task["attempts"] or None,
            "session": task["session"],
            "began": _ago(task["started_at"]),
            "ended": _ago(task["ended_at"]),
            "command": clean(what.get("command") or "\n".join(what.get("commands") or ())),
            "prompt": clean(what.get("prompt") or ""),
            "rollback": clean("\n".join(what.get("rollback") or ())),
            **_reuse(task),
            "to prove": "; ".join(map(one_line, to_prove(what))),
            "approved by": one_line(f"somebody with the role {role}") if (role := what.get("approver_role")) else None,
            **{each["limit"]: _limit(each) for each in task["limits"]},
            "asks": _asks(task),
        }
    )
    for each in task["decisions"]:
        why = f": {one_line(each['rationale'])}" if each["rationale"] else ""
        unused = f"; {one_line(each['reason'])}" if each["status"] == "superseded" else ""
        word = "approved" if each["decision"] != "reject" else "rejected"
        click.echo(f"{each['decided_at']}  {word} by {one_line(each['decided_by'])}{why}{unused}  ({each['id']})")
    for proof in task["result"].get("proofs", []):
        sign = click.style("+", fg="green") if proof["holds"] else click.style("x", fg="red")
        click.echo(f"{sign} {one_line(proof['text'])}{': ' + one_line(proof['why']) if proof['why'] else ''}")
    for step in task["steps"]:
        _print_step(step)


@task_command.command("run")
@TASK
@click.option("--force", "--rerun", is_flag=True, help="Run it although nothing that it depends on has changed.")
@json_option
@with_client
async def run(client: Client, ref: str, force: bool, as_json: bool) -> None:
    """Let a task run now that is ready, or once more when it has ended.

    One that is idempotent and says what it reads is not run when nothing has changed: what it gave before is taken.

    Example: quarterdeck task run plan-hello/a
    """
    await _do(client, ref, "run", as_json=as_json, force=force)


@task_command.command("retry")
@TASK
@json_option
@with_client
async def retry(client: Client, ref: str, as_json: bool) -> None:
    """Have a task done once more that has ended or is blocked. What was skipped because of it waits anew.

    Example: quarterdeck task retry plan-hello/a
    """
    await _do(client, ref, "retry", as_json=as_json)


@task_command.command("complete")
@TASK
@click.option("--evidence", metavar="F", required=True, help="What shows it: a file, a link, a sentence.")
@json_option
@with_client
async def complete(client: Client, ref: str, evidence: str, as_json: bool) -> None:
    """Say that a task is done, and what shows it. It is kept with the task.

    Example: quarterdeck task complete plan-hello/a --evidence report.md
    """
    await _do(client, ref, "complete", as_json=as_json, evidence=evidence)


@task_command.command("rollback")
@TASK
@click.argument("task", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would be run, and what depends on the task.")
@json_option
@with_client
async def rollback(client: Client, ref: str, task: str | None, dry_run: bool, as_json: bool) -> int:
    """Undo a task that is completed or has failed: run the commands that its document names under `rollback`, where it
    worked. ID may be two words, too: the plan and the task.

    A completed task is blocked then, until it is run again. What was completed after it stays, and says so. A
    rehearsal exits with 1 when it cannot be now.

    Example: quarterdeck task rollback plan-hello/a --dry-run
    """
    refuse_in_session("roll tasks back")
    plan_id, task_id = (ref, task) if task is not None else await _named(client, ref)
    found = await client.post(f"{_path(plan_id, task_id)}/rollback", {"dry_run": dry_run})
    undo = found["rollback"]
    code = 1 if undo["refusal"] else 0
    if as_json:
        print_json(found)
        return code
    click.echo(f"{'Would run' if dry_run else 'Running'} {undo['place']}:" if undo["commands"] else "Nothing to run.")
    for line in undo["commands"]:
        click.secho(f"$ {clean(line)}", bold=True)
    for what, tasks in (("Built on it, and stays", undo["built_on"]), ("Waits for it", undo["waiting"])):
        if tasks:
            click.echo(f"{what}: {', '.join(tasks)}")
    if undo["refusal"]:
        click.echo(f"Not now: {clean(undo['refusal'])} {clean(undo['hint'] or '')}".rstrip())
    elif not dry_run:
        click.secho(f"How it goes: quarterdeck task show {found['plan']['id']}/{task_id}", dim=True)
    return code


async def _do(client: Client, ref: str, what: str, *, as_json: bool, **body: str | bool) -> None:
    refuse_in_session(f"{what} tasks")
    plan_id, task_id = await _named(client, ref)
    found = await client.post(f"{_path(plan_id, task_id)}/{what}", body)
    if as_json:
        print_json(found)
        return
    plan = found["plan"]
    task = next(each for each in plan["tasks"] if each["id"] == task_id)
    click.echo(f"{plan['id']}/{task['id']}  {mark_plan(task['status'])}  {clean(task['status_reason']['text'])}")


def _path(plan: str, task: str) -> str:
    return at("plan", plan, of_task(task))


async def _named(client: Client, ref: str) -> tuple[str, str]:
    """Return plan and task that a person names: PLAN/TASK, or the task alone when only one plan has it."""
    plan, slash, task = ref.partition("/")
    if slash:
        return plan, task
    task = ref
    plans = (await client.get("/plans"))["plans"]
    having = [each["id"] for each in plans if await _has(client, each["id"], task)]
    if not having:
        raise NotFound(f"No plan has a task {task}.", hint="`quarterdeck plan list` shows the plans.")
    if len(having) > 1:
        named = ", ".join(f"{each}/{task}" for each in having)
        raise InvalidInput(f"{len(having)} plans have a task {task}.", hint=f"Say which: {named}.")
    return having[0], task


async def _has(client: Client, plan: str, task: str) -> bool:
    return any(each["id"] == task for each in (await client.get(at("plan", plan)))["plan"]["tasks"])


def _reuse(task: Json) -> dict[str, str | None]:
    """Return why a task that is idempotent ran or did not."""
    reuse = task["reuse"]
    if reuse is None:
        return {}
    hindrance = reuse["always_runs"]
    return {
        "always runs": f"it is idempotent, but {hindrance}" if hindrance else None,
        "ran because": clean(reuse["why_run"] or "") or None,
        "not kept": clean(reuse["not_remembered"] or "") or None,
        "taken from": reuse["taken_from"],
    }


def _asks(task: Json) -> str | None:
    """Return the command that answers what is asked about a task."""
    asked = task["approval"]
    if asked is None or asked["status"] != "pending":
        return None
    choices = "|".join(option["value"] for option in asked["options"])
    return f"quarterdeck approve {asked['id']}" + (f" --choice {choices}" if choices else "")


def _limit(limit: Json) -> str:
    """Return how long a limit is, and what is left of it."""
    words = in_full(limit["seconds"])
    if limit["given_s"]:
        words += f" and {in_full(limit['given_s'])} more"
    if limit["reached"] == "passed":
        words += ", used up"
    elif limit["used_s"]:
        words += f", {in_full(limit['left_s'])} left"
    return words


def _ago(moment: str | None) -> str | None:
    return None if moment is None else f"{age(moment)} ago"


def _print_step(step: Json) -> None:
    line = step["argv"][-1].strip() if step["argv"][:2] == ["sh", "-c"] else " ".join(step["argv"])
    code = "" if step["exit_code"] is None else f", exit code {step['exit_code']}"
    click.echo()
    click.secho(f"{'rollback ' if step['rollback'] else ''}$ {one_line(line)}", bold=True)
    for each in step["output"]:
        click.echo(click.style("  " + clean(each["text"]), fg="red" if each["stream"] == "stderr" else None))
    click.secho(f"  {step['status']}{code}; {step['log']}", dim=True)
