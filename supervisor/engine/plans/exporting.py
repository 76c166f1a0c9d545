"""Writing plans: the canonical document as YAML or JSON. Reading it again gives the same plan.

Keys stand in the order of the model; what has its default is left out.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from supervisor.model.plan.plan import Plan

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# A block shows every line as it is. It cannot hold what begins with a blank, or blanks at the end of a line.
_BLOCK: Final = re.compile(r"(?![ \t\n])(?:[^\n]*[^\s]\n|\n)*[^\n]*[^\s]\n?")

# In JSON these may stand as they are; YAML, as which JSON is read, takes some of them for the end of a line.
_ODD: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def canonical(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain JSON values."""
    return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def as_json(plan: Plan) -> str:
    """Return a plan as JSON, one key per line."""
    text = json.dumps(canonical(plan), ensure_ascii=False, indent=2, allow_nan=False)
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def as_yaml(plan: Plan) -> str:
    """Return a plan as YAML; texts of several lines stand as blocks."""
    text: str = yaml.dump(canonical(plan), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


class _Dumper(_BASE):  # type: ignore[misc]
    """Puts a text in quotes when YAML 1.1 or the core schema of 1.2 would read it as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write each value out: documents with aliases are not read."""
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text and text.isascii() and _BLOCK.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+)([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
