"""Sessions over the API: several by their ids, and what they belong to."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.api.client import at
from supervisor.model.errors import InvalidInput
from supervisor.model.statuses import SessionStatus
from tests.support.supervised import Home, Supervised, eventually


async def listed(supervised: Supervised, **query: Any) -> list[str]:
    return [session["id"] for session in (await supervised.client.get("/sessions", **query))["sessions"]]


async def test_sessions_are_found_by_their_ids_archived_or_not(supervised: Supervised) -> None:
    made = [await supervised.ended(await supervised.run("true", name=f"s{number}")) for number in range(3)]
    await supervised.client.post(at("session", made[0].id, "archive"))
    ids = [session.id for session in made]
    assert await listed(supervised) == ids[1:]
    assert await listed(supervised, id=[ids[2], ids[0]]) == [ids[0], ids[2]]
    assert await listed(supervised, id=ids[1]) == [ids[1]]
    assert await listed(supervised, id=[ids[1], "ses_nobody", "", "s1", ids[0][:-1], "a\0b"]) == [ids[1]]
    assert await listed(supervised, id=ids, status="archived") == [ids[0]]


async def test_at_most_five_hundred_are_asked_for_at_once(supervised: Supervised) -> None:
    session = await supervised.run("true")
    filler = [f"ses_{number:026}" for number in range(500)]
    assert await listed(supervised, id=[session.id, *filler[1:]]) == [session.id]
    with pytest.raises(InvalidInput, match="at most 500"):
        await listed(supervised, id=[session.id, *filler])


async def test_every_answer_names_the_project(supervised: Supervised) -> None:
    session = await supervised.reaches(await supervised.run("sleep", "60", name="long"), SessionStatus.RUNNING)
    name = supervised.repository.name
    client = supervised.client
    answers = [
        *(await client.get("/sessions"))["sessions"],
        *(await client.get("/sessions", id=session.id))["sessions"],
        *(await client.get("/queue"))["running"],
        (await client.get(at("session", "long")))["session"],
        (await client.get(at("session", "long", "explain")))["session"],
        (await client.post(at("session", "long", "cancel")))["session"],
    ]
    assert [answer["project_name"] for answer in answers] == [name] * 6


@pytest.mark.tmux
async def test_the_screen_is_what_a_terminal_shows_without_secrets(home: Home) -> None:
    home.configure(secrets=["PIN_CODE"])
    script = "printf '\\033]2;A title\\007'; echo Code $SHOWN; read word"
    async with home.supervised() as supervised:
        # A session is not given the secret itself; this one has found the value somewhere.
        environment = {"PIN_CODE": "topsecret", "SHOWN": "topsecret"}
        await supervised.run("sh", "-c", script, name="asks", mode="dispatch", environment=environment)
        shown: dict[str, Any] = {}

        async def look() -> bool:
            shown.update(await supervised.client.get(at("session", "asks", "screen")))
            return "Code" in (shown["text"] or "")

        await eventually(look, what=lambda: f"the screen shows the code, not {shown}")
        assert shown["text"].startswith("Code [redacted]\n")
        assert shown["title"] == "A title"
        await supervised.client.post("/stop", {"all": True})
        assert await supervised.client.get(at("session", "asks", "screen")) == {"title": None, "text": None}


async def test_without_a_terminal_there_is_no_screen(supervised: Supervised) -> None:
    session = await supervised.run("sleep", "60")
    for number in range(3):
        await supervised.run("sleep", "60", name=f"s{number}")
    for ref in (session.id, "s2"):
        assert await supervised.client.get(at("session", ref, "screen")) == {"title": None, "text": None}
    await supervised.client.post("/stop", {"all": True})
