"""Values from the environment in a request: ``${NAME}``. They are filled in here, and stored nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

from executors.requests.failing import Failed

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def fill(text: str, where: str, environment: Mapping[str, str]) -> str:
    """Return a text with its variables filled in; Failed when one is not set. ``where`` says what the text is."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise Failed(f"${{{found[1]}}} in the {where} is not set. Set {found[1]} where you start the plan.")
        return environment[found[1]]

    return _VARIABLE.sub(value, text)
