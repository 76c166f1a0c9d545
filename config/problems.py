"""Validation problems in words: file, line, key, what is wrong, and the name that was probably meant."""

from __future__ import annotations

import difflib
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from config.settings import Settings
from config.sources import Key, Source, Tree
from supervisor.model.errors import ConfigError


def explain(error: ValidationError, tree: Tree) -> ConfigError:
    """Return the error to raise. It tells of the first problem in full and counts the others."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    key = tuple(str(part) for part in first["loc"] if part != "[key]")
    source = tree.nearest(key)
    hint = _correction(source)
    if first["type"] == "extra_forbidden":
        what = "there is no such setting"
        near = difflib.get_close_matches(key[-1], _known(key[:-1]), n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "`quarterdeck config show` lists every setting."
    elif first["type"] == "missing":
        what = "this is needed, and nothing sets it"
    else:
        what = first["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
    more = len(problems) - 1
    counted = f" There {'is' if more == 1 else 'are'} {more} more." if more else ""
    return ConfigError(f"{source}: `{'.'.join(key)}`: {what}.{counted}", hint=hint)


def _correction(source: Source) -> str:
    place = {"environment": "variable", "flag": "flag"}.get(source.layer, "line")
    return f"Correct this {place}."


def _known(key: Key) -> list[str]:
    """Return the names that may stand below a key."""
    here: Any = Settings
    for name in key:
        if typing.get_origin(here) is dict:
            here = typing.get_args(here)[1]
        elif typing.get_origin(here) is tuple:
            here = typing.get_args(here)[0]
        else:
            here = _fields(here).get(name)
    return list(_fields(here))


def _fields(annotation: Any) -> dict[str, Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {name: field.annotation for name, field in annotation.model_fields.items()}
    return {}
