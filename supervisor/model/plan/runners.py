"""What runs a task, and the details that the runners for HTTP, databases and git need."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt

from supervisor.model.plan.values import ITEM_LIMIT, MaybeText, Name, Shape, Text, Texts, named

Runner = Literal["shell", "agent", "git", "http", "db", "gate", "subplan"]


class Http(Shape):
    """One HTTP request."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The method."""
    url: Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x20]+$", max_length=8_000)]
    """The address, with http or https."""
    headers: Annotated[dict[Name, MaybeText], Field(max_length=200)] = Field(default_factory=dict)
    """Headers by name."""
    body: MaybeText | None = None
    """What is sent."""
    expect_status: Annotated[tuple[Annotated[StrictInt, Field(ge=100, le=599)], ...], Field(max_length=100)] = ()
    """Status codes that count as success; none means 200 to 299."""


class Db(Shape):
    """Statements for a database."""

    url: Annotated[str, Field(pattern=r"^(sqlite|postgres|postgresql):\S+$", max_length=8_000)]
    """The database: `sqlite:path` or `postgresql://host/name`."""
    sql: Annotated[Texts, Field(min_length=1)]
    """Statements, in order, in one transaction."""


def _words(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            raise ValueError("a quote is opened here and never closed") from None
    return value


class Git(Shape):
    """One git command in the task's worktree."""

    arguments: Annotated[
        tuple[Text, ...],
        BeforeValidator(_words, json_schema_input_type=Text | tuple[Text, ...]),
        Field(min_length=1, max_length=ITEM_LIMIT),
    ]
    """What follows `git`: `["tag", "v1"]`; a text is split into words like in a shell."""


def _arguments(value: Any) -> Any:
    return {"arguments": value} if isinstance(value, str | list) else value


HttpEntry = Annotated[Http, BeforeValidator(named("url"), json_schema_input_type=Http | Text)]
GitEntry = Annotated[Git, BeforeValidator(_arguments, json_schema_input_type=Git | Text | tuple[Text, ...])]
