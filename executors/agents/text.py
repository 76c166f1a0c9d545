"""Text that came from agents and tools: read it whatever it is, clip it, take the control codes out."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

LIMIT = 16 * 1024
"""Bytes of UTF-8 that one string of a payload may have; the whole stays in the spool."""

ARGUMENT_LIMIT = 200
"""Characters of a tool's most telling argument."""

_TELLING = (
    "command", "file_path", "notebook_path", "path", "pattern", "query", "url",
    "questions", "skill", "description", "prompt",
)  # fmt: skip

# OSC, DCS, APC, PM and SOS strings with what they carry (ended by BEL or ST, or cut off), CSI
# sequences, other escapes, C0 (without tab), DEL, C1, and bidirectional overrides and isolates.
_NOISE = re.compile(
    r"(?:\x1b[\]P_^X]|[\x9d\x90\x9f\x9e\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_decode_json = msgspec.json.Decoder().decode


def read_text(data: bytes) -> tuple[str, bool]:
    """Return the text of some bytes and whether they were UTF-8; what is not shows as U+FFFD."""
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        return data.decode(errors="replace"), False


def read_object(data: bytes) -> dict[str, Any] | None:
    """Return the JSON object in ``data``, or None when there is none that can be read.

    Bytes that are not UTF-8 and halves of surrogate pairs (a program that cut a string in the
    middle of an emoji) are read with a replacement in their place.
    """
    try:
        value = _decode_json(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _mended(data)
    return value if isinstance(value, dict) else None


def _mended(data: bytes) -> object:
    try:
        loaded = json.loads(data.decode(errors="replace"))
        return _decode_json(json.dumps(loaded, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError, msgspec.DecodeError):
        return None


def clean(text: str) -> str:
    """Return one line without escape sequences, control characters and bidirectional overrides."""
    return _NOISE.sub("", text) if not text.isprintable() else text


def clip(text: str) -> str:
    """Return ``text``, cut at LIMIT bytes of UTF-8 (an ellipsis shows it)."""
    if len(text) <= LIMIT // 4:
        return text
    data = text.encode(errors="replace")
    if len(data) <= LIMIT:
        return text
    return data[: LIMIT - 3].decode(errors="ignore") + "…"


def clip_value(value: Any) -> Any:
    """Return a JSON value whose strings are clipped; one that is still too large becomes clipped text."""
    whole = msgspec.json.encode(value)
    if len(whole) <= LIMIT:
        return value
    clipped = _clip_strings(value)
    if len(msgspec.json.encode(clipped)) <= 4 * LIMIT:
        return clipped
    return {"clipped": clip(whole.decode())}


def _clip_strings(value: Any) -> Any:
    if isinstance(value, str):
        return clip(value)
    if isinstance(value, dict):
        return {clip(key): _clip_strings(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clip_strings(item) for item in value]
    return value


def telling_argument(given: Any) -> str:
    """Return the argument of a tool call that says most: one clean line of at most 200 characters."""
    if isinstance(given, dict):
        found = next((given[key] for key in _TELLING if given.get(key)), None)
        if found is None:
            rest = sorted(filter(None, given.values()), key=lambda item: not isinstance(item, str))
            found = rest[0] if rest else ""
    else:
        found = given
    if not isinstance(found, str):
        found = msgspec.json.encode(found).decode() if found else ""
    line = clean(" ".join(found[: 4 * ARGUMENT_LIMIT].split()))
    return line if len(line) <= ARGUMENT_LIMIT else line[: ARGUMENT_LIMIT - 1] + "…"
