"""Exports that are derived from the database: `metadata.json` and, when archived, `summary.md`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from supervisor.model.entities import Session
from supervisor.model.times import to_rfc3339


def write_metadata(session: Session) -> None:
    """Write what is known of a session beside its log."""
    _replace(Path(session.folder) / "metadata.json", json.dumps(asdict(session), indent=2, ensure_ascii=False))


def write_summary(session: Session, diff_stat: str) -> Path:
    """Write how a session went, for people; returns the file."""
    stats = session.stats
    tools = ", ".join(f"{tool} {count}x" for tool, count in sorted(stats.tools_used.items())) or "none"
    lines = [
        f"# {session.name}",
        "",
        f"- Outcome: {session.status}. {session.reason.text}",
        f"- Agent: {session.agent}, on {session.executor}; attempts: {session.attempts}",
        f"- Branch: {session.branch} from {session.base_commit}",
        f"- Started {to_rfc3339(session.started_at)}, ended {to_rfc3339(session.ended_at)}",
        f"- Messages: {stats.messages}; tools: {tools}; permissions refused: {stats.permissions_refused}",
        f"- Tokens: {stats.tokens_input} in, {stats.tokens_output} out; cost: ${stats.cost_usd:.4f}",
        "",
        "## Asked for",
        "",
        *(f"    {line}" for line in (session.work.prompt or " ".join(session.work.argv)).splitlines()),
        "",
        "## Changed",
        "",
        *(f"    {line}" for line in diff_stat.splitlines() or ["nothing"]),
        "",
    ]
    path = Path(session.folder) / "summary.md"
    _replace(path, "\n".join(lines))
    return path


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
