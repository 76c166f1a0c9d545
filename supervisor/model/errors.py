"""The error tree.

::

    QuarterdeckError            the operation failed                  exit 1  http 500
    ├── InvalidInput            what was given cannot be understood   exit 2  http 422
    │   └── ConfigError         a configuration file is wrong         exit 2  http 422
    ├── NotFound                no such session, project …            exit 3  http 404
    ├── Refused                 not now, or not allowed               exit 4  http 409
    │   ├── Forbidden           this token may not do that            exit 4  http 403
    │   ├── QueueFull           the queue takes no more               exit 4  http 429
    │   └── IllegalMove         this status cannot become that one    exit 4  http 409
    ├── Unavailable             a program or service is missing       exit 1  http 503
    ├── SupervisorUnreachable   no supervisor answers                 exit 5
    └── StoreError              the database cannot be used           exit 1  http 500
        ├── SchemaTooNew        a newer version wrote it
        └── StoreDamaged        it fails its integrity check

Each error says what is wrong (``message``), what to do (``hint``) and, where work was under
way, what was kept safe (``kept``). ``code`` is stable and meant for programs.
"""

from __future__ import annotations

from typing import ClassVar


class QuarterdeckError(Exception):
    """The operation failed."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", kept: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept
        self.specific_code = code or self.code

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.kept, self.hint) if part)


class InvalidInput(QuarterdeckError):
    """What was given cannot be understood."""

    code = "invalid_input"
    exit_code = 2
    http_status = 422


class ConfigError(InvalidInput):
    """A configuration file is wrong; the message names file, line and key."""

    code = "invalid_config"


class NotFound(QuarterdeckError):
    """There is no such thing."""

    code = "not_found"
    exit_code = 3
    http_status = 404


class Refused(QuarterdeckError):
    """Not now, or not allowed."""

    code = "refused"
    exit_code = 4
    http_status = 409


class Forbidden(Refused):
    """The token does not carry the role that this needs."""

    code = "forbidden"
    http_status = 403


class QueueFull(Refused):
    """The queue takes no more sessions."""

    code = "queue_full"
    http_status = 429


class IllegalMove(Refused):
    """The status that it has cannot become the status that was asked for."""

    code = "illegal_move"


class Unavailable(QuarterdeckError):
    """A program, service or image that this needs is missing."""

    code = "unavailable"
    http_status = 503


class SupervisorUnreachable(QuarterdeckError):
    """No supervisor answers on its socket."""

    code = "supervisor_unreachable"
    exit_code = 5
    http_status = 503


class StoreError(QuarterdeckError):
    """The database cannot be used."""

    code = "store"


class SchemaTooNew(StoreError):
    """A newer version of Quarterdeck wrote this database."""

    code = "schema_too_new"


class StoreDamaged(StoreError):
    """The database fails its integrity check."""

    code = "store_damaged"
