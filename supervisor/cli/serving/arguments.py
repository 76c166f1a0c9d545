"""What the tools of the MCP server take. Their JSON schemas are what an agent reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=16 * 1024)]


class Arguments(BaseModel):
    """Arguments of a tool; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Arguments):
    """No arguments."""


class Progress(Arguments):
    """How far the work is."""

    text: Text = Field(description="What has been done, or what is being done now, in one sentence.")
    done: float | None = Field(None, ge=0, description="How much is done, in the unit of `of`.")
    of: float | None = Field(None, gt=0, description="How much there is to do.")


class Choice(Arguments):
    """An answer that may be chosen."""

    value: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="What you get back when it is chosen."
    )
    label: str = Field("", max_length=16 * 1024, description="What the person reads.")
    description: str = Field("", max_length=16 * 1024, description="What choosing it means.")


class Asking(Arguments):
    """A question for the person who supervises."""

    question: Text
    options: list[Choice] = Field([], max_length=50, description="The answers to choose from; without any: yes or no.")
    default: str | None = Field(None, description="The value that is preselected; it never decides.")
    expires_s: float | None = Field(None, gt=0, le=1e9, description="Seconds after which the question is void.")
    risk: Literal["low", "medium", "high"] = "medium"


class Evidence(Arguments):
    """A file that shows something."""

    path: Text = Field(description="A file inside your worktree, absolute or relative to it.")
    note: Text = Field(description="What it shows.")


class Proposal(Arguments):
    """Work that somebody should do; a person decides whether it is done."""

    title: Text
    description: str = Field("", max_length=16 * 1024, description="What is to be done, and how one sees that it is.")
    why: str = Field("", max_length=16 * 1024)


class Permission(BaseModel):
    """A tool that is about to run, as Claude's --permission-prompt-tool asks about it."""

    model_config = ConfigDict(extra="ignore")

    tool_name: Text
    input: dict[str, Any] = {}
    tool_use_id: str | None = Field(None, max_length=200)
