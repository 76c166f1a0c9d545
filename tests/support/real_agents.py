"""What the tests of the real agents share: programs, offline environments, a repository they trust."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from config.profiles import AgentProfile
from tests.support.agents import profile


def real(name: str) -> AgentProfile:
    """Return the profile of an agent's real program."""
    return profile(name, command=(shutil.which(os.environ.get(f"QUARTERDECK_TEST_{name.upper()}", name)),))


def claude_environment(home: Path, url: str) -> dict[str, str]:
    """Return what keeps Claude offline and off this user's own files."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_API_KEY": "dummy",
        "ANTHROPIC_BASE_URL": url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_AUTOUPDATER": "1",
    }


def codex_environment(home: Path, url: str, repository: Path) -> dict[str, str]:
    """Return what keeps Codex offline; its configuration goes to ``home``."""
    folder = home / ".codex"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(
        f"""
model = "mock-model"
model_provider = "mock"
[model_providers.mock]
name = "mock"
base_url = "{url}"
wire_api = "responses"
env_key = "MOCK_KEY"
request_max_retries = 1
stream_max_retries = 1
[projects."{repository}"]
trust_level = "trusted"
"""
    )
    return {"PATH": os.environ["PATH"], "HOME": str(home), "MOCK_KEY": "dummy", "TZ": "UTC"}


def make_repository(tmp_path: Path) -> Path:
    """A repository with one file, trusted, whose own settings allow everything and turn hooks off."""
    repository = tmp_path / "repository"
    (repository / ".claude").mkdir(parents=True)
    (repository / "README.md").write_text("hello\n")
    own = {"permissions": {"allow": ["Bash", "Write", "Edit"]}, "disableAllHooks": True}
    (repository / ".claude" / "settings.json").write_text(json.dumps(own))
    subprocess.run(["git", "init", "-q", repository], check=True)
    home = tmp_path / "home"
    home.mkdir()
    trusted = {str(repository): {"hasTrustDialogAccepted": True}}
    seed = {"hasCompletedOnboarding": True, "theme": "dark", "projects": trusted}
    seed["customApiKeyResponses"] = {"approved": ["dummy"]}
    (home / ".claude.json").write_text(json.dumps(seed))
    return repository
