"""What the schema of the protocol forbids and a supervisor takes all the same: worth a warning. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from supervisor.model.protocol import RISKS

SEVERITIES: Final = ("debug", "info", "warning", "error", "critical")
STREAMS: Final = ("stdout", "stderr")

_ANY_WORD: Final = ("a string",)
_NUMBER: Final = ("a number",)

_FIELDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "progress": {"done": _NUMBER, "of": _NUMBER, "text": _ANY_WORD},
    "tool_output": {"text": _ANY_WORD, "stream": STREAMS},
    "message": {"text": _ANY_WORD, "severity": SEVERITIES},
    "error": {"text": _ANY_WORD, "severity": SEVERITIES},
}
_REQUIRED: Final = {"message": "text", "error": "text"}


def doubts(kind: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each field of an event that is not what the page says of its type."""
    if kind == "approval_needed":
        yield from _of_question(data)
    for name, allowed in _FIELDS.get(kind, {}).items():
        if name in data and not _fits(data[name], allowed):
            yield f"{name} of a {kind} is not {_either(allowed)}."
    required = _REQUIRED.get(kind)
    if required and required not in data:
        yield f"A {kind} without {required} says nothing."


def _of_question(data: Mapping[str, Any]) -> Iterator[str]:
    risk = data.get("risk")
    if risk is not None and risk not in RISKS:
        yield f"Its risk is not {_either(RISKS)}, and is read as high."
    if data.get("default") is not None and not data.get("options"):
        yield "Its default means nothing, as it has no options."


def _fits(value: object, allowed: tuple[str, ...]) -> bool:
    if allowed is _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) and (allowed is _ANY_WORD or value in allowed)


def _either(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
