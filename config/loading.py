"""Loading of settings: built-in < user's file < project's file < environment < flags."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.documents import Document, parse_document, read_document
from config.paths import Paths
from config.policy import POLICY_SECTION
from config.problems import explain
from config.settings import Settings
from config.sources import BUILT_IN, Key, LayerName, Source, Tree, leaves
from supervisor.model.errors import ConfigError

PROJECT_FILE = "quarterdeck.yaml"
PROJECT_SECTIONS = frozenset({"worktrees"})
"""What a project's own file may set. A repository is not trusted: it must not choose commands, secrets,
containers or the Docker host. Its set-up command runs only in projects that the person added."""

_DATA = Path(__file__).parent
_PREFIX = "QUARTERDECK_"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Validated settings and where each value came from, by dotted key (``queue.concurrent``)."""

    settings: Settings
    sources: dict[str, Source]

    def values(self) -> dict[str, Any]:
        """Return every value by the same keys as ``sources``, as plain JSON types."""
        return {".".join(key): value for key, value in leaves(self.settings.model_dump(mode="json"))}


def load(
    paths: Paths,
    project_root: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Return the settings that are in force, for a project when ``project_root`` is given.

    ``flags`` are by dotted key; None means that a flag was not given. Raises ConfigError that names file
    (or variable, or flag), line and key.
    """
    tree = Tree()
    for section in ("agents", "containers"):
        for path in sorted((_DATA / section).glob("*.yaml")):
            _add_profile(tree, section, path)
    if document := read_document(paths.config_file):
        _add_file(tree, "user", paths.config_file, document)
    if project_root is not None:
        _add_project(tree, project_root / PROJECT_FILE, paths.config_file)
    _add_environment(tree, os.environ if environ is None else environ)
    for name, value in (flags or {}).items():
        if value is not None:
            _add_one(tree, tuple(name.split(".")), value, Source("flag", name))
    _name_profiles(tree)
    try:
        settings = Settings.model_validate(tree.values)
    except ValidationError as error:
        raise explain(error, tree) from error
    _check_names(settings, tree)
    keys = (key for key, _ in leaves(settings.model_dump(mode="json")))
    return Loaded(settings, {".".join(key): tree.sources.get(key, BUILT_IN) for key in keys})


def _add_profile(tree: Tree, section: str, path: Path) -> None:
    """Add a data file as if it stood in the configuration under ``<section>.<name of the file>``."""
    document = read_document(path) or Document()
    at = (section, path.stem)
    lines = {(*at, *key): line for key, line in document.lines.items()}
    _add_file(tree, "built-in", path, Document({section: {path.stem: document.value}}, lines))


def _add_project(tree: Tree, path: Path, user_file: Path) -> None:
    document = read_document(path, follow_links=False)
    if document is None:
        return
    for name in _mapping(document, path):
        if name in Settings.model_fields and name not in PROJECT_SECTIONS:
            raise ConfigError(
                f"{path}:{document.lines[(name,)]}: `{name}` cannot be set by a project's own file, "
                "because what a repository holds is not trusted.",
                hint=f"Set it in {user_file}.",
            )
    _mapping(document, path).pop(POLICY_SECTION, None)  # rules are no settings; config/policy.py reads them
    _add_file(tree, "project", path, document)


def _add_file(tree: Tree, layer: LayerName, path: Path, document: Document) -> None:
    given = {name: value for name, value in _mapping(document, path).items() if value is not None}
    tree.add(given, {key: Source(layer, str(path), line) for key, line in document.lines.items() if key})


def _mapping(document: Document, path: Path) -> dict[str, Any]:
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        raise ConfigError(
            f"{path}:{document.lines[()]}: this is not a list of `key: value` lines.",
            hint="Begin with a section, for example `queue:`.",
        )
    return document.value


def _add_environment(tree: Tree, environ: Mapping[str, str]) -> None:
    """Add ``QUARTERDECK_<SECTION>__<KEY>`` and ``QUARTERDECK_<KEY>``; values are written as in YAML."""
    for variable in sorted(name for name in environ if name.startswith(_PREFIX)):
        key = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        if len(key) == 1 and key[0] not in Settings.model_fields:
            continue  # QUARTERDECK_HOME and its like are no settings
        data = os.fsencode(environ[variable])
        _add_one(tree, key, parse_document(data, variable).value, Source("environment", variable))


def _add_one(tree: Tree, key: Key, value: Any, source: Source) -> None:
    nested: Any = value
    for name in reversed(key):
        nested = {name: nested}
    below = {(*key, *inner): source for inner, _ in leaves(value)} if isinstance(value, dict) else {}
    tree.add(nested, {key: source, **below})


def _name_profiles(tree: Tree) -> None:
    """Give each profile its name, which is its key; only data files repeat it."""
    for section in ("agents", "containers"):
        profiles = tree.values.get(section)
        for name, profile in profiles.items() if isinstance(profiles, dict) else ():
            if isinstance(profile, dict) and profile.setdefault("name", name) != name:
                raise ConfigError(
                    f"{tree.nearest((section, name, 'name'))}: `{section}.{name}.name`: a profile's name is its key.",
                    hint="Leave `name` out.",
                )


def _check_names(settings: Settings, tree: Tree) -> None:
    """Refuse a name that leads nowhere where it stands, not when a session starts."""
    named = {("default_agent",): (settings.default_agent, "agent", settings.agents)} | {
        ("agents", profile.name, "container"): (profile.container, "container profile", settings.containers)
        for profile in settings.agents.values()
    }
    for key, (name, kind, known) in named.items():
        if name not in known:
            raise ConfigError(
                f"{tree.nearest(key)}: `{'.'.join(key)}`: there is no {kind} `{name}`.",
                hint=f"Known are: {', '.join(sorted(known))}.",
            )
