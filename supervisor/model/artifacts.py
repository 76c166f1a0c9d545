"""Artifacts: durable outputs that are never changed, addressed by plan, task and name, and by what is in them.

Evidence is an artifact that speaks for or against something. Times are milliseconds since the epoch (`times`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from supervisor.model.errors import InvalidInput
from supervisor.model.plain import one_line

Kind = Literal["artifact", "evidence"]
Stance = Literal["supports", "refutes", "neutral"]
Form = Literal["file", "folder"]
"""What an artifact was: the content of a folder is a tar archive of it."""

SIZE_LIMIT: Final = 2 * 1024**3
"""Bytes of one artifact."""

NAME_LIMIT: Final = 255
"""Bytes of a name in UTF-8: what a file's name may have."""

TYPE_LIMIT: Final = 127

_RETENTION: Final = re.compile(r"task|plan|project|forever|([1-9][0-9]{0,4})([hdw])")
_UNITS: Final = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is said of an artifact before it is there.

    ``type`` is a media type or a word of the author. ``size`` is in bytes. ``provenance`` says how it was made.
    ``retention`` is how long it is kept: while its task, plan or project is there, forever, or a time such as `30d`.
    Evidence has a ``stance`` to ``statement``, which says in words what it speaks to.
    """

    project: str
    name: str
    type: str
    sha256: str
    size: int
    created_by: str
    retention: str
    kind: Kind = "artifact"
    form: Form = "file"
    plan: str | None = None
    task: str | None = None
    session: str | None = None
    attempt: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    statement: str = ""
    stance: Stance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact(Draft):
    """An immutable durable output. The same name put again is the next ``version``, from 1.

    ``expires_at`` is when a time of retention ends; ``removed_at`` is set when the content is kept no longer.
    """

    id: str
    version: int
    created_at: int
    expires_at: int | None = None
    removed_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A content that comes in pieces. ``artifact`` is what it has become."""

    id: str
    draft: Draft
    created_at: int
    artifact: str | None = None


def check_name(name: str) -> str:
    """Return a name that an artifact may have; InvalidInput says what is wrong with another one.

    It may have folders (`reports/unit.html`). It is never a path in the store, but people save under it.
    """
    problem = ""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size, problem = 0, "it is not valid Unicode"
    if size > NAME_LIMIT:
        problem = f"it has {size} bytes, and {NAME_LIMIT} is the most"
    elif not problem and one_line(name) != name:
        problem = "it holds control characters, or blanks that cannot be seen"
    elif any(part in ("", ".", "..") for part in name.split("/")):
        problem = "it is empty, or has an empty part, `.` or `..` between its slashes"
    if problem:
        raise InvalidInput(
            f"{one_line(ascii(name[:80]))} cannot be the name of an artifact: {problem}.",
            hint="Use a name such as `report.html` or `reports/unit.html`.",
        )
    return name


def check_type(text: str) -> str:
    """Return the type of an artifact; InvalidInput when it cannot be one."""
    if not text or len(text) > TYPE_LIMIT or one_line(text) != text or not text.isprintable():
        raise InvalidInput(
            f"{one_line(ascii(text[:80]))} cannot be the type of an artifact.",
            hint=f"Use a media type or a word, such as `text/html` or `report`, of at most {TYPE_LIMIT} characters.",
        )
    return text


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None


def check_retention(text: str, *, of_plan: bool) -> str:
    """Return how long an artifact is kept; InvalidInput when it cannot be understood, or names a plan that is not."""
    if _RETENTION.fullmatch(text) is None:
        raise InvalidInput(
            f"{one_line(ascii(text[:80]))} is no retention.", hint="Use plan, project, forever, or a time such as 30d."
        )
    if text in ("task", "plan") and not of_plan:
        raise InvalidInput(
            f"It cannot be kept as long as its {text}: it belongs to none.", hint="Name the plan, or another retention."
        )
    return text


def expiry(retention: str, created_at: int) -> int | None:
    """Return when a retention ends by time alone; None when it does not."""
    match = _RETENTION.fullmatch(retention)
    if match is None or match[1] is None:
        return None
    return created_at + int(match[1]) * _UNITS[match[2]]
