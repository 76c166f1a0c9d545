"""What tools and hooks report, and a database that fails in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine import conducting
from supervisor.engine.reports import PAYLOAD_LIMIT
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, StoreError
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.store.database import Store
from tests.support.supervised import PERSON, Home, Supervised

pytestmark = pytest.mark.timeout(60)

S = SessionStatus


async def test_a_heartbeat_of_a_tool_is_a_sign_of_life(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.run("true"))
    before = session.last_heartbeat_at or 0
    event = await supervised.engine.reports.emit(session.id, EventType.HEARTBEAT, {"step": 3})
    assert (await supervised.session(session)).last_heartbeat_at == event.time >= before


async def test_an_event_of_no_session_is_kept(supervised: Supervised) -> None:
    event = await supervised.engine.reports.emit(None, "deploy.done", {"version": 3})
    assert (event.session, event.type, event.source) == (None, "deploy.done", "tool")


@pytest.mark.parametrize(
    ("kind", "payload", "message"),
    [
        ("Not a type", {}, "cannot be an event type"),
        (EventType.STATUS_CHANGED, {}, "Quarterdeck's own"),
        (EventType.SCREEN_READ, {}, "Quarterdeck's own"),
        ("big", {"text": "x" * PAYLOAD_LIMIT}, "larger than"),
    ],
)
async def test_what_may_not_be_emitted_is_refused(
    supervised: Supervised, kind: str, payload: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        await supervised.engine.reports.emit(None, kind, payload)


async def test_a_hook_confirms_a_message(supervised: Supervised) -> None:
    session = await supervised.script({"say": "I begin."}, {"hang": True})
    await supervised.when(session, lambda now: now.stats.messages)
    await supervised.engine.reports.hook(session.id, {"hook_event_name": "UserPromptSubmit", "prompt": "Hello"})
    assert len(await supervised.events(session, EventType.MESSAGE_DELIVERED)) == 2
    await supervised.engine.control.cancel(session.id, PERSON, grace_s=0)
    await supervised.ended(session)


@pytest.mark.parametrize("point", ["Conductor._run", "Launcher.record_start", "Keeper._follow", "Keeper.finish"])
async def test_what_cannot_be_stored_now_is_stored_later_and_nothing_runs_twice(
    home: Home, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(conducting, "TRY_AGAIN_S", 0.05)
    submit, failed = Store.submit, list[list[str]]()

    async def full(self: Store, apply: Callable[..., Any], **how: Any) -> Any:
        names = [str(cell.cell_contents) for cell in apply.__closure__ or ()]
        if len(failed) < 2 and any(f" {point}." in name for name in names):
            failed.append(names)
            raise StoreError("The disk is full.")
        return await submit(self, apply, **how)

    monkeypatch.setattr(Store, "submit", full)
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", "echo once >> ../count; echo hi; exit 3")
        session = await supervised.ended(session)
        assert session.exit_code == 3
        assert [payload["text"] for payload in await supervised.payloads(session, EventType.OUTPUT)] == ["hi"]
        assert len(await supervised.attempts(session)) == 1
        assert runs(session) == 1
    assert failed


def runs(session: Session) -> int:
    assert session.worktree is not None
    return len((Path(session.worktree).parent / "count").read_text().split())
