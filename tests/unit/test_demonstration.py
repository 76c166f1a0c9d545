"""How the demonstration follows, shows and sums up; what it does is tested on real supervisors elsewhere."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from supervisor.api.client import Client
from supervisor.cli.demonstration.scripts import JOBS, REPOSITORY
from supervisor.cli.demonstration.show import FEED_LINES, LiveShow, Show, describe
from supervisor.cli.demonstration.story import Report
from supervisor.cli.demonstration.summary import document, print_summary
from supervisor.cli.demonstration.witness import Json, Overdue, Seen, Witness
from supervisor.model.errors import SupervisorUnreachable
from tests.wait import until

STEPS = {"say", "think", "write", "edit", "run", "ask", "retry", "fail"}


def event(seq: int, kind: str, session: str | None = "ses_1", **payload: Any) -> Json:
    return {
        "seq": seq,
        "time": f"2026-11-21T10:00:{seq:02}.000Z",
        "session": session,
        "type": kind,
        "payload": payload,
    }


CREATED = event(1, "session_created", name="fix", agent="scripted", status="queued")


class Streams:
    """Stands in for the client: each call of `follow` gives the next batch, then the supervisor is gone."""

    def __init__(self, *batches: list[Json]) -> None:
        self._batches = list(batches)
        self.asked: list[int] = []

    async def follow(self, after: int) -> AsyncIterator[Json]:
        self.asked.append(after)
        if not self._batches:
            await asyncio.Event().wait()
        for each in self._batches.pop(0):
            yield each
        raise SupervisorUnreachable("No supervisor answers.")


def witness(streams: Streams) -> Witness:
    return Witness(cast("Client", streams), {}, lambda event, seen: None)


def plain(width: int = 80) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, highlight=False), out


async def test_a_witness_goes_on_after_the_last_event_that_it_saw_when_the_supervisor_died() -> None:
    changed = event(2, "status_changed", to="running", reason="It was started.")
    streams = Streams([CREATED, changed], [event(3, "tool_use", tool="Bash", argument="make test")])
    seeing = witness(streams)
    watching = asyncio.create_task(seeing.watch())
    await until(lambda: len(seeing.events) == 3, what="the events of both supervisors")
    watching.cancel()
    assert streams.asked[:2] == [0, 2]
    assert [(seen.name, seen.status, seen.tool, seen.argument) for seen in seeing.busy] == [
        ("fix", "running", "Bash", "make test")
    ]


async def test_what_does_not_happen_in_time_is_named() -> None:
    with pytest.raises(Overdue, match="it was not seen that pigs fly"):
        await witness(Streams()).until(lambda: False, 0.01, "pigs fly")


async def test_a_session_that_was_not_told_of_has_no_status_and_all_must_have_ended() -> None:
    seeing = witness(Streams([CREATED, event(2, "status_changed", to="failed", reason="x")]))
    assert seeing.named("fix").status == ""
    watching = asyncio.create_task(seeing.watch())
    await seeing.until(lambda: seeing.events and seeing.all_ended, 5, "it ended")
    watching.cancel()
    assert seeing.named("fix").status == "failed"
    assert [each["seq"] for each in seeing.of("status_changed", "ses_1")] == [2]
    assert seeing.of("status_changed", "ses_2") == []


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (event(1, "tool_use", tool="Bash", argument="make\ntest"), "Bash     make test"),
        (event(1, "status_changed", to="failed", reason="It ended with exit code 3."), "✕ failed  It ended with exit"),
        (event(1, "permission_refused", argument="git push"), "refused  git push"),
        (event(1, "retry", error="overloaded", attempt=1, max=2), "retries  overloaded"),
        (event(1, "recovered", found="alive"), "found again  alive"),
    ],
)
def test_events_are_told_in_one_line(said: Json, line: str) -> None:
    described = describe(said)
    assert described is not None
    assert described.plain.startswith(line)


def test_what_agents_say_cannot_act_on_the_terminal_nor_be_markup() -> None:
    console, out = plain()
    show = Show(console)
    show.told(event(1, "message", text="\x1b]0;owned\x07\x1b[2J[bold]hello[/bold]\r"), Seen("ses_1", "fix", "running"))
    assert "[bold]hello[/bold]" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_lines_fit_the_width_and_begin_with_the_time_since_the_first() -> None:
    console, out = plain(60)
    show = Show(console)
    seen = Seen("ses_1", "fix", "running")
    show.told(event(1, "worktree_ready"), seen)
    show.told(event(2, "message", text="a"), seen)
    show.told(event(5, "message", text="long " * 40), seen)
    first, second = out.getvalue().splitlines()
    assert first.startswith("  0.0s  fix")
    assert second.startswith("  3.0s  fix")
    assert len(second) == 60
    assert second.endswith("…")


async def test_the_live_picture_shows_who_does_what_and_the_last_facts_within_24_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24, highlight=False)
    sessions = {
        str(number): Seen(str(number), job.name, "running", "local", "Bash", "make test [bold]")
        for number, job in enumerate(JOBS)
    }
    sessions["4"].status, sessions["4"].reason = "cancelled", "It was cancelled."
    with LiveShow(console, sessions) as show:
        await show.act("Five agents go to work")
        for number in range(1, 2 * FEED_LINES):
            show.told(event(number, "message", text=f"fact {number}"), sessions["0"])
        picture = console.render_lines(show._draw())
    text = "\n".join("".join(segment.text for segment in line) for line in picture)
    assert len(picture) < 24
    assert "Bash make test [bold]" in text
    assert "It was cancelled." in text
    assert f"fact {2 * FEED_LINES - 1}" in text
    assert "fact 1 " not in text
    assert "▸ Five agents go to work" in text


def test_a_summary_says_what_did_not_hold() -> None:
    console, out = plain()
    report = Report(skipped=["guide in a terminal: tmux is not installed."])
    report.check("In parallel", True, "3 at once")
    report.check("Audit log", False, "not valid from entry 3")
    print_summary(console, report, 1.5, "/somewhere")
    assert not report.ok
    assert "✕ Audit log" in out.getvalue()
    assert "✕ 1 of 2 checks do not hold." in out.getvalue()
    assert "Skipped: guide in a terminal" in out.getvalue()
    assert "QUARTERDECK_HOME=/somewhere/home quarterdeck sessions" in out.getvalue()


def test_a_failed_one_says_how_to_keep_its_logs() -> None:
    console, out = plain()
    print_summary(console, Report(), 1.5, None)
    assert "`quarterdeck demo --keep`" in out.getvalue()


def test_a_report_without_checks_is_no_success() -> None:
    assert not Report().ok
    assert json.loads(json.dumps(document(Report(), 1.23456, None))) == {
        "ok": False,
        "seconds": 1.235,
        "checks": [],
        "sessions": [],
        "skipped": [],
        "kept": None,
    }


def test_the_sample_repository_has_the_bug_that_its_test_finds(tmp_path: Path) -> None:
    for name, text in REPOSITORY.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(["sh", "test.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "at 22 o'clock the lamp is off\n")


def test_scripts_are_steps_and_end_by_themselves_in_a_terminal() -> None:
    for job in JOBS:
        assert all((step.keys() - {"delay"}) <= STEPS for step in json.loads(job.prompt(terminal=False)))
        assert json.loads(job.prompt(terminal=True))[-1] == {"exit": 0}
