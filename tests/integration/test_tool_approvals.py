"""The examples of the approval protocol on a real supervisor: asked, answered, started again with the answer."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from supervisor.engine.deciding import Decision
from supervisor.model.approvals import Approval
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.store import approvals
from tests.support.supervised import PERSON, Supervised, eventually

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"approval.sh": "sh", "approval.mjs": "node", "approval.py": sys.executable}


async def asked(supervised: Supervised) -> Approval:
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await supervised.engine.store.read(approvals.pending)
        return len(found) == 1

    await eventually(look, what=lambda: f"one question waits, not {found}")
    return found[0]


@pytest.mark.parametrize(
    ("name", "choice", "risk", "preview", "events"),
    [
        ("approval.sh", "newest", "high", "rm -r releases/1.0\nrm -r releases/1.1", ["progress"]),
        pytest.param(
            "approval.mjs", "all", "medium", "DROP TABLE orders_old;", ["progress", "progress"], marks=pytest.mark.node
        ),
        ("approval.py", "test", "high", "upload dist/core-1.0.tar.gz", ["uploaded", "uploaded"]),
        ("approval.sh", "none", "high", "rm -r", []),
    ],
)
async def test_an_example_is_asked_and_runs_again_with_the_answer(
    supervised: Supervised, tmp_path: Path, name: str, choice: str, risk: str, preview: str, events: list[str]
) -> None:
    for source in (ROOT / "docs" / "examples" / name, ROOT / "deploy" / "helpers" / "quarterdeck_tool.py"):
        shutil.copy(source, tmp_path)
    session = await supervised.run(PROGRAMS[name], str(tmp_path / name))
    await supervised.reaches(session, SessionStatus.WAITING)
    approval = await asked(supervised)
    assert approval.risk == risk
    assert preview in str(approval.preview["details"])
    assert len(approval.options) == 3
    assert approval.default in {option.value for option in approval.options}
    await supervised.engine.broker.decide([Decision(approval.id, approve=True, choice=choice)], PERSON)
    session = await supervised.ended(session)
    assert (session.status, session.attempts) == (SessionStatus.COMPLETED, 2)
    for kind in set(events):
        assert len(await supervised.payloads(session, kind)) == events.count(kind)
    assert len(await supervised.payloads(session, EventType.APPROVAL_NEEDED)) == 1


async def test_a_question_that_breaks_a_rule_is_reported_and_never_asked(supervised: Supervised) -> None:
    script = """echo '{"type": "approval_needed", "protocol": 2, "question": "Go?"}' >&2; exit 90"""
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    assert (session.status, session.attempts) == (SessionStatus.FAILED, 1)
    (payload,) = await supervised.payloads(session, EventType.MALFORMED_EVENT)
    assert payload["reason"] == "It speaks protocol 2; version 1 is understood."
    assert session.reason.text == (
        "It exited with code 90, but its question was malformed: It speaks protocol 2; version 1 is understood."
    )
    assert await supervised.engine.store.read(approvals.pending) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("""echo '{"type": "approval_needed", "question": 3}'""", "Its question is no text."),
        ("""printf '{"type": "approval_needed", "question": "%01100000d"}\\n' 0""", "It is not a JSON object."),
    ],
)
async def test_the_last_line_counts_also_when_it_is_malformed(supervised: Supervised, line: str, reason: str) -> None:
    script = f"""echo '{{"type": "approval_needed", "question": "Good?"}}'; {line}
        echo '{{"type": "approval_decided"}}'; exit 90"""
    session = await supervised.ended(await supervised.run("sh", "-c", script))
    assert session.status is SessionStatus.FAILED
    assert session.reason.text == f"It exited with code 90, but its question was malformed: {reason}"
    assert await supervised.engine.store.read(approvals.pending) == []


async def test_exit_code_90_without_a_question_says_so(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("sh", "-c", "exit 90"))
    assert session.reason.text.endswith("has asked for none.")


async def test_a_last_line_without_its_newline_counts(supervised: Supervised) -> None:
    script = """[ "${AUTO_APPROVAL-}" ] && exit; printf '{"type": "approval_needed", "question": "Go?"}'; exit 90"""
    session = await supervised.run("sh", "-c", script)
    await supervised.reaches(session, SessionStatus.WAITING)
    assert (await asked(supervised)).question == "Go?"


async def test_a_tool_finds_ask_on_its_path(supervised: Supervised) -> None:
    script = 'test "$(quarterdeck ask --no-start "Go?" --preview "rm -r x")" = allow'
    session = await supervised.run("sh", "-c", script, environment={"PYTHONPATH": str(ROOT)})
    await supervised.reaches(session, SessionStatus.WAITING)
    approval = await asked(supervised)
    assert approval.preview["details"] == "rm -r x"
    await supervised.engine.broker.decide([Decision(approval.id, approve=True)], PERSON)
    assert (await supervised.ended(session)).status is SessionStatus.COMPLETED
