"""An agent's session for reading: what it said, did and was told, instead of the JSON lines that it printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click

from supervisor.model.plain import clean

RESULT_LINES = 8
"""Lines of a tool's result that are shown; `--raw` has all of them."""

Payload = dict[str, Any]


def render(event: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show one event; none for what only machines care about."""
    show = _SHOWN.get(event["type"])
    if show is not None:
        yield from show(event["payload"])


def _message(payload: Payload) -> Iterator[str]:
    yield ""
    yield clean(payload["text"])


def _delivered(payload: Payload) -> Iterator[str]:
    yield ""
    first, *rest = clean(payload["text"]).splitlines() or [""]
    yield click.style(f"❯ {first}", bold=True)
    yield from (click.style(f"  {line}", bold=True) for line in rest)


def _thinking(payload: Payload) -> Iterator[str]:
    for line in clean(payload["text"]).splitlines():
        yield click.style(f"  {line}", dim=True, italic=True)


def _tool_use(payload: Payload) -> Iterator[str]:
    argument = clean(payload.get("argument") or "").replace("\n", " ")
    yield click.style("● ", fg="cyan") + click.style(clean(payload["tool"]), bold=True) + f"  {argument}"


def _tool_result(payload: Payload) -> Iterator[str]:
    lines = clean(payload.get("text") or "").splitlines()
    colour = "red" if payload.get("is_error") else None
    for line in lines[:RESULT_LINES]:
        yield click.style(f"  │ {line}", fg=colour, dim=colour is None)
    if len(lines) > RESULT_LINES:
        yield click.style(f"  │ … {len(lines) - RESULT_LINES} more lines", dim=True)


def _output(payload: Payload) -> Iterator[str]:
    yield click.style(clean(payload["text"]), dim=payload.get("stream") == "stderr")


def _refused(payload: Payload) -> Iterator[str]:
    yield click.style(f"  ✕ refused: {clean(payload.get('argument') or payload.get('tool') or '')}", fg="yellow")


def _turn_ended(payload: Payload) -> Iterator[str]:
    if payload.get("is_error"):
        yield click.style(f"✕ {clean(payload.get('text') or payload.get('subtype') or 'failed')}", fg="red")


def _notice(payload: Payload) -> Iterator[str]:
    text = clean(payload.get("text") or payload.get("error") or "").replace("\n", " ")
    yield click.style(f"! {text}", fg="yellow")


def _ended(payload: Payload) -> Iterator[str]:
    yield ""
    yield click.style(f"─ {clean(payload['reason'])}", dim=True)


_SHOWN: dict[str, Callable[[Payload], Iterator[str]]] = {
    "message": _message,
    "message_delivered": _delivered,
    "thinking": _thinking,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "output": _output,
    "permission_refused": _refused,
    "turn_ended": _turn_ended,
    "usage_limit": _notice,
    "retry": _notice,
    "error": _notice,
    "message_undelivered": _notice,
    "attempt_ended": _ended,
}
