"""The approval protocol, version 1: its words, its limits and the shape of a question.

The specification is docs/approval-protocol.md. Lengths are in characters unless they say bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from supervisor.model.approvals import ONCE, Option
from supervisor.model.events import EventType

VERSION: Final = 1

EXIT_CODE: Final = 90
"""What a tool exits with that waits for an approval."""

ANSWER_VARIABLE: Final = "AUTO_APPROVAL"
KEY_VARIABLE: Final = "AUTO_APPROVAL_KEY"
ANSWER_FLAG: Final = "--approval-decision="

RISKS: Final = ("low", "medium", "high")

LINE_LIMIT: Final = 64 * 1024
"""Bytes of the line of an `approval_needed`, without its newline."""

QUESTION_LIMIT: Final = 4096
PREVIEW_LIMIT: Final = 32 * 1024
OPTIONS_LIMIT: Final = 20
VALUE_LIMIT: Final = 256
LABEL_LIMIT: Final = 200
DESCRIPTION_LIMIT: Final = 2048
KEY_LIMIT: Final = 200

EXPIRES_DEFAULT_S: Final = 24 * 3600.0
EXPIRES_LIMIT_S: Final = 365 * 24 * 3600.0

TYPE_LIMIT: Final = 100
"""Characters of an event's type."""

RESERVED: Final = frozenset(EventType) - {
    EventType.APPROVAL_NEEDED,
    EventType.ERROR,
    EventType.HEARTBEAT,
    EventType.IDLE,
    EventType.MESSAGE,
    EventType.OUTPUT,
    EventType.PROGRESS,
    EventType.RETRY,
    EventType.THINKING,
    EventType.TOOL_RESULT,
    EventType.TOOL_USE,
    EventType.UNKNOWN,
    EventType.USAGE,
}
"""What only the supervisor and the agents' adapters say; a tool's line of such a type is malformed."""

RESERVED_PREFIXES: Final = ("approval_", "permission_")


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """A question as a tool asked it, valid and without control characters.

    ``expires_s`` counts from the time of the line; None leaves it to the supervisor. ``key`` is the
    tool's own name for the question.
    """

    question: str
    options: tuple[Option, ...] = ()
    default: str | None = None
    expires_s: float | None = None
    risk: str | None = None
    preview: str | None = None
    key: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The answers that a tool may be given; without options an approval says `ONCE`."""
        return tuple(option.value for option in self.options) or (ONCE,)

    def is_same_as(self, other: ApprovalNeeded) -> bool:
        """Whether two questions are the same one: by their keys, else by what they say."""
        if self.key is not None or other.key is not None:
            return self.key == other.key
        return (self.question, self.options) == (other.question, other.options)

    def payload(self) -> dict[str, Any]:
        """Return it as the payload of an event, without what the tool did not say."""
        return {name: value for name, value in asdict(self).items() if value is not None} | {
            "options": [asdict(option) for option in self.options]
        }


def is_reserved(kind: str) -> bool:
    """Whether a tool may not emit events of this type."""
    return kind in RESERVED or (kind != EventType.APPROVAL_NEEDED and kind.startswith(RESERVED_PREFIXES))


def answer_environment(value: str, key: str | None) -> dict[str, str]:
    """Return the variables by which a tool that is started again learns the answer to its question."""
    return {ANSWER_VARIABLE: value} | ({KEY_VARIABLE: key} if key is not None else {})


def answer_argument(value: str) -> str:
    """Return the argument that says the same, for tools whose profile asks for it (its `approval_flag`)."""
    return ANSWER_FLAG + value
