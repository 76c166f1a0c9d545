"""Roles of people: what a token carries, and what the person at the terminal says that they are beside that.

A role is a word of whoever writes plans and settings: `Lead` and `lead` are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from supervisor.model.errors import Forbidden

AGENT: Final = "agent"
"""The role of what reports and never decides."""

APPROVER: Final = "approver"
"""The role of what may decide at all; the owner of the supervisor has it."""


def role_key(role: str) -> str:
    """Return what two ways to write a role have in common."""
    return " ".join(role.split()).casefold()


def has_role(needed: str, roles: Iterable[str]) -> bool:
    """Whether a role is among others, however it is written."""
    return role_key(needed) in {role_key(role) for role in roles}


def refuse_role(needed: str | None, roles: Iterable[str], what: str) -> None:
    """Raise Forbidden unless the needed role, if there is one, is among those of whoever decides ``what``."""
    found = sorted(set(roles))
    if needed is None or has_role(needed, found):
        return
    hint = f"At the terminal: if that is you, add {needed!r} to `roles` under `approvals:` in your config.yaml "
    hint += "(`quarterdeck config path`), then decide again. Else whoever has that role decides."
    raise Forbidden(
        f"{what} is decided by somebody with the role {needed}; you are {', '.join(found) or 'nobody of any role'}.",
        hint="The person at the terminal decides, or a token of that role." if needed == APPROVER else hint,
    )
