"""Sessions over the API: several by their ids, and what they belong to."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.api.client import at
from supervisor.model.errors import InvalidInput
from tests.support.supervised import Supervised


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
    session = await supervised.run("sleep", "60", name="long")
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
