"""What the tests of agents share: profiles, turns, and lines read into events."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from config.profiles import AgentProfile
from executors.agents.registry import adapter_for
from executors.agents.shapes import Origin
from supervisor.engine.ports.agents import Line, Turn, Verdict
from supervisor.model.events import NewEvent

RECORDINGS = Path(__file__).parents[1] / "recordings"
NOON = 1_795_262_400_000
"""2026-11-21T12:00:00Z in milliseconds."""


def profile(name: str, **fields: Any) -> AgentProfile:
    return AgentProfile.model_validate({"name": name, "adapter": name, **fields})


def turn(agent: AgentProfile, **fields: Any) -> Turn:
    return Turn(
        **{
            "session": "ses_1",
            "profile": agent,
            "mode": "autonomous",
            "executor": "local",
            "cwd": Path("/work"),
            "folder": Path("/state/ses_1"),
            **fields,
        }
    )


def read(name: str, data: bytes | str, stream: Any = "stdout") -> list[NewEvent]:
    raw = data.encode() if isinstance(data, str) else data
    return list(adapter_for(profile(name)).parse(Line(raw, stream, NOON)))


def read_all(name: str, lines: Iterable[bytes]) -> list[NewEvent]:
    return [event for line in lines for event in read(name, line)]


def recorded(agent: str, name: str) -> list[bytes]:
    return (RECORDINGS / agent / name).read_bytes().splitlines()


def kinds(events: Iterable[NewEvent]) -> list[str]:
    return [str(event.type) for event in events]


def asked(request: str | None) -> dict[str, Any]:
    """Return the payload of a question with this request id."""
    return Origin(NOON).permission_asked(request, "Bash", {"command": "ls"}).payload


ALLOWED = Verdict(allow=True)
REFUSED = Verdict(allow=False)
