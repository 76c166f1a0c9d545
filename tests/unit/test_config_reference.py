from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from config.loading import load
from config.paths import Paths
from config.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "configuration.md"


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (key, default, description) of every setting."""
    for name, field in model.model_fields.items():
        inner: Any = get_args(field.annotation)[-1] if get_origin(field.annotation) is dict else field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            below = f"{prefix}{name}." if inner is field.annotation else f"{prefix}{name}.NAME."
            yield from rows(inner, below)
        elif not (name == "name" and prefix.endswith("NAME.")):
            given = field.get_default(call_default_factory=True)
            default = "" if field.is_required() else f"`{json.dumps(given)}`"
            yield f"{prefix}{name}", default, field.description or ""


@pytest.mark.parametrize(("key", "default", "description"), list(rows(Settings)))
def test_every_setting_is_in_the_reference(key: str, default: str, description: str) -> None:
    lines = REFERENCE.read_text().splitlines()
    found = next((line for line in lines if line.startswith(f"| `{key}` |")), None)
    assert found, f"add: | `{key}` | {default} | {description} |"
    _, _, shown, meaning, _ = (part.strip() for part in found.split("|"))
    assert shown == default
    assert meaning
    assert description in ("", meaning)


def test_the_reference_has_no_setting_that_is_gone() -> None:
    lines = REFERENCE.read_text().splitlines()
    shown = {line.split("`")[1] for line in lines if line.startswith("| `")}
    assert shown == {key for key, _, _ in rows(Settings)}


def examples() -> list[str]:
    blocks = REFERENCE.read_text().split("\n\n")
    return [textwrap.dedent(block) for block in blocks if block.startswith("    ")]


@pytest.mark.parametrize("example", examples())
def test_every_example_is_taken(tmp_path: Path, example: str) -> None:
    (tmp_path / "config.yaml").write_text(example)
    loaded = load(Paths.below(tmp_path), environ={})
    assert yaml.safe_load(example).keys() <= loaded.settings.model_dump().keys()
