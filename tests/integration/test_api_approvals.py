"""Approvals over the API: who may see, ask and decide, and what the answers are."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from supervisor.api.auth import Role
from supervisor.api.client import Client, at
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import tokens
from tests.support.supervised import Supervised, eventually

KEYS = {
    "id", "subject_type", "subject", "session", "question", "options", "default", "risk", "preview", "status",
    "decision", "decided_by", "rationale", "created_at", "decided_at", "expires_at",
}  # fmt: skip

ASKS = {"ask": {"run": "./strange-tool --now; touch made"}}
OPTIONS = [{"value": "yes", "label": "Deploy"}, {"value": "later", "label": "Not now", "description": "Tomorrow."}]


async def token_of(supervised: Supervised, role: Role, session: str | None = None) -> str:
    token = f"token-of-{role}-{session}"
    await supervised.engine.services.ledger.commit(
        lambda t: tokens.add(t.conn, token, role=role, now=now_ms(), session=session)
    )
    return token


def speaking(supervised: Supervised, token: str) -> Client:
    return Client(supervised.paths.socket, token=token)


def raw(supervised: Supervised, token: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(supervised.paths.socket))
    return httpx.AsyncClient(
        transport=transport, base_url="http://quarterdeck", headers={"Authorization": f"Bearer {token}"}
    )


async def waiting(supervised: Supervised, count: int = 1) -> list[dict[str, Any]]:
    """The approvals that the API lists, once there are so many."""
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        found[:] = (await supervised.client.get("/approvals"))["approvals"]
        return len(found) == count

    await eventually(look, what=lambda: f"{count} approvals wait, not {found}")
    return found


async def asked(supervised: Supervised, key: str = "k", **more: Any) -> dict[str, Any]:
    body = {"key": key, "question": "Deploy?", **more}
    approval: dict[str, Any] = (await supervised.client.post("/questions", body))["approval"]
    return approval


async def test_an_agents_question_is_listed_shown_and_approved(supervised: Supervised) -> None:
    session = await supervised.script(ASKS, {"say": "Done."}, name="fix")
    (approval,) = await waiting(supervised)
    assert approval.keys() >= KEYS
    assert (approval["status"], approval["session"], approval["session_name"]) == ("pending", session.id, "fix")
    assert (approval["project"], approval["project_name"]) == (session.project, supervised.repository.name)
    assert approval["preview"]["input"] == {"command": ASKS["ask"]["run"]}
    assert (await supervised.client.get("/status"))["approvals_pending"] == 1
    assert (await supervised.client.get(at("approval", approval["id"][:16])))["approval"] == approval
    decided = await supervised.client.post(at("approval", approval["id"], "approve"), {"rationale": "It is needed."})
    assert decided["approval"]["decision"] == "allow"
    assert decided["approval"]["decided_by"] == "person"
    assert decided["approval"]["rationale"] == "It is needed."
    assert decided["approval"]["project_name"] == approval["project_name"]
    assert (await supervised.ended(session)).status is SessionStatus.COMPLETED
    assert await waiting(supervised, 0) == []
    (kept,) = (await supervised.client.get("/approvals", all=True))["approvals"]
    assert (kept["id"], kept["status"]) == (approval["id"], "consumed")


async def test_what_is_decided_is_decided(supervised: Supervised) -> None:
    approval = await asked(supervised)
    assert (approval["session_name"], approval["project_name"]) == (None, None)
    await supervised.client.post(at("approval", approval["id"], "reject"), {"reason": "Not today."})
    with pytest.raises(Refused, match=r"decided already by person at 20\d\d-") as caught:
        await supervised.client.post(at("approval", approval["id"], "approve"), {})
    assert caught.value.exit_code == 4
    assert (await asked(supervised))["reason"] == "Rejected by person: Not today."


async def test_a_question_with_options_needs_one_of_them(supervised: Supervised) -> None:
    approval = await asked(supervised, options=OPTIONS, default="later")
    assert approval["options"] == [{**OPTIONS[0], "description": ""}, OPTIONS[1]]
    for choice in (None, "never"):
        with pytest.raises(InvalidInput) as caught:
            await supervised.client.post(at("approval", approval["id"], "approve"), {"choice": choice})
        assert "yes (Deploy), later (Not now)" in caught.value.hint
    decided = await supervised.client.post(at("approval", approval["id"], "approve"), {"choice": "later"})
    assert decided["approval"]["decision"] == "later"


async def test_who_waits_gets_the_decision(supervised: Supervised) -> None:
    ask = asyncio.create_task(asked(supervised, options=OPTIONS, wait_s=20))
    (approval,) = await waiting(supervised)
    await supervised.client.post(at("approval", approval["id"], "approve"), {"choice": "yes"})
    answer = await ask
    assert (answer["status"], answer["decision"]) == ("consumed", "yes")
    assert await asked(supervised, options=OPTIONS) == answer
    with pytest.raises(Refused, match="something else"):
        await asked(supervised, question="Deploy twice?")


async def test_several_decisions_are_made_together_or_not_at_all(supervised: Supervised) -> None:
    one, two = await asked(supervised, "1"), await asked(supervised, "2", options=OPTIONS)
    both = [{"approval": one["id"], "approve": True}, {"approval": two["id"], "approve": True}]
    with pytest.raises(InvalidInput, match="needs a choice"):
        await supervised.client.post("/approvals/decide", {"decisions": both})
    assert len(await waiting(supervised, 2)) == 2
    with pytest.raises(InvalidInput, match="twice"):
        await supervised.client.post("/approvals/decide", {"decisions": [both[0], both[0]]})
    both[1] |= {"approve": False, "rationale": "No."}
    found = (await supervised.client.post("/approvals/decide", {"decisions": both}))["approvals"]
    assert [each["status"] for each in found] == ["approved", "rejected"]


async def test_a_session_asks_and_reads_for_itself_and_decides_nothing(supervised: Supervised) -> None:
    mine = await supervised.run("sleep", "60", name="mine")
    await supervised.reaches(mine, SessionStatus.RUNNING)
    token = await token_of(supervised, "agent", mine.id)
    async with speaking(supervised, token) as client:
        assert (await client.get("/self"))["session"]["id"] == mine.id
        approval = (await client.post("/questions", {"key": "k", "question": "May I?"}))["approval"]
        assert (approval["session"], approval["requested_by"]) == (mine.id, f"session {mine.id}")
    ref = approval["id"]
    async with raw(supervised, token) as http:
        for method, path in [
            ("GET", "/approvals"), ("GET", f"/approvals/{ref}"), ("POST", f"/approvals/{ref}/approve"),
            ("POST", f"/approvals/{ref}/reject"), ("POST", "/approvals/decide"),
        ]:  # fmt: skip
            answer = await http.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code == 403, (method, path)
    found = await supervised.client.get("/approvals", session="mine")
    assert [each["id"] for each in found["approvals"]] == [ref]
    other = await supervised.run("true", name="other")
    assert (await supervised.client.get("/approvals", session=other.id))["approvals"] == []


async def test_roles_read_ask_and_decide_what_they_may(supervised: Supervised) -> None:
    approval = await asked(supervised)
    ref = at("approval", approval["id"], "approve")
    for role, expected in (("viewer", (200, 403, 403)), ("operator", (200, 200, 403))):
        async with raw(supervised, await token_of(supervised, role)) as http:  # type: ignore[arg-type]
            codes = (
                (await http.get("/approvals")).status_code,
                (await http.post("/questions", json={"key": role, "question": "?"})).status_code,
                (await http.post(ref, json={})).status_code,
            )
            assert codes == expected, role
    async with raw(supervised, await token_of(supervised, "approver")) as http:
        own = (await http.post("/questions", json={"key": "own", "question": "?"})).json()["approval"]["id"]
        assert (await http.post(at("approval", own, "approve"), json={})).status_code == 403
        assert (await http.post(ref, json={})).json()["approval"]["decided_by"] == "approver"
        assert (await http.get("/self")).status_code == 404
        assert (await http.post("/permissions/claude", json={"key": "k", "request": {}})).status_code == 403


async def test_a_hooks_request_waits_and_gets_its_answer(supervised: Supervised) -> None:
    session = await supervised.script({"sleep": 600}, name="asks")
    await supervised.reaches(session, SessionStatus.RUNNING)
    request = {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "./odd"}}
    body = {"key": "toolu_1", "request": request}
    async with speaking(supervised, await token_of(supervised, "agent", session.id)) as client:
        first = await client.post("/permissions/claude", body)
        assert first["status"] == "pending"
        asks = asyncio.create_task(client.post("/permissions/claude", {**body, "wait_s": 20}))
        await supervised.client.post(at("approval", first["approval"], "approve"), {})
        answer = await asks
        assert (answer["status"], answer["approval"]) == ("decided", first["approval"])
        assert answer["answer"]["hookSpecificOutput"]["decision"]["behavior"] == "allow"
        body["key"] = "toolu_2"
        second = await client.post("/permissions/claude", body)
        assert await client.post("/permissions/claude", {**body, "withdrawn": True}) == {"status": "withdrawn"}
        gone = (await supervised.client.get(at("approval", second["approval"])))["approval"]
        assert gone["status"] == "cancelled"
        with pytest.raises(InvalidInput, match="does not ask"):
            await client.post("/permissions/claude", {"key": "k", "request": {"hook_event_name": "Stop"}})
        with pytest.raises(InvalidInput, match="wait_s"):
            await client.post("/permissions/claude", {**body, "wait_s": 1e9})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"question": "?"}, "key"),
        ({"key": "k"}, "question"),
        ({"key": "k\n", "question": "?"}, "not printable"),
        ({"key": "k", "question": ""}, "question"),
        ({"key": "k", "question": "?", "options": [{"value": "a"}, {"value": "a"}]}, "the same value"),
        ({"key": "k", "question": "?", "options": [{"value": "a\x1b[2J"}]}, "not printable"),
        ({"key": "k", "question": "?", "default": "a"}, "none of the options"),
        ({"key": "k", "question": "?", "expires_s": 0}, "expires_s"),
        ({"key": "k", "question": "?", "risk": "none"}, "risk"),
    ],
)
async def test_a_question_that_makes_no_sense_is_not_stored(
    supervised: Supervised, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        await supervised.client.post("/questions", body)
    assert await waiting(supervised, 0) == []


async def test_what_is_not_there_is_not_found(supervised: Supervised) -> None:
    for refused in (
        supervised.client.get(at("approval", "app_nothing")),
        supervised.client.get("/approvals", session="nobody"),
        supervised.client.get("/approvals", project="nowhere"),
        supervised.client.post("/approvals/decide", {"decisions": [{"approval": "x", "approve": True}]}),
    ):
        with pytest.raises(NotFound):
            await refused


async def test_the_events_tell_of_each_change(supervised: Supervised) -> None:
    approval = await asked(supervised)
    await supervised.client.post(at("approval", approval["id"], "reject"), {})
    expired = await asked(supervised, "late", expires_s=0.01)
    await eventually(lambda: _ended(supervised, expired["id"]), what=lambda: "the question expires")
    found = [event.type for event in await supervised.events(None) if event.phase == "policy"]
    registered = EventType.APPROVAL_REGISTERED
    assert found == [registered, EventType.APPROVAL_DECIDED, registered, EventType.APPROVAL_ENDED]


async def _ended(supervised: Supervised, ref: str) -> bool:
    return bool((await supervised.client.get(at("approval", ref)))["approval"]["status"] == "expired")
