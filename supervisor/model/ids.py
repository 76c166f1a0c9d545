"""Identifiers: a short prefix and a sortable random part, for example ``ses_01k2…``."""

from __future__ import annotations

from typing import Literal

from ulid import ULID

Prefix = Literal["prj", "ses", "att", "msg", "rep", "app", "art", "upl", "sch"]


def new_id(prefix: Prefix) -> str:
    """Return a new identifier; identifiers made later sort after those made earlier."""
    return f"{prefix}_{str(ULID()).lower()}"
