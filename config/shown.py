"""The settings as people may see them: every value with its source, no secret among them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from config.loading import Loaded
from config.settings import SHORTEST_SECRET

HIDDEN: Final = "[redacted]"
"""What stands in the place of a secret, as in logs."""

_CREDENTIAL = re.compile(r"KEY|TOKEN|SECRET|PASS(WORD|WD|PHRASE)|CREDENTIAL|AUTH(?!OR(?!I))", re.IGNORECASE)
"""What the name of a variable has in it whose value is not shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting. ``key`` is dotted (``queue.concurrent``), ``value`` a plain JSON type, ``source`` a file and line,
    a variable, a flag, or ``built-in``."""

    key: str
    value: Any
    source: str


def shown(loaded: Loaded, environ: Mapping[str, str] | None = None) -> list[Shown]:
    """Return every setting. Hidden are the values of configured secrets, wherever they stand, and what a profile sets a
    variable to whose name is one of a secret."""
    surroundings = os.environ if environ is None else environ
    names = loaded.settings.secrets
    values = [value for name in names if len(value := surroundings.get(name, "")) >= SHORTEST_SECRET]
    values.sort(key=len, reverse=True)
    return [
        Shown(key, HIDDEN if _is_secret(key, names) else _cleared(value, values), str(loaded.sources[key]))
        for key, value in loaded.values().items()
    ]


def _is_secret(key: str, names: tuple[str, ...]) -> bool:
    section, _, rest = key.partition(".")
    _, inside, variable = rest.partition(".environment.")
    return section == "agents" and bool(inside) and (variable in names or bool(_CREDENTIAL.search(variable)))


def _cleared(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, list):
        return [_cleared(each, secrets) for each in value]
    if isinstance(value, dict):
        return {name: _cleared(each, secrets) for name, each in value.items()}
    return value
