"""Which adapter drives a profile."""

from __future__ import annotations

from config.profiles import AgentProfile
from executors.agents.claude import ClaudeAdapter
from executors.agents.codex import CodexAdapter
from executors.agents.command import CommandAdapter
from supervisor.engine.ports import AgentAdapter

_ADAPTERS: dict[str, AgentAdapter] = {
    adapter.name: adapter for adapter in (ClaudeAdapter(), CodexAdapter(), CommandAdapter())
}


def adapter_for(profile: AgentProfile) -> AgentAdapter:
    """Return the adapter that a profile names; one instance each, because they keep no state."""
    return _ADAPTERS[profile.adapter]
