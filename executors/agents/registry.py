"""Which adapter drives a profile."""

from __future__ import annotations

from config.profiles import AgentProfile
from executors.agents.claude import ClaudeAdapter
from executors.agents.command import CommandAdapter
from executors.agents.peer import PeerAdapter
from supervisor.engine.ports.agents import AgentAdapter

_ADAPTERS: dict[str, AgentAdapter] = {
    adapter.name: adapter for adapter in (ClaudeAdapter(), CommandAdapter(), PeerAdapter("codex"), PeerAdapter("acp"))
}


def adapter_for(profile: AgentProfile) -> AgentAdapter:
    """Return the adapter that a profile names; one instance each, because they keep no state."""
    return _ADAPTERS[profile.adapter]
