"""The settings over the API: those in force, also while a file is wrong."""

from __future__ import annotations

from typing import Any

from config.loading import PROJECT_FILE
from tests.support.git import write
from tests.support.supervised import Home, Supervised


async def config(supervised: Supervised, **query: Any) -> tuple[dict[str, Any], dict[str, str], str | None]:
    """The values, the sources, and the problem."""
    found = await supervised.client.get("/config", **query)
    values = {each["key"]: each["value"] for each in found["settings"]}
    return values, {each["key"]: each["source"] for each in found["settings"]}, found["problem"]


async def test_every_setting_has_a_value_and_a_source(home: Home) -> None:
    home.configure(queue={"waiting": 5}, agents={"mine": {"adapter": "command", "environment": {"API_KEY": "s3cret"}}})
    async with home.supervised() as supervised:
        values, sources, problem = await config(supervised)
        assert (values["queue.waiting"], sources["queue.waiting"]) == (5, f"{home.paths.config_file}:1")
        assert (values["queue.concurrent"], sources["queue.concurrent"]) == (3, "built-in")
        assert values["agents.mine.environment.API_KEY"] == "[redacted]"
        assert problem is None


async def test_a_projects_own_settings_are_shown_for_it(supervised: Supervised) -> None:
    file = write(supervised.repository / PROJECT_FILE, "worktrees: {setup: make}\n")
    project = (await supervised.client.post("/projects", {"path": str(supervised.repository)}))["project"]
    values, sources, problem = await config(supervised, project=project["name"])
    assert (values["worktrees.setup"], sources["worktrees.setup"], problem) == ("make", f"{file}:1", None)
    assert (await supervised.client.get("/config", project=project["id"]))["project"] == project["id"]
    values, _, _ = await config(supervised)
    assert values["worktrees.setup"] is None


async def test_a_file_that_is_wrong_is_named_and_the_rest_is_shown(supervised: Supervised) -> None:
    file = write(supervised.repository / PROJECT_FILE, "worktrees: {pool: 1}\n")
    project = (await supervised.client.post("/projects", {"path": str(supervised.repository)}))["project"]
    values, _, problem = await config(supervised, project=project["id"])
    assert values["worktrees.pool_size"] == 0
    assert f"{file}:1" in (problem or "")
    assert (await config(supervised))[2] is None
    write(supervised.paths.config_file, "queue: {concurent: 1}\n")
    values, _, problem = await config(supervised)
    assert values["queue.concurrent"] == 3
    assert f"{supervised.paths.config_file}:1" in (problem or "")
