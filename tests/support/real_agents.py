"""What the tests of the real agents share: programs, offline environments, a repository they trust."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from config.loading import load
from config.paths import Paths
from config.profiles import AgentProfile
from supervisor.api.client import Client
from supervisor.daemon import Daemon


def real(name: str) -> AgentProfile:
    """Return the shipped profile of an agent, with its real program as the tests are given it."""
    shipped = load(Paths.below(Path("none")), environ={}).settings.agents[name]
    variable = f"QUARTERDECK_TEST_{name.upper().replace('-', '_')}"
    program = shutil.which(os.environ.get(variable, shipped.command[0]))
    assert program is not None
    return shipped.model_copy(update={"command": (program, *shipped.command[1:])})


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


def opencode_environment(home: Path, url: str) -> dict[str, str]:
    """Return what keeps opencode offline; its configuration goes to ``home``, what makes it ask is in its profile."""
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    model = {"name": "Mock", "tool_call": True, "limit": {"context": 200000, "output": 8000}}
    provider = {
        "npm": "@ai-sdk/anthropic",
        "name": "Mock",
        "options": {"baseURL": f"{url}/v1", "apiKey": "dummy"},
        "models": {"mock-model": {**model, "cost": {"input": 1, "output": 1}}},
    }
    settings = {"model": "mock/mock-model", "small_model": "mock/mock-model", "provider": {"mock": provider}}
    (folder / "opencode.json").write_text(json.dumps(settings))
    given = real("opencode").environment
    return {"PATH": os.environ["PATH"], "HOME": str(home), "OPENCODE_DISABLE_MODELS_FETCH": "1", **given}


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


class Place:
    """A repository, a state folder with its configuration, and the environment of the person who runs agents."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.repository = make_repository(folder)
        identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", "add", "-A"], cwd=self.repository, check=True)
        subprocess.run(["git", *identity, "commit", "-qm", "First"], cwd=self.repository, check=True)
        self.home = folder / "home"
        self.paths = Paths.below(folder / "state")
        self.paths.create()
        self.paths.config_file.write_text(configuration)

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[Client]:
        async with Daemon(self.paths), Client(self.paths.socket, self.paths.token_file) as client:
            yield client

    async def run(self, client: Client, env: dict[str, str], **options: Any) -> dict[str, Any]:
        body = {"cwd": str(self.repository), "environment": env, **options}
        session: dict[str, Any] = (await client.post("/sessions", body))["session"]
        return session
